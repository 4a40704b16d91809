"""The protocols that the decoder executes: figures on both engines, what each guard is for, and one whole round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protocheck import GuardRefused, Protocol, action, enabled, guard, holds, refused_by, snapshot, without
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.report import Report, checkable
from protocheck.toolchain.results import CheckJob, Engine, EngineResult
from protocheck.toolchain.tlc.driver import find_toolchain
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler.abstract_view import AbstractView
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import Taken, attempt
from protocheck.transpiler.reference import reachable_states

from ..cache_variants import FailsUnnoticed, PublishedGuard

MAKERS: dict[str, Callable[[], Engine]] = {
    "explorer": ExplorerEngine,
    "tlc": lambda: TlcEngine(find_toolchain(archive="build")),
}


@pytest.fixture(scope="module", params=MAKERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    name: str = request.param
    return MAKERS[name]()


def check(
    engine: Engine, cls: type[Protocol], properties: frozenset[str] | None = None, **constants: Any
) -> EngineResult:
    return engine.check(CheckJob(instantiate(compile_protocol(cls), constants), properties))


def campaign(cls: type[Protocol], **constants: Any) -> Report:
    return check_protocol(compile_protocol(cls), constants, engines=[ExplorerEngine()], mutate=True)


# ------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("cls", "expected"),
    [(TreeCache, (3_500, 19_500, 15)), (HandOff, (57, 154, 12)), (Walk, (2_078, 6_088, 8))],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_the_figures(engine: Engine, cls: type[Protocol], expected: tuple[int, int, int]) -> None:
    result = check(engine, cls)
    assert result.status == "holds", result.reason
    assert result.stats is not None
    assert (result.stats.distinct, result.stats.generated, result.stats.depth) == expected
    reached = {item.name for item in compile_protocol(cls).of_kind("reachable")}
    assert set(checkable(compile_protocol(cls))) - reached == set(result.evaluated)


def test_larger_bounds() -> None:
    stats = check(ExplorerEngine(), TreeCache, max_rows=6, max_nodes=4, window=3).stats
    assert stats is not None
    assert (stats.distinct, stats.generated, stats.depth) == (46_950, 282_527, 19)


def test_what_every_guard_of_the_cache_is_for() -> None:
    report = campaign(TreeCache)
    assert report.exit_code == 0, report.problems
    assert {mutant.guard: mutant.verdict.violated for mutant in report.mutants or ()} == {
        "prefill.no_tree": "slots_are_rows",
        "prefill.room_left": "type_ok",
        "filled.has_chunk": "kept_is_written",
        "filled.is_written": "certain_is_there",
        "extend.no_chunk": "slots_are_rows",
        "extend.room_left": "rows_fit",
        "extend.nodes_left": "type_ok",
        "extend.parent_exists": "tree_is_well_founded",
        "start_read.reader_idle": "reads_until_finished",
        "start_read.not_behind": "reads_are_whole",
        "start_read.inside_tail": "no_ghost_reads",
        "start_read.one_writer": "one_writes",
        "finish_read.is_reading": None,
        "fail_read.is_reading": None,
        "keep.is_written": "kept_is_written",
        "keep.child_of_the_last": "kept_is_a_path",
        "commit.no_reader_above": "no_ghost_reads",
        "evict.outside_the_window": "type_ok",
        "evict.nobody_reads": "reads_are_whole",
        "release.nobody_reads": "no_ghost_reads",
    }


def test_what_every_guard_of_the_hand_off_is_for() -> None:
    report = campaign(HandOff)
    assert report.exit_code == 0, report.problems
    assert {mutant.guard: mutant.verdict.violated for mutant in report.mutants or ()} == {
        "start_draft.still_open": "nothing_starts_at_the_end",
        "start_draft.drafter_idle": "one_forward_of_each",
        "start_draft.nothing_waits": "one_forward_of_each",
        "finish_draft.is_drafting": "type_ok",
        "draft_failed.is_drafting": "type_ok",
        "start_verification.still_open": "nothing_starts_at_the_end",
        "start_verification.from_the_committed_prefix": "verifies_what_is_committed",
        "verdict.is_verifying": "committed_by_a_verdict",
        "verification_failed.is_verifying": "ends_in_order",
        "drop.is_stale": "nothing_good_is_lost",
        "abort.still_open": "ends_in_order",
        "close.is_closing": "ends_in_order",
        "close.no_draft_in_flight": "closed_is_quiet",
        "close.no_verification_in_flight": "closed_is_quiet",
    }


def test_what_every_guard_of_the_walk_is_for() -> None:
    report = campaign(Walk)
    assert report.exit_code == 0, report.problems
    assert {mutant.guard: mutant.verdict.violated for mutant in report.mutants or ()} == {
        "propose.between_blocks": "judged_as_proposed",
        "propose.one_parent_each": "well_defined",
        "descend.stop_was_asked": "non_interference",
        "descend.drafted": "down_the_tree",
        "descend.agrees": "non_interference",
        "finish.walking": "only_what_was_verified",
        "finish.stop_was_asked": "non_interference",
        "finish.no_child_agrees": "nothing_wasted",
        "go_on.not_stopped": "stopped_for_good",
    }


class DeadDrafter(HandOff):
    """A drafter that may die without a word: nothing says that its forward ever ends."""

    @action
    def finish_draft(self) -> None:
        guard(is_drafting=self.drafting is not None)
        self.waiting, self.drafting = self.drafting, None
        self.waiting_from, self.drafting_from = self.drafting_from, None
        self.drafter_forwards -= 1


def test_a_worker_that_dies_silently_keeps_the_caches_for_ever(engine: Engine) -> None:
    """What waits for a forward needs that it ends: a worker must report a forward that raised (vllm#46283)."""
    for name in ("ended", "goes_on"):
        result = check(engine, DeadDrafter, frozenset({name}))
        assert (result.status, result.violated) == ("violated", name)
        assert result.trace is not None
        assert result.trace.steps[-1].state["drafting"] is not None
        assert check(engine, HandOff, frozenset({name})).status == "holds"


# ------------------------------------------------------------------------------------------- what the cache refines


def test_the_published_guard_is_refuted(engine: Engine) -> None:
    """A gather moves rows that such a reader sees, although each position that it reads is there afterwards."""
    result = check(engine, PublishedGuard)
    assert (result.status, result.violated) == ("violated", "rows_stay_put")
    assert result.trace is not None
    assert len(result.trace.steps) == 8
    before, after = (step.state for step in result.trace.steps[-2:])
    assert result.trace.steps[-1].action == "commit"
    # The reader's row has been slot 1; what is kept in its place has been slot 2.
    assert 1 in before["reading"].values()
    assert (before["kept"], after["committed"]) == ((2,), 1)


def test_the_published_guard_refines_rollback_all_the_same() -> None:
    """In terms of lengths and positions nothing is wrong with it: that is why a cache of a tree needs more."""
    assert check(ExplorerEngine(), PublishedGuard, frozenset({"refines"})).status == "holds"


def test_a_forward_that_fails_unnoticed_is_refuted(engine: Engine) -> None:
    """What it was to write would be kept: that is why a failure is an action of its own."""
    result = check(engine, FailsUnnoticed)
    assert (result.status, result.violated) == ("violated", "kept_is_written")
    assert result.trace is not None
    assert [step.action for step in result.trace.steps] == [None, "extend", "start_read", "fail_read", "keep"]
    assert check(engine, FailsUnnoticed, frozenset({"certain_is_there"})).violated == "certain_is_there"


def test_a_chunk_of_rows_is_as_many_chunks_of_one() -> None:
    """The refinement is checked row by row, since rollback grows by one; this carries it over to whole chunks."""
    instance = instantiate(compile_protocol(TreeCache), {"max_rows": 3, "max_nodes": 2, "max_chunk": 3})
    prefill, view = instance.protocol.action("prefill"), AbstractView(instance)
    whole = 0
    for state in reachable_states(instance, 10_000):
        for n in range(1, 4):
            outcome, at, steps = attempt(instance, state, prefill, (("n", n),)), state, 0
            while steps < n and isinstance(one := attempt(instance, at, prefill, (("n", 1),)), Taken):
                assert view.follows(at, one.state)
                at, steps = one.state, steps + 1
            assert isinstance(outcome, Taken) is (steps == n)
            if isinstance(outcome, Taken):
                assert outcome.state == at
                whole += n > 1
    assert whole > 0


def test_whole_chunks_in_one_step() -> None:
    """Everything else holds of them; a step of several rows is none of rollback's."""
    chunked = check_protocol(compile_protocol(TreeCache), {"max_chunk": 4}, engines=[ExplorerEngine()])
    assert (chunked.baseline.status, chunked.baseline.violated) == ("violated", "refines")
    others = frozenset(checkable(compile_protocol(TreeCache))) - {"refines"}
    assert check(ExplorerEngine(), TreeCache, others, max_chunk=4).status == "holds"


def test_what_rollback_promises_is_promised_here() -> None:
    """Seen through the abstractions, its invariant holds in every state that the cache can be in."""
    instance = instantiate(compile_protocol(TreeCache), {"max_rows": 3, "max_nodes": 2})
    view = AbstractView(instance)
    promised = compile_protocol(Rollback).of_kind("invariant")
    assert [item.name for item in promised] == ["no_ghost_reads"]
    seen = [view.seen(state) for state in reachable_states(instance, 10_000)]
    assert all(max(state["pending_reads"], default=0) <= state["length"] for state in seen)
    assert any(state["pending_reads"] for state in seen)


# ---------------------------------------------------------------------------------------------------- as they run


def filled(cache: TreeCache, rows: int) -> None:
    """The prompt's rows are certain: set aside, written, and judged to be so."""
    cache.prefill(rows)
    assert refused_by(cache.filled) == ("is_written",)
    cache.start_read("verifier", rows)
    assert refused_by(cache.release) == ("nobody_reads",)
    cache.finish_read("verifier")
    cache.filled()


def test_one_round_of_the_decoder() -> None:
    """A tree of five nodes on ten rows; the path 0, 2, 4 agrees and one token is the correction."""
    cache = TreeCache(max_rows=32_768, max_nodes=64, window=8)
    hand_off, walk = HandOff(), Walk(vocabulary=1_000, max_output=100, max_nodes=64)
    filled(cache, 10)
    hand_off.start_draft()
    hand_off.finish_draft()
    hand_off.start_verification()
    for parent in (0, 1, 1, 2, 3):
        cache.extend(parent)
    cache.start_read("verifier", 15)
    cache.finish_read("verifier")
    cache.keep(1)
    walk.propose((7, 8, 9, 5), (0, 0, 1, 2))
    for verdict, node in ((8, 2), (5, 4)):
        walk.descend(verdict, node)
        cache.keep(node + 1)
        walk.go_on()
    walk.finish(600)
    walk.go_on()
    hand_off.verdict(False)
    cache.commit()
    cache.evict()
    assert walk.output == (8, 5, 600)
    assert (cache.committed, cache.low, cache.kept) == (13, 5, ())
    assert snapshot(hand_off) == {"phase": "open", "drafting": None, "waiting": None, "verifying": False}
    hand_off.abort()
    hand_off.close()
    cache.release()
    assert cache.committed == 0


def test_an_abort_during_a_prompt_waits() -> None:
    """Also during its first chunk, before which there is no row."""
    cache = TreeCache(max_rows=100, max_nodes=10, window=100)
    cache.prefill(5)
    cache.start_read("verifier", 5)
    assert refused_by(cache.commit) == ("no_reader_above",)
    assert refused_by(cache.release) == ("nobody_reads",)
    assert refused_by(cache.extend, 0) == ("no_chunk",)
    cache.fail_read("verifier")
    assert refused_by(cache.filled) == ("is_written",)
    cache.commit()
    assert (cache.committed, cache.chunk) == (0, 0)


def test_nothing_is_kept_of_a_forward_that_has_failed() -> None:
    """What an earlier forward has written stays written."""
    cache = TreeCache(max_rows=100, max_nodes=10, window=100)
    filled(cache, 5)
    for parent in (0, 1):
        cache.extend(parent)
    cache.start_read("verifier", 6)
    cache.finish_read("verifier")
    cache.start_read("verifier", 7)
    assert refused_by(cache.start_read, "drafter", 7) == ("one_writer",)
    cache.start_read("drafter", 6)
    cache.fail_read("verifier")
    cache.keep(1)
    assert refused_by(cache.keep, 2) == ("is_written",)
    cache.finish_read("drafter")
    cache.commit()
    assert cache.committed == 6


def test_an_abort_during_verification_waits() -> None:
    cache = TreeCache(max_rows=100, max_nodes=10, window=100)
    filled(cache, 5)
    cache.extend(0)
    cache.start_read("verifier", 6)
    assert refused_by(cache.commit) == ("no_reader_above",)
    assert refused_by(cache.release) == ("nobody_reads",)
    cache.finish_read("verifier")
    cache.commit()
    cache.release()
    broken = without(TreeCache, "commit.no_reader_above")(max_rows=100, max_nodes=10, window=100)
    filled(broken, 5)
    broken.extend(0)
    broken.start_read("verifier", 6)
    broken.commit()
    assert not holds(broken.no_ghost_reads)


def test_a_verdict_under_a_run_ahead_forward() -> None:
    """What the drafter reads beyond the committed rows may not be gathered under it."""
    cache = TreeCache(max_rows=100, max_nodes=10, window=100)
    filled(cache, 5)
    for parent in (0, 1, 2):
        cache.extend(parent)
    cache.start_read("drafter", 7)
    cache.finish_read("drafter")
    cache.start_read("drafter", 8)
    cache.keep(1)
    with pytest.raises(GuardRefused, match="no_reader_above"):
        cache.commit()
    assert not enabled(cache.keep, 3)
    cache.finish_read("drafter")
    cache.commit()
    assert cache.committed == 6


def test_without_a_window_nothing_is_evicted() -> None:
    cache = TreeCache(max_rows=64, max_nodes=4, window=64)
    filled(cache, 64)
    assert not enabled(cache.evict)


def test_a_run_ahead_draft_is_judged_with_the_verdict() -> None:
    for hit, label in ((True, "true"), (False, "stale")):
        hand_off = HandOff()
        hand_off.start_draft()
        hand_off.finish_draft()
        hand_off.start_verification()
        hand_off.start_draft()
        assert hand_off.drafting == "guess"
        hand_off.verdict(hit)
        hand_off.finish_draft()
        assert hand_off.waiting == label
        assert enabled(hand_off.start_verification) is hit
        assert enabled(hand_off.drop) is not hit


def test_a_failed_forward_ends_the_request() -> None:
    hand_off = HandOff()
    hand_off.start_draft()
    hand_off.finish_draft()
    hand_off.start_verification()
    hand_off.start_draft()
    hand_off.verification_failed()
    assert refused_by(hand_off.close) == ("no_draft_in_flight",)
    hand_off.draft_failed()
    hand_off.close()
    assert hand_off.phase == "closed"
    assert refused_by(hand_off.start_draft) == ("still_open",)


def test_stopping_is_asked_after_every_token() -> None:
    walk = Walk(vocabulary=10, max_output=10, max_nodes=4)
    walk.propose((3, 4), (0, 1))
    walk.descend(3, 1)
    assert refused_by(walk.descend, 4, 2) == ("stop_was_asked",)
    walk.stop()
    assert walk.output == (3,)
    assert refused_by(walk.go_on) == ("not_stopped",)
    assert refused_by(walk.propose, (1,), (0,)) == ("between_blocks",)
