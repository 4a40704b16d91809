"""Well-formed IR passes; each kind of malformation is found and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.ircheck import check
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.valuetypes import BOOL, INT, STR

from ..build import (
    action,
    add,
    agg,
    all_,
    and_,
    any_,
    assume,
    bind,
    call,
    comp,
    const,
    constant,
    eq,
    expr,
    fun_comp,
    gen,
    gt,
    guard,
    helper,
    index,
    init,
    ints,
    let,
    lit,
    local,
    lt,
    param,
    prop,
    protocol,
    range_,
    seq,
    seq_comp,
    set_,
    size,
    var,
    variable,
)
from ..handmade import MACHINES, rollback
from ..random_expressions import PROTOCOL, random_expression

n, x = var("n"), local("x")


@pytest.mark.parametrize("name", MACHINES)
def test_handmade_machines_and_their_variants_pass(name: str) -> None:
    machine = MACHINES[name]()
    assert check(machine) is machine
    for guard_name in machine.guard_names:
        check(drop_guard(machine, guard_name))


def test_random_expressions_pass() -> None:
    for seed in range(150):
        tree = random_expression(seed)
        check(replace(PROTOCOL, properties=(prop("p", "invariant", _as_bool(tree)),)))


def _as_bool(tree: ir.Expr) -> ir.Expr:
    return tree if tree.type == BOOL else any_(True, gen("whole", set_(tree)))


def machine(*parts: Any) -> ir.Protocol:
    return protocol("M", constant("c", 2), variable("n", ints(0, 3), 0), *parts)


def invariant(body: Any) -> ir.Property:
    return prop("p", "invariant", body)


def raw(kind: type[Any], /, **fields: Any) -> ir.Expr:
    made: ir.Expr = kind(**fields)
    return made


def get(kind: types.Type, *arguments: Any) -> ir.Expr:
    return ir.Call(helper="get", arguments=tuple(map(expr, arguments)), type=kind)


AFTER = var("n", after=True)
TWICE = all_(all_(True, gen("x", range_(0, 1))), gen("x", range_(0, 1)))
GET = helper("get", add(n, local("v")), v=INT)

MALFORMED: list[tuple[str, ir.Protocol]] = [
    ("not distinct: n", machine(variable("n", ints(0, 1), 0))),
    ("constants and variables are not distinct: c", machine(variable("c", ints(0, 1), 0))),
    ("actions are not distinct: act", machine(action("act"), action("act"))),
    ("helpers are not distinct: get", machine(GET, GET)),
    ("properties are not distinct: p", machine(invariant(True), invariant(True))),
    ("guards are not distinct: g", machine(action("act", guard("g", True), guard("g", False, 1)))),
    ("numbered out of order", machine(action("act", guard("g", True, 1), guard("h", False, 0)))),
    ("fairness for each of what is no parameter: k", machine(action("act", fairness="weak", each=("k",)))),
    ("`each` without fairness", machine(action("act", param("k", ints(0, 1)), each=("k",)))),
    ("x is not in scope", machine(invariant(gt(x, 0)))),
    ("x is not in scope", machine(invariant(and_(all_(True, gen("x", range_(0, 1))), gt(x, 0))))),
    ("x is not in scope", machine(invariant(all_(True, gen("x", range_(0, x)))))),
    ("x is not in scope", machine(invariant(gt(let("x", x, 1), 0)))),
    ("x is not in scope", machine(invariant(eq(agg("min", x, gen("x", range_(0, 1)), default=x), 1)))),
    ("x is not in scope", machine(action("act", guard("g", gt(x, 0)), bind("x", 1)))),
    ("x is bound twice", machine(invariant(TWICE))),
    ("x is bound twice", machine(invariant(and_(gt(let("x", 1, x), 0), gt(let("x", 1, x), 0))))),
    ("x is bound twice", machine(action("act", param("x", ints(0, 1)), bind("x", 1)))),
    ("x is bound twice", machine(action("act", bind("x", 1), guard("g", all_(True, gen("x", range_(0, 1))))))),
    ("x is a int and is used as a bool", machine(action("act", bind("x", 1), guard("g", local("x", BOOL))))),
    ("m is no variable", machine(invariant(gt(var("m"), 0)))),
    ("the variable is a int, not a bool", machine(invariant(var("n", BOOL)))),
    ("d is no constant", machine(invariant(gt(const("d"), 0)))),
    ("the constant is a int, not a bool", machine(invariant(const("c", BOOL)))),
    ("after the step is asked for where there is no step", machine(invariant(gt(AFTER, 0)))),
    (
        "after the step is asked for where there is no step",
        machine(action("act", guard("g", gt(var("n", after=True), 0)))),
    ),
    ("called after the step where there is no step", machine(GET, invariant(gt(call(GET, 1, after=True), 0)))),
    ("get is no helper", machine(invariant(gt(call(GET, 1), 0)))),
    ("get takes 1 arguments", machine(GET, invariant(raw(ir.Call, helper="get", arguments=(), type=BOOL)))),
    (
        "get gives a int, not a bool",
        machine(GET, invariant(raw(ir.Call, helper="get", arguments=(lit(1),), type=BOOL))),
    ),
    (
        "a bool stands where a int belongs",
        machine(GET, invariant(gt(raw(ir.Call, helper="get", arguments=(lit(True),), type=INT), 0))),
    ),
    ("is asked for where there is no state", machine(variable("m", ints(0, 3), n))),
    ("is asked for where there is no state", machine(init(n=add(n, 1)))),
    ("is asked for where there is no state", machine(action("act", param("k", ints(0, n))))),
    ("get reads the state where there is none", machine(GET, variable("m", ints(0, 3), call(GET, 1)))),
    ("a int stands where a bool belongs", machine(invariant(1))),
    ("a int stands where a bool belongs", machine(action("act", guard("g", 1)))),
    ("a int stands where a bool belongs", machine(action("act", assume(True, when=1)))),
    ("a int stands where a bool belongs", machine(invariant(all_(True, gen("x", range_(0, 1), 1))))),
    ("a bool stands in a Compare", machine(invariant(lt(True, 1)))),
    ("a bool stands in a Arithmetic", machine(invariant(gt(add(True, 1), 1)))),
    ("a int stands in a Logic", machine(invariant(and_(True, 1)))),
    ("a Compare is typed int", machine(invariant(gt(raw(ir.Compare, operator="<", left=n, right=n, type=INT), 0)))),
    ("a int is compared with a str", machine(invariant(raw(ir.Equal, left=n, right=lit("a"), type=BOOL)))),
    ("fewer than two operands", machine(invariant(raw(ir.Logic, operator="and", operands=(lit(True),), type=BOOL)))),
    ("a int is iterated", machine(invariant(all_(True, gen("x", n))))),
    ("built from a set", machine(invariant(gt(size(seq_comp(x, gen("x", set_(1)))), 0)))),
    ("a frozenset[int] stands in a Index", machine(invariant(gt(index(set_(1), 0), 0)))),
    ("a int stands in a Unwrap", machine(invariant(gt(raw(ir.Unwrap, optional=n, type=INT), 0)))),
    ("the domain", protocol("M", replace(variable("n", ints(0, 3), 0), type=BOOL))),
    ("a target belongs to leads_to", machine(prop("p", "invariant", True, True))),
    ("a target belongs to leads_to", machine(prop("p", "leads_to", True))),
]


@pytest.mark.parametrize(("text", "malformed"), MALFORMED, ids=lambda item: item if isinstance(item, str) else "")
def test_malformed(text: str, malformed: ir.Protocol) -> None:
    with pytest.raises(AssertionError) as caught:
        check(malformed)
    assert text in str(caught.value)


def _with_updates(*updates: tuple[str, Any]) -> ir.Protocol:
    made = tuple(ir.Update(variable=name, value=expr(value)) for name, value in updates)
    return replace(machine(), actions=(replace(action("act"), updates=made),))


@pytest.mark.parametrize(
    ("text", "updates"),
    [
        ("updates are not distinct: n", (("n", 1), ("n", 2))),
        ("an update of m, which is no variable", (("m", 1),)),
        ("a str stands where a int belongs", (("n", "a"),)),
    ],
)
def test_updates(text: str, updates: tuple[tuple[str, Any], ...]) -> None:
    with pytest.raises(AssertionError) as caught:
        check(_with_updates(*updates))
    assert text in str(caught.value)


def test_init_gives_every_variable_a_value() -> None:
    good = machine()
    with pytest.raises(AssertionError) as caught:
        check(replace(good, init=replace(good.init, updates=())))
    assert "init: no value for n" in str(caught.value)


def test_initial_values_may_share_names_with_each_other() -> None:
    table = ir.FunctionSet(key=ints(0, 1), value=ints(0, 1))
    same = fun_comp("k", range_(0, 2), local("k"))
    check(machine(variable("f", table, same), variable("g", table, same)))


def test_helpers_in_a_circle() -> None:
    first = helper("first", True)
    second = helper("second", call(first))
    circle = replace(first, body=call(second))
    with pytest.raises(AssertionError) as caught:
        check(machine(circle, second))
    assert "first → second → first" in str(caught.value)


def test_a_variant_that_still_has_its_guard() -> None:
    with pytest.raises(AssertionError) as caught:
        check(replace(rollback(), dropped="rollback.shrinks"))
    assert "still has it" in str(caught.value)


def test_what_may_stand_for_what() -> None:
    optional = types.Optional(INT)
    check(machine(variable("o", ir.OptionalSet(item=ints(0, 3)), None), action("act", o=n)))
    narrow = ir.Unwrap(optional=var("o", optional), type=INT)
    check(machine(variable("o", ir.OptionalSet(item=ints(0, 3)), None), action("act", n=narrow)))
    words = variable("w", ir.PowerSet(element=ir.LiteralSet(members=("a",))), set_())
    check(machine(words, invariant(eq(comp(local("x", STR), gen("x", var("w", types.Set(STR)))), set_()))))
    check(machine(invariant(eq(size(seq()), 0))))
