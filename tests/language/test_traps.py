"""Python's own traps are explained where they bite: when the module is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocheck.transpiler.traps import class_body_trap
from tests.language.test_refused import load

TRAPPED = """
from typing import Annotated
from protocheck import Between, Protocol, const

class Machine(Protocol):
    limit: int = const(3)
    members: frozenset[Annotated[int, Between(0, limit)]] = frozenset(i for i in range(3) if i < limit)
"""


def test_a_comprehension_that_names_a_class_attribute(tmp_path: Path) -> None:
    path = tmp_path / "trapped.py"
    path.write_text(TRAPPED)
    with pytest.raises(NameError) as caught:
        load(path)
    diagnostic = class_body_trap(caught.value)
    assert diagnostic is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (7, 98)
    assert diagnostic.code.value == "PC310"


def test_any_other_missing_name_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "missing.py"
    path.write_text("class Machine:\n    limit = missing\n")
    with pytest.raises(NameError) as caught:
        load(path)
    assert class_body_trap(caught.value) is None
