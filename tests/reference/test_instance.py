"""Constants take their values, domains become finite, and what does not fit is said, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from protocheck.transpiler import domains, ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.diagnostics import Code, CompileError
from protocheck.transpiler.instance import fits, instantiate, is_empty, natural_order
from protocheck.transpiler.interpreter import Taken, steps
from protocheck.transpiler.valuetypes import BOOL, INT, STR, FrozenDict

from ..build import (
    action,
    add,
    arith,
    const,
    constant,
    fun,
    fun_comp,
    if_,
    init,
    ints,
    lit,
    local,
    make,
    param,
    protocol,
    range_,
    record_type,
    records,
    seq,
    sequences,
    set_,
    set_of,
    sub,
    var,
    variable,
)
from ..handmade import MACHINES, Phase, rollback, two_phase_commit
from ..random_expressions import MARK, Color, Mark


def problems(machine: ir.Protocol, **constants: Any) -> list[tuple[Code, str]]:
    with pytest.raises(CompileError) as caught:
        instantiate(machine, constants)
    return sorted(((item.code, item.message) for item in caught.value.diagnostics), key=lambda item: item[1])


def test_defaults_and_given_values() -> None:
    assert instantiate(rollback()).constants == {"max_len": 4}
    instance = instantiate(rollback(), {"max_len": 2})
    assert instance.constants == {"max_len": 2}
    assert instance.variables == {
        "length": domains.IntDomain(0, 2),
        "pending_reads": domains.SetDomain(domains.IntDomain(1, 2)),
    }
    assert instance.parameters == {
        ("start_read", "i"): domains.IntDomain(1, 2),
        ("finish_read", "i"): domains.IntDomain(1, 2),
        ("rollback", "k"): domains.IntDomain(0, 1),
    }


@pytest.mark.parametrize("name", MACHINES)
def test_every_handmade_machine_instantiates(name: str) -> None:
    instance = instantiate(MACHINES[name]())
    assert list(instance.variables) == [variable.name for variable in instance.protocol.variables]


def test_values_are_made_canonical() -> None:
    instance = instantiate(two_phase_commit(), {"rms": {"x", "y"}})
    assert instance.constants == {"rms": frozenset({"x", "y"})}
    assert instance.variables["tm_prepared"] == domains.SetDomain(domains.ChoiceDomain(("x", "y"), STR))


def test_members_of_a_constant_set_are_in_natural_order() -> None:
    instance = instantiate(two_phase_commit(), {"rms": {"r10", "r2", "r1"}})
    domain = instance.parameters["prepare", "rm"]
    assert list(domains.values(domain)) == ["r1", "r2", "r10"]


@pytest.mark.parametrize(
    "expected",
    [
        [-10, -2, 0, 3, 20],
        ["a", "a1", "a2", "a10", "a10b", "b"],
        ["1", "2", "10", "x"],
        [Phase.FREE, Phase.FULL],
        [None, 1, 2],
        [(1, "b"), (2, "a"), (10, "a")],
        [Mark(1), Mark(2)],
    ],
)
def test_natural_order(expected: list[Any]) -> None:
    backwards = expected[::-1]
    assert sorted(backwards, key=natural_order) == expected


def test_an_unknown_constant_with_the_nearest_name() -> None:
    with pytest.raises(CompileError) as caught:
        instantiate(rollback(), {"maxlen": 3})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code is Code.CONSTANT
    assert diagnostic.remedy == "did you mean `max_len`?"


def test_all_unknown_and_unfit_constants_at_once() -> None:
    assert problems(rollback(), nonsense=1, max_len="x") == [
        (Code.CONSTANT, '"x" is no value for the constant `max_len`'),
        (Code.CONSTANT, "Rollback has no constant `nonsense`"),
    ]


@pytest.mark.parametrize("value", [True, "4", 4.0, None, frozenset()])
def test_a_constant_of_another_type(value: Any) -> None:
    ((code, _),) = problems(rollback(), max_len=value)
    assert code is Code.CONSTANT


def test_a_constant_outside_its_own_domain() -> None:
    machine = protocol(
        "M",
        constant("limit", 3),
        constant("start", 1, domain=ints(0, const("limit"))),
        variable("n", ints(0, const("limit")), const("start")),
    )
    assert instantiate(machine, {"start": 3}).constants["start"] == 3
    # The initial value is outside as well, which is said at the same time.
    assert problems(machine, start=4) == [
        (Code.CONSTANT, "the constant `start` cannot be 4"),
        (Code.DOMAIN, "the initial value 4 of `n` is outside its domain"),
    ]


def test_a_symmetric_set_has_members() -> None:
    tasks = constant("tasks", frozenset({"t1"}), types.Set(types.Model("tasks")), symmetric=True)
    machine = protocol("M", tasks, variable("n", ints(0, 1), 0))
    assert problems(machine, tasks=frozenset()) == [(Code.CONSTANT, "the symmetric constant `tasks` has no members")]


def test_an_initial_value_outside_its_domain_and_an_empty_domain() -> None:
    machine = protocol(
        "M",
        constant("top", 2),
        variable("n", ints(0, const("top")), 3),
        variable("m", ints(3, const("top")), 3),
        variable("q", sequences(ints(0, 1), const("top"), 3), seq()),
    )
    assert problems(machine) == [
        (Code.DOMAIN, "the domain of `m` is empty"),
        (Code.DOMAIN, "the domain of `q` is empty"),
        (Code.DOMAIN, "the initial value 3 of `n` is outside its domain"),
    ]
    assert problems(machine, top=3) == [(Code.DOMAIN, "the initial value () of `q` is outside its domain")]


def test_bounds_and_initial_values_without_a_value() -> None:
    sick = arith(1, "//", const("zero"))
    machine = protocol(
        "M",
        constant("zero", 0),
        variable("n", ints(0, sick), 0),
        variable("m", ints(0, 3), sick),
        action("act", param("k", ints(sick, 3))),
    )
    assert problems(machine) == [
        (Code.DOMAIN, "a bound of this domain has no value"),
        (Code.DOMAIN, "the initial value of `m` is undefined"),
    ]
    assert instantiate(machine, {"zero": 1}).variables["n"] == domains.IntDomain(0, 1)


def test_an_empty_parameter_domain_is_allowed() -> None:
    machine = protocol("M", variable("n", ints(0, 1), 0), action("never", param("k", ints(2, 1))))
    assert instantiate(machine).parameters == {("never", "k"): domains.IntDomain(2, 1)}


def _with_table(initial: ir.Expr, value: ir.Expr | None = None, top: int = 2) -> ir.Protocol:
    table = ir.FunctionSet(key=ints(0, const("top")), value=ints(0, 9))
    sets = {} if value is None else {"table": value}
    return protocol("M", constant("top", top), variable("table", table, initial), action("act", **sets))


def test_a_function_covers_its_whole_domain() -> None:
    whole = fun_comp("k", range_(0, add(const("top"), 1)), local("k"))
    short = fun_comp("k", range_(0, 2), 0)
    assert instantiate(_with_table(whole, whole), {"top": 5}).constants == {"top": 5}
    instantiate(_with_table(whole, short), {"top": 1})
    found = problems(_with_table(whole, if_(True, whole, short)))
    assert found == [(Code.DOMAIN, "this function has no value for 2")]
    beyond = problems(_with_table(whole, short), top=0)
    assert beyond == [(Code.DOMAIN, "1 is outside the domain of this function")]
    missing = problems(_with_table(fun((0, 0), (1, 1))))
    assert (Code.DOMAIN, "this function has no value for 2") in missing


def test_a_function_whose_keys_depend_on_the_state_is_left_to_type_ok() -> None:
    whole = fun_comp("k", range_(0, add(const("top"), 1)), 0)
    machine = protocol(
        "M",
        constant("top", 2),
        variable("n", ints(0, 2), 0),
        variable("table", ir.FunctionSet(key=ints(0, const("top")), value=ints(0, 9)), whole),
        action("act", table=fun_comp("k", range_(0, var("n")), 0)),
    )
    ((_, _, outcome),) = steps(instantiate(machine), {"n": 1, "table": FrozenDict({0: 0, 1: 0, 2: 0})})
    assert outcome == Taken({"n": 1, "table": FrozenDict({0: 0})}, ("table",))


def test_functions_inside_other_values_are_covered_too() -> None:
    inner = ir.FunctionSet(key=ir.BoolSet(), value=ints(0, 1))
    outer = ir.FunctionSet(key=ints(0, 1), value=ir.OptionalSet(item=inner))
    half = fun((True, 1))
    machine = protocol("M", variable("table", outer), init(table=fun_comp("k", range_(0, 2), half)))
    assert problems(machine) == [(Code.DOMAIN, "this function has no value for False")]


def test_every_domain_is_evaluated() -> None:
    kind = record_type(Mark, x=INT)
    top = const("top")
    machine = protocol(
        "M",
        constant("top", 1),
        variable("b", ir.BoolSet(), False),
        variable("l", ir.LiteralSet(members=("y", "x")), "x"),
        variable("e", ir.EnumSet(enumeration=types.Enumeration(Color)), Color.RED),
        variable("o", ir.OptionalSet(item=ints(0, top)), None),
        variable("t", ir.TupleSet(items=(ir.BoolSet(), ints(0, top)))),
        variable("q", sequences(ir.BoolSet(), add(top, 1), top)),
        variable("r", records(kind, ints(0, top)), make(MARK, 0)),
        variable("u", ir.UnionSet(alternatives=(records(kind, ints(0, top)),)), make(MARK, 0)),
        variable("m", ir.MemberSet(members=set_of(range_(0, sub(top, -2)))), 0),
        variable("s", ir.PowerSet(element=ints(0, top)), set_()),
        init(
            t=ir.TupleDisplay(elements=(lit(True), lit(0)), type=types.Tuple((BOOL, INT))),
            q=seq(True),
        ),
    )
    small = domains.IntDomain(0, 1)
    mark = domains.RecordDomain(kind, (("x", small),))
    assert instantiate(machine).variables == {
        "b": domains.BoolDomain(),
        "l": domains.ChoiceDomain(("y", "x"), STR),
        "e": domains.ChoiceDomain(tuple(Color), types.Enumeration(Color)),
        "o": domains.OptionalDomain(small),
        "t": domains.TupleDomain((domains.BoolDomain(), small)),
        "q": domains.SequenceDomain(domains.BoolDomain(), 1, 2),
        "r": mark,
        "u": domains.UnionDomain((mark,)),
        "m": domains.ChoiceDomain((0, 1, 2), INT),
        "s": domains.SetDomain(small),
    }


EMPTY = domains.IntDomain(1, 0)
ONE = domains.IntDomain(1, 1)
NO_MARK = domains.RecordDomain(MARK, (("x", EMPTY),))
SIZES: list[tuple[domains.Domain, bool]] = [
    (EMPTY, True),
    (ONE, False),
    (domains.ChoiceDomain((), STR), True),
    (domains.OptionalDomain(EMPTY), False),
    (domains.SetDomain(domains.IntDomain(0, 10**9)), False),
    (domains.TupleDomain((ONE, EMPTY)), True),
    (domains.SequenceDomain(EMPTY, 0, 3), False),
    (domains.SequenceDomain(EMPTY, 1, 3), True),
    (domains.SequenceDomain(ONE, 3, 2), True),
    (domains.SequenceDomain(ONE, -2, -1), True),
    (domains.FunctionDomain(EMPTY, EMPTY), False),
    (domains.FunctionDomain(ONE, EMPTY), True),
    (NO_MARK, True),
    (
        domains.UnionDomain((domains.RecordDomain(MARK, (("x", EMPTY),)), domains.RecordDomain(MARK, (("x", ONE),)))),
        False,
    ),
]


@pytest.mark.parametrize(("domain", "empty"), SIZES, ids=str)
def test_emptiness(domain: domains.Domain, empty: bool) -> None:
    assert is_empty(domain) is empty


KINDS: list[tuple[types.Type, Any, Any]] = [
    (BOOL, True, 1),
    (INT, 1, True),
    (STR, "a", 1),
    (types.Model("tasks"), "t1", 1),
    (types.Enumeration(Color), Color.RED, "RED"),
    (types.NOTHING, None, 0),
    (types.Optional(INT), None, "a"),
    (types.Optional(INT), 3, True),
    (types.Set(INT), frozenset({1}), frozenset({"a"})),
    (types.Tuple((INT, BOOL)), (1, True), (1, True, 1)),
    (types.Sequence(INT), (1, 2), (1, "a")),
    (types.Sequence(types.NEVER), (), (1,)),
    (types.Function(INT, BOOL), FrozenDict({1: True}), FrozenDict({1: 1})),
    (MARK, Mark(1), Mark(True)),
    (types.union((MARK,)), Mark(1), 1),
    (types.RANGE, range(2), (0, 1)),
]


@pytest.mark.parametrize(("kind", "good", "bad"), KINDS)
def test_fits(kind: types.Type, good: Any, bad: Any) -> None:
    assert fits(kind, good)
    assert not fits(kind, bad)
