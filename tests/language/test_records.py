"""Records behave as the frozen dataclasses that type checkers take them for."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from protocheck.transpiler.records import record


@record(frozen=True, kw_only=True)
class Base:
    place: int = dataclasses.field(default=0, compare=False, repr=False)


@record(frozen=True)
class Point(Base):
    x: int
    y: int = 2


@record(frozen=True)
class Other(Base):
    x: int
    y: int = 2


def test_construction() -> None:
    assert (Point(1).x, Point(1).y, Point(1).place) == (1, 2, 0)
    assert Point(1, 3, place=7).place == 7
    assert Point(y=3, x=1) == Point(1, 3)


@pytest.mark.parametrize(
    "make", [lambda: Point(), lambda: Point(1, 2, 3), lambda: Point(1, x=1), lambda: Point(1, z=1)]
)
def test_wrong_construction(make: object) -> None:
    with pytest.raises(TypeError):
        make()  # type: ignore[operator]


def test_equality_leaves_out_what_is_not_compared() -> None:
    assert Point(1, place=3) == Point(1, place=4)
    assert hash(Point(1, place=3)) == hash(Point(1, place=4))
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert repr(Point(1, place=3)) == "Point(x=1, y=2)"


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Point(1).x  # type: ignore[misc]


def test_what_dataclasses_offer() -> None:
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5)
    assert [item.name for item in dataclasses.fields(Point)] == ["place", "x", "y"]
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)
    assert copy.copy(Point(1)) == Point(1)
    assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
