"""Recordings: what a line holds, that they replay through the interpreter, that they are bounded and tell a loss."""

from __future__ import annotations

import enum
import io
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from protocheck import Between, GuardRefused, MaxLen, Protocol, action, const, guard, snapshot, without
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import Recorder, RecordingTruncated, Scheduler, WaitTimeout, invariants

from .replaying import lines_of, replay


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    x: Annotated[int, Between(0, 3)]
    colour: Colour


class Kitchen(Protocol):
    """A variable of every kind that values are written in."""

    tags: frozenset[str] = const(frozenset({"a", "b"}))
    large: int = const(2**60)

    number: Annotated[int, Between(0, large)] = 0
    flag: bool = False
    name: Colour | None = None
    members: frozenset[Annotated[int, Between(0, 12)]] = frozenset()
    pair: tuple[bool, Annotated[int, Between(0, 3)]] = (False, 0)
    sequence: Annotated[tuple[Annotated[int, Between(0, large)], ...], MaxLen(3)] = ()
    table: dict[bool, Annotated[int, Between(0, 3)]] = {False: 0, True: 0}
    point: Point = Point(0, Colour.RED)

    @action
    def fill(self, colour: Colour, order: Annotated[tuple[bool, ...], MaxLen(2)]) -> None:
        guard(empty=self.number == 0)
        self.number = self.large
        self.flag = True
        self.name = colour
        self.members = frozenset({10, 2, 1})
        self.pair = (True, 3)
        self.sequence = (1, self.large)
        self.table[True] = 2
        self.point = Point(3, colour)


def recorded(stream: io.StringIO, **options: Any) -> tuple[Recorder, Scheduler]:
    recorder = Recorder(stream, **options)
    return recorder, Scheduler(recorder=recorder)


def steps_of(text: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(text)[1:] if line["kind"] == "step"]


def test_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    with Recorder(path, refusals=True) as recorder:
        scheduler = Scheduler(recorder=recorder)
        cache = scheduler.adopt(Rollback(max_len=8), "cache", monitors=invariants(Rollback))
        cache.extend()
        cache.start_read(i=1)
        with pytest.raises(GuardRefused):
            cache.rollback(0)
        cache.finish_read(1)
        with scheduler.participant("cutter"):
            scheduler.wait_for(cache.rollback, 0)
    header, started, *lines, end = lines_of(path.read_text())
    assert set(header) == {"format", "version", "started", "started_ns", "clock", "values"}
    assert started == {
        "seq": 0,
        "time": started["time"],
        "kind": "instance",
        "of": "cache",
        "protocol": "Rollback",
        "module": "protocheck.protocols.rollback",
        "dropped": None,
        "constants": {"max_len": 8},
        "monitors": ["type_ok", "no_ghost_reads", "grows_by_one"],
        "state": {"length": 0, "pending_reads": {"#set": []}},
    }
    assert [(line["kind"], line["thread"], line["action"], line["args"], line["changes"]) for line in lines] == [
        ("step", "MainThread", "extend", {}, {"length": 1}),
        ("step", "MainThread", "start_read", {"i": 1}, {"pending_reads": {"#set": [1]}}),
        ("refused", "MainThread", "rollback", {"k": 0}, {}),
        ("step", "MainThread", "finish_read", {"i": 1}, {"pending_reads": {"#set": []}}),
        ("step", "cutter", "rollback", {"k": 0}, {"length": 0}),
    ]
    assert lines[2]["guards"] == ["no_reader_above"]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert ["waited" in line for line in lines] == [False, False, False, False, True]
    assert end == {"seq": 6, "time": end["time"], "kind": "end", "lines": 7, "lost": 0}
    assert recorder.lost == 0
    replay(path.read_text(), Rollback)


def test_every_kind_of_value_is_written_and_read() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream)
    kitchen = scheduler.adopt(Kitchen())
    kitchen.fill(Colour.BLUE, (True, False))
    recorder.close()
    (line,) = steps_of(stream.getvalue())
    assert line["args"] == {"colour": "Colour.BLUE", "order": [True, False]}
    assert line["changes"] == {
        "number": {"#bigint": str(2**60)},
        "flag": True,
        "name": "Colour.BLUE",
        "members": {"#set": [1, 2, 10]},
        "pair": {"#tup": [True, 3]},
        "sequence": [1, {"#bigint": str(2**60)}],
        "table": {"#map": [[False, 0], [True, 2]]},
        "point": {"x": 3, "colour": "Colour.BLUE"},
    }
    assert replay(stream.getvalue(), Kitchen)["kitchen"].state == dict(snapshot(kitchen))


def test_several_instances_and_schedulers_in_one_recording() -> None:
    stream = io.StringIO()
    recorder = Recorder(stream)
    one, two = Scheduler(recorder=recorder), Scheduler(recorder=recorder)
    machines = [one.adopt(Rollback()), one.adopt(Rollback()), two.adopt(Rollback()), two.adopt(Dispatch(), "engines")]
    for count, machine in enumerate(machines[:3], 1):
        for _ in range(count):
            machine.extend()
    machines[3].start_fill()
    recorder.close()
    found = replay(stream.getvalue(), Rollback, Dispatch)
    assert list(found) == ["rollback", "rollback_2", "rollback_3", "engines"]
    assert [found[name].state for name in found] == [dict(snapshot(machine)) for machine in machines]


