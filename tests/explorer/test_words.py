"""Words: simplified as they are built, written with Python's precedence, decided by what is known."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from protocheck.transpiler.packing import facts as knowledge
from protocheck.transpiler.packing import low
from protocheck.transpiler.packing.low import Low
from protocheck.transpiler.packing.render import Writer
from protocheck.transpiler.packing.tabulate import factored

S = low.Name("s", 0, 255)
A, B = low.bits(S, 0, 3), low.bits(S, 3, 3)
X, Y = low.Name("x", -3, 3), low.Name("y", 0, 4)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (low.add(low.add(X, low.Const(2)), low.Const(-2)), "x"),
        (low.subtract(low.add(X, Y), X), "y"),
        (low.less(X, low.add(X, low.ONE)), "1"),
        (low.at_most(low.add(Y, low.ONE), low.Const(4)), "y <= 3"),
        (low.at_most(low.scale(Y, 2), low.Const(5)), "y <= 2"),
        (low.less(X, Y), "x < y"),
        (low.equal(low.scale(Y, 2), low.Const(5)), "0"),
        (low.both(low.same(A, low.Const(2)), low.same(B, low.Const(1))), "s & 63 == 10"),
        (low.both(low.same(A, low.Const(2)), low.same(A, low.Const(3))), "0"),
        (low.either(low.has_bit(S, low.Const(0)), low.has_bit(S, low.Const(1))), "s & 3"),
        (low.negate(low.masked(S, 6, 0)), "s & 6"),
        (low.masked(S, 6, 0), "not s & 6"),
        (low.masked(low.bit_or(A, low.Const(1)), 1, 1), "1"),
        (low.masked(low.bit_and(A, low.Const(6)), 1, 1), "0"),
        (low.same(low.bit_and(A, low.Const(6)), low.ONE), "0"),
        (low.same(low.bit_and(A, low.Const(6)), low.Const(4)), "s & 6 == 4"),
        (low.same(low.bit_and(S, low.Const(7)), A), "1"),
        (low.bits(low.bits(S, 2, 6), 1, 2), "s >> 3 & 3"),
        (low.bits(S, 5, 3), "s >> 5"),
        (low.choose(low.has_bit(S, low.Const(4)), low.ONE, low.ZERO), "s & 16"),
        (low.negate(low.both(low.less(X, Y), low.has_bit(S, low.Const(1)))), "x >= y or not s & 2"),
        (low.extremum("max", [X, low.Const(1), X, low.Const(2)]), "max(x, 2)"),
        (low.without(A, low.Const(2)), "s & 7 & 5"),
        (low.multiply(low.add(X, low.ONE), Y), "(x + 1) * y"),
        (low.negate(low.Invoke("f", (X,), 0, 1)), "not f(x)"),
    ],
)
def test_simplest_form(word: Low, text: str) -> None:
    assert Writer().test(word).replace("x >= y", "y <= x").replace("y <= x", "x >= y") == text


def test_fields_that_are_named_are_read_by_their_names() -> None:
    writer = Writer({A: "a"})
    assert writer.value(low.add(A, B)) == "a + (s >> 3 & 7)"
    assert writer.test(low.same(A, low.Const(2))) == "a == 2"
    assert writer.test(low.same(A, low.ZERO)) == "a == 0"


class _Dice:
    """Random words over `s`, `x` and `y`, with what each should be for given values."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def number(self, depth: int) -> Low:
        if depth == 0:
            return self.random.choice([X, Y, A, B, low.Const(self.random.randint(-3, 9))])
        left, right = self.number(depth - 1), self.number(depth - 1)
        match self.random.randrange(9):
            case 0:
                return low.add(left, right)
            case 1:
                return low.subtract(left, right)
            case 2:
                return low.multiply(left, right)
            case 3:
                return low.divide(self.random.choice(["//", "%"]), left, low.Const(self.random.choice([-3, -1, 2, 3])))
            case 4:
                return low.extremum(self.random.choice(["min", "max"]), [left, right])
            case 5:
                return low.magnitude(left)
            case 6:
                return low.choose(self.test(depth - 1), left, right)
            case 7:
                return low.scale(left, self.random.randint(-2, 2))
            case _:
                return low.count(self.mask(depth - 1))

    def mask(self, depth: int) -> Low:
        if depth == 0:
            return self.random.choice([S, A, B, low.Const(self.random.randrange(64))])
        left, right = self.mask(depth - 1), self.mask(depth - 1)
        match self.random.randrange(6):
            case 0:
                return low.bit_and(left, right)
            case 1:
                return low.bit_or(left, right)
            case 2:
                return low.bit_xor(left, right)
            case 3:
                return low.without(left, right)
            case 4:
                return low.bits(left, self.random.randrange(4), self.random.randrange(1, 5))
            case _:
                by = low.Const(self.random.randrange(4))
                return self.random.choice([low.shift_left, low.shift_right])(left, by)

    def test(self, depth: int) -> Low:
        if depth == 0:
            bit = low.Const(self.random.randrange(8))
            return self.random.choice([low.has_bit(S, bit), low.less(X, Y), low.at_most(A, B), low.truth(True)])
        match self.random.randrange(9):
            case 0:
                return low.both(self.test(depth - 1), self.test(depth - 1))
            case 1:
                return low.either(self.test(depth - 1), self.test(depth - 1))
            case 2:
                return low.negate(self.test(depth - 1))
            case 3:
                return low.less(self.number(depth - 1), self.number(depth - 1))
            case 4:
                return low.equal(self.number(depth - 1), self.number(depth - 1))
            case 5:
                mask = self.random.randrange(16)
                return low.masked(self.mask(depth - 1), mask, mask & self.random.randrange(16))
            case 6:
                return low.same(self.mask(depth - 1), self.mask(depth - 1))
            case 7:
                return low.choose(self.test(depth - 1), self.test(depth - 1), self.test(depth - 1))
            case _:
                return low.has_bit(self.mask(depth - 1), low.bits(S, 0, 2))


