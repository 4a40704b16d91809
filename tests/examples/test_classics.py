"""The classics: their numbers of states against figures known from elsewhere, and what each of their guards is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from protocheck import GuardRefused, Protocol, choices
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.report import Report
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from ..differential.shipped import example

T = TypeVar("T")
Place = tuple[tuple[str, str], tuple[bool, bool], int]


def check(protocol: type[Protocol], properties: frozenset[str] | None = None, **constants: object) -> EngineResult:
    return ExplorerEngine().check(CheckJob(instantiate(compile_protocol(protocol), constants), properties))


def campaign(protocol: type[Protocol], **constants: object) -> Report:
    return check_protocol(compile_protocol(protocol), constants, engines=[ExplorerEngine()], mutate=True)


def kills(report: Report) -> dict[str, str | None]:
    """Dropped guard → the property that kills the variant, or how it survives."""
    assert report.exit_code == 0
    assert report.mutants is not None
    return {mutant.guard: mutant.verdict.violated or mutant.behaviour for mutant in report.mutants}


# ---------------------------------------------------------------------------------------------- two-phase commit


@pytest.mark.parametrize(
    ("count", "distinct", "generated", "depth"),
    [(3, 288, 1_146, 11), (5, 8_832, 58_146, 17), (7, 296_448, 2_744_706, 23)],
)
def test_two_phase_commit(count: int, distinct: int, generated: int, depth: int) -> None:
    """Measured by TLC on Lamport's own specification."""
    protocol = example("two_phase_commit").TwoPhaseCommit
    result = check(protocol, managers=frozenset(f"rm{number}" for number in range(1, count + 1)))
    assert result.status == "holds"
    assert result.stats is not None
    assert (result.stats.distinct, result.stats.generated, result.stats.depth) == (distinct, generated, depth)


def test_two_phase_commit_without_its_guards() -> None:
    assert kills(campaign(example("two_phase_commit").TwoPhaseCommit)) == {
        "receive_prepared.undecided": "decided_on_what_was_known",
        "receive_prepared.was_sent": "consistent",
        "commit.undecided": "consistent",
        "commit.all_prepared": "consistent",
        "abort.undecided": "consistent",
        "prepare.is_working": "decided_for_good",
        "choose_to_abort.is_working": "consistent",
        "obey_commit.was_sent": "consistent",
        "obey_abort.was_sent": "consistent",
    }


# ------------------------------------------------------------------------------------------------------ Peterson


def test_peterson_has_the_states_of_a_model_written_by_hand() -> None:
    start: Place = (("outside", "outside"), (False, False), 0)
    seen, level, depth, generated = {start}, [start], 0, 1
    while level:
        depth += 1
        following = [after for state in level for after in _peterson_steps(state)]
        generated += len(following)
        level = list(dict.fromkeys(state for state in following if state not in seen))
        seen.update(level)
    result = check(example("peterson").Peterson)
    assert result.status == "holds"
    assert result.stats is not None
    assert (result.stats.distinct, result.stats.generated, result.stats.depth) == (len(seen), generated, depth)


def _peterson_steps(state: Place) -> Iterator[Place]:
    places, wants, first = state
    for me in (0, 1):
        other = 1 - me
        match places[me]:
            case "outside":
                yield _with(places, me, "asking"), _with(wants, me, True), first
            case "asking":
                yield _with(places, me, "waiting"), wants, other
            case "waiting" if not wants[other] or first == me:
                yield _with(places, me, "inside"), wants, first
            case "inside":
                yield _with(places, me, "outside"), _with(wants, me, False), first


def _with(pair: tuple[T, T], place: int, value: T) -> tuple[T, T]:
    return (value, pair[1]) if place == 0 else (pair[0], value)


def test_peterson_without_its_guards() -> None:
    assert kills(campaign(example("peterson").Peterson)) == {
        "ask.is_outside": "zero_gets_in",
        "give_way.is_asking": "flag_is_up",
        "enter.is_waiting": "flag_is_up",
        "enter.may_enter": "mutual_exclusion",
        "leave.is_inside": "zero_gets_in",
    }


def test_peterson_runs() -> None:
    pair = example("peterson").Peterson()
    pair.ask(0)
    pair.ask(1)
    pair.give_way(0)
    pair.give_way(1)
    with pytest.raises(GuardRefused, match="may_enter"):
        pair.enter(1)
    pair.enter(0)
    pair.leave(0)
    pair.enter(1)


# ------------------------------------------------------------------------------------------------- bounded buffer


@pytest.mark.parametrize(("capacity", "items"), [(1, 1), (1, 3), (2, 4), (3, 5), (4, 9)])
def test_bounded_buffer(capacity: int, items: int) -> None:
    """Counted by hand: between 0 and `capacity` items are underway, and no more than are still to come."""
    underway = [min(capacity, items - read) for read in range(items + 1)]
    result = check(example("bounded_buffer").BoundedBuffer, capacity=capacity, items=items)
    assert result.status == "holds"
    assert result.stats is not None
    assert result.stats.distinct == sum(count + 1 for count in underway)
    # As many steps write as read, one for each item underway; then the initial state, and the one that may stay.
    assert result.stats.generated == 2 * sum(underway) + 2
    assert result.stats.depth == 2 * items + 1


