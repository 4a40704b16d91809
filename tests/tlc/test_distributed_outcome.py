"""What the server of a distributed run printed: only a whole pass is one, whatever is cut, lost or added."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocheck.toolchain.tlc.distributed_outcome import read_distributed_outcome, workers_computed
from protocheck.toolchain.tlc.messages import Transcript

from .support import CAPTURED, captured, transcript

# kind, distinct states, states printed, workers that had come
SERVERS = {
    "dead": ("stopped", 4, 1, 2),
    "init": ("stopped", 1, 0, 0),
    "inv": ("stopped", 4, 2, 2),
    "inv25": ("stopped", 4, 2, 2),
    "j17": ("no_error", 6_765_201, 0, 2),
    "late": ("incomplete", 1, 0, 2),  # it fell over a worker that came while the search ended
    "live": ("no_error", 4, 0, 2),  # what the mode was asked about liveness, it passed over
    "lost": ("no_error", 68_921, 0, 2),
    "safe": ("no_error", 10, 0, 1),
    "steps": ("no_error", 3, 0, 1),  # a step to a state seen before, which plain TLC finds, it passed over
}
PASSES = [name for name, (kind, *_) in SERVERS.items() if kind == "no_error"]


def read(name: str) -> Transcript:
    return transcript(captured("2.15", f"dist_server_{name}"))


def test_there_is_a_row_for_each() -> None:
    assert {path.stem for path in CAPTURED.glob("2.15/dist_server_*.txt")} == {
        f"dist_server_{name}" for name in SERVERS
    }


@pytest.mark.parametrize("name", SERVERS)
def test_each_means_what_the_table_says(name: str) -> None:
    kind, distinct, states, workers = SERVERS[name]
    outcome = read_distributed_outcome(read(name), 0, workers=workers)
    assert (outcome.kind, outcome.stats.distinct, len(outcome.states)) == (kind, distinct, states), outcome.message
    assert outcome.violated is None


@pytest.mark.parametrize(
    "said",
    [
        "java.lang.NullPointerException\n",
        'java.lang.NullPointerException: Cannot read, because "this.states" is null\n',
    ],
    ids=["Java 11", "Java 17"],
)
def test_a_server_that_falls_over_a_late_worker_says_nothing_of_the_model(said: str) -> None:
    text = captured("2.15", "dist_server_late")
    before, found, after = text.partition("java.lang.NullPointerException\n")
    after = after.partition("\n")[2]
    outcome = read_distributed_outcome(transcript(before + said + after), 0, workers=2)
    assert found
    assert (outcome.kind, outcome.states) == ("incomplete", ())
    assert "run it again" in outcome.message
    other = said.replace("\n", ": no such element\n").replace("this.states", "this.values")
    assert read_distributed_outcome(transcript(before + other + after), 0, workers=2).kind == "unknown"


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_needs_workers_an_exit_status_and_its_own_end(name: str) -> None:
    assert read_distributed_outcome(read(name), 0, workers=0).kind == "unknown"
    for status in (1, -9, None):
        assert read_distributed_outcome(read(name), status, workers=2).kind == "unknown"
    assert read_distributed_outcome(read(name), None, ended="It was ended.", workers=2).kind == "incomplete"


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_without_a_message_that_it_needs_is_none(name: str) -> None:
    whole = read(name)
    for code in (2193, 2186, 2199):
        left_out = {code, 2200} if code == 2199 else {code}
        rest = tuple(message for message in whole.messages if message.code not in left_out)
        assert len(rest) < len(whole.messages)
        assert read_distributed_outcome(replace(whole, messages=rest), 0, workers=2).kind != "no_error"
    assert read_distributed_outcome(replace(whole, intact=False), 0, workers=2).kind != "no_error"


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_cut_off_anywhere_is_neither_a_pass_nor_a_stop(name: str) -> None:
    lines = captured("2.15", f"dist_server_{name}").split("\n")
    end = max((number for number, line in enumerate(lines) if "STARTMSG 2186" in line), default=len(lines))
    for length in range(0, end + 1, 7):
        outcome = read_distributed_outcome(transcript("\n".join(lines[:length])), -9, workers=2)
        assert outcome.kind in ("incomplete", "not_started", "unknown"), (length, outcome)


@pytest.mark.parametrize("severity", [1, 3, 9])
@pytest.mark.parametrize("name", PASSES)
def test_an_error_or_another_warning_anywhere_voids_a_pass(name: str, severity: int) -> None:
    text = captured("2.15", f"dist_server_{name}")
    odd = f"@!@!@STARTMSG 1000:{severity} @!@!@\nsomething new\n@!@!@ENDMSG 1000 @!@!@\n"
    for position in [place for place in range(len(text)) if text.startswith("@!@!@STARTMSG", place)]:
        outcome = read_distributed_outcome(transcript(text[:position] + odd + text[position:]), 0, workers=2)
        assert outcome.kind not in ("no_error", "stopped")


def test_an_error_that_is_told_is_no_mere_stop() -> None:
    text = captured("2.15", "dist_server_inv")
    odd = "@!@!@STARTMSG 2132:1 @!@!@\nThe first argument of Assert evaluated to FALSE\n@!@!@ENDMSG 2132 @!@!@\n"
    position = text.index("@!@!@STARTMSG 2121")
    assert (
        read_distributed_outcome(transcript(text[:position] + odd + text[position:]), 0, workers=2).kind == "assertion"
    )


def test_steps_are_known_only_if_every_worker_that_came_tells_them() -> None:
    first, second = (captured("2.15", f"dist_worker{number}_j17") for number in (1, 2))
    assert workers_computed([first, second], 2) == 13_311_495 + 13_218_706
    assert workers_computed([first, second], 3) is None
    assert workers_computed([first, ""], 2) is None
    assert workers_computed([first, ""], 1) == 13_311_495  # the other never came
    assert workers_computed([], 0) is None