Point = dict[str, int]


def _function(text: str) -> Callable[[Point], int]:
    code = compile(text, "<word>", "eval")
    return lambda point: eval(code, {}, point)


def _value(word: Low) -> Callable[[Point], int]:
    return _function(Writer().value(word))


def _test(word: Low) -> Callable[[Point], int]:
    return _function(Writer().test(word))


POINTS: list[Point] = [
    {"s": s, "x": x, "y": y} for s, x, y in itertools.product((0, 1, 10, 77, 128, 200, 255), (-3, -1, 0, 2), (0, 1, 4))
]


def test_bounds_hold_and_facts_decide_only_what_is_so() -> None:
    decided = 0
    for seed in range(600):
        dice = _Dice(seed)
        word, premise, question = dice.number(3), dice.test(2), dice.test(2)
        known = knowledge.assume(premise, knowledge.NOTHING)
        least, most = knowledge.bounds(word, known)
        answer = knowledge.decide(question, known)
        decided += isinstance(answer, low.Const) and not isinstance(question, low.Const)
        holds, value, before, after = _test(premise), _value(word), _test(question), _test(answer)
        for point in filter(holds, POINTS):
            assert least <= value(point) <= most, (seed, point)
            assert bool(before(point)) is bool(after(point)), (seed, point)
    assert decided > 30


def test_text_as_a_word_and_as_a_test_agree() -> None:
    for seed in range(600):
        test = _Dice(seed).test(3)
        as_word, as_test = _value(test), _test(test)
        for point in POINTS[::5]:
            assert as_word(point) in (0, 1)
            assert bool(as_word(point)) is bool(as_test(point)), (seed, point)