def test_bounded_buffer_without_its_guards() -> None:
    assert kills(campaign(example("bounded_buffer").BoundedBuffer)) == {
        "put.more": "type_ok",
        "put.room": "unread_is_there",
        "get.something": "in_order",
    }


# ----------------------------------------------------------------------------------------------- philosophers

PELL_LUCAS = {2: 6, 3: 14, 4: 34, 5: 82, 6: 198}
"""Cyclic words of thinking, hungry and eating in which the neighbour to the right of who eats thinks: OEIS A002203."""


@pytest.mark.parametrize("seats", PELL_LUCAS)
def test_philosophers_deadlock(seats: int) -> None:
    protocol = example("dining_philosophers").DiningPhilosophers
    safe = check(protocol, frozenset({"holds_what_he_needs", "neighbours_do_not_eat_together"}), seats=seats)
    assert safe.status == "holds"
    assert safe.stats is not None
    assert safe.stats.distinct == PELL_LUCAS[seats]
    stuck = check(protocol, seats=seats)
    assert (stuck.status, stuck.violated) == ("violated", "deadlock_free")
    assert stuck.trace is not None
    assert [step.action for step in stuck.trace.steps] == [None, *["take_left"] * seats]


@pytest.mark.parametrize("seats", [2, 3, 4, 5])
def test_a_butler_helps(seats: int) -> None:
    """The state in which everybody holds the left fork is the one that is gone."""
    result = check(example("dining_philosophers").WithButler, seats=seats)
    assert result.status == "holds"
    assert result.stats is not None
    assert result.stats.distinct == PELL_LUCAS[seats] - 1


def test_the_butler_without_his_guards() -> None:
    assert kills(campaign(example("dining_philosophers").WithButler, seats=4)) == {
        "take_left.is_thinking": "same",
        "take_left.left_free": "holds_what_he_needs",
        "take_left.butler_allows": "deadlock_free",
        "take_right.has_left": "holds_what_he_needs",
        "take_right.right_free": "holds_what_he_needs",
        "put_down.is_eating": "holds_what_he_needs",
    }


def test_philosophers_get_stuck_when_they_run() -> None:
    module = example("dining_philosophers")
    table = module.DiningPhilosophers(seats=3)
    for seat in range(3):
        table.take_left(seat)
    assert not any(list(choices(action)) for action in (table.take_left, table.take_right, table.put_down))
    polite = module.WithButler(seats=3)
    polite.take_left(0)
    polite.take_left(1)
    with pytest.raises(GuardRefused, match="butler_allows"):
        polite.take_left(2)
    polite.take_right(1)


# ------------------------------------------------------------------------------------------------ leader election

Ring = tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_leader_election_has_the_states_of_a_model_written_by_hand(size: int) -> None:
    start: Ring = (("asleep",) * size, ((),) * size)
    seen, level, depth, generated = {start}, [start], 0, 1
    while level:
        depth += 1
        following = [after for state in level for after in _ring_steps(*state)]
        generated += len(following)
        level = list(dict.fromkeys(state for state in following if state not in seen))
        seen.update(level)
    result = check(example("leader_election").LeaderElection, size=size)
    assert result.status == "holds"
    assert result.stats is not None
    assert (result.stats.distinct, result.stats.generated, result.stats.depth) == (len(seen), generated, depth)


def _ring_steps(roles: tuple[str, ...], inboxes: tuple[tuple[int, ...], ...]) -> Iterator[Ring]:
    for me, (role, inbox) in enumerate(zip(roles, inboxes, strict=True)):
        if role == "asleep":
            yield _put(roles, me, "candidate"), _sent(inboxes, me, me)
        if not inbox:
            continue
        number, rest = inbox[0], _put(inboxes, me, inbox[1:])
        if number > me:
            yield _put(roles, me, "passive"), _sent(rest, me, number)
        else:
            yield (_put(roles, me, "leader") if number == me else roles), rest
    if not any(inboxes) and "asleep" not in roles:
        yield roles, inboxes


def _put(items: tuple[T, ...], place: int, item: T) -> tuple[T, ...]:
    return (*items[:place], item, *items[place + 1 :])


def _sent(inboxes: tuple[tuple[int, ...], ...], sender: int, number: int) -> tuple[tuple[int, ...], ...]:
    """Everybody sends to the one before; the first to the last."""
    return _put(inboxes, sender - 1 if sender else len(inboxes) - 1, (*inboxes[sender - 1], number))


def test_leader_election_without_its_guards() -> None:
    assert kills(campaign(example("leader_election").LeaderElection, size=3)) == {
        "wake_up.is_asleep": "given_up_for_good",
        "pass_on.has_mail": "well_defined",
        "pass_on.is_greater": "only_the_greatest_leads",
        "swallow.has_mail": "well_defined",
        "swallow.is_smaller": "somebody_leads",
        "win.has_mail": "well_defined",
        "win.is_own": "only_the_greatest_leads",
    }
