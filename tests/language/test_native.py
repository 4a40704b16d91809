"""The class runs: steps taken and refused, nothing changed by what is refused, questions answered."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import traceback
from typing import Annotated, Any, ClassVar, Literal

import pytest

import protocheck
from protocheck import (
    ArgumentRefused,
    Between,
    CompileError,
    GuardRefused,
    In,
    MaxLen,
    Protocol,
    action,
    assume,
    choices,
    const,
    enabled,
    ghost,
    guard,
    helper,
    holds,
    init,
    invariant,
    refused_by,
    snapshot,
    without,
)
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.rollback import Rollback
from protocheck.transpiler.native import MOST_RUNS, native_of


def test_steps_and_refusals() -> None:
    cache = Rollback(max_len=8)
    cache.extend()
    cache.extend()
    cache.start_read(2)
    assert snapshot(cache) == {"length": 2, "pending_reads": frozenset({2})}
    with pytest.raises(GuardRefused) as refusal:
        cache.rollback(1)
    assert refusal.value.guards == ("no_reader_above",)
    assert refusal.value.action == "rollback"
    assert refusal.value.arguments == {"k": 1}
    assert refusal.value.state == {"length": 2, "pending_reads": frozenset({2})}
    assert str(refusal.value) == (
        "rollback(k=1) is refused by no_reader_above in the state length = 2, pending_reads = {2}"
    )
    cache.finish_read(2)
    cache.rollback(1)
    assert (cache.length, cache.pending_reads) == (1, frozenset())


def test_all_conditions_of_a_guard_call_are_evaluated() -> None:
    cache = Rollback()
    cache.extend()
    cache.start_read(1)
    cache.extend()
    assert refused_by(cache.rollback, 3) == ("shrinks",)
    cache.start_read(2)
    with pytest.raises(GuardRefused) as refusal:
        without(Rollback, "extend.room_left")().rollback(3)
    assert refusal.value.guards == ("shrinks",)


@pytest.mark.parametrize("argument", [8, -1, True, 1.0, "1", None, frozenset(), [1]])
def test_an_argument_outside_its_domain_is_refused_before_anything_else(argument: Any) -> None:
    cache = Rollback(max_len=8)
    with pytest.raises(ArgumentRefused, match=r"outside 0\.\.7"):
        cache.rollback(argument)
    assert issubclass(ArgumentRefused, ValueError)
    assert not enabled(cache.rollback, argument)


def test_the_state_changes_through_actions_only() -> None:
    cache = Rollback()
    with pytest.raises(AttributeError, match="through its actions only"):
        cache.length = 3
    with pytest.raises(AttributeError, match="through its actions only"):
        del cache.length
    assert cache.length == 0


def test_constants_are_ints_in_the_class_and_values_of_an_instance() -> None:
    assert list(range(Rollback.max_len)) == [0, 1, 2, 3]
    assert Rollback(max_len=32768).max_len == 32768
    with pytest.raises(TypeError, match=r"did you mean max_len\?"):
        Rollback(maxlen=3)
    with pytest.raises(CompileError, match="max_len"):
        Rollback(max_len="four")


def test_a_question_about_the_wrong_thing_changes_nothing() -> None:
    cache = Rollback()
    for wrong in (cache.extend, Rollback.no_ghost_reads, len):
        with pytest.raises(TypeError, match=r"holds\(r.no_ghost_reads\)"):
            holds(wrong)  # type: ignore[arg-type]
    assert cache.length == 0
    with pytest.raises(TypeError, match="an instance of a protocol"):
        snapshot(Rollback)  # type: ignore[arg-type]


def test_questions() -> None:
    cache = Rollback()
    assert list(choices(cache.extend)) == [()]
    assert list(choices(cache.start_read)) == []
    cache.extend()
    cache.extend()
    assert list(choices(cache.start_read)) == [(1,), (2,)]
    assert list(choices(cache.rollback)) == [(0,), (1,)]
    assert enabled(cache.rollback, k=1)
    assert refused_by(cache.rollback, 1) == ()
    assert holds(cache.no_ghost_reads)
    before = copy.copy(cache)
    cache.extend()
    assert holds(before.grows_by_one, cache)
    assert snapshot(before)["length"] == 2
    with pytest.raises(TypeError, match="takes an action"):
        enabled(cache.no_ghost_reads)
    with pytest.raises(TypeError, match="takes a property"):
        holds(len, ())  # type: ignore[arg-type]


class Late(Protocol):
    """Guards one after the other and under a condition, parameters that get other values, an obligation."""

    size: Annotated[int, Between(0, 9)] = 0
    function: dict[Annotated[int, Between(0, 1)], bool] = {i: False for i in range(2)}

    @action
    def grow(self, by: Annotated[int, Between(0, 9)]) -> None:
        guard(small=by < 6, even=by % 2 == 0)
        by = by + 1
        guard(fits=self.size + by < 4)
        self.size = by
        self.function[0] = True

    @action
    def demand(self, at: Annotated[int, Between(0, 3)]) -> None:
        guard(not_three=at != 3)
        assert at < 2, "too far"
        self.function[at] = True

    @action
    def maybe(self, yes: bool) -> None:
        if yes:
            guard(grown=self.size > 0)
        self.size = 1


def test_a_question_takes_the_whole_step_and_changes_nothing() -> None:
    late = Late()
    before = snapshot(late)
    answers = {by: refused_by(late.grow, by) for by in range(10)}
    assert answers[0] == answers[2] == ()
    assert answers[4] == ("fits",), "only the first guard call with a false condition answers"
    assert answers[3] == answers[5] == ("even",)
    assert answers[6] == ("small",)
    assert answers[7] == ("small", "even")
    for by, names in answers.items():
        assert enabled(late.grow, by) == (names == ())
        if names:
            with pytest.raises(GuardRefused) as refusal:
                late.grow(by)
            assert refusal.value.guards == names
            assert refusal.value.arguments == {"by": by}
        assert snapshot(late) == before
    assert not enabled(late.grow, 10)
    with pytest.raises(ArgumentRefused):
        refused_by(late.grow, by=10)
    assert refused_by(late.maybe, True) == ("grown",)
    assert enabled(late.maybe, yes=False)


def test_a_question_raises_what_the_step_would_raise() -> None:
    late = Late()
    assert refused_by(late.demand, 3) == ("not_three",)
    assert enabled(late.demand, 1)
    for ask in (enabled, refused_by):
        with pytest.raises(AssertionError, match="too far"):
            ask(late.demand, 2)
    assert snapshot(late) == snapshot(Late())


def test_a_question_to_a_variant_leaves_out_its_guard() -> None:
    variant = without(Late, "grow.fits")()
    assert enabled(variant.grow, 4)
    assert refused_by(without(Late, "grow.small")().grow, 7) == ("even",)


def test_constants_that_are_no_longer_used_are_forgotten() -> None:
    first = Rollback(max_len=5000)
    for length in range(5001, 5001 + 2 * MOST_RUNS):
        Rollback(max_len=length)
    assert len(native_of(Rollback).runs) <= MOST_RUNS
    first.extend()
    assert first.length == 1


def test_a_variant_has_lost_exactly_one_guard() -> None:
    variant = without(Rollback, "rollback.no_reader_above")
    assert variant is without(Rollback, "rollback.no_reader_above")
    assert variant.__name__ == "Rollback__rollback__no_reader_above"
    cache = variant()
    cache.extend()
    cache.start_read(1)
    assert refused_by(cache.rollback, 1) == ("shrinks",)
    cache.rollback(0)
    assert not holds(cache.no_ghost_reads)
    assert refused_by(Rollback().rollback, 0) == ("shrinks",)
    with pytest.raises(ValueError, match=r"did you mean rollback\.no_reader_above\?"):
        without(Rollback, "rollback.no_reader")
    with pytest.raises(ValueError, match="already"):
        without(variant, "extend.room_left")


def test_ghosts_and_assumptions_are_erased() -> None:
    request = Acceptance()
    request.propose(("t1", "t2"))
    # The model assumes that the verdict is the target's; what runs has no target to compare it with.
    request.emit(("t1", "t1", "t1"), 1)
    assert request.output == ("t1", "t1")
    assert snapshot(request) == {"output": ("t1", "t1"), "draft": ()}
    with pytest.raises(AttributeError, match="is a ghost"):
        _ = request.target_trace
    with pytest.raises(ValueError, match="non_interference cannot be evaluated at run time"):
        holds(request.non_interference)


@dataclasses.dataclass(frozen=True)
class Pair:
    left: Annotated[int, Between(0, 3)]
    right: bool


class Everything(Protocol):
    """A machine for what a state can hold."""

    names: frozenset[str] = const(frozenset({"a", "b"}))
    limit: int = const(3)

    Name = Annotated[str, In(names)]

    truth: Annotated[int, Between(0, limit)] = ghost(0)
    start: Annotated[int, Between(0, limit)] = 0
    owner: dict[Name, Literal["idle", "busy"]] = {"a": "idle", "b": "idle"}
    pair: Pair = Pair(0, False)
    queue: Annotated[tuple[Annotated[int, Between(0, limit)], ...], MaxLen(limit)] = ()
    seen: frozenset[tuple[Name, bool]] = frozenset()

    @init
    def choose(self, first: Annotated[int, Between(0, limit)], secret: Annotated[int, Between(0, limit)]) -> None:
        self.start = first
        self.truth = secret

    @action
    def take(self, name: Name) -> None:
        guard(idle=self.owner[name] == "idle")
        self.owner[name] = "busy"
        self.seen |= {(name, True)}
        self.pair = dataclasses.replace(self.pair, right=not self.pair.right)

    @action
    def reset(self) -> None:
        guard(some=self.how_many() > 0)
        self.owner = {name: "idle" for name in self.names}

    @action
    def push(self, value: Annotated[int, Between(0, limit)]) -> None:
        x = self.truth + 1
        assume(value < x)
        self.truth = 0
        self.queue, self.start = self.queue + (value,), value

    @action
    def breaks(self) -> None:
        self.start = 1
        self.pair = Pair(self.queue[2], True)

    @helper
    def how_many(self) -> int:
        return sum(1 for name in self.names if self.owner[name] == "busy")

    @invariant
    def fine(self) -> bool:
        return True


class Starred(Everything):
    @action
    def push(self, value: Annotated[int, Between(0, Everything.limit)]) -> None:
        self.queue = (*self.queue, value)


def test_values_are_immutable_and_hashable() -> None:
    machine = Everything(first=2)
    assert machine.start == 2
    owner = machine.owner
    machine.take("a")
    assert owner == {"a": "idle", "b": "idle"}
    assert machine.owner == {"a": "busy", "b": "idle"}
    with pytest.raises(TypeError, match="immutable"):
        machine.owner["a"] = "idle"
    assert hash(snapshot(machine)) == hash(snapshot(copy.copy(machine)))
    machine.reset()
    assert hash(snapshot(machine)) is not None
    assert machine.seen == {("a", True)}
    assert machine.pair == Pair(0, True)


def test_initial_choices_are_passed_by_name_unless_they_feed_ghosts_alone() -> None:
    with pytest.raises(TypeError, match="needs an initial choice of first"):
        Everything()
    with pytest.raises(TypeError, match="no constant or initial choice secret"):
        Everything(first=1, secret=2)
    with pytest.raises(ArgumentRefused):
        Everything(first=9)


def test_whatever_is_raised_the_state_is_as_before() -> None:
    machine = Everything(first=0)
    machine.push(3)
    before = snapshot(machine)
    with pytest.raises(IndexError):
        machine.breaks()
    assert snapshot(machine) == before


def test_a_traceback_shows_the_source() -> None:
    machine = Everything(first=0)
    try:
        machine.breaks()
    except IndexError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        assert frame.filename == __file__
        assert frame.line == "self.pair = Pair(self.queue[2], True)"


def test_starred_displays_are_refused_where_the_class_is_first_used() -> None:
    with pytest.raises(CompileError, match=r"`\*` in a display"):
        Starred(first=0)


def test_refusals_can_be_pickled() -> None:
    with pytest.raises(GuardRefused) as caught:
        Rollback().rollback(0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.guards == caught.value.guards
    assert str(again) == str(caught.value)


def test_a_class_without_source_gets_a_clear_error() -> None:
    names: dict[str, Any] = {}
    text = (
        "from protocheck import Protocol, action\n"
        "class Made(Protocol):\n"
        "    on: bool = False\n"
        "    @action\n"
        "    def step(self) -> None:\n"
        "        self.on = True\n"
    )
    exec(text, names)
    with pytest.raises(CompileError, match="source text of Made cannot be found"):
        names["Made"]()


def test_the_public_names_are_there() -> None:
    for name in protocheck.__all__:
        assert getattr(protocheck, name) is not None


def test_an_instance_can_be_pickled() -> None:
    cache = Rollback(max_len=7)
    cache.extend()
    cache.start_read(1)
    again = pickle.loads(pickle.dumps(cache))
    assert (type(again), snapshot(again), again.max_len) == (Rollback, snapshot(cache), 7)
    again.finish_read(1)
    again.rollback(0)
    with pytest.raises(GuardRefused, match="no_reader_above"):
        cache.rollback(0)
    assert snapshot(copy.deepcopy(cache)) == snapshot(cache)


Bit = Annotated[int, Between(0, 1)]


@dataclasses.dataclass(frozen=True)
class Page:
    marks: dict[Bit, bool]
    seen: frozenset[Bit]
    size: ClassVar[int] = 2


def unmarked() -> dict[Bit, bool]:
    return {place: False for place in range(2)}


def blank() -> Page:
    return Page(unmarked(), {0})  # type: ignore[arg-type]


def shared() -> frozenset[Bit]:
    kept = {0}
    before = kept
    kept |= {1}
    return before  # type: ignore[return-value]


class Pages(Protocol):
    """Everything that may bring sets and dicts into the state: displays, functions of the module, arguments."""

    marks: dict[Bit, bool] = unmarked()
    page: Page = blank()
    seen: frozenset[Bit] = shared()
    both: tuple[dict[Bit, bool], bool]

    @init
    def given(self, first: dict[Bit, bool]) -> None:
        self.both = (first, True)

    @action
    def clear(self) -> None:
        self.marks = unmarked()
        self.page = blank()
        self.seen = shared()

    @action
    def put(self, marks: dict[Bit, bool], page: Page, both: tuple[dict[Bit, bool], bool]) -> None:
        self.marks = marks
        self.page = page
        self.both = both


def test_what_is_in_the_state_cannot_be_changed_from_outside() -> None:
    first, marks, both = ({0: True, 1: True} for _ in range(3))
    page = Page({0: True, 1: True}, frozenset({1}))
    pages = Pages(first=first)
    hash(snapshot(pages))
    pages.clear()
    hash(snapshot(pages))
    assert pages.seen == frozenset({0})
    assert enabled(pages.put, marks, page, (both, False))
    pages.put(marks, page, (both, False))
    for given in (first, marks, both, page.marks):
        given[0] = False
    assert pages.marks == pages.page.marks == pages.both[0] == {0: True, 1: True}
    hash(snapshot(pages))
    with pytest.raises(TypeError):
        pages.marks[0] = False


def around() -> type[Protocol]:
    least = 1

    class Inner(Protocol):
        """Its initial value uses a name of the function around it, in a comprehension too."""

        chosen: frozenset[Bit] = frozenset(place for place in range(2) if place >= least)

        @action
        def stay(self) -> None:
            self.chosen = self.chosen

    return Inner


def test_an_initial_value_sees_the_function_around_the_class() -> None:
    assert snapshot(around()()) == {"chosen": frozenset({1})}
