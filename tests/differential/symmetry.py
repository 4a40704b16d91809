"""Searches of orbits against searches of states: verdicts, lengths of traces, what is reached, and the counts.

Orbits are counted from the whole graph, straight from what a renaming is; the reference checker and the explorer find
them by searching, each in its own way, and TLC in a third.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler import ir
from protocheck.transpiler.instance import Instance
from protocheck.transpiler.interpreter import Taken, initial_states, steps
from protocheck.transpiler.reference import ReferenceResult, reachable_states, reference_check
from protocheck.transpiler.symmetry import orbit, symmetric_sets

from .differences import Difference, Tally
from .explorer import compare_safety
from .tlc import compare_results, verdict

Key = tuple[Any, ...]


def safety(protocol: ir.Protocol) -> frozenset[str]:
    """Every property but those of liveness, and those that ask what is reached."""
    return frozenset(protocol.safety)


def compare_symmetry(
    instance: Instance, tally: Tally, toolchain: Toolchain | None = None, max_states: int = 1_000
) -> None:
    """Check an instance with and without symmetry, every way there is; raises `Difference`."""
    whole = reference_check(instance, None, max_states)
    if whole.status == "inconclusive":
        tally.add("larger than the limit")
        return
    if whole.status == "holds" and whole.distinct == 0:
        tally.add("no initial state")
        return
    tally.add("instances checked")
    found = reference_check(instance, None, max_states, symmetry=True)
    _compare_verdicts(whole, found)
    if whole.status == "holds":
        _compare_orbits(instance, whole, found, tally)
    job = CheckJob(instance, safety(instance.protocol), symmetry=True)
    explored = ExplorerEngine().check(job)
    compare_safety(instance, found, explored)
    if explored.stats is None or explored.stats.orbits is not bool(symmetric_sets(instance)):
        raise Difference(f"what the explorer counts is not what it says: {explored.stats}")
    tally.add(f"verdict: {_kind(instance.protocol, explored.violated)}")
    for item in instance.protocol.of_kind("reachable") if whole.status == "holds" else ():
        alone = ExplorerEngine().check(CheckJob(instance, frozenset({item.name}), symmetry=True))
        tally.add("reachability properties")
        if (alone.status == "holds") is not (item.name in whole.reached):
            raise Difference(f"{item.name} is reached: {item.name in whole.reached}; the explorer: {verdict(alone)}")
    if toolchain is not None:
        confirmed = TlcEngine(toolchain).check(job)
        compare_results(explored, confirmed)
        if confirmed.status == "holds" and (confirmed.stats is None or not confirmed.stats.orbits):
            raise Difference("TLC did not count orbits")
        tally.add("instances checked by TLC")


def _compare_verdicts(whole: ReferenceResult, found: ReferenceResult) -> None:
    for what in ("status", "violated", "depth", "reached"):
        if getattr(whole, what) != getattr(found, what):
            raise Difference(f"{what} of the states is {getattr(whole, what)}, of the orbits {getattr(found, what)}")
    if len(whole.trace) != len(found.trace):
        raise Difference(f"a trace of {len(whole.trace)} states is one of {len(found.trace)} with symmetry")


def _compare_orbits(instance: Instance, whole: ReferenceResult, found: ReferenceResult, tally: Tally) -> None:
    """The orbits of the whole graph, and the steps out of one state of each, whichever it is."""
    orbits: dict[frozenset[Key], list[Any]] = {}
    for state in reachable_states(instance, whole.distinct):
        members = frozenset(key(instance, other) for other in orbit(instance, state))
        orbits.setdefault(members, []).append(state)
    initial = sum(isinstance(outcome, Taken) for _, outcome in initial_states(instance))
    taken: Counter[str] = Counter()
    changing = 0
    for members, states in orbits.items():
        if len(members) != len(states):
            raise Difference(
                f"{len(states)} of the {len(members)} states that are the same but for names are reachable"
            )
        counts = [_steps(instance, state) for state in states]
        if any(count != counts[0] for count in counts):
            raise Difference(f"states that are the same but for names have different steps: {counts}")
        taken.update(counts[0][0])
        changing += counts[0][1]
    expected = {"distinct": len(orbits), "changing": changing, "coverage": dict(taken)}
    given = {
        "distinct": found.distinct,
        "changing": found.changing,
        "coverage": {name: count for name, count in found.coverage.items() if count},
    }
    if expected != given:
        raise Difference(f"of the whole graph {expected}, by a reduced search {given}")
    terminated = whole.generated - sum(whole.coverage.values()) - initial
    if not 0 <= found.generated - sum(taken.values()) - initial <= terminated:
        raise Difference(f"{found.generated} steps were generated, {sum(taken.values())} of them by actions")
    tally.add("graphs compared")
    tally.add("states", whole.distinct)
    tally.add("orbits", len(orbits))
    if len(orbits) < whole.distinct:
        tally.add("graphs that shrank")


def _steps(instance: Instance, state: Any) -> tuple[Counter[str], int]:
    found = [(action, outcome.state) for action, _, outcome in steps(instance, state) if isinstance(outcome, Taken)]
    return Counter(action for action, _ in found), sum(after != state for _, after in found)


def key(instance: Instance, state: Any) -> Key:
    """A state as something that can be a member of a set."""
    return tuple(state[name] for name in instance.variables)


def _kind(protocol: ir.Protocol, violated: str | None) -> str:
    if violated is None:
        return "holds"
    return {item.name: item.kind for item in protocol.properties}.get(violated, violated)


__all__ = ["compare_symmetry", "key", "safety"]
