"""What a distributed run of TLC amounts to, from what its server printed.

The mode exits with 0 whatever it found, and says neither which property is violated nor how its state was reached. A
pass is what any pass is, and that workers came; where something was found, the states that are printed are all there
is: the state whose successors were asked for, and the one that is wrong, if it is a successor. Their numbers say
nothing: TLC counts each for an initial state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from . import codes
from .messages import ERROR, WARNING, Message, Transcript
from .outcome import TlcOutcome, read_outcome
from .trace import Trace

# What the server warns of when a worker has gone: its states are given to others, and only its figures are missing.
_OF_LOST_WORKERS = ("Failed to read remote worker cache statistic", "Ignoring attempt to exit dead worker")
# Where a worker registers while the search ends, the server counts the states that the worker has, which is null.
# Javas before 15 do not say what was.
_OF_A_LATE_WORKER = re.compile(r'java\.lang\.NullPointerException\s*(\Z|.*"this\.states" is null)')
_COMPUTED = re.compile(r"work completed at: .* Computed: (\d+) and a cache hit ratio")

_LATE_WORKER = (
    "TLC's server fell over a worker that came while the search ended, which is a fault of TLC's own and says nothing "
    "of the model: run it again."
)


def read_distributed_outcome(
    transcript: Transcript, exit_status: int | None, *, stderr: str = "", ended: str = "", workers: int
) -> TlcOutcome:
    """Judge a run by all that its server printed; see `read_outcome`.

    `workers` is how many came. The outcome is "no_error" only where everything says so, and "stopped" where the
    server stopped at a state of the model's without saying why. A server that `fell_over_a_late_worker` has said
    nothing of the model, whatever it had printed before: "incomplete".

    Raises:
        OutputError: a state that was printed cannot be read.
    """
    transcript = replace(transcript, messages=tuple(each for each in transcript.messages if not _is_of_a_lost(each)))
    outcome = read_outcome(transcript, exit_status, stderr=stderr, ended=ended, expected=codes.DISTRIBUTED)
    if outcome.kind == "not_started" and transcript.messages:
        # Its banner is no message, so that it is not known by that to have started.
        return replace(outcome, kind="incomplete", message=outcome.message.replace("did not start", "ended early", 1))
    if outcome.kind == "unknown" and fell_over_a_late_worker(transcript):
        return replace(outcome, kind="incomplete", message=_LATE_WORKER, trace=Trace())
    if outcome.kind == "no_error" and workers == 0:
        return replace(outcome, kind="unknown", message="TLC's server says that it is done, but no worker has come.")
    if outcome.kind == "unknown" and transcript.intact and outcome.finished and _stopped_at_a_state(transcript):
        return replace(outcome, kind="stopped", message="TLC's server stopped at a state, without saying why.")
    return outcome


def fell_over_a_late_worker(transcript: Transcript) -> bool:
    """Whether the server ended by a fault of its own: a worker registered while the search ended."""
    errors = (message for message in transcript.messages if message.severity == ERROR and message.code == codes.GENERAL)
    return any(_OF_A_LATE_WORKER.search(message.text) for message in errors)


def _is_of_a_lost(message: Message) -> bool:
    return message.severity == WARNING and message.text.startswith(_OF_LOST_WORKERS)


def _stopped_at_a_state(transcript: Transcript) -> bool:
    """Whether it printed a behaviour, or an initial state, and no error that is no companion of these."""
    errors = [message for message in transcript.flattened() if message.severity == ERROR]
    return bool(errors) and all(message.code in codes.COMPANIONS for message in errors)


def workers_computed(outputs: Sequence[str], joined: int) -> int | None:
    """The steps that workers say they computed, from what they printed; None where fewer say so than had joined."""
    counts = [int(number) for output in outputs for number in _COMPUTED.findall(output)]
    return sum(counts) if len(counts) >= joined > 0 else None
