"""The pytest plugin: protocols that `[tool.protocheck]` of a pyproject.toml names become test items.

pytest loads this file in every project of an environment where protocheck is installed: it imports nothing that is not
there already, and where no pyproject.toml speaks of protocheck it does nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .collection import ProtocolsFile

FILE = "pyproject.toml"

SURVIVES = "survives as declared"
"""The user property with which a dropped guard's item tells the reason that the class declares."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and let a plain `pytest` find what `testpaths` alone would leave out."""
    config.addinivalue_line("markers", "protocheck: a property or a dropped guard of a protocol in [tool.protocheck]")
    config.addinivalue_line("markers", "protocheck_mutant: a dropped guard of a protocol in [tool.protocheck]")
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        file = config.rootpath / FILE
        reached = any(file.is_relative_to((config.rootpath / path).resolve()) for path in config.args)
        if not reached and _speaks_of_protocheck(file):
            config.args.append(str(file))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ProtocolsFile | None:
    """The protocols of a pyproject.toml that names some."""
    if file_path.name != FILE or not _speaks_of_protocheck(file_path):
        return None
    from .collection import ProtocolsFile

    return ProtocolsFile.from_parent(parent, path=file_path)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """With -v, a survivor says that it is one."""
    if isinstance(report, pytest.TestReport) and report.when == "call" and report.passed:
        for name, reason in report.user_properties:
            if name == SURVIVES:
                return "passed", ".", f"PASSED ({SURVIVES}: {reason})"
    return None


def _speaks_of_protocheck(file: Path) -> bool:
    """Whether a pyproject.toml has a table [tool.protocheck]; one that cannot be read is pytest's business."""
    try:
        content = file.read_bytes()
    except OSError:
        return False
    if b"protocheck" not in content:
        return False
    import tomllib

    try:
        tool = tomllib.loads(content.decode("utf-8")).get("tool")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return isinstance(tool, dict) and "protocheck" in tool
