"""Tests that blocks share say what each block's own test says, and have a value wherever that has one.

Random machines have domains too small for this: three blocks of one action, a guard that gives another its value, and
a division that no table stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from protocheck.transpiler.packing import low
from protocheck.transpiler.packing.grouping import Group, Member, grouped
from protocheck.transpiler.packing.low import Low
from protocheck.transpiler.packing.render import Writer
from protocheck.transpiler.packing.steps import Block, Effect, Require

STATE = low.Name("s")
X, Y, Z = (low.bits(STATE, offset, 2) for offset in (0, 2, 4))
STATES = range(1 << 6)

NUMBERS = st.sampled_from((X, Y, Z, low.add(X, Z), low.subtract(Y, X)))
SMALL = st.integers(0, 3)
TOTAL = st.one_of(
    st.builds(lambda number, value: low.equal(number, low.Const(value)), NUMBERS, SMALL),
    st.builds(lambda number, value: low.at_most(number, low.Const(value)), NUMBERS, SMALL),
    st.builds(lambda number, value: low.negate(low.equal(number, low.Const(value))), NUMBERS, SMALL),
)


def _partial(number: Low, value: int, kind: int, other: Low) -> Low:
    match kind:
        case 0:
            return low.equal(low.divide("%", number, other), low.Const(value))
        case 1:
            return low.at_most(low.divide("//", number, other), low.Const(value))
        case 2:
            return low.has_bit(low.Const(5), low.subtract(other, low.ONE))
        case _:
            return low.equal(low.At("T", low.subtract(other, low.ONE), 0, 2), low.Const(value))


PARTIAL = st.builds(_partial, NUMBERS, SMALL, st.integers(0, 3), st.sampled_from((X, Y)))
TESTS = st.lists(st.lists(st.one_of(TOTAL, PARTIAL), min_size=1, max_size=3), min_size=3, max_size=7)


def _value(test: Low, state: int) -> bool | None:
    """None where it has none. Beyond a table there is none, and Python would begin at its end."""
    try:
        return bool(eval(Writer().test(test), {"s": state, "T": _Table((2, 1, 0))}))
    except (ZeroDivisionError, ValueError, IndexError):
        return None


class _Table(tuple[int, ...]):
    def __getitem__(self, place: int) -> int:  # type: ignore[override]
        if place < 0:
            raise IndexError(place)
        return super().__getitem__(place)


def _taken(members: Sequence[Group | Member], state: int) -> Iterator[int]:
    for member in members:
        holds = _value(member.test, state)
        assert holds is not None, f"{member.test} has no value in {state:b}"
        if holds:
            yield from _taken(member.members, state) if isinstance(member, Group) else [member.block.action]


@settings(max_examples=150, deadline=None)
@given(TESTS, st.booleans())
def test_groups_ask_what_each_block_asks(tests: list[list[Low]], beginning: bool) -> None:
    guards = [low.both(*items) for items in tests]
    if beginning:
        # What the first block asks before anything else, the others ask at last.
        guards = [guards[0], *(low.both(guard, tests[0][-1]) for guard in guards[1:])]
    effect = Effect((), low.TRUE, STATE, False)
    blocks = [Block(place, (), (Require(guard),), effect) for place, guard in enumerate(guards)]
    written = grouped(blocks)
    for state in STATES:
        expected = [_value(block.guard or low.TRUE, state) for block in blocks]
        if None not in expected:
            assert list(_taken(written, state)) == [place for place, holds in enumerate(expected) if holds]
