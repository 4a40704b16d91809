"""Every kind of expression is walked and rebuilt in full; substitution captures nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from protocheck.transpiler import ir, traverse
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.valuetypes import BOOL, INT

from ..build import (
    add,
    agg,
    all_,
    and_,
    any_,
    call,
    comp,
    eq,
    expr,
    fun_comp,
    gen,
    helper,
    ints,
    let,
    lit,
    local,
    lt,
    protocol,
    range_,
    seq,
    seq_comp,
    size,
    sub,
    var,
    variable,
)
from ..random_expressions import PROTOCOL, random_expression

EXPRESSIONS: tuple[type[ir.Expr], ...] = get_args(ir.Expr)


class _Counter:
    """Distinct literals, so that a missing or swapped part shows."""

    def __init__(self) -> None:
        self.made: list[ir.Expr] = []

    def next(self) -> ir.Expr:
        made = ir.Literal(value=len(self.made), type=INT)
        self.made.append(made)
        return made


def _sample(kind: type[ir.Expr]) -> tuple[ir.Expr, list[ir.Expr]]:
    """A node of a class, every part filled, and its parts in the order of evaluation."""
    counter = _Counter()

    def generator() -> ir.Generator:
        return ir.Generator(name="x", source=counter.next(), conditions=(counter.next(), counter.next()))

    values: dict[str, Any] = {}
    for field in fields(kind):
        annotation = str(field.type)
        if field.name in ("type", "span"):
            continue
        if annotation in ("Expr", "Expr | None"):
            values[field.name] = counter.next()
        elif annotation == "tuple[Expr, ...]":
            values[field.name] = (counter.next(), counter.next(), counter.next())
        elif annotation == "tuple[tuple[Expr, Expr], ...]":
            values[field.name] = ((counter.next(), counter.next()), (counter.next(), counter.next()))
        elif annotation == "tuple[tuple[str, Expr], ...]":
            values[field.name] = (("a", counter.next()), ("b", counter.next()))
        elif annotation == "tuple[Generator, ...]":
            values[field.name] = (generator(), generator())
        elif annotation == "Generator":
            values[field.name] = generator()
        else:
            assert "Expr" not in annotation, f"{kind.__name__}.{field.name} holds expressions in a form unknown here"
            assert "Generator" not in annotation
            values[field.name] = "name"
    return kind(**values, type=BOOL), counter.made


@pytest.mark.parametrize("kind", EXPRESSIONS, ids=lambda kind: kind.__name__)
def test_children_are_all_parts_in_order(kind: type[ir.Expr]) -> None:
    node, parts = _sample(kind)
    assert list(traverse.children(node)) == parts


@pytest.mark.parametrize("kind", EXPRESSIONS, ids=lambda kind: kind.__name__)
def test_map_children_replaces_every_part_and_keeps_the_rest(kind: type[ir.Expr]) -> None:
    node, parts = _sample(kind)

    def negative(part: ir.Expr) -> ir.Expr:
        assert isinstance(part, ir.Literal)
        return replace(part, value=-1 - part.value)

    mapped = traverse.map_children(node, negative)
    assert list(traverse.children(mapped)) == [negative(part) for part in parts]
    assert type(mapped) is kind
    assert traverse.map_children(mapped, negative) == node
    assert traverse.map_children(node, lambda part: part) is node


def test_the_samples_are_not_empty() -> None:
    leaves = {kind for kind in EXPRESSIONS if not _sample(kind)[1]}
    assert leaves == {ir.Literal, ir.ConstantRef, ir.VariableRef, ir.LocalRef, ir.Members}


def test_walk_visits_parents_first() -> None:
    tree = add(add(1, 2), var("n"))
    assert [type(node).__name__ for node in traverse.walk(tree)] == [
        "Arithmetic",
        "Arithmetic",
        "Literal",
        "Literal",
        "VariableRef",
    ]


def test_rewrite_bottom_up_sees_rewritten_parts() -> None:
    def fold(node: ir.Expr) -> ir.Expr:
        match node:
            case ir.Arithmetic(operator="+", left=ir.Literal(value=int(a)), right=ir.Literal(value=int(b))):
                return lit(a + b)
            case _:
                return node

    assert traverse.rewrite_bottom_up(add(add(1, 2), add(3, 4)), fold) == lit(10)


SCOPES: list[tuple[ir.Expr, set[str]]] = [
    (local("x"), {"x"}),
    (all_(lt(local("x"), local("y")), gen("x", range_(0, local("x")))), {"x", "y"}),
    (any_(True, gen("x", range_(0, 3), lt(local("x"), local("z")))), {"z"}),
    (comp(add(local("x"), local("y")), gen("x", range_(0, 2)), gen("y", range_(0, local("x")))), set()),
    (agg("min", local("x"), gen("x", range_(0, 2)), default=local("x")), {"x"}),
    (seq_comp(local("x"), gen("x", seq(1, 2), lt(local("w"), local("x")))), {"w"}),
    (fun_comp("k", range_(0, local("k")), local("k")), {"k"}),
    (let("x", local("x"), add(local("x"), local("y"))), {"x", "y"}),
    (eq(var("n"), 1), set()),
]


@pytest.mark.parametrize(("tree", "free"), SCOPES)
def test_free_locals(tree: ir.Expr, free: set[str]) -> None:
    assert traverse.free_locals(tree) == free


def test_substitution_replaces_free_names_only() -> None:
    tree = and_(lt(local("x"), 3), all_(lt(local("x"), local("y")), gen("x", range_(0, local("x")))))
    result = traverse.substitute(tree, {"x": lit(7), "y": var("n")})
    assert result == and_(lt(lit(7), 3), all_(lt(local("x"), var("n")), gen("x", range_(0, 7))))


def test_substitution_renames_a_binder_that_would_capture() -> None:
    tree = all_(lt(local("x"), local("y")), gen("x", range_(0, 3)))
    result = traverse.substitute(tree, {"y": add(local("x"), 1)})
    assert result == all_(lt(local("x_2"), add(local("x"), 1)), gen("x_2", range_(0, 3)))


def test_a_new_name_is_none_that_the_text_has() -> None:
    tree = all_(lt(local("x"), add(local("y"), local("x_2"))), gen("x", range_(0, 3)))
    result = traverse.substitute(tree, {"y": local("x")})
    assert result == all_(lt(local("x_3"), add(local("x"), local("x_2"))), gen("x_3", range_(0, 3)))


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (let("x", local("y"), add(local("x"), local("y"))), let("x_2", local("x"), add(local("x_2"), local("x")))),
        (fun_comp("x", range_(0, 2), local("y")), fun_comp("x_2", range_(0, 2), local("x"))),
        (seq_comp(local("y"), gen("x", seq(1), True)), seq_comp(local("x"), gen("x_2", seq(1), True))),
        (
            agg("max", local("y"), gen("x", range_(0, local("y"))), default=local("y")),
            agg("max", local("x"), gen("x_2", range_(0, local("x"))), default=local("x")),
        ),
    ],
)
def test_every_binder_avoids_capture(tree: ir.Expr, expected: ir.Expr) -> None:
    assert traverse.substitute(tree, {"y": local("x")}) == expected


def test_later_generators_and_conditions_see_the_renamed_name() -> None:
    tree = comp(
        add(local("a"), local("b")),
        gen("a", range_(0, local("n"))),
        gen("b", range_(0, local("a")), lt(local("b"), local("n"))),
    )
    result = traverse.substitute(tree, {"n": add(local("a"), local("b"))})
    outer = add(local("a"), local("b"))
    assert result == comp(
        add(local("a_2"), local("b_2")),
        gen("a_2", range_(0, outer)),
        gen("b_2", range_(0, local("a_2")), lt(local("b_2"), outer)),
    )


def test_without_shadowing_renames_nested_and_outer_clashes_alone() -> None:
    inner = all_(lt(local("x"), 1), gen("x", range_(0, 1)))
    siblings = and_(inner, inner)
    assert traverse.without_shadowing(siblings) == siblings
    nested = all_(and_(lt(local("x"), 2), inner), gen("x", range_(0, 2)))
    renamed = all_(lt(local("x_2"), 1), gen("x_2", range_(0, 1)))
    assert traverse.without_shadowing(nested) == all_(and_(lt(local("x"), 2), renamed), gen("x", range_(0, 2)))
    assert traverse.without_shadowing(inner, outer=["x"]) == renamed


def test_variables_are_found_through_helpers() -> None:
    inner = helper("inner", add(var("n"), local("v")), v=INT)
    outer = helper("outer", call(inner, 1))
    machine = protocol("M", variable("n", ints(0, 1), 0), inner, outer)
    tree = sub(call(outer), 1)
    assert traverse.variables_of(tree) == frozenset()
    assert traverse.variables_of(tree, machine) == {"n"}
    assert not traverse.is_constant(tree, machine)
    assert traverse.is_constant(size(range_(0, 3)), machine)
    assert not traverse.is_constant(local("x"), machine)


def test_the_state_after_reaches_variables_and_calls() -> None:
    get = helper("get", var("n"))
    assert traverse.in_state_after(add(var("n"), call(get))) == add(var("n", after=True), call(get, after=True))


def test_renaming_nothing_changes_nothing() -> None:
    for seed in range(500):
        tree = random_expression(seed)
        assert traverse.free_locals(tree) == frozenset(), seed
        assert traverse.without_shadowing(tree) == tree, seed
        assert traverse.substitute(tree, {"nowhere": expr(1)}) == tree, seed
        assert traverse.rewrite_bottom_up(tree, lambda node: node) is tree, seed
        assert traverse.variables_of(tree) <= {item.name for item in PROTOCOL.variables}, seed


def test_fresh_names_count_upwards() -> None:
    assert traverse.fresh_name("x", []) == "x"
    assert traverse.fresh_name("x", ["x", "x_2"]) == "x_3"


def test_types_are_no_expressions() -> None:
    record = types.Record(int, ())
    node = ir.IsInstance(record=lit(1), classes=(record,), type=BOOL)
    assert traverse.children(node) == (lit(1),)
