"""Recordings of the scheduler, as they are: several instances, blocks that failed, refusals, variants."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from protocheck import GuardRefused, Protocol, without
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.runtime import Recorder, Scheduler
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.validation.lines import LogError
from protocheck.toolchain.validation.results import Options, Validation
from protocheck.toolchain.validation.validate import validate
from protocheck.transpiler.frontend import compile_protocol


def recorded() -> list[dict[str, Any]]:
    """Two caches and a buffer; a refused step, and a block that failed."""
    file = io.StringIO()
    with Recorder(file, refusals=True) as recorder:
        scheduler = Scheduler(recorder=recorder)
        first = scheduler.adopt(Rollback(max_len=5))
        buffer = scheduler.adopt(Dispatch())
        second = scheduler.adopt(Rollback(max_len=9))
        first.extend()
        second.extend()
        buffer.start_fill()
        first.start_read(1)
        with pytest.raises(GuardRefused):
            first.rollback(0)
        try:
            with scheduler.atomically():
                first.extend()
                raise MemoryError
        except MemoryError:
            pass
        first.finish_read(1)
        first.rollback(0)
    return list(map(json.loads, file.getvalue().splitlines()))


def text(lines: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(line).encode() + b"\n" for line in lines]


def asked(lines: list[dict[str, Any]], cls: type[Protocol] = Rollback, **more: Any) -> tuple[Validation, ...]:
    return validate(text(lines), cls, **more)


def index(lines: list[dict[str, Any]], **wanted: Any) -> int:
    return next(place for place, line in enumerate(lines) if wanted.items() <= line.items())


def test_every_instance_of_the_protocol_is_looked_at() -> None:
    first, second = asked(recorded())
    assert [(each.instance, each.verdict, each.constants["max_len"]) for each in (first, second)] == [
        ("rollback", "behaviour", 5),
        ("rollback_2", "behaviour", 9),
    ]
    # Five steps that were taken and one that was refused; what was undone is none.
    assert (first.events, first.with_values) == (5, 4)
    assert second.events == 1
    assert first.notes == ()


def test_one_instance_can_be_chosen() -> None:
    (found,) = asked(recorded(), instances=["rollback_2"])
    assert found.instance == "rollback_2"
    (found,) = asked(recorded(), Dispatch)
    assert (found.protocol, found.events) == ("dispatch", 1)
    with pytest.raises(LogError, match="no instance rollback_3 of Rollback; did you mean rollback"):
        asked(recorded(), instances=["rollback_3"])


def test_a_step_that_cannot_have_happened() -> None:
    lines = recorded()
    place = index(lines, kind="step", action="finish_read")
    del lines[place]
    (found,) = asked(lines)
    assert found.instance == "rollback"
    assert found.rejection is not None
    assert found.rejection.event == "rollback(k=0)"
    assert found.rejection.reasons[0].text == "it is refused by no_reader_above"


def test_changes_are_all_that_changes() -> None:
    lines = recorded()
    step = lines[index(lines, kind="step", action="extend", of="rollback_2")]
    step["changes"] = {}
    (found,) = asked(lines)
    assert found.rejection is not None
    assert found.rejection.reasons[0].text.startswith("length would change from 0 to 1")


def test_refusals_must_be_the_protocols() -> None:
    lines = recorded()
    refusal = lines[index(lines, kind="refused")]
    refusal["guards"] = ["shrinks"]
    (found,) = asked(lines)
    assert found.rejection is not None
    assert found.rejection.event == "rollback(k=0), refused by shrinks"
    assert found.rejection.reasons[0].text == ("it would be refused by no_reader_above, but the log says by shrinks")
    refusal.update(action="extend", args={}, guards=["room_left"])
    (found,) = asked(lines)
    assert found.rejection is not None
    assert found.rejection.reasons[0].text == "it would not be refused, but the log says that it was, by room_left"


def test_lines_that_were_taken_out_are_told() -> None:
    """What is left may be a behaviour, and yet not all that happened."""
    lines = recorded()
    del lines[index(lines, kind="step", action="extend", of="rollback_2")]
    found = asked(lines, instances=["rollback_2"])[0]
    assert (found.verdict, found.events) == ("behaviour", 0)
    (note,) = found.notes
    assert "is number" in note
    with pytest.raises(LogError, match=r"log:2: a line of a recording is numbered \(seq\), but this is not"):
        asked([{key: value for key, value in line.items() if key != "seq"} for line in lines])


def test_a_variant_is_told() -> None:
    """What a dropped guard let happen is no behaviour of the protocol with the guard."""
    file = io.StringIO()
    with Recorder(file) as recorder:
        cache = Scheduler(recorder=recorder).adopt(without(Rollback, "rollback.no_reader_above")())
        cache.extend()
        cache.start_read(1)
        cache.rollback(0)
    (found,) = validate(file.getvalue().encode().splitlines(keepends=True), Rollback)
    assert found.verdict == "rejected"
    assert found.rejection is not None
    assert found.rejection.reasons[0].text == "it is refused by no_reader_above"
    assert found.notes == ("what ran was a variant, without the guard rollback.no_reader_above",)


def test_an_instance_that_was_adopted_later() -> None:
    file = io.StringIO()
    cache = Rollback()
    cache.extend()
    with Recorder(file) as recorder:
        Scheduler(recorder=recorder).adopt(cache).extend()
    lines = file.getvalue().encode().splitlines(keepends=True)
    (found,) = validate(lines, Rollback)
    assert found.verdict == "rejected"
    assert "--from-anywhere" in found.notes[0]
    (found,) = validate(lines, Rollback, options=Options(anywhere=True))
    assert (found.verdict, found.events) == ("behaviour", 1)


def test_a_recording_without_its_end() -> None:
    lines = recorded()
    found = asked(lines[:-1])
    assert found[0].notes == ("the recording was not closed: its last lines may be missing",)
    lines[-1]["lost"] = 7
    assert asked(lines)[0].notes == ("the last 7 lines of the run are not in the recording",)
    cut = text(lines)[:-1]
    cut[-1] = cut[-1][:-20]
    with pytest.raises(LogError, match="cut off"):
        validate(cut, Rollback)
    assert [each.verdict for each in validate(cut, Rollback, options=Options(truncated=True))] == ["behaviour"] * 2


def test_nothing_stands_below_the_end_of_a_recording() -> None:
    lines = text(recorded())
    for more in (lines, [b'{"kind": "step"}\n'], [b"{}\n"]):
        with pytest.raises(
            LogError, match=rf"log:{len(lines) + 1}: the recording has ended .*two recordings are two files"
        ):
            validate([*lines, *more], Rollback)
    with pytest.raises(LogError, match="two recordings are two files"):
        validate([*lines, b"{"], Rollback, options=Options(truncated=True))
    with pytest.raises(LogError, match=rf"log:{len(lines) + 1}: this is no JSON"):
        validate([*lines, b"garbage\n"], Rollback)
    assert [each.verdict for each in validate([*lines, b"\n"], Rollback)] == ["behaviour"] * 2


def changed(lines: list[dict[str, Any]], place: int, **values: Any) -> list[dict[str, Any]]:
    return [{**line, **values} if number == place else line for number, line in enumerate(lines)]


def test_damaged_recordings() -> None:
    lines = recorded()
    instance, step = index(lines, kind="instance"), index(lines, kind="step", of="rollback")
    refusal = index(lines, kind="refused")
    bad: list[tuple[list[dict[str, Any]], str]] = [
        (changed(lines, 0, version=2), "log:1: a recording of version 2"),
        (changed(lines, instance, of=3), f"log:{instance + 1}: an instance has a name"),
        (changed(lines, instance, constants={"max_len": "x"}), f"log:{instance + 1}: 'x' is no value"),
        (changed(lines, instance, state={"length": "x"}), f'log:{instance + 1}: length = "x" is no int'),
        ([*lines[: instance + 1], lines[instance]], f"log:{instance + 2}: there is an instance rollback already"),
        (changed(lines, step, of="nobody"), f"log:{step + 1}: there is no instance 'nobody'"),
        (changed(lines, step, of=["x"]), f"log:{step + 1}: there is no instance ['x'] above this line"),
        (changed(lines, refusal, of=["x"]), f"log:{refusal + 1}: there is no instance ['x'] above this line"),
        (changed(lines, index(lines, kind="undone"), of={}), "there is no instance {} above this line"),
        (changed(lines, step, args=[]), f"log:{step + 1}: action, args and changes"),
        (changed(lines, step, action="extent"), f'log:{step + 1}: Rollback has no action "extent"'),
        (changed(lines, step, kind="stepped"), f"log:{step + 1}: a recording has no lines of the kind 'stepped'"),
        (changed(lines, refusal, guards="shrinks"), f"log:{refusal + 1}: action, args and guards"),
        ([{k: v for k, v in line.items() if k != "changes"} for line in lines], "a step of a recording has changes"),
        (lines[:1], "there is no instance of Rollback in it; there is none at all"),
    ]
    for altered, message in bad:
        with pytest.raises(LogError) as caught:
            asked(altered)
        assert message in str(caught.value)
    with pytest.raises(LogError, match="--set"):
        asked(lines, constants={"max_len": 6})


BUILT_IN: tuple[type[Protocol], ...] = (Rollback, Dispatch, TreeCache, HandOff, Walk)


@pytest.mark.parametrize("cls", BUILT_IN, ids=lambda cls: cls.__name__)
def test_what_a_variant_does_is_refused_where_the_guard_was(cls: type[Protocol]) -> None:
    """The checker's counter-example of each guard, run on the class without it and recorded."""
    protocol = compile_protocol(cls)
    report = check_protocol(protocol, {}, engines=[ExplorerEngine()], mutate=True)
    tried = 0
    for mutant in report.mutants or ():
        trace = mutant.verdict.answer.trace
        if trace is None:
            continue
        file = io.StringIO()
        with Recorder(file) as recorder:
            run = Scheduler(recorder=recorder).adopt(without(cls, mutant.guard)())
            try:
                for step in [*trace.steps[1:], *([trace.closing] if trace.closing else [])]:
                    getattr(run, step.action or "")(**dict(step.arguments))
            except Exception:  # the step that the guard would have refused cannot even be taken
                assert mutant.verdict.violated == "well_defined"
                continue
        tried += 1
        (found,) = validate(file.getvalue().encode().splitlines(keepends=True), cls)
        assert found.rejection is not None, mutant.guard
        action, guard = mutant.guard.split(".")
        assert found.rejection.event.startswith(f"{action}(")
        assert found.rejection.reasons[0].text == f"it is refused by {guard}"
    assert tried >= len(protocol.guard_names) // 2
