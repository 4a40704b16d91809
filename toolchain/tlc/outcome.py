"""What a run of TLC amounts to. Whatever is not known for a pass is none.

The message that says what happened decides, then the exit status; TLC prints "No error has been found", or exits with
0, in several cases where it found one or did not look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from . import codes
from .codes import OutcomeKind
from .errors import OutputError
from .messages import ERROR, INFORMATION, STATE, WARNING, Message, Transcript
from .stats import ActionCoverage, TlcStats, read_coverage, read_stats
from .trace import Trace, TraceState, read_trace
from .versions import TlcVersion

_VIOLATED = re.compile(
    r"(?:Invariant|Action property|Property|Temporal property) (.+?) (?:is|was) violated(?:\.| by the initial state:)"
)
_SECOND_EXCEPTION = re.compile(r"The exception was an? ([\w.$]+)")
_LONG_NUMBER = re.compile(r'java\.lang\.NumberFormatException\s*: For input string: "(\d+)"')
_PARSER_NOISE = re.compile(r"(?:Parsing file|Semantic processing of module|Linting of module) ")
_NO_EXIT_STATUS = "it was ended before it could say"


@dataclass(frozen=True)
class TlcOutcome:
    """What TLC found, and how far to believe it.

    Attributes:
        kind: what it amounts to. Only "no_error" is a pass; see `codes.OutcomeKind` for each.
        message: the same for a human, in TLC's words where it has some.
        violated: the property that is violated, where TLC names it.
        trace: the counter-example; its states are empty where TLC gives none.
        stats: what was counted.
        coverage: steps by action; empty unless the run asked for it.
        finished: TLC came to its own end and said so.
        warnings: what TLC warned of, word by word.
        version: of this TLC, from its banner.
        codes: of all errors and warnings, in order, for whoever must look closer.
        output: what it printed outside of messages and of the parser's chatter.
    """

    kind: OutcomeKind
    message: str
    violated: str | None = None
    trace: Trace = field(default_factory=Trace)
    stats: TlcStats = field(default_factory=TlcStats)
    coverage: Mapping[str, ActionCoverage] = field(default_factory=lambda: MappingProxyType({}))
    finished: bool = False
    warnings: tuple[str, ...] = ()
    version: TlcVersion | None = None
    codes: tuple[int, ...] = ()
    output: str = ""

    @property
    def states(self) -> tuple[TraceState, ...]:
        """The states of the counter-example."""
        return self.trace.states

    @property
    def is_violation(self) -> bool:
        """The model does not do what was asked of it, and TLC could tell: neither a pass nor a failure of tools."""
        return self.kind in codes.VIOLATIONS


def read_outcome(
    transcript: Transcript,
    exit_status: int | None,
    *,
    stderr: str = "",
    ended: str = "",
    expected: frozenset[int] = frozenset(),
) -> TlcOutcome:
    """Judge a run by all it printed.

    Args:
        transcript: its standard output, read.
        exit_status: of the process; negative for a signal, None where it is not known, which is never a pass.
        stderr: its standard error: Java complains there.
        ended: why the caller ended it, as a sentence; "" where it ended by itself.
        expected: codes of `codes.PARTIAL_MODES` that the caller asked for, and makes up for.

    Raises:
        OutputError: there is a counter-example, but it cannot be read.
    """
    banner = transcript.first(codes.BANNER)
    output = _loose(transcript)
    finished = transcript.first(codes.FINISHED) is not None
    kind, message, violated = _judge(transcript, exit_status, stderr, ended, output, expected)
    trace = Trace() if kind == "incomplete" else read_trace(tuple(transcript.flattened()))
    if kind == "liveness" and trace.back_to is None and not trace.stuttering:
        raise OutputError("A counter-example to a liveness property ends neither in a loop nor in stuttering.")
    return TlcOutcome(
        kind=kind,
        message=message,
        violated=violated,
        trace=trace,
        stats=read_stats(transcript),
        coverage=read_coverage(transcript),
        finished=finished and transcript.intact,
        warnings=tuple(each.text for each in transcript.flattened() if each.severity == WARNING),
        version=TlcVersion.parse(banner.text) if banner else None,
        codes=tuple(each.code for each in transcript.flattened() if each.severity not in (INFORMATION, STATE)),
        output=output,
    )


def _judge(
    transcript: Transcript,
    exit_status: int | None,
    stderr: str,
    ended: str,
    output: str,
    expected: frozenset[int],
) -> tuple[OutcomeKind, str, str | None]:
    error = _first_error(transcript)
    # Java ends itself at the first failed allocation (we ask it to), so this comes without any message of TLC's.
    if "java.lang.OutOfMemoryError" in output + stderr:
        return "out_of_memory", "TLC ran out of memory.", None
    if error is not None and (kind := _kind_of(error, transcript)) != "unknown":
        if not _complete(transcript, kind):
            return "incomplete", _joined("TLC was cut off while it reported an error.", ended, error.text), None
        text = _explained(kind, error, transcript, output)
        return kind, text, _violated(error) if kind in codes.VIOLATIONS else None
    if ended:
        return "incomplete", ended, None
    if error is not None:
        return "unknown", error.text, None
    if transcript.first(codes.BANNER) is None and transcript.first(codes.FINISHED) is None:
        return "not_started", _joined("TLC did not start.", stderr.strip(), output), None
    if not transcript.intact or transcript.first(codes.FINISHED) is None:
        status = _NO_EXIT_STATUS if exit_status is None else f"exit status {exit_status}"
        return "incomplete", _joined(f"TLC ended before it was done ({status}).", stderr.strip(), output), None
    return _judge_success(transcript, exit_status, expected)


def _judge_success(
    transcript: Transcript, exit_status: int | None, expected: frozenset[int]
) -> tuple[OutcomeKind, str, str | None]:
    """A run that finished without an error: which is not yet a pass."""
    success = transcript.first(codes.SUCCESS)
    stats = read_stats(transcript)
    partial = codes.PARTIAL_MODES.keys() - expected
    doubts = [codes.PARTIAL_MODES[each.code] for each in transcript.flattened() if each.code in partial]
    doubts += [
        f"it warned: {each.text}"
        for each in transcript.flattened()
        if each.severity == WARNING and each.code not in codes.HARMLESS_WARNINGS
    ]
    doubts += [
        f"it printed a message of an unknown severity, {each.severity}: {each.text}"
        for each in transcript.flattened()
        if each.severity not in (INFORMATION, ERROR, WARNING, STATE)
    ]
    if doubts:
        listed = "\n".join(f"- {doubt}" for doubt in dict.fromkeys(doubts))
        return "unreliable", f"TLC found no error, but this means little:\n{listed}", None
    if success is None:
        return "unknown", "TLC finished without saying that it found no error.", None
    if exit_status != 0:
        said = _NO_EXIT_STATUS if exit_status is None else str(exit_status)
        return "unknown", f"TLC says that it found no error, but its exit status is not 0: {said}.", None
    if stats.distinct is None or stats.queue is None:
        return "unknown", "TLC says that it found no error, but not how many states it looked at.", None
    if stats.queue != 0:
        return "unknown", f"TLC says that it found no error, but left {stats.queue} states on its queue.", None
    if stats.distinct == 0:
        # 2.15 passes this silently, with an exit status of 0.
        return "no_initial_state", "There is no initial state, so that everything holds of nothing.", None
    return "no_error", "No error was found.", None


def _first_error(transcript: Transcript) -> Message | None:
    errors = [each for each in transcript.messages if each.severity == ERROR]
    return next((each for each in errors if each.code not in codes.COMPANIONS), errors[0] if errors else None)


def _kind_of(error: Message, transcript: Transcript) -> OutcomeKind:
    if error.code != codes.GENERAL:
        return codes.ERROR_KINDS.get(error.code, "unknown")
    # "TLC threw an unexpected exception", in which the real message may be nested.
    for inner in error.flattened():
        if inner is not error and inner.code in codes.ERROR_KINDS:
            return codes.ERROR_KINDS[inner.code]
    if _SECOND_EXCEPTION.search(error.text):
        return "overflow" if _LONG_NUMBER.search(error.text) else "unknown"
    # Plain text: what the evaluator says of an index out of range, say. The position of the expression follows it.
    accompanied = any(each.code in (2102, 2103, 2147) for each in transcript.messages if each.severity == ERROR)
    return "evaluation_error" if accompanied or error.text.startswith("Attempted to ") else "unknown"


def _complete(transcript: Transcript, kind: OutcomeKind) -> bool:
    # A wrong option ends TLC at once, without the closing message.
    return transcript.intact and (kind == "usage_error" or transcript.first(codes.FINISHED) is not None)


def _violated(error: Message) -> str | None:
    found = _VIOLATED.match(error.text)
    return found.group(1) if found and error.code in codes.NAMED_VIOLATIONS else None


def _explained(kind: OutcomeKind, error: Message, transcript: Transcript, output: str) -> str:
    inner = next((each for each in error.flattened() if each is not error), None)
    text = inner.text if inner is not None and error.code == codes.GENERAL else error.text
    if kind == "parse_error":
        return _joined(text, output)  # the parser's errors are not framed
    if kind == "overflow" and (number := _LONG_NUMBER.search(text)):
        return f"TLC cannot read the number {number.group(1)}"
    if kind in ("evaluation_error", "assertion", "overflow"):
        where = next((each for each in transcript.messages if each.code == 2103), None)
        return _joined(text, where.text if where else "")
    return text.strip()


def _loose(transcript: Transcript) -> str:
    lines = [line for line in transcript.loose.splitlines() if not _PARSER_NOISE.match(line)]
    return "\n".join(lines).strip("\n")


def _joined(*parts: str) -> str:
    return "\n".join(part.strip("\n") for part in parts if part.strip())
