"""Lowered expressions compute what the interpreter does, on random ones of every kind."""

from __future__ import annotations

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler.interpreter import Undefined, evaluate

from ..build import (
    add,
    agg,
    all_,
    any_,
    apply,
    cat,
    comp,
    eq,
    gen,
    gt,
    index,
    le,
    local,
    replace_,
    seq,
    set_op,
    slice_,
    sub,
    updated,
    var,
)
from ..random_expressions import BY_INT, EITHER, INSTANCE, INT_SET, INTS, random_expression, random_state
from .lowered import Bench

BENCH = Bench(INSTANCE)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_random_expressions(depth: int) -> None:
    compared = 0
    for seed in range(700):
        expr = random_expression(seed, depth)
        for number in range(2):
            state = random_state(7 * seed + number)
            try:
                expected = evaluate(expr, state, {}, INSTANCE)
            except Undefined:
                continue
            found = BENCH.evaluate(expr, state)
            assert found == expected, (seed, number)
            assert type(found) is type(expected), (seed, number)
            compared += 1
    assert compared > 700


def test_few_expressions_are_left_to_the_interpreter() -> None:
    bench = Bench(INSTANCE)
    for seed in range(1000):
        bench.scope.value(random_expression(seed, 3))
    assert bench.interpreted < 300  # most of them have no value in any state


@pytest.mark.parametrize(
    "expr",
    [
        all_(le(local("k"), var("i")), gen("k", var("s", INT_SET))),
        any_(eq(local("k"), index(var("q", INTS), 0)), gen("k", var("s", INT_SET))),
        index(var("q", INTS), sub(0, var("i"))),
        slice_(var("q", INTS), var("i"), var("j")),
        cat(slice_(var("q", INTS), 1, None), seq(var("j"))),
        set_op(comp(add(local("k"), 1), gen("k", var("s", INT_SET))), "&", var("s", INT_SET)),
        agg("max", local("k"), gen("k", var("s", INT_SET)), default=var("i")),
        agg("sum", 1, gen("k", var("s", INT_SET), gt(local("k"), 0))),
        apply(updated(var("f", BY_INT), (var("j"), 3)), var("i")),
        replace_(var("r", EITHER), x=var("i")),
    ],
)
def test_common_forms_are_words_and_not_interpreted(expr: ir.Expr) -> None:
    bench = Bench(INSTANCE)
    bench.scope.value(expr)
    assert bench.interpreted == 0
