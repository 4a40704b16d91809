"""What a check saves: which runs, under which name, and what its result says of it. TLC is played by its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from protocheck.toolchain import tlc_runs
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.toolchain.tlc.checkpoint import RECORD, CheckpointFolder
from protocheck.toolchain.tlc.driver import TlcJob, TlcRun, Toolchain
from protocheck.toolchain.tlc.messages import read_messages
from protocheck.toolchain.tlc.outcome import read_outcome
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler.instance import Instance, instantiate

from ..handmade import MACHINES, rollback

ENDED = """@!@!@STARTMSG 2262:0 @!@!@
TLC2 Version 2.15 of Day Month 20??
@!@!@ENDMSG 2262 @!@!@
"""
FINISHED = (
    ENDED
    + """@!@!@STARTMSG 2193:0 @!@!@
Model checking completed. No error has been found.
@!@!@ENDMSG 2193 @!@!@
@!@!@STARTMSG 2199:0 @!@!@
90 states generated, 31 distinct states found, 0 states left on queue.
@!@!@ENDMSG 2199 @!@!@
@!@!@STARTMSG 2194:0 @!@!@
The depth of the complete state graph search is 9.
@!@!@ENDMSG 2194 @!@!@
@!@!@STARTMSG 2186:0 @!@!@
Finished in 1s at (2026-11-21 12:00:00)
@!@!@ENDMSG 2186 @!@!@
"""
)


@dataclass
class Player:
    """Plays TLC: each run is saved once, and ends as the next of `ends` says."""

    ends: list[str]
    jobs: list[TlcJob] = field(default_factory=list)

    def __call__(self, job: TlcJob, *_: Any, saved: Callable[[], None] | None = None, **__: Any) -> TlcRun:
        self.jobs.append(job)
        if job.saving is not None:
            place = job.saving.recover or job.saving.directory / "26-11-21-12-00-00"
            place.mkdir(exist_ok=True)
            (place / "queue.chkpt").write_text(str(len(self.jobs)))
            assert saved is not None
            saved()
        output = self.ends.pop(0)
        ended, status = ("itself", 0) if output == FINISHED else ("timeout", None)
        outcome = read_outcome(
            read_messages(output.split("\n")), status, ended="" if status == 0 else "Its time was up."
        )
        return TlcRun(outcome, ended, status, 1.0, 1.0, None, (), "", output=output)  # type: ignore[arg-type]

    @property
    def recovered(self) -> list[bool | None]:
        """Of each run, whether it went on from a checkpoint; None where it saved nothing."""
        return [None if job.saving is None else job.saving.recover is not None for job in self.jobs]


def check(toolchain: Toolchain, folder: Path, instance: Instance, **changes: Any) -> EngineResult:
    engine = TlcEngine(toolchain, checkpoint=CheckpointFolder(folder, minutes=1))
    return engine.check(CheckJob(instance, **changes))


def playing(monkeypatch: pytest.MonkeyPatch, *ends: str) -> Player:
    player = Player(list(ends))
    monkeypatch.setattr(tlc_runs, "run_tlc", player)
    return player


def test_what_is_not_finished_is_saved_and_gone_on_with(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, instance = tmp_path / "saved", instantiate(rollback())
    player = playing(monkeypatch, ENDED, FINISHED)
    first = check(toolchain, folder, instance)
    assert (first.status, first.reason) == ("inconclusive", "Its time was up.")
    assert first.notes[-1].endswith(f"in {folder}; the same command goes on from there")
    second = check(toolchain, folder, instance)
    assert second.status == "holds"
    assert second.notes[0].startswith("the safety run went on from its checkpoint of 20")
    assert second.stats is not None
    assert (second.stats.distinct, second.stats.generated, second.stats.at_least) == (31, 90, True)
    assert player.recovered == [False, True]
    assert not any(job.coverage for job in player.jobs)
    assert not folder.exists()


def test_a_run_that_had_finished_is_not_run_again(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safety had finished, the first liveness run had not."""
    folder, instance = tmp_path / "saved", instantiate(MACHINES["dispatch"]())
    liveness = [item.name for item in instance.protocol.properties if item.is_liveness]
    player = playing(monkeypatch, FINISHED, ENDED, *[FINISHED] * len(liveness))
    assert check(toolchain, folder, instance).status == "inconclusive"
    second = check(toolchain, folder, instance)
    assert second.status == "holds", second.reason
    assert second.notes == (
        "the safety run had finished before; what TLC printed was read again",
        second.notes[1],
    )
    assert second.notes[1].startswith(f"the {liveness[0]} run went on from its checkpoint")
    assert player.recovered == [False, False, True, *[False] * (len(liveness) - 1)]
    assert set(liveness) < set(second.evaluated)
    assert second.stats is not None
    assert not second.stats.at_least
    assert not folder.exists()


def test_only_the_first_check_of_an_engine_saves_anything(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = playing(monkeypatch, FINISHED, FINISHED)
    engine = TlcEngine(toolchain, checkpoint=CheckpointFolder(tmp_path / "saved", minutes=1))
    for _ in range(2):
        assert engine.check(CheckJob(instantiate(rollback()))).status == "holds"
    assert player.recovered == [False, None]


@pytest.mark.parametrize(
    ("instance", "changes", "reason"),
    [
        (instantiate(rollback(5)), {}, "max_len: 4 there, 5 here"),
        (instantiate(rollback()), {"workers": 2}, "--workers: 1 there, 2 here"),
        (instantiate(rollback()), {"properties": frozenset({"no_ghost_reads"})}, "deadlock check: yes there, no here"),
        (instantiate(rollback()), {"properties": frozenset({"deadlock_free"})}, "was changed since"),
        (instantiate(MACHINES["slots"]()), {}, "protocol: rollback there, slots here"),
    ],
    ids=["bounds", "workers", "deadlock", "properties", "protocol"],
)
def test_another_check_is_refused(
    toolchain: Toolchain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    instance: Instance,
    changes: dict[str, Any],
    reason: str,
) -> None:
    folder = tmp_path / "saved"
    playing(monkeypatch, ENDED)
    assert check(toolchain, folder, instantiate(rollback())).status == "inconclusive"
    before = (folder / RECORD).read_text()
    with pytest.raises(UserError, match=reason):
        check(toolchain, folder, instance, **changes)
    assert (folder / RECORD).read_text() == before