def test_what_was_undone_is_told_and_not_replayed() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream)
    cache = scheduler.adopt(Rollback())

    def gather(fails: bool) -> None:
        with scheduler.atomically():
            cache.extend()
            if fails:
                raise OSError("out of rows")

    gather(fails=False)
    with pytest.raises(OSError, match="out of rows"):
        gather(fails=True)
    recorder.close()
    (replayed,) = replay(stream.getvalue(), Rollback).values()
    assert replayed.kinds == {"step": 1, "undone": 1}
    assert replayed.state == dict(snapshot(cache)) == {"length": 1, "pending_reads": frozenset()}
    undone = next(line for line in lines_of(stream.getvalue())[1:] if line["kind"] == "undone")
    assert undone["error"] == "OSError: out of rows"
    assert undone["changes"] == {"length": 2}


def test_a_violation_of_a_variant_is_recorded() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream)
    variant = without(Rollback, "rollback.no_reader_above")
    watched, unwatched = scheduler.adopt(variant(), monitors=invariants(variant)), scheduler.adopt(variant())
    for cache in (watched, unwatched):
        cache.extend()
        cache.start_read(1)
    with pytest.raises(Exception, match="no_ghost_reads"):
        watched.rollback(0)
    unwatched.rollback(0)
    recorder.close()
    found = replay(stream.getvalue(), Rollback)
    assert [each.kinds for each in found.values()] == [{"step": 2, "violated": 1}, {"step": 3}]
    violated = next(line for line in lines_of(stream.getvalue())[1:] if line["kind"] == "violated")
    assert (violated["property"], violated["changes"]) == ("no_ghost_reads", {"length": 0})


def test_values_outside_their_domain_are_recorded() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream)
    cache = scheduler.adopt(without(Rollback, "extend.room_left")(max_len=1))
    cache.extend()
    cache.extend()
    recorder.close()
    assert [line["changes"] for line in steps_of(stream.getvalue())] == [{"length": 1}, {"length": 2}]


def test_waiting_records_the_step_and_no_attempt() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream, refusals=True)
    cache = scheduler.adopt(Rollback())
    with pytest.raises(WaitTimeout):
        scheduler.wait_for(cache.rollback, 0, timeout=0.02)
    timer = threading.Timer(0.05, cache.extend)
    timer.start()
    scheduler.wait_for(cache.rollback, 0, timeout=60)
    timer.join()
    recorder.close()
    first, second = steps_of(stream.getvalue())
    assert (first["action"], second["action"]) == ("extend", "rollback")
    assert first["thread"] != second["thread"]
    assert 10**6 < second["waited"] < 60 * 10**9
    assert "waited" not in first


# ---------------------------------------------------------------------------------------------------------- bounds


def test_lines_are_written_in_batches() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream, batch=10)
    cache = scheduler.adopt(Rollback(max_len=100))
    for _ in range(8):
        cache.extend()
    assert len(stream.getvalue().splitlines()) == 1
    cache.extend()
    assert len(stream.getvalue().splitlines()) == 1 + 10
    cache.extend()
    assert len(stream.getvalue().splitlines()) == 1 + 10
    recorder.flush()
    assert len(stream.getvalue().splitlines()) == 1 + 11
    recorder.close()
    assert recorder.written == len(stream.getvalue().splitlines()) - 1 == 1 + 11


def test_each_line_at_once() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream, batch=1)
    cache = scheduler.adopt(Rollback())
    for count in range(1, 4):
        cache.extend()
        assert len(steps_of(stream.getvalue())) == count
    recorder.close()


def test_the_memory_is_bounded_in_a_block_too() -> None:
    """Lines wait in memory for a thread that holds the scheduler, but only so many when they can be written."""
    stream = io.StringIO()
    recorder, scheduler = recorded(stream, batch=4)
    cache = scheduler.adopt(Rollback(max_len=1000))
    kept = 0
    for _ in range(100):
        with scheduler.atomically():
            for _ in range(5):
                cache.extend()
        kept = max(kept, len(recorder._lines))
    assert kept <= 4 * 4
    recorder.close()
    assert len(steps_of(stream.getvalue())) == 500


def test_the_size_is_bounded_and_the_loss_is_told(tmp_path: Path) -> None:
    path, limit, steps = tmp_path / "run.ndjson", 20_000, 1000
    recorder = Recorder(path, max_bytes=limit, batch=7)
    cache = Scheduler(recorder=recorder).adopt(Rollback(max_len=steps))
    for _ in range(steps):
        cache.extend()
    with pytest.warns(RecordingTruncated, match=r"the recording lacks \d+ lines: it has reached its size limit"):
        recorder.close()
    text = path.read_text()
    assert limit - 1000 < len(text.encode()) <= limit
    end = lines_of(text)[-1]
    taken = steps_of(text)
    assert recorder.lost == end["lost"] == steps - len(taken)
    assert end["lines"] == len(text.splitlines()) - 1
    # What is there is the beginning, without a hole.
    assert [line["changes"]["length"] for line in taken] == list(range(1, len(taken) + 1))
    replay(text, Rollback)