BUILT: list[tuple[Callable[..., Low], Callable[..., int], str]] = [
    (low.add, lambda a, b: a + b, "nn"),
    (low.subtract, lambda a, b: a - b, "nn"),
    (low.multiply, lambda a, b: a * b, "nn"),
    (low.at_most, lambda a, b: a <= b, "nn"),
    (low.less, lambda a, b: a < b, "nn"),
    (low.equal, lambda a, b: a == b, "nn"),
    (lambda a, b: low.extremum("min", [a, b, low.ONE]), lambda a, b: min(a, b, 1), "nn"),
    (lambda a: low.divide("//", a, low.Const(-3)), lambda a: a // -3, "n"),
    (lambda a: low.divide("%", a, low.Const(-3)), lambda a: a % -3, "n"),
    (low.magnitude, abs, "n"),
    (low.same, lambda a, b: a == b, "mm"),
    (low.bit_and, lambda a, b: a & b, "mm"),
    (low.bit_or, lambda a, b: a | b, "mm"),
    (low.bit_xor, lambda a, b: a ^ b, "mm"),
    (low.without, lambda a, b: a & ~b, "mm"),
    (lambda a: low.bits(a, 1, 3), lambda a: a >> 1 & 7, "m"),
    (lambda a: low.masked(a, 5, 1), lambda a: a & 5 == 1, "m"),
    (low.count, int.bit_count, "m"),
    (low.both, lambda p, q: p and q, "tt"),
    (low.either, lambda p, q: p or q, "tt"),
    (low.negate, lambda p: not p, "t"),
    (low.choose, lambda p, a, b: a if p else b, "tnn"),
]


def test_what_is_built_means_what_was_asked_for() -> None:
    """Every constructor against Python's own operators."""
    for seed in range(150):
        dice = _Dice(seed)
        draw = {"n": dice.number, "m": dice.mask, "t": dice.test}
        for build, expected, kinds in BUILT:
            given = [draw[kind](2) for kind in kinds]
            built, arguments = _value(build(*given)), [_value(word) for word in given]
            for point in POINTS[::9]:
                assert built(point) == expected(*(int(word(point)) for word in arguments)), (seed, point, given)


def test_guards_prove_ranges() -> None:
    length = low.bits(low.Name("s", 0, 7), 0, 3, 0, 4)
    room = knowledge.assume(low.less(length, low.Const(4)), knowledge.NOTHING)
    assert knowledge.decide(low.at_most(low.add(length, low.ONE), low.Const(4)), room) == low.TRUE
    below = knowledge.assume(low.less(X, Y), knowledge.NOTHING)
    assert knowledge.decide(low.at_most(low.add(X, low.ONE), Y), below) == low.TRUE
    assert knowledge.decide(low.equal(X, Y), below) == low.FALSE
    assert knowledge.bounds(X, below) == (-3, 3)
    other = knowledge.assume(low.negate(low.equal(Y, low.ZERO)), knowledge.NOTHING)
    assert knowledge.bounds(Y, other) == (1, 4)


def test_what_no_two_may_do_together_is_asked_once_for_each() -> None:
    """`not (a and b)` for every pair as "no a, or no b": a product of tests, not all its pairs."""
    first = [low.masked(S, 3 << shift, 3 << shift) for shift in (0, 2, 4, 6)]
    second = [low.masked(S, 3 << shift, 2 << shift) for shift in (0, 2, 4, 6)]
    pairs = [low.negate(low.both(a, b)) for a in first for b in second]
    test = low.both(*factored(pairs))
    assert low.cost(test) < 20 < low.cost(low.both(*pairs))
    before, after = _test(low.both(*pairs)), _test(test)
    assert all(bool(before({"s": s})) is bool(after({"s": s})) for s in range(256))
    # Without one of the pairs it is a product no more, but still factored.
    fewer = pairs[:6] + pairs[7:]
    before, after = _test(low.both(*fewer)), _test(low.both(*factored(fewer)))
    assert all(bool(before({"s": s})) is bool(after({"s": s})) for s in range(256))
