"""IR as text: goldens of the handmade machines, and the places where grouping must show."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from protocheck.transpiler import ir, traverse
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.pretty import pretty, pretty_expr
from protocheck.transpiler.valuetypes import BOOL, INT

from ..build import (
    add,
    all_,
    and_,
    any_,
    arith,
    cat,
    eq,
    fun,
    gen,
    gt,
    if_,
    in_,
    index,
    let,
    lit,
    local,
    lt,
    neg,
    not_,
    or_,
    pair,
    range_,
    seq,
    set_,
    set_op,
    slice_,
    sub,
    subset,
    unwrap,
    updated,
    var,
)
from ..handmade import MACHINES, rollback
from ..random_expressions import INT_SET, INTS, OPTIONAL_INT, random_expression

n, s, q, b = var("n"), var("s", INT_SET), var("q", INTS), var("b", BOOL)


@pytest.mark.parametrize("name", MACHINES)
def test_machine(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.txt", pretty(MACHINES[name]()))


def test_a_variant_differs_in_its_name_and_one_line() -> None:
    baseline = pretty(rollback()).splitlines()
    variant = pretty(drop_guard(rollback(), "rollback.no_reader_above")).splitlines()
    assert [line for line in baseline if line not in variant] == [
        "protocol Rollback",
        "    guard no_reader_above = all(i <= k for i in self.pending_reads)",
    ]
    assert [line for line in variant if line not in baseline] == ["protocol Rollback without rollback.no_reader_above"]


CASES: list[tuple[ir.Expr, str]] = [
    (sub(sub(n, 1), 2), "self.n - 1 - 2"),
    (sub(n, sub(1, 2)), "self.n - (1 - 2)"),
    (arith(add(n, 1), "*", 2), "(self.n + 1) * 2"),
    (add(arith(n, "*", 2), 1), "self.n * 2 + 1"),
    (arith(n, "%", arith(2, "*", 3)), "self.n % (2 * 3)"),
    (neg(add(n, 1)), "-(self.n + 1)"),
    (neg(2), "-(2)"),
    (neg(neg(n)), "-(-self.n)"),
    (sub(n, -1), "self.n - -1"),
    (index(q, -1), "self.q[-1]"),
    (index(cat(q, seq(-1)), 0), "(self.q + [-1])[0]"),
    (slice_(q, None, -1), "self.q[:-1]"),
    (slice_(slice_(q, 1, None), 0, 2), "self.q[1:][0:2]"),
    (not_(and_(b, b)), "not (self.b and self.b)"),
    (and_(not_(b), or_(b, b)), "not self.b and (self.b or self.b)"),
    (or_(and_(b, b), b), "self.b and self.b or self.b"),
    (or_(or_(b, b), b), "(self.b or self.b) or self.b"),
    (eq(lt(n, 1), b), "(self.n < 1) == self.b"),
    (eq(not_(b), b), "(not self.b) == self.b"),
    (in_(add(n, 1), set_op(s, "|", set_(1))), "self.n + 1 in self.s | {1}"),
    (set_op(set_op(s, "&", s), "|", set_op(s, "^", s)), "self.s & self.s | self.s ^ self.s"),
    (set_op(set_op(s, "|", s), "&", s), "(self.s | self.s) & self.s"),
    (set_op(s, "-", set_op(s, "-", s)), "self.s - (self.s - self.s)"),
    (subset(s, set_()), "self.s subset frozenset[nothing]()"),
    (subset(s, s, strict=True), "self.s strict subset self.s"),
    (if_(b, if_(b, 1, 2), if_(b, 3, 4)), "(1 if self.b else 2) if self.b else 3 if self.b else 4"),
    (add(if_(b, 1, 2), 3), "(1 if self.b else 2) + 3"),
    (let("x", 1, add(local("x"), 2)), "let x = 1 in x + 2"),
    (add(let("x", 1, local("x")), 2), "(let x = 1 in x) + 2"),
    (if_(b, let("x", 1, local("x")), 2), "(let x = 1 in x) if self.b else 2"),
    (
        all_(gt(local("x"), 0), gen("x", range_(0, n), b, or_(b, b))),
        "all(x > 0 for x in range(0, self.n) if self.b if self.b or self.b)",
    ),
    (any_(b, gen("x", s), gen("y", q)), "any(self.b for x in self.s for y in self.q)"),
    (updated(var("f", fun((0, 1)).type), (n, 2)), "{**self.f, self.n: 2}"),
    (pair(1, True), "(1, True)"),
    (pair(1), "(1,)"),
    (seq(1), "[1]"),
    (seq(), "tuple[nothing, ...]()"),
    (unwrap(var("o", OPTIONAL_INT)), "held(self.o)"),
    (var("n", after=True), "after.n"),
    (lit("a"), '"a"'),
]


@pytest.mark.parametrize(("tree", "text"), CASES, ids=lambda item: item if isinstance(item, str) else "-")
def test_grouping(tree: ir.Expr, text: str) -> None:
    assert pretty_expr(tree) == text


def test_different_expressions_have_different_texts() -> None:
    """Of those that occur: what the text leaves out (the type of None, say) is told by where it stands."""
    seen: dict[str, ir.Expr] = {}
    kinds = set()
    for seed in range(3000):
        for node in traverse.walk(random_expression(seed, 1 + seed % 3)):
            kinds.add(type(node))
            if node.type == INT or node.type == BOOL:
                text = pretty_expr(node)
                assert "\n" not in text
                other = seen.setdefault(text, node)
                assert _untyped(other) == _untyped(node), text
    assert kinds == set(get_args(ir.Expr))


def _untyped(tree: ir.Expr) -> str:
    """The structure without the types of what stands in it."""
    parts = ", ".join(_untyped(child) for child in traverse.children(tree))
    own = {name: value for name, value in vars(tree).items() if isinstance(value, str | bool | int) and name != "value"}
    return f"{type(tree).__name__}{own}({parts})"