class FullDisk(io.StringIO):
    """Takes so many batches, then fails, then takes batches again."""

    def __init__(self, batches: int, fails: int) -> None:
        super().__init__()
        self.batches, self.fails = batches, fails

    def write(self, text: str) -> int:
        self.batches -= 1
        if -self.fails <= self.batches < 0:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_does_not_disturb_the_run() -> None:
    stream = FullDisk(batches=5, fails=3)
    recorder, scheduler = recorded(stream, batch=1)
    cache = scheduler.adopt(Rollback(max_len=50))
    for _ in range(50):
        cache.extend()
    assert cache.length == 50
    # The first batch after the header holds the instance and a step.
    with pytest.warns(RecordingTruncated, match="lacks 46 lines"), pytest.raises(OSError, match="No space left"):
        recorder.close()
    # The beginning without a hole, although the disk had room again; no last line says that nothing is missing.
    assert [line["changes"]["length"] for line in map(json.loads, stream.getvalue().splitlines()[2:])] == [1, 2, 3, 4]
    assert recorder.lost == 46
    recorder.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_disk_that_is_full_from_the_start() -> None:
    recorder = Recorder("/dev/full", batch=2)
    cache = Scheduler(recorder=recorder).adopt(Rollback(max_len=5))
    for _ in range(5):
        cache.extend()
    assert recorder.written == 0
    with pytest.warns(RecordingTruncated, match="lacks 6 lines"), pytest.raises(OSError, match="No space left"):
        recorder.close()
    assert recorder._file.closed


def test_what_fails_in_the_block_comes_first() -> None:
    stream = FullDisk(batches=1, fails=9)

    def run() -> None:
        with Recorder(stream) as recorder:
            Scheduler(recorder=recorder).adopt(Rollback()).extend()
            raise KeyError("the run fails")

    with pytest.warns(RecordingTruncated, match="lacks 2 lines"), pytest.raises(KeyError, match="the run fails"):
        run()


def test_an_interrupt_while_writing_loses_nothing_silently() -> None:
    class Interrupted(io.StringIO):
        interrupts = True

        def write(self, text: str) -> int:
            if '"step"' in text and self.interrupts:
                self.interrupts = False
                raise KeyboardInterrupt
            return super().write(text)

    stream = Interrupted()
    recorder, scheduler = recorded(stream, batch=1)
    cache = scheduler.adopt(Rollback())
    recorder.flush()
    with pytest.raises(KeyboardInterrupt):
        cache.extend()
    cache.extend()
    with pytest.warns(RecordingTruncated, match="lacks 2 lines"):
        recorder.close()
    assert cache.length == 2
    assert lines_of(stream.getvalue())[-1]["lost"] == 2


def test_steps_after_closing_are_told() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream)
    cache = scheduler.adopt(Rollback())
    recorder.close()
    recorder.close()
    with pytest.warns(RecordingTruncated, match="after the recording was closed"):
        cache.extend()
    assert cache.length == 1
    assert recorder.lost == 1
    with pytest.raises(ValueError, match="the recording is closed"):
        scheduler.adopt(Rollback())


def test_a_stream_stays_open_and_a_file_does_not(tmp_path: Path) -> None:
    stream = io.StringIO()
    Recorder(stream).close()
    assert not stream.closed
    path = tmp_path / "run.ndjson"
    recorder = Recorder(str(path))
    recorder.close()
    assert recorder._file.closed
    assert [line.get("kind") for line in lines_of(path.read_text())] == [None, "end"]


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one line, not 0"):
        Recorder(tmp_path / "run.ndjson", batch=0)
    with pytest.raises(ValueError, match="max_bytes must be at least 2048, not 100"):
        Recorder(tmp_path / "run.ndjson", max_bytes=100)
    with pytest.raises(OSError, match="nowhere"):
        Recorder(tmp_path / "nowhere" / "run.ndjson")
    assert list(tmp_path.iterdir()) == []


def test_many_threads_write_one_recording() -> None:
    stream = io.StringIO()
    recorder, scheduler = recorded(stream, batch=3)
    caches = [scheduler.adopt(Rollback(max_len=1000)) for _ in range(3)]

    def work() -> None:
        for number in range(150):
            caches[number % 3].extend()

    threads = [threading.Thread(target=work, name=f"worker {number}") for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    found = replay(stream.getvalue(), Rollback)
    assert [each.state["length"] for each in found.values()] == [cache.length for cache in caches] == [300] * 3
    assert {line["thread"] for line in steps_of(stream.getvalue())} == {thread.name for thread in threads}
