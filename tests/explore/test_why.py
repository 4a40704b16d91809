"""What decides a guard, in the values that were compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.toolchain.exploration.texts import source_text, value_text, visible
from protocheck.toolchain.exploration.why import MOST_CHARACTERS, why, why_refused
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.interpreter import Refused, attempt, initial_states

from ..build import NONE, all_, and_, any_, eq, gen, gt, in_, le, lit, local, lt, not_, or_, range_, var
from ..handmade import MACHINES
from .samples import Chosen, Spin


@pytest.fixture(scope="module")
def rollback() -> Instance:
    return instantiate(compile_protocol(Rollback))


def refused(instance: Instance, action: str, guard: str, state: dict[str, object], **arguments: object) -> str:
    described = instance.protocol.action(action)
    given = tuple(arguments.items())
    outcome = attempt(instance, state, described, given)
    assert isinstance(outcome, Refused)
    assert guard in outcome.guards
    return why_refused(instance, state, described, given, guard)


def test_a_comparison_is_told_with_its_values(rollback: Instance) -> None:
    assert refused(rollback, "rollback", "shrinks", {"length": 1, "pending_reads": frozenset()}, k=2) == "2 < 1"


def test_membership_is_told_with_the_set(rollback: Instance) -> None:
    state = {"length": 2, "pending_reads": frozenset({1, 2})}
    assert refused(rollback, "finish_read", "is_pending", state, i=3) == "3 in {1, 2}"


def test_of_many_elements_the_one_that_decides_is_told(rollback: Instance) -> None:
    state = {"length": 4, "pending_reads": frozenset({1, 3})}
    assert refused(rollback, "rollback", "no_reader_above", state, k=2) == "i = 3: 3 <= 2"


def test_helpers_are_looked_into() -> None:
    instance = instantiate(compile_protocol(TreeCache))
    (_, first), *_ = initial_states(instance)
    state = {**getattr(first, "state"), "reading": {"drafter": 0, "verifier": 2}}  # noqa: B009  # a union for mypy
    told = refused(instance, "release", "nobody_reads", state)
    assert told == 'reader = "verifier": 2 == 0'


def test_where_no_element_helps_all_are_told() -> None:
    instance = instantiate(compile_protocol(Chosen))
    told = refused(instance, "take", "first_is_it", {"at": 2, "tail": (0,)}, i=4)
    assert told == "0 == 4; j = 0: 0 > 3; j = 1: 1 > 3"


def test_locals_before_the_guard_are_known() -> None:
    """Guards of a machine whose conditions refer to what was computed before them."""
    instance = instantiate(MACHINES["bounded_queue"]())
    told = 0
    for _, outcome in initial_states(instance):
        state = getattr(outcome, "state")  # noqa: B009
        for action in instance.protocol.actions:
            for arguments in [tuple((p.name, None) for p in action.parameters)]:
                if not arguments:
                    result = attempt(instance, state, action, ())
                    if isinstance(result, Refused):
                        told += all(why_refused(instance, state, action, (), guard) for guard in result.guards)
    assert told > 0


PLAIN = instantiate(compile_protocol(Spin))
STATE = {"at": 2, "mode": "x"}


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (not_(lt(lit(1), lit(2))), "not 1 < 2"),
        (not_(not_(lt(lit(3), lit(2)))), "3 < 2"),
        (and_(lt(lit(1), lit(2)), lt(lit(2), lit(1))), "2 < 1"),
        (not_(any_(gt(local("i"), lit(1)), gen("i", range_(0, 5)))), "i = 2: not 2 > 1"),
        (not_(and_(lt(lit(1), lit(2)), lt(lit(2), lit(3)))), "not 1 < 2; not 2 < 3"),
        (or_(lt(lit(2), lit(1)), lt(lit(3), lit(1))), "2 < 1; 3 < 1"),
        (any_(gt(local("i"), lit(8)), gen("i", range_(0, 0))), "there is no i"),
        (all_(le(local("i"), lit(0)), gen("i", range_(0, 5))), "i = 1: 1 <= 0"),
        (any_(gt(local("i"), lit(8)), gen("i", range_(0, 5))), "i = 0: 0 > 8; i = 1: 1 > 8; i = 2: 2 > 8; and 2 more"),
        (in_(lit(9), range_(0, 3)), "9 in range(0, 3)"),
        (eq(var("at"), lit(3)), "2 == 3"),
    ],
    ids=str,
)
def test_forms(condition: object, told: str) -> None:
    assert why(condition, PLAIN, STATE) == told  # type: ignore[arg-type]


def test_what_has_no_value_is_not_explained() -> None:
    instance = instantiate(compile_protocol(Chosen))
    condition = instance.protocol.action("take").guards[0].condition
    assert why(condition, instance, {"at": 0, "tail": ()}) == ""


def test_long_values_are_cut() -> None:
    told = why(eq(lit("x" * 500), lit("y")), PLAIN, STATE)
    assert len(told) == MOST_CHARACTERS
    assert told.endswith("…")


def test_source_is_shown_as_it_is_written() -> None:
    protocol = compile_protocol(TreeCache)
    condition = protocol.action("start_read").guards[3].condition
    assert source_text(condition.span) == "top <= self.last_written() or not self.is_being_written()"


@given(st.text())
def test_texts_have_nothing_invisible_in_them(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert text.isprintable() == (shown == text)


def test_values_are_shown_as_users_write_them() -> None:
    assert value_text(frozenset({2, 10})) == "{2, 10}"
    assert value_text("a\u202eb") == '"a\\u202eb"'
    assert value_text(NONE.value) == "None"
