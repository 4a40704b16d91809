"""Everything outside the language is refused with code, position, caret, reason and remedy, all at once."""

from __future__ import annotations

import importlib.util
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from protocheck.transpiler.diagnostics import CompileError
from protocheck.transpiler.frontend import compile_protocol

CASES = sorted((Path(__file__).parent / "refused").glob("*.py"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"refused_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


pytestmark = pytest.mark.filterwarnings("ignore:.*with .* literal:SyntaxWarning")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_diagnostics(path: Path, golden: Callable[[str, str], None]) -> None:
    linecache.checkcache()
    with pytest.raises(CompileError) as caught:
        compile_protocol(load(path).Machine)
    golden(f"{path.stem}.txt", str(caught.value).replace(str(path), path.name) + "\n")


def test_every_diagnostic_has_a_place_and_a_way_out() -> None:
    for path in CASES:
        with pytest.raises(CompileError) as caught:
            compile_protocol(load(path).Machine)
        for diagnostic in caught.value.diagnostics:
            assert diagnostic.span.file == str(path)
            assert diagnostic.span.line > 0
            assert diagnostic.span.column > 0
            assert diagnostic.message
