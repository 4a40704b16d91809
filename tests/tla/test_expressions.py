"""Every kind of expression: its text, and that TLC gives it the value that the interpreter does."""

from __future__ import annotations

import itertools

import pytest

from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.transpiler import ir
from protocheck.transpiler.definedness import defined
from protocheck.transpiler.interpreter import Undefined, evaluate
from protocheck.transpiler.tla_expressions import outermost
from protocheck.transpiler.tla_library import Used
from protocheck.transpiler.tla_names import names_of
from protocheck.transpiler.traverse import walk
from protocheck.transpiler.valuetypes import BOOL, FrozenDict

from ..build import (
    absolute,
    add,
    agg,
    all_,
    and_,
    any_,
    apply,
    arith,
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
from ..random_expressions import (
    BY_COLOR,
    BY_INT,
    EITHER,
    INSTANCE,
    INT_SET,
    INTS,
    MARK,
    OPTIONAL_INT,
    OPTIONAL_RECORD,
    PAIR,
    POINT,
    PROTOCOL,
    STR_SET,
    Color,
    Mark,
    Point,
    random_expression,
    random_state,
)
from .evaluation import Case, evaluate_all

A, J, B = var("i"), var("j"), var("b", BOOL)
S, Q, P = var("s", INT_SET), var("q", INTS), var("p", PAIR)
OPT, R, M = var("o", OPTIONAL_INT), var("r", EITHER), var("m", OPTIONAL_RECORD)
F, G = var("f", BY_INT), var("g", BY_COLOR)
N, NAMES = const("n"), const("names", STR_SET)
X, Y = local("x"), local("y")

STATE = {
    "i": -2,
    "j": 1,
    "b": True,
    "c": Color.GREEN,
    "name": "b",
    "s": frozenset({-1, 2, 3}),
    "cs": frozenset({Color.RED}),
    "q": (3, -1, 3),
    "p": (2, False),
    "o": None,
    "r": Point(1, True),
    "m": Mark(2),
    "f": FrozenDict({0: 1, 1: -2, 2: 3}),
    "g": FrozenDict({Color.RED: None, Color.GREEN: 3}),
}

TABLE: list[tuple[ir.Expr, str]] = [
    (lit(-3), "-3"),
    (lit("a"), '"a"'),
    (lit(Color.RED), '"Color.RED"'),
    (ir.Literal(None, type=OPTIONAL_INT), "None"),
    (add(N, J), "N + j"),
    (sub(A, arith(J, "%", 3)), "i - (j % 3)"),
    (arith(A, "//", 2), "i \\div 2"),
    (arith(A, "//", sub(J, 3)), "FloorDiv(i, j - 3)"),
    (arith(A, "%", -3), "Modulo(i, -3)"),
    (arith(A, "%", add(size(Q), 1)), "i % (Len(q) + 1)"),
    (neg(add(A, J)), "-(i + j)"),
    (absolute(A), "Abs(i)"),
    (extreme("min", A, J, 0), "Min(Min(i, j), 0)"),
    (and_(lt(A, J), or_(B, ge(A, 0))), "i < j /\\ (b \\/ i >= 0)"),
    (not_(eq(A, J)), "i # j"),
    (not_(in_(A, S)), "i \\notin s"),
    (not_(lt(A, J)), "~(i < j)"),
    (eq(lt(A, J), B), "(i < j) = b"),
    (ne(OPT, lit(None)), "o # None"),
    (eq(OPT, 2), "o = 2"),
    (if_(B, A, J), "IF b THEN i ELSE j"),
    (let("x", add(A, J), arith(X, "*", X)), "LET x == i + j IN x * x"),
    (in_(J, range_(0, N)), "j \\in 0..(N - 1)"),
    (in_(J, range_(1, add(N, 1))), "j \\in 1..N"),
    (in_(3, Q), "3 \\in Elements(q)"),
    (in_(J, seq(1, 2)), "j \\in {1, 2}"),
    (in_(lit(Color.RED), members(Color)), '"Color.RED" \\in Color'),
    (not_in(lit("a"), NAMES), '"a" \\notin Names'),
    (subset(set_(3), S), "{3} \\subseteq s"),
    (subset(set_(3), S, strict=True), "{3} \\subseteq s /\\ {3} # s"),
    (set_op(S, "|", set_(A)), "s \\cup {i}"),
    (set_op(set_op(S, "-", set_(2)), "|", set_(A)), "(s \\ {2}) \\cup {i}"),
    (set_op(S, "^", set_(2, 7)), "SymmetricDifference(s, {2, 7})"),
    (set_of(range_(A, J)), "i..(j - 1)"),
    (set_of(Q), "Elements(q)"),
    (size(S), "Cardinality(s)"),
    (size(Q), "Len(q)"),
    (size(range_(J, A)), "Cardinality(j..(i - 1))"),
    (size(members(Color)), "2"),
    (comp(X, gen("x", S, lt(X, 3))), "{x \\in s : x < 3}"),
    (comp(arith(X, "*", X), gen("x", S)), "{x * x : x \\in s}"),
    (comp(neg(X), gen("x", S, lt(X, 3), ge(X, 0))), "{-x : x \\in {x \\in s : x < 3 /\\ x >= 0}}"),
    (comp(add(X, Y), gen("x", S), gen("y", Q)), "{x + y : x \\in s, y \\in Elements(q)}"),
    (comp(add(X, Y), gen("x", S), gen("y", range_(0, X))), "UNION {{x + y : y \\in 0..(x - 1)} : x \\in s}"),
    (comp(in_(X, S), gen("x", Q)), "{(x \\in s) : x \\in Elements(q)}"),
    (set_(in_(A, S), B), "{(i \\in s), b}"),
    (apply(fun((lit(False), 1), (lit(True), 2)), in_(J, S)), "(FALSE :> 1 @@ TRUE :> 2)[(j \\in s)]"),
    (
        updated(fun((lit(False), 1), (lit(True), 2)), (in_(J, S), 7)),
        "[FALSE :> 1 @@ TRUE :> 2 EXCEPT ![(j \\in s)] = 7]",
    ),
    (all_(le(X, 3), gen("x", S)), "\\A x \\in s : x <= 3"),
    (all_(le(X, 2), gen("x", S, lt(X, 3))), "\\A x \\in s : x < 3 => x <= 2"),
    (any_(le(X, 2), gen("x", S, lt(X, 3))), "\\E x \\in s : x < 3 /\\ x <= 2"),
    (any_(True, gen("x", S, lt(X, 3))), "\\E x \\in s : x < 3"),
    (any_(lt(X, Y), gen("x", S), gen("y", S)), "\\E x \\in s, y \\in s : x < y"),
    (all_(lt(Y, X), gen("x", S), gen("y", range_(0, X))), "\\A x \\in s : \\A y \\in 0..(x - 1) : y < x"),
    (or_(any_(lt(X, 0), gen("x", S)), B), "(\\E x \\in s : x < 0) \\/ b"),
    (agg("sum", X, gen("x", S)), "SumOf([x \\in s |-> x])"),
    (agg("sum", X, gen("x", Q)), "SumOf([n \\in DOMAIN q |-> q[n]])"),
    (agg("sum", 1, gen("x", S, lt(X, 3))), "Cardinality({x \\in s : x < 3})"),
    (
        agg("sum", add(X, Y), gen("x", Q), gen("y", S, lt(Y, X))),
        "SumOf([n \\in DOMAIN q |-> SumOf([y \\in {y \\in s : y < q[n]} |-> q[n] + y])])",
    ),
    (
        agg("sum", X, gen("x", Q, lt(X, 3))),
        "LET s_2 == SelectSeq(q, LAMBDA x : x < 3) IN SumOf([n \\in DOMAIN s_2 |-> s_2[n]])",
    ),
    (agg("min", X, gen("x", S)), "MinOf(s)"),
    (agg("max", neg(X), gen("x", Q)), "MaxOf({-x : x \\in Elements(q)})"),
    (agg("max", X, gen("x", S, lt(X, -5)), default=7), "MaxOr({x \\in s : x < -5}, 7)"),
    (pair(A, B), "<<i, b>>"),
    (seq(A), "<<i>>"),
    (seq(), "<<>>"),
    (component(P, 1), "p[2]"),
    (index(Q, 0), "q[1]"),
    (index(Q, -1), "q[Len(q)]"),
    (index(Q, -2), "q[Len(q) - 1]"),
    (index(Q, sub(size(Q), 1)), "At(q, Len(q) - 1)"),
    (index(Q, J), "At(q, j)"),
    (comp(index(Q, X), gen("x", range_(0, size(Q)))), "{q[x + 1] : x \\in 0..(Len(q) - 1)}"),
    (slice_(Q, 1, None), "SubSeq(q, 2, Len(q))"),
    (slice_(Q, None, -1), "SubSeq(q, 1, Len(q) - 1)"),
    (slice_(Q, 1, -1), "SubSeq(q, 2, Len(q) - 1)"),
    (slice_(Q, None, 2), "Take(q, 2)"),
    (slice_(Q, 0, size(Q)), "Take(q, Len(q))"),
    (slice_(Q, -2, None), "Slice(q, -2, Len(q))"),
    (slice_(Q, A, J), "Slice(q, i, j)"),
    (slice_(cat(Q, Q), 2, None), "LET s_2 == q \\o q IN Slice(s_2, 2, Len(s_2))"),
    (cat(Q, seq(A)), "Append(q, i)"),
    (cat(Q, seq(A, J)), "q \\o <<i, j>>"),
    (seq_comp(add(X, 1), gen("x", Q)), "[n \\in DOMAIN q |-> q[n] + 1]"),
    (seq_comp(X, gen("x", Q, lt(X, 3))), "SelectSeq(q, LAMBDA x : x < 3)"),
    (
        seq_comp(neg(X), gen("x", Q, lt(X, 3))),
        "LET s_2 == SelectSeq(q, LAMBDA x : x < 3) IN [n \\in DOMAIN s_2 |-> -s_2[n]]",
    ),
    (seq_comp(arith(X, "*", X), gen("x", range_(1, add(N, 1)))), "[x \\in 1..N |-> x * x]"),
    (seq_comp(X, gen("x", range_(0, 3))), "[x \\in 1..3 |-> x - 1]"),
    (seq_comp(X, gen("x", range_(A, J))), "[x \\in 1..(j - i) |-> i + x - 1]"),
    (seq_comp(index(Q, X), gen("x", range_(0, size(Q)))), "[x \\in 1..Len(q) |-> q[x]]"),
    (seq_comp(X, gen("x", range_(0, 4), ne(X, 1))), "SelectSeq([x \\in 1..4 |-> x - 1], LAMBDA x : x # 1)"),
    (make(MARK, A), '[type |-> "Mark", x |-> i]'),
    (get(R, "x"), "r.x"),
    (replace_(make(POINT, 1, True), x=J), '[[type |-> "Point", x |-> 1, on |-> TRUE] EXCEPT !.x = j]'),
    (replace_(R, on=False), "[r EXCEPT !.on = FALSE]"),
    (is_a(R, POINT), 'r.type = "Point"'),
    (is_a(R, POINT, MARK), "TRUE"),
    (eq(R, M), "r = m"),
    (
        in_(R, set_(make(MARK, 1), make(POINT, 1, True))),
        "r \\in " + '{[type |-> "Mark", x |-> 1], [type |-> "Point", x |-> 1, on |-> TRUE]}',
    ),
    (fun((0, A), (1, J)), "0 :> i @@ 1 :> j"),
    (fun((A, 1), (sub(J, 3), 2)), "j - 3 :> 2 @@ i :> 1"),
    (fun_comp("x", range_(0, 3), neg(X)), "[x \\in 0..2 |-> -x]"),
    (fun_comp("x", range_(1, 3), X), "[x \\in 1..2 |-> x]"),
    (apply(F, J), "f[j]"),
    (updated(F, (J, 0)), "[f EXCEPT ![j] = 0]"),
    (updated(F, (J, 0), (1, 7)), "[f EXCEPT ![j] = 0, ![1] = 7]"),
    (unwrap(apply(G, lit(Color.GREEN))), 'g["Color.GREEN"]'),
]


def text_of(expr: ir.Expr) -> str:
    names = names_of(PROTOCOL)
    return str(outermost(PROTOCOL, names, Used(names)).text(expr))


@pytest.mark.parametrize(("expr", "expected"), TABLE, ids=[text for _, text in TABLE])
def test_text(expr: ir.Expr, expected: str) -> None:
    assert text_of(expr) == expected


def test_every_kind_of_expression_is_in_the_table() -> None:
    found = {type(node) for expr, _ in TABLE for node in walk(expr)}
    calls = {ir.Call}  # in the expressions made at random, below
    assert found | calls == set(ir.Expr.__args__)


def test_tlc_gives_the_table_the_values_of_the_interpreter(toolchain: Toolchain) -> None:
    expected = [evaluate(expr, STATE, {}, INSTANCE) for expr, _ in TABLE]
    assert evaluate_all(INSTANCE, [Case(expr, STATE) for expr, _ in TABLE], toolchain) == expected


def test_operators_beside_each_other_mean_what_the_ir_says(toolchain: Toolchain) -> None:
    """Each pair of operators, one as the left and as the right operand of the other."""
    three = [(A, J, lit(3)), (lit(7), lit(2), lit(-3))]
    numbers = [
        arith(arith(a, one, b), other, c) if left else arith(a, one, arith(b, other, c))  # type: ignore[arg-type]
        for a, b, c in three
        for one, other in itertools.product("+-*%", repeat=2)
        for left in (True, False)
    ]
    numbers += [neg(arith(neg(a), word, neg(b))) for a, b, _ in three for word in ("+", "-", "*", "//", "%")]  # type: ignore[arg-type]
    t, u, v = S, set_(2, 5), set_of(range_(2, 6))
    sets = [
        set_op(set_op(t, one, u), other, v) if left else set_op(t, one, set_op(u, other, v))  # type: ignore[arg-type]
        for one, other in itertools.product("|&-", repeat=2)
        for left in (True, False)
    ]
    p, q, r = B, lt(A, J), eq(A, 5)
    words = [
        make_one(make_other(p, q), r) if left else make_one(p, make_other(q, r))
        for make_one, make_other in itertools.product((and_, or_, eq), repeat=2)
        for left in (True, False)
    ]
    words += [not_(word) for word in words]
    exprs = [expr for expr in (*numbers, *sets, *words) if _has_value(expr)]
    assert len(exprs) > 100
    expected = [evaluate(expr, STATE, {}, INSTANCE) for expr in exprs]
    assert evaluate_all(INSTANCE, [Case(expr, STATE) for expr in exprs], toolchain) == expected


def test_expressions_at_random(toolchain: Toolchain) -> None:
    """Values where there is one; and everywhere the condition that says whether there is."""
    cases, expected = [], []
    for seed in range(200):
        expr, state = random_expression(seed), random_state(seed)
        cases.append(Case(defined(expr, PROTOCOL), state))
        try:
            value = evaluate(expr, state, {}, INSTANCE)
        except Undefined:
            expected.append(False)
            continue
        cases.append(Case(expr, state))
        expected += [True, value]
    found = evaluate_all(INSTANCE, cases, toolchain)
    assert [(type(value), value) for value in found] == [(type(value), value) for value in expected]
    assert {type(node) for case in cases for node in walk(case.expr)} == set(ir.Expr.__args__)


def _has_value(expr: ir.Expr) -> bool:
    try:
        evaluate(expr, STATE, {}, INSTANCE)
    except Undefined:
        return False
    return True
