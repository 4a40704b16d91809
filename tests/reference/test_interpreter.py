"""Each kind of expression against values worked out by hand, and where it has none."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, get_args

import pytest

from protocheck.transpiler import ir, traverse
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.instance import Instance
from protocheck.transpiler.interpreter import Undefined, evaluate, evaluate_constant
from protocheck.transpiler.valuetypes import BOOL, INT, FrozenDict

from ..build import (
    NONE,
    absolute,
    add,
    agg,
    all_,
    and_,
    any_,
    apply,
    arith,
    as_type,
    call,
    cat,
    comp,
    component,
    const,
    eq,
    extreme,
    fun,
    fun_comp,
    ge,
    gen,
    get,
    gt,
    helper,
    if_,
    in_,
    index,
    is_a,
    le,
    let,
    lit,
    local,
    lt,
    make,
    members,
    ne,
    neg,
    not_,
    not_in,
    or_,
    pair,
    protocol,
    range_,
    replace_,
    seq,
    seq_comp,
    set_,
    set_of,
    set_op,
    size,
    slice_,
    sub,
    subset,
    unwrap,
    updated,
    var,
)
from ..random_expressions import COLOR, EITHER, MARK, POINT, Color, Mark, Point, random_expression, random_state
from ..random_expressions import INSTANCE as RANDOM

OPTIONAL, RECORD = types.Optional(INT), types.Optional(EITHER)
SETS, INTS, BY_INT = types.Set(INT), types.Sequence(INT), types.Function(INT, INT)

STATE: dict[str, Any] = {
    "n": 3,
    "b": True,
    "s": frozenset({1, 3}),
    "q": (7, 8, 9),
    "empty": (),
    "o": 5,
    "none": None,
    "p": (4, False),
    "point": Point(2, True),
    "mark": Mark(6),
    "f": FrozenDict({0: 10, 1: 11}),
}
AFTER = {**STATE, "n": 4}

n, b, s, q, empty = var("n"), var("b", BOOL), var("s", SETS), var("q", INTS), var("empty", INTS)
o, none, p = var("o", OPTIONAL), var("none", OPTIONAL), var("p", types.Tuple((INT, BOOL)))
point, mark, f = var("point", EITHER), var("mark", EITHER), var("f", BY_INT)
x, y = local("x"), local("y")
sick = arith(1, "//", 0)

HELPERS = (
    helper("double", arith(local("v"), "*", 2), v=INT),
    helper("next_n", add(n, 1)),
    helper("both", add(call(helper("double", arith(local("v"), "*", 2), v=INT), local("v")), n), v=INT),
)
double, next_n, both = HELPERS
INSTANCE = Instance(protocol("Table", *HELPERS), {"limit": 2, "names": frozenset({"a", "b"})}, {}, {})

VALUES: list[tuple[ir.Expr, Any]] = [
    # names
    (lit(True), True),
    (lit("a"), "a"),
    (lit(Color.RED), Color.RED),
    (NONE, None),
    (const("limit"), 2),
    (n, 3),
    (var("n", after=True), 4),
    (x, 100),
    # logic, decided from the left
    (not_(b), False),
    (and_(b, True, b), True),
    (and_(b, False, eq(sick, 1)), False),
    (or_(False, b, eq(sick, 1)), True),
    (or_(False, False), False),
    (if_(b, 1, sick), 1),
    (if_(not_(b), sick, 2), 2),
    # numbers; floor division and the sign of the divisor, as in Python
    (neg(n), -3),
    (absolute(-4), 4),
    (add(n, 4), 7),
    (sub(n, 4), -1),
    (arith(n, "*", -2), -6),
    (arith(7, "//", 2), 3),
    (arith(-7, "//", 2), -4),
    (arith(7, "//", -2), -4),
    (arith(-7, "//", -2), 3),
    (arith(7, "%", 2), 1),
    (arith(-7, "%", 2), 1),
    (arith(7, "%", -2), -1),
    (arith(-7, "%", -2), -1),
    (arith(6, "%", -3), 0),
    (extreme("min", n, 2, 5), 2),
    (extreme("max", n, 2, 5), 5),
    (lt(2, n), True),
    (lt(3, n), False),
    (le(3, n), True),
    (gt(n, 3), False),
    (ge(n, 3), True),
    # equality
    (eq(n, 3), True),
    (ne(n, 3), False),
    (eq(none, NONE), True),
    (ne(o, NONE), True),
    (eq(s, set_(3, 1)), True),
    (eq(q, seq(7, 8, 9)), True),
    (eq(point, make(POINT, 2, True)), True),
    (eq(point, make(MARK, 2)), False),
    # membership
    (in_(3, s), True),
    (not_in(3, s), False),
    (in_(2, s), False),
    (in_(8, q), True),
    (in_(2, range_(0, 2)), False),
    (in_(1, range_(0, 2)), True),
    (in_(Color.RED, members(Color)), True),
    (ir.Member(element=lit(1), collection=f, type=BOOL), True),
    (ir.Member(element=lit(2), collection=f, type=BOOL), False),
    # sets
    (set_(), frozenset()),
    (set_(n, 3, 1), frozenset({1, 3})),
    (set_of(range_(-1, 2)), frozenset({-1, 0, 1})),
    (set_of(q), frozenset({7, 8, 9})),
    (set_of(members(Color)), frozenset(Color)),
    (set_op(s, "|", set_(2)), frozenset({1, 2, 3})),
    (set_op(s, "&", set_(2, 3)), frozenset({3})),
    (set_op(s, "-", set_(2, 3)), frozenset({1})),
    (set_op(s, "^", set_(2, 3)), frozenset({1, 2})),
    (subset(s, s), True),
    (subset(s, s, strict=True), False),
    (subset(set_(1), s, strict=True), True),
    (subset(set_(2), s), False),
    (size(s), 2),
    (size(q), 3),
    (size(range_(5, 2)), 0),
    (size(range_(2, 5)), 3),
    (comp(add(x, y), gen("x", s), gen("y", range_(0, 2), lt(y, x))), frozenset({1, 3, 4})),
    (comp(x, gen("x", range_(0, 9), gt(x, 2), eq(arith(6, "%", x), 0))), frozenset({3, 6})),
    # quantifiers
    (all_(lt(x, 4), gen("x", s)), True),
    (all_(lt(x, 3), gen("x", s)), False),
    (any_(eq(x, 3), gen("x", s)), True),
    (any_(True, gen("x", empty)), False),
    (all_(False, gen("x", empty)), True),
    (all_(gt(arith(6, "//", x), 0), gen("x", range_(0, 4), ne(x, 0))), True),
    # aggregates: one contribution an iteration
    (agg("sum", 5, gen("x", q)), 15),
    (agg("sum", x, gen("x", empty)), 0),
    (agg("sum", arith(x, "%", 2), gen("x", s)), 2),
    (agg("min", x, gen("x", q)), 7),
    (agg("max", x, gen("x", q, lt(x, 9))), 8),
    (agg("max", x, gen("x", empty), default=neg(n)), -3),
    (agg("min", x, gen("x", q), default=0), 7),
    # tuples and sequences: from 0, negative from the end, slices clipped
    (pair(n, b), (3, True)),
    (component(p, 0), 4),
    (component(p, 1), False),
    (index(q, 0), 7),
    (index(q, 2), 9),
    (index(q, -1), 9),
    (index(q, -3), 7),
    (slice_(q, 1, None), (8, 9)),
    (slice_(q, None, -1), (7, 8)),
    (slice_(q, -2, None), (8, 9)),
    (slice_(q, -9, 2), (7, 8)),
    (slice_(q, 1, 99), (8, 9)),
    (slice_(q, 2, 1), ()),
    (slice_(q, -1, -2), ()),
    (slice_(q, 0, -3), ()),
    (slice_(empty, -1, 1), ()),
    (slice_(q, None, None), (7, 8, 9)),
    (cat(q, seq(1)), (7, 8, 9, 1)),
    (cat(empty, empty), ()),
    (seq_comp(arith(x, "*", 2), gen("x", q, ne(x, 8))), (14, 18)),
    (seq_comp(x, gen("x", range_(-1, 2))), (-1, 0, 1)),
    # records
    (make(POINT, n, b), Point(3, True)),
    (get(point, "x"), 2),
    (get(mark, "x"), 6),
    (get(point, "on"), True),
    (replace_(point, on=False), Point(2, False)),
    (replace_(mark, x=0), Mark(0)),
    (is_a(point, POINT), True),
    (is_a(mark, POINT), False),
    (is_a(mark, POINT, MARK), True),
    # functions
    (fun((0, 5), (1, n)), FrozenDict({0: 5, 1: 3})),
    (fun_comp("x", range_(0, 2), add(x, n)), FrozenDict({0: 3, 1: 4})),
    (
        fun_comp("c", members(Color), eq(local("c", COLOR), Color.RED)),
        FrozenDict({Color.RED: True, Color.GREEN: False}),
    ),
    (apply(f, 1), 11),
    (updated(f, (0, 1)), FrozenDict({0: 1, 1: 11})),
    (updated(f, (0, 1), (0, 2)), FrozenDict({0: 2, 1: 11})),
    # the rest
    (unwrap(o), 5),
    (call(double, n), 6),
    (call(both, 10), 23),
    (call(next_n), 4),
    (call(next_n, after=True), 5),
    (call(double, var("n", after=True)), 8),
    (let("z", add(n, 1), arith(local("z"), "*", local("z"))), 16),
    (members(Color), (Color.RED, Color.GREEN)),
    (range_(1, 3), range(1, 3)),
]

UNDEFINED: list[tuple[ir.Expr, str]] = [
    (sick, "division by zero"),
    (arith(n, "%", sub(n, 3)), "division by zero"),
    (index(q, 3), "index 3 of a sequence of length 3"),
    (index(q, -4), "index -4 of a sequence of length 3"),
    (index(empty, 0), "index 0 of a sequence of length 0"),
    (unwrap(none), "None is used as a value"),
    (agg("min", x, gen("x", empty)), "min of nothing"),
    (agg("max", x, gen("x", s, gt(x, 3))), "max of nothing"),
    (get(mark, "on"), "Mark(x=6) has no field on"),
    (replace_(mark, on=True), "Mark(x=6) has no field on"),
    (apply(f, 2), "2 is no key of the function"),
    (updated(f, (2, 0)), "2 is no key of the function"),
    # every element counts, whatever decides
    (any_(eq(arith(6, "//", x), 6), gen("x", range_(0, 3))), "division by zero"),
    (all_(eq(arith(6, "//", x), 6), gen("x", range_(-1, 1))), "division by zero"),
    (comp(arith(6, "//", x), gen("x", range_(0, 2))), "division by zero"),
    (agg("sum", arith(6, "//", x), gen("x", range_(0, 2))), "division by zero"),
    (agg("min", x, gen("x", q), default=sick), "division by zero"),
    (seq_comp(arith(6, "//", x), gen("x", range_(0, 2))), "division by zero"),
    (fun_comp("x", range_(0, 2), arith(6, "//", x)), "division by zero"),
    (all_(True, gen("x", range_(0, 2), eq(arith(6, "//", x), 6))), "division by zero"),
    # names and arguments are evaluated, used or not
    (let("z", sick, 1), "division by zero"),
    (call(double, sick), "division by zero"),
    # a part of anything
    (and_(eq(sick, 1), False), "division by zero"),
    (or_(eq(sick, 1), True), "division by zero"),
    (set_(1, sick), "division by zero"),
    (eq(as_type(sick, OPTIONAL), none), "division by zero"),
    (slice_(q, sick, None), "division by zero"),
]


def _show(item: Any) -> str:
    from protocheck.transpiler.pretty import pretty_expr

    return pretty_expr(item) if isinstance(item, ir.Typed) else "-"  # type: ignore[arg-type]


@pytest.mark.parametrize(("tree", "value"), VALUES, ids=_show)
def test_value(tree: ir.Expr, value: Any) -> None:
    found = evaluate(tree, STATE, {"x": 100}, INSTANCE, AFTER)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("tree", "reason"), UNDEFINED, ids=_show)
def test_no_value(tree: ir.Expr, reason: str) -> None:
    with pytest.raises(Undefined) as caught:
        evaluate(tree, STATE, {"x": 100}, INSTANCE, AFTER)
    assert caught.value.reason == reason


def test_the_table_has_every_kind_of_expression() -> None:
    seen = {type(node) for tree, _ in VALUES for node in traverse.walk(tree)}
    assert seen == set(get_args(ir.Expr))


def test_the_undefined_part_is_named_by_its_span() -> None:
    from protocheck.transpiler.diagnostics import Span

    span = Span("m.py", 3, 5, 3, 9)
    inner = dataclasses.replace(index(q, 5), span=span)
    with pytest.raises(Undefined) as caught:
        evaluate(add(1, inner), STATE, {}, INSTANCE)
    assert caught.value.span == span


def test_after_without_a_step_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        evaluate(var("n", after=True), STATE, {}, INSTANCE)
    with pytest.raises(AssertionError):
        evaluate(call(next_n, after=True), STATE, {}, INSTANCE)


def test_constants_need_no_state() -> None:
    assert evaluate_constant(add(const("limit"), 1), INSTANCE) == 3


def test_values_can_be_part_of_a_state() -> None:
    for seed in range(500):
        with contextlib.suppress(Undefined):
            hash(evaluate(random_expression(seed), random_state(seed), {}, RANDOM))
