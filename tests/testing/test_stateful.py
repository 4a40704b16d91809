"""`state_machine`: implementations that are right pass, and planted faults are found, shrunk, and shown as a trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from protocheck import (
    Between,
    CompileError,
    GuardRefused,
    Protocol,
    action,
    assume,
    const,
    ghost,
    guard,
    init,
    invariant,
    snapshot,
    without,
)
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.testing import state_machine
from protocheck.toolchain.errors import UserError
from protocheck.transpiler.native import native_of

from .implementations import (
    Blind,
    Cache,
    CacheError,
    Crashes,
    CutsUnderReads,
    HurtByRefusals,
    OffByOne,
    TooCareful,
)

QUICK = settings(
    max_examples=30,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


THOROUGH = settings(QUICK, max_examples=400, stateful_step_count=30)
"""For what is wrong: the search ends at the first failure."""


def failure(protocol: type[Protocol], adapter: Callable[..., object], **options: Any) -> BaseException:
    """What a run ends with, after shrinking."""
    with pytest.raises(Exception) as raised:  # noqa: PT011  # what it is, is what the tests look at
        run_state_machine_as_test(state_machine(protocol, adapter, **options), settings=THOROUGH)
    return raised.value


def steps(error: BaseException) -> list[str]:
    """The steps of the trace in a message or in its notes, `extend()`."""
    text = "\n".join([str(error), *getattr(error, "__notes__", [])])
    return re.findall(r"^ +\d+  ((?:refused: )?\w+(?:\(.*?\))?)", text, re.MULTILINE)


def printed(error: BaseException) -> list[str]:
    """What Hypothesis prints as the way to reproduce it."""
    return re.findall(r"^state\.(.*)$", "\n".join(getattr(error, "__notes__", [])), re.MULTILINE)


# ----------------------------------------------------------------------------------------- what is right passes


def test_a_correct_implementation_passes() -> None:
    machine = state_machine(Rollback, lambda: Cache(6), refused=CacheError, max_len=6)
    run_state_machine_as_test(machine, settings=QUICK)


class TestCache(state_machine(Rollback, Cache).TestCase):  # type: ignore[misc]
    """As users write it, collected by pytest."""

    settings = QUICK


def native(protocol: type[Protocol], **constants: Any) -> Callable[..., object]:
    """The class itself as an implementation; what feeds ghosts alone it does not take."""
    taken = native_of(protocol).init_parameters

    class Native:
        def __init__(self, **chosen: Any) -> None:
            self.own: Any = protocol(**constants, **{name: chosen[name] for name in taken})

        def __getattr__(self, name: str) -> Any:
            return getattr(self.own, name)

        def observe(self) -> Mapping[str, Any]:
            return snapshot(self.own)

    return Native


@pytest.mark.parametrize("protocol", [Rollback, Dispatch, Acceptance, HandOff, TreeCache, Walk])
def test_the_classes_themselves_are_correct(protocol: type[Protocol]) -> None:
    """What runs is what the IR means, step by step and refusal by refusal."""
    run_state_machine_as_test(state_machine(protocol, native(protocol), refused=GuardRefused), settings=QUICK)


def test_large_constants_too() -> None:
    """Arguments are drawn from the domains where there are too many to look at each."""
    machine = state_machine(Rollback, native(Rollback, max_len=5000), refused=GuardRefused, max_len=5000)
    run_state_machine_as_test(machine, settings=QUICK)


# ------------------------------------------------------------------------------------------ planted faults are found


def test_a_cut_under_a_read_is_found_where_refusals_are_tried() -> None:
    error = failure(Rollback, CutsUnderReads, refused=CacheError)
    message = str(error).splitlines()[0]
    assert message.startswith("rollback(k=0) was done, but is to be refused by no_reader_above (")
    assert re.search(r"rollback\.py:\d+\)$", message)
    assert steps(error) == ["init", "extend()", "start_read(i=1)", "refused: rollback(k=0)"]
    assert printed(error) == ["start()", "extend()", "start_read(i=1)", "rollback_refused(k=0)", "teardown()"]


def test_the_same_where_little_is_shown() -> None:
    assert steps(failure(Rollback, Blind, refused=CacheError))[-1] == "refused: rollback(k=0)"


def test_a_row_too_many() -> None:
    error = failure(Rollback, OffByOne)
    assert str(error).splitlines()[0] == "after rollback(k=0), length is 1, but should be 0"
    assert steps(error) == ["init", "extend()", "rollback(k=0)"]


def test_a_step_refused_that_is_allowed() -> None:
    error = failure(Rollback, TooCareful, refused=CacheError)
    assert str(error).splitlines()[0] == "rollback(k=1) is allowed, but was refused: CacheError: is read"
    assert isinstance(error.__cause__, CacheError)
    assert steps(error) == ["init", "extend()", "extend()", "start_read(i=1)", "rollback(k=1)"]


def test_what_is_raised_otherwise_is_raised_with_the_steps_as_a_note() -> None:
    error = failure(Rollback, Crashes)
    assert isinstance(error, ZeroDivisionError)
    assert steps(error)[:2] == ["init", "extend()"]
    assert steps(error)[-1].startswith("finish_read(i=")
    error = failure(Rollback, Crashes, refused=CacheError)
    assert isinstance(error, ZeroDivisionError)
    assert steps(error) == ["init", "refused: finish_read(i=1)"]


def test_a_refusal_that_changes_something() -> None:
    error = failure(Rollback, HurtByRefusals, refused=CacheError)
    message = str(error).splitlines()[0]
    assert re.match(r"after \w+\(.*\) was refused, pending_reads is \{\}, but should be \{1\}$", message)
    assert steps(error)[-1].startswith("refused: ")


def test_a_fault_that_shows_in_the_type_alone() -> None:
    class Flag(Protocol):
        count: Annotated[int, Between(0, 1)] = 0

        @action
        def up(self) -> None:
            guard(down=self.count == 0)
            self.count += 1

    class Truthful:
        def __init__(self) -> None:
            self.count: Any = 0

        def up(self) -> None:
            self.count = True

        def observe(self) -> Mapping[str, Any]:
            return {"count": self.count}

    assert str(failure(Flag, Truthful)).startswith("after up(), count is True, but should be 1\n")


@pytest.mark.parametrize("dropped", ["extend.room_left", "start_read.inside_tail", "rollback.no_reader_above"])
def test_a_variant_as_the_implementation_is_told_from_the_protocol(dropped: str) -> None:
    """What the checker refutes is found by driving it, too."""
    error = failure(Rollback, native(without(Rollback, dropped)), refused=GuardRefused)
    assert f"is to be refused by {dropped.partition('.')[2]}" in str(error)


def test_a_variant_as_the_oracle_violates_its_own_property() -> None:
    variant = without(Rollback, "rollback.no_reader_above")
    error = failure(variant, native(variant))
    assert str(error).startswith("after rollback(k=0), the protocol itself violates no_ghost_reads (")
    assert len(steps(error)) == 4


# ------------------------------------------------------------------------------------------------- the environment


class Guess(Protocol):
    """The environment thinks of a number, and says whether it was hit."""

    most: int = const(3)

    Number = Annotated[int, Between(0, most)]

    thought: Number = ghost(0)
    start: Number = 0
    last: Number | None = None
    hit: bool = False

    @init
    def think(self, number: Number, first: Number) -> None:
        assume(number > 0)
        self.thought = number
        self.start = first

    @action
    def answer(self, guess: Number, right: bool) -> None:
        assume(right == (guess == self.thought))
        guard(open=not self.hit)
        self.hit = right
        self.last = guess

    @invariant
    def fine(self) -> bool:
        return self.start <= self.most


class Guesser:
    """Remembers what it was started with, and is never told what the environment cannot say."""

    def __init__(self, number: int, first: int) -> None:
        assert number > 0
        self.number, self.first, self.hit = number, first, False

    def answer(self, guess: int, right: bool) -> None:
        assert right == (guess == self.number)
        self.hit = right

    def observe(self) -> Mapping[str, Any]:
        return {"hit": self.hit, "start": self.first, "thought": self.number}


def test_what_init_chooses_is_passed_and_assumptions_hold() -> None:
    run_state_machine_as_test(state_machine(Guess, Guesser), settings=QUICK)
    run_state_machine_as_test(state_machine(Guess, Guesser, most=40), settings=QUICK)


def test_arguments_that_hang_together_are_drawn_together() -> None:
    """A guess and whether it is right: the states behind both answers are reached."""
    seen: set[tuple[bool, bool]] = set()

    class Watching(Guesser):
        def answer(self, guess: int, right: bool) -> None:
            super().answer(guess, right)
            seen.add((right, guess == self.number))

    run_state_machine_as_test(state_machine(Guess, Watching), settings=QUICK)
    assert seen == {(True, True), (False, False)}


# --------------------------------------------------------------------------------------------------------- adapters


def test_an_adapter_that_holds_something_lets_go_of_it() -> None:
    opened: list[int] = []

    class Held(Cache):
        def __enter__(self) -> Held:
            opened.append(1)
            return self

        def __exit__(self, *_: object) -> None:
            opened.pop()

    run_state_machine_as_test(state_machine(Rollback, Held), settings=QUICK)
    assert opened == []

    class Failing(Held, OffByOne):
        pass

    assert "length is 1" in str(failure(Rollback, Failing))
    assert opened == []


def test_an_adapter_without_a_method_is_refused() -> None:
    class Lacking:
        def extend(self) -> None: ...
        def start_reed(self, i: int) -> None: ...

    error = failure(Rollback, Lacking)
    assert isinstance(error, UserError)
    assert str(error) == "Lacking has no method for the action start_read of Rollback; did you mean start_reed?"


def test_what_is_observed_is_looked_at() -> None:
    class Misnamed(Cache):
        def observe(self) -> Mapping[str, Any]:
            return {"lenght": 0}

    assert "tells lenght, which is no variable of the protocol; did you mean length?" in str(
        failure(Rollback, Misnamed)
    )

    class Nothing(Cache):
        def observe(self) -> Any:
            return None

    assert "a mapping of variables to values, not None" in str(failure(Rollback, Nothing))


def test_an_action_that_is_called_as_machines_call_theirs() -> None:
    class Theatre(Protocol):
        on: bool = False

        @action
        def start(self) -> None:
            guard(off=not self.on)
            self.on = True

        @action
        def teardown(self) -> None:
            guard(runs=self.on)
            self.on = False

    run_state_machine_as_test(state_machine(Theatre, native(Theatre), refused=GuardRefused), settings=QUICK)
    machine = state_machine(Theatre, native(Theatre))
    assert {"start_", "teardown_"} <= set(vars(machine))

    class Watched(Protocol):
        seen: bool = False

        @action
        def observe(self) -> None:
            self.seen = True

    with pytest.raises(UserError, match="has an action observe, which is also how adapters show their state"):
        state_machine(Watched, native(Watched))


def test_a_protocol_that_ends() -> None:
    class Once(Protocol):
        done: bool = False

        @action
        def finish(self) -> None:
            guard(first=not self.done)
            self.done = True

    run_state_machine_as_test(state_machine(Once, native(Once)), settings=QUICK)


def test_constants_are_looked_at() -> None:
    with pytest.raises(UserError, match="no constant maxlen; did you mean max_len"):
        state_machine(Rollback, Cache, maxlen=6)
    with pytest.raises(CompileError):
        state_machine(Rollback, Cache, max_len=-1)
