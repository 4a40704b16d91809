"""The generated code: what a person would have written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.packing import steps
from protocheck.transpiler.packing.program import compile_program
from protocheck.transpiler.valuetypes import INT

from ..build import (
    action,
    add,
    arith,
    bind,
    component,
    eq,
    guard,
    ints,
    local,
    lt,
    pair,
    param,
    protocol,
    var,
    variable,
)
from ..handmade import MACHINES, rollback, two_phase_commit, wire
from .agreement import assert_agreement

Golden = Callable[[str, str], None]


def test_rollback(golden: Golden) -> None:
    golden("rollback.txt", compile_program(instantiate(rollback())).text)


def test_two_phase_commit(golden: Golden) -> None:
    golden("two_phase_commit.txt", compile_program(instantiate(two_phase_commit(2))).text)


def test_records_and_sequences(golden: Golden) -> None:
    golden("wire.txt", compile_program(instantiate(wire())).text)


def test_nothing_is_left_to_the_interpreter() -> None:
    for name in ("rollback", "two_phase_commit", "dispatch", "philosophers", "starver", "wire"):
        program = compile_program(instantiate(MACHINES[name]()))
        assert not program.assembly.builder.functions, name


def test_a_proved_transition_invariant_costs_nothing() -> None:
    assert "flag(3" not in compile_program(instantiate(rollback())).text


@pytest.mark.parametrize("limit", [0, 1, 3])
@pytest.mark.parametrize("name", MACHINES)
def test_loops_instead_of_unrolled_arguments(name: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_UNROLLED", limit)
    assert_agreement(MACHINES[name]())
    assert "for p_i in range(1, 5)" in compile_program(instantiate(rollback())).text


@pytest.mark.parametrize("name", MACHINES)
def test_wide_states(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocheck.transpiler.packing.program.NARROW", -1)
    assert "seen[t] = s" in compile_program(instantiate(rollback())).text
    assert_agreement(MACHINES[name]())


@pytest.mark.parametrize("name", MACHINES)
def test_interned_sets_and_functions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocheck.transpiler.packing.layouts.MAX_SET", 2)
    assert_agreement(MACHINES[name]())


@pytest.mark.parametrize("name", MACHINES)
def test_nothing_unrolled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocheck.transpiler.packing.sets.MAX_CELLS", 1)
    assert_agreement(MACHINES[name]())


@pytest.mark.parametrize("name", MACHINES)
def test_better_code_in_the_middle_of_a_search(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_OPERATIONS", 0)
    monkeypatch.setattr("protocheck.toolchain.explorer_search.LONG_SECONDS", -1.0)
    monkeypatch.setattr("protocheck.toolchain.explorer_search.FIRST_CHUNK", 1)
    quick = compile_program(instantiate(rollback()))
    assert "for p_i in range(1, 5)" in quick.text
    better = quick.thorough()
    assert better is not None
    assert "for p_i in" not in better.text
    assert better.thorough() is None
    assert_agreement(MACHINES[name]())


def test_names_never_meet() -> None:
    """A variable may be called as a field of another one would be, a local name as the new value of a variable."""
    counts = types.Tuple((INT, INT))
    machine = protocol(
        "M",
        variable("a", ir.TupleSet(items=(ints(0, 3), ints(0, 3))), pair(0, 0)),
        variable("a_0_2", ints(0, 3), 0),
        variable("b", ints(0, 9), 0),
        action(
            "move",
            param("v_b", ints(0, 1)),
            bind("a_after", component(var("a", counts), 0)),
            guard("room", lt(add(component(var("a", counts), 0), var("a_0_2")), 3)),
            a=pair(add(component(var("a", counts), 0), 1), var("a_0_2")),
            a_0_2=arith(add(local("a_after"), var("a_0_2")), "%", 4),
            b=add(arith(local("a_after"), "*", 2), local("v_b")),
        ),
    )
    assert_agreement(machine)


@pytest.mark.parametrize("text", ["\0", "*/ int x; /*", '"""', "\\", "\ud800", "\n", "\u2028"], ids=ascii)
def test_any_string_may_be_a_value(text: str) -> None:
    """Values are named in a comment of the generated code, which no text ends or spoils."""
    texts = ir.LiteralSet(members=("plain", text))
    machine = protocol(
        "Texts",
        variable("said", texts, "plain"),
        action("say", guard("once", eq(var("said", types.STR), "plain")), said=text),
    )
    program = compile_program(instantiate(machine))
    assert "bit 0, " in program.text
    assert_agreement(machine)
    assert "*/" not in program.text.partition("def ")[0]
