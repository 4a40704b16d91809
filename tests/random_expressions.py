"""Typed IR expressions at random, over the variables of one protocol: every kind of expression occurs.

Values stay small and expressions are often undefined, which is what definedness is tested on. Drawn from a seed: one
draw a decision of Hypothesis's own would be many times slower, and a smaller `depth` is what shrinks an example.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.domains import Domain, values
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.valuetypes import BOOL, INT, STR

from .build import (
    absolute,
    add,
    agg,
    all_,
    and_,
    any_,
    apply,
    arith,
    call,
    cat,
    comp,
    component,
    const,
    constant,
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
    init,
    ints,
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
    prop,
    protocol,
    range_,
    record_type,
    records,
    replace_,
    seq,
    seq_comp,
    sequences,
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
    variable,
)


class Color(enum.Enum):
    RED = 1
    GREEN = 2


@dataclass(frozen=True)
class Point:
    x: int
    on: bool


@dataclass(frozen=True)
class Mark:
    x: int


COLOR = types.Enumeration(Color)
POINT = record_type(Point, x=INT, on=BOOL)
MARK = record_type(Mark, x=INT)
EITHER = types.union((POINT, MARK))
SMALL = ints(-2, 3)
OPTIONAL_INT, OPTIONAL_RECORD = types.Optional(INT), types.Optional(EITHER)
INT_SET, COLOR_SET, STR_SET = types.Set(INT), types.Set(COLOR), types.Set(STR)
INTS, NESTED = types.Sequence(INT), types.Sequence(types.Set(INT))
PAIR = types.Tuple((INT, BOOL))
BY_INT, BY_COLOR = types.Function(INT, INT), types.Function(COLOR, types.Optional(INT))

GOALS: tuple[types.Type, ...] = (
    BOOL,
    INT,
    COLOR,
    STR,
    POINT,
    EITHER,
    OPTIONAL_INT,
    OPTIONAL_RECORD,
    INT_SET,
    COLOR_SET,
    STR_SET,
    INTS,
    PAIR,
    BY_INT,
    BY_COLOR,
)

_point, _mark = records(POINT, SMALL, ir.BoolSet()), records(MARK, SMALL)
_either = ir.UnionSet(alternatives=(_point, _mark))
_halved = helper("halved", arith(6, "//", local("by")), by=INT)
_nth = helper("nth", index(var("q", INTS), sub(local("i"), local("j"))), i=INT, j=INT)
_held = helper(
    "held", all_(gt(arith(local("by"), "%", local("k")), local("z")), gen("k", var("s", INT_SET))), by=INT, z=INT
)

PROTOCOL = protocol(
    "Expressions",
    constant("n", 2),
    constant("names", frozenset({"a", "b"}), STR_SET),
    variable("i", SMALL, 0),
    variable("j", SMALL, 1),
    variable("b", ir.BoolSet(), False),
    variable("c", ir.EnumSet(enumeration=COLOR), Color.RED),
    variable("name", ir.MemberSet(members=const("names", STR_SET)), "a"),
    variable("s", ir.PowerSet(element=SMALL), set_()),
    variable("cs", ir.PowerSet(element=ir.EnumSet(enumeration=COLOR)), set_()),
    variable("q", sequences(SMALL, 3), seq()),
    variable("p", ir.TupleSet(items=(SMALL, ir.BoolSet())), pair(0, False)),
    variable("o", ir.OptionalSet(item=SMALL), None),
    variable("r", _either, make(MARK, 0)),
    variable("m", ir.OptionalSet(item=_either), None),
    variable("f", ir.FunctionSet(key=ints(0, const("n")), value=SMALL), fun_comp("k", range_(0, 3), 0)),
    variable(
        "g",
        ir.FunctionSet(key=ir.EnumSet(enumeration=COLOR), value=ir.OptionalSet(item=SMALL)),
        fun_comp("k", members(Color), ir.Literal(value=None, type=OPTIONAL_INT)),
    ),
    init(),
    _halved,
    _nth,
    _held,
    prop("unused", "invariant", True),
)
INSTANCE = instantiate(PROTOCOL)
VARIABLES = {item.name: item.type for item in PROTOCOL.variables}


def random_state(seed: int) -> dict[str, object]:
    """A state in which every variable lies in its domain."""
    chosen = random.Random(seed)
    return {name: chosen.choice(_members(domain)) for name, domain in INSTANCE.variables.items()}


def random_expression(seed: int, depth: int = 4) -> ir.Expr:
    """An expression of any type over the variables of `PROTOCOL`."""
    builder = _Builder(random.Random(seed), {})
    return builder.expr(GOALS[builder.number(0, len(GOALS) - 1)], depth)


@cache
def _members(domain: Domain) -> list[object]:
    return list(values(domain))


@dataclass
class _Builder:
    """Draws expressions; local names are numbered, so that no two bindings of one expression share a name."""

    chosen: random.Random
    locals: dict[str, types.Type]
    count: int = 0

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def pick(self, options: list[Callable[[], ir.Expr]]) -> ir.Expr:
        return self.chosen.choice(options)()

    def number(self, low: int = -3, high: int = 4) -> int:
        return self.chosen.randint(low, high)

    def flip(self) -> bool:
        return self.chosen.random() < 0.5

    def inside(self, kind: types.Type, make_body: Callable[[str], ir.Expr]) -> ir.Expr:
        """An expression in which a fresh name of a type is bound."""
        name = self.fresh()
        outer = self.locals
        self.locals = {**outer, name: kind}
        try:
            return make_body(name)
        finally:
            self.locals = outer

    def expr(self, kind: types.Type, depth: int) -> ir.Expr:
        named = [name for name, known in self.locals.items() if known == kind]
        held = [name for name, known in VARIABLES.items() if known == kind]
        leaves: list[Callable[[], ir.Expr]] = [lambda: self.leaf(kind)]
        leaves += [lambda name=name: local(name, kind) for name in named] * 2
        leaves += [lambda name=name: var(name, kind) for name in held]
        made = self.pick(leaves) if depth <= 0 or self.number(0, 5) == 0 else self.pick(self.compound(kind, depth - 1))
        return _as_either(made) if kind == EITHER else made

    def leaf(self, kind: types.Type) -> ir.Expr:
        match kind:
            case types.Bool():
                return lit(self.flip())
            case types.Int():
                return lit(self.number()) if self.number(0, 3) else const("n")
            case types.Enumeration():
                return lit(Color.RED if self.flip() else Color.GREEN)
            case types.Str():
                return lit("a" if self.flip() else "b")
            case types.Optional():
                return ir.Literal(value=None, type=kind)
            case types.Set(types.Str()):
                return const("names", STR_SET)
            case types.Set():
                return ir.SetDisplay(elements=(), type=kind)
            case types.Sequence():
                return ir.TupleDisplay(elements=(), type=kind)
            case types.Tuple():
                return pair(self.number(), self.flip())
            case types.Union():
                return make(MARK, self.number())
            case types.Record():
                return make(POINT, self.number(), self.flip())
            case types.Function(types.Int()):
                return fun(*((key, self.number()) for key in range(3)))
            case types.Function():
                none = ir.Literal(value=None, type=OPTIONAL_INT)
                return ir.FunctionDisplay(
                    entries=tuple((lit(color), none) for color in Color), type=types.Function(COLOR, OPTIONAL_INT)
                )
        raise TypeError(kind)

    def generators(self, depth: int, then: Callable[[tuple[ir.Generator, ...]], ir.Expr]) -> ir.Expr:
        """One or two generators with conditions, and what `then` makes of them inside."""

        def one_more(before: tuple[ir.Generator, ...]) -> ir.Expr:
            source, kind = self.source(depth)

            def body(name: str) -> ir.Expr:
                conditions = [self.expr(BOOL, depth - 1) for _ in range(max(0, self.number(-1, 2)))]
                made = (*before, gen(name, source, *conditions))
                return one_more(made) if len(made) == 1 and self.number(0, 4) == 0 else then(made)

            return self.inside(kind, body)

        return one_more(())

    def source(self, depth: int) -> tuple[ir.Expr, types.Type]:
        match self.number(0, 5):
            case 0:
                return members(Color), COLOR
            case 1:
                return self.expr(INTS, depth), INT
            case 2:
                return range_(0, size(self.expr(INTS, depth))), INT
            case 3:
                return self.expr(STR_SET, depth), STR
            case 4:
                return range_(self.expr(INT, depth), lit(self.number())), INT
            case _:
                return self.expr(INT_SET, depth), INT

    def compound(self, kind: types.Type, d: int) -> list[Callable[[], ir.Expr]]:
        options: list[Callable[[], ir.Expr]] = [
            lambda: if_(self.expr(BOOL, d), self.expr(kind, d), self.expr(kind, d)),
            lambda: self.let(kind, d),
        ]
        match kind:
            case types.Bool():
                options += self.bools(d)
            case types.Int():
                options += self.ints(d)
            case types.Optional(item):
                options += [lambda: self.expr(item, d)] * 2
                if item == INT:
                    options.append(lambda: apply(self.expr(BY_COLOR, d), self.expr(COLOR, d)))
                # The type stays optional, whatever stands in its place.
                options = [lambda make_one=make_one: _as_optional(make_one(), kind) for make_one in options]
            case types.Set(element):
                options += [
                    lambda: set_(*(self.expr(element, d) for _ in range(self.number(1, 3)))),
                    lambda: set_op(self.expr(kind, d), self.operator("|&-^"), self.expr(kind, d)),  # type: ignore[arg-type]
                    lambda: self.generators(d, lambda made: comp(self.expr(element, d), *made)),
                ]
                if element == INT:
                    options.append(lambda: set_of(range_(self.expr(INT, d), self.number())))
                    options.append(lambda: set_of(self.expr(INTS, d)))
                if element == COLOR:
                    options.append(lambda: set_of(members(Color)))
            case types.Sequence(element):
                options += [
                    lambda: seq(*(self.expr(element, d) for _ in range(self.number(1, 3)))),
                    lambda: cat(self.expr(kind, d), self.expr(kind, d)),
                    lambda: slice_(
                        self.expr(kind, d),
                        self.expr(INT, d) if self.flip() else None,
                        self.expr(INT, d) if self.flip() else None,
                    ),
                    lambda: self.mapped(d),
                ]
            case types.Tuple():
                options.append(lambda: pair(self.expr(INT, d), self.expr(BOOL, d)))
            case types.Record():
                options.append(lambda: make(POINT, self.expr(INT, d), self.expr(BOOL, d)))
                options.append(lambda: replace_(self.expr(POINT, d), x=self.expr(INT, d)))
            case types.Union():
                options.append(lambda: make(MARK, self.expr(INT, d)))
                options.append(lambda: self.expr(POINT, d))
                options.append(lambda: unwrap(self.expr(OPTIONAL_RECORD, d)))
                options.append(lambda: replace_(self.expr(EITHER, d), x=self.expr(INT, d)))
                options.append(lambda: replace_(self.expr(EITHER, d), on=self.expr(BOOL, d)))
            case types.Function(key, _):
                options.append(
                    lambda: updated(
                        self.expr(kind, d),
                        *((self.expr(key, d), self.expr(kind.value, d)) for _ in range(self.number(1, 2))),
                    )
                )
                options.append(lambda: self.function(kind, d))
            case _:
                pass
        return options

    def operator(self, symbols: str) -> str:
        return symbols[self.number(0, len(symbols) - 1)]

    def let(self, kind: types.Type, d: int) -> ir.Expr:
        bound = GOALS[self.number(0, len(GOALS) - 1)]
        value = self.expr(bound, d)
        return self.inside(bound, lambda name: let(name, value, self.expr(kind, d)))

    def mapped(self, d: int) -> ir.Expr:
        source = self.expr(INTS, d) if self.flip() else range_(0, self.expr(INT, d))
        return self.inside(INT, lambda name: seq_comp(self.expr(INT, d), gen(name, source, self.expr(BOOL, d))))

    def function(self, kind: types.Function, d: int) -> ir.Expr:
        source = range_(0, add(const("n"), 1)) if kind.key == INT else members(Color)
        return self.inside(
            kind.key, lambda name: fun_comp(name, source, _optional(self.expr(kind.value, d), kind.value))
        )

    def bools(self, d: int) -> list[Callable[[], ir.Expr]]:
        def compared() -> ir.Expr:
            goal = GOALS[self.number(0, len(GOALS) - 1)]
            return (eq if self.flip() else ne)(self.expr(goal, d), self.expr(goal, d))

        def logic() -> ir.Expr:
            parts = [self.expr(BOOL, d) for _ in range(self.number(2, 3))]
            return (and_ if self.flip() else or_)(*parts)

        def member() -> ir.Expr:
            source, kind = self.source(d)
            return (in_ if self.flip() else not_in)(self.expr(kind, d), source)

        return [
            lambda: not_(self.expr(BOOL, d)),
            logic,
            logic,
            compared,
            compared,
            lambda: (lt, le, gt, ge)[self.number(0, 3)](self.expr(INT, d), self.expr(INT, d)),
            member,
            lambda: subset(self.expr(INT_SET, d), self.expr(INT_SET, d), self.flip()),
            lambda: self.generators(d, lambda made: (any_ if self.flip() else all_)(self.expr(BOOL, d), *made)),
            lambda: is_a(self.expr(EITHER, d), POINT),
            lambda: get(self.expr(EITHER, d), "on"),
            lambda: component(self.expr(PAIR, d), 1),
            lambda: call(_held, self.expr(INT, d), self.expr(INT, d)),
        ]

    def ints(self, d: int) -> list[Callable[[], ir.Expr]]:
        def aggregate() -> ir.Expr:
            word = ("sum", "min", "max")[self.number(0, 2)]
            default = self.expr(INT, d) if word != "sum" and self.flip() else None
            return self.generators(
                d,
                lambda made: agg(word, self.expr(INT, d), *made, default=default),  # type: ignore[arg-type]
            )

        return [
            lambda: neg(self.expr(INT, d)),
            lambda: absolute(self.expr(INT, d)),
            lambda: arith(self.expr(INT, d), ("+", "-", "*", "//", "%")[self.number(0, 4)], self.expr(INT, d)),  # type: ignore[arg-type]
            lambda: arith(self.expr(INT, d), ("//", "%")[self.number(0, 1)], self.expr(INT, d)),  # type: ignore[arg-type]
            lambda: extreme("min" if self.flip() else "max", self.expr(INT, d), self.expr(INT, d)),
            aggregate,
            lambda: size(self.source(d)[0]),
            lambda: component(self.expr(PAIR, d), 0),
            lambda: index(self.expr(INTS, d), self.expr(INT, d)),
            lambda: unwrap(self.expr(OPTIONAL_INT, d)),
            lambda: get(self.expr(EITHER, d), "x"),
            lambda: get(self.expr(POINT, d), "x"),
            lambda: apply(self.expr(BY_INT, d), self.expr(INT, d)),
            lambda: call(_halved, self.expr(INT, d)),
            lambda: call(_nth, self.expr(INT, d), self.expr(INT, d)),
        ]


def _optional(value: ir.Expr, kind: types.Type) -> ir.Expr:
    return _as_optional(value, kind) if isinstance(kind, types.Optional) else value


def _as_either(value: ir.Expr) -> ir.Expr:
    """A record in the place of a union, typed as one: a branch beside one of the other class."""
    if value.type == EITHER:
        return value
    return if_(True, value, make(MARK, 0)) if value.type == POINT else if_(False, make(POINT, 0, False), value)


def _as_optional(value: ir.Expr, kind: types.Type) -> ir.Expr:
    """A value in the place of an optional, typed as one: a branch that is never None beside one that is."""
    if value.type == kind:
        return value
    return if_(lit(True), value, ir.Literal(value=None, type=kind))
