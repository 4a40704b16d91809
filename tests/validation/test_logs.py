"""Plain logs: what is accepted, what is refused and why, and what is no log of the protocol at all."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any

import pytest

from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, init
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.walk import Walk
from protocheck.toolchain.validation.lines import LogError, Truncated, numbered_objects
from protocheck.toolchain.validation.results import Options, Rejection, Validation
from protocheck.toolchain.validation.validate import validate

from .. import handmade


class Phase(enum.Enum):
    IDLE = 1
    BUSY = 2


class Workshop(Protocol):
    """An Enum, an option, a sequence, a set, a function."""

    Number = Annotated[int, Between(0, 3)]

    most: int = const(2)

    phase: Phase = Phase.IDLE
    chosen: Number | None = None
    queue: Annotated[tuple[Number, ...], MaxLen(2)] = ()
    seen: frozenset[Number] = frozenset()
    counts: dict[bool, Number] = {False: 0, True: 0}

    @action
    def work(self, phase: Phase, chosen: Number | None, pair: tuple[Number, bool]) -> None:
        guard(other=phase != self.phase, room=len(self.queue) < self.most)
        self.phase = phase
        self.chosen = chosen
        self.queue += (pair[0],)
        self.seen |= {pair[0]}
        self.counts[pair[1]] = pair[0]


class Promised(Protocol):
    """The environment promises to stay below a limit that only the model knows."""

    limit: Annotated[int, Between(0, 2)] = ghost(0)

    value: Annotated[int, Between(0, 3)] = 0

    @init
    def any_limit(self, chosen: Annotated[int, Between(1, 2)]) -> None:
        self.limit = chosen

    @action
    def put(self, value: Annotated[int, Between(0, 3)]) -> None:
        assume(value <= self.limit)
        self.value = value


class Drawn(Protocol):
    """It begins with a number that it draws, and with the sum of it and another one."""

    most: int = const(1)

    drawn: Annotated[int, Between(0, most)] = 0
    total: Annotated[int, Between(0, 2 * most)] = 0

    @init
    def any_numbers(self, first: Annotated[int, Between(0, most)], other: Annotated[int, Between(0, most)]) -> None:
        self.drawn = first
        self.total = first + other

    @action
    def forget(self) -> None:
        guard(drawn_something=self.drawn > 0)
        self.drawn = 0


class Paid(Protocol):
    """Constants that are members of an Enum."""

    paid: Phase = const(Phase.IDLE)
    known: frozenset[Phase] = const(frozenset({Phase.IDLE, Phase.BUSY}))

    earned: bool = False

    @action
    def earn(self) -> None:
        guard(not_yet=not self.earned)
        self.earned = self.paid in self.known or self.paid == Phase.BUSY


def asked(*lines: Any, cls: type[Protocol] = Rollback, **options: Any) -> Validation:
    """The answer about a log; lines that are no bytes are written as JSON."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
    (answer,) = validate(texts, cls, options=Options(**options))
    return answer


def rejected(*lines: Any, cls: type[Protocol] = Rollback, **options: Any) -> Rejection:
    answer = asked(*lines, cls=cls, **options)
    assert answer.verdict == "rejected"
    assert answer.rejection is not None
    return answer.rejection


def step(action: str, seen: dict[str, Any] | None = None, /, **args: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"action": action, "args": args}
    return found if seen is None else {**found, "state": seen}


# ----------------------------------------------------------------------------------------------------- why not


def test_a_guard_that_speaks_against_it() -> None:
    found = rejected(step("extend"), step("start_read", i=1), step("rollback", k=0))
    assert (found.line, found.event) == (3, "rollback(k=0)")
    (reason,) = found.reasons
    assert (reason.text, reason.states) == ("it is refused by no_reader_above", 1)
    assert reason.where.endswith("rollback.py:43")
    assert found.possible == ({"length": 1, "pending_reads": frozenset({1})},)
    assert found.instead == ("extend()", "start_read(i=1)", "finish_read(i=1)")


def test_a_value_that_speaks_against_it() -> None:
    found = rejected(step("extend"), step("extend", {"length": 3}))
    assert [reason.text for reason in found.reasons] == ["length would be 2, but the log says 3"]
    found = rejected(step("extend"), {"action": "extend", "changes": {"pending_reads": {"#set": []}}})
    assert [reason.text for reason in found.reasons] == [
        "length would change from 1 to 2, but the log says that it does not change"
    ]
    found = rejected(step("extend"), {"state": {"length": 2}})
    assert found.event == "the state, with length = 2"
    assert [reason.text for reason in found.reasons] == ["length is 1, but the log says 2"]


def test_a_value_outside_its_domain() -> None:
    assert rejected(step("start_read", i=9)).reasons[0].text == "i = 9 is outside 1..4"
    assert rejected(step("extend", {"length": 9})).reasons[0].text == "length = 9 is outside 0..4"


def test_a_step_without_a_value() -> None:
    machine = handmade.MACHINES["out_of_bounds"]()
    name = machine.actions[0].name
    lines = [json.dumps(step(name)).encode() + b"\n"] * 9
    (answer,) = validate(lines, machine)
    assert answer.rejection is not None
    assert "it has no value: " in answer.rejection.reasons[0].text


def test_several_states_are_possible() -> None:
    found = rejected(step("extend"), step("extend"), step("start_read"), step("rollback", k=0))
    assert found.count == 2
    assert {reason.text: reason.states for reason in found.reasons} == {"it is refused by no_reader_above": 2}
    answer = asked(step("extend"), step("extend"), step("start_read"), step("rollback", k=1))
    assert (answer.verdict, answer.possible, answer.with_arguments) == ("behaviour", 1, 3)


def test_what_was_seen_narrows_the_states() -> None:
    begun = [step("extend"), step("extend"), step("start_read")]
    assert asked(*begun).possible == 2
    assert asked(*begun, {"state": {"pending_reads": {"#set": [2]}}}).possible == 1


# -------------------------------------------------------------------------------------------- how logs are read


def test_a_header() -> None:
    header = {"format": "protocheck-log", "version": 1, "protocol": "Rollback", "constants": {"max_len": 1}}
    assert asked(header, step("extend")).constants == {"max_len": 1}
    assert rejected(header, step("extend"), step("extend")).line == 3
    assert asked({"protocol": "rollback"}, step("extend")).constants == {"max_len": 4}


def test_the_state_that_a_log_begins_with() -> None:
    begun = {"protocol": "rollback", "state": {"length": 2}}
    found = asked(begun, step("start_read", i=2))
    assert found.verdict == "rejected"
    assert found.rejection is not None
    assert found.rejection.reasons[0].text == "length is 0, but the log says 2"
    assert "--from-anywhere" in found.notes[0]
    with pytest.raises(LogError, match="lacks pending_reads"):
        asked(begun, step("start_read", i=2), anywhere=True)
    begun["state"]["pending_reads"] = {"#set": []}  # type: ignore[index]
    assert asked(begun, step("start_read", i=2), anywhere=True).verdict == "behaviour"
    # Hidden steps come after it, not before.
    assert asked(begun, step("start_read", i=2), unlogged=frozenset({"extend"})).verdict == "rejected"


def test_hidden_and_foreign_actions() -> None:
    log = [step("start_read", i=3), {"action": "heartbeat", "args": 7}, step("rollback", k=0)]
    with pytest.raises(LogError, match=r"log:1: args is no JSON object"):
        asked({"action": "heartbeat", "args": 7})
    log[1] = step("heartbeat")
    with pytest.raises(LogError, match=r"log:2: Rollback has no action \"heartbeat\".*--skip heartbeat"):
        asked(*log, unlogged=frozenset({"extend"}))
    answer = asked(*log, unlogged=frozenset({"extend", "finish_read"}), skipped=frozenset({"heartbeat"}))
    assert (answer.verdict, answer.events) == ("behaviour", 2)
    with pytest.raises(LogError, match="no action extent; did you mean extend"):
        asked(*log, unlogged=frozenset({"extent"}))


def test_keys_that_nobody_reads_are_told() -> None:
    answer = asked({"action": "extend", "ts": 17, "arg": {}})
    assert answer.notes == ("not looked at: ts, arg (did you mean args?)",)
    log = [{"action": action, f"k{number}": 0} for number in range(150) for action in ("extend", "rollback")]
    answer = asked(*log)
    assert answer.verdict == "behaviour"
    assert answer.notes == ("not looked at: k0, k1, k2, k3, k4, k5, k6, k7 and 92 more",)


def test_values_of_every_kind() -> None:
    first = step(
        "work",
        {
            "phase": "Phase.BUSY",
            "chosen": 2,
            "queue": [{"#bigint": "3"}],
            "seen": {"#set": [3]},
            "counts": {"#map": [[False, 0], [True, 3]]},
        },
        phase="Phase.BUSY",
        chosen=2,
        pair={"#tup": [3, True]},
    )
    second = step("work", {"chosen": None, "queue": [3, 0]}, phase="Phase.IDLE", chosen=None, pair={"#tup": [0, False]})
    assert asked(first, second, cls=Workshop).verdict == "behaviour"
    wrong: list[tuple[str, Any, str]] = [
        ("phase", "Phase.IDLE", "phase would be Phase.BUSY, but the log says Phase.IDLE"),
        ("queue", [2], "queue would be (3,), but the log says (2,)"),
        ("seen", {"#set": []}, "seen would be {3}, but the log says {}"),
        ("seen", {"#set": [3, 7]}, "seen = {3, 7} is outside frozenset[0..3]"),
        ("counts", {"#map": [[False, 0], [True, 1]]}, "but the log says {False: 0, True: 1}"),
        ("chosen", None, "chosen would be 2, but the log says None"),
    ]
    for name, value, text in wrong:
        altered = {**first, "state": {**first["state"], name: value}}
        assert text in rejected(altered, cls=Workshop).reasons[0].text
    for name, value in [("queue", [True]), ("counts", {"#map": [[0, 0], [1, 3]]}), ("phase", "Phase.LAZY")]:
        with pytest.raises(LogError, match=name):
            asked({**first, "state": {name: value}}, cls=Workshop)


def test_what_only_the_model_has() -> None:
    """At run time a ghost has no value, and nobody keeps a promise."""
    assert asked(step("put", value=3), cls=Promised).verdict == "behaviour"
    found = rejected(step("put", value=3), cls=Promised, assumptions=True)
    (reason,) = found.reasons
    assert (reason.text, reason.states) == ("an assumption about the environment is false", 2)
    answer = asked(step("put", value=2), cls=Promised, assumptions=True)
    assert (answer.verdict, answer.possible) == ("behaviour", 1)
    assert rejected(step("put", value=2), {"state": {"limit": 1}}, cls=Promised, assumptions=True).line == 2
    with pytest.raises(LogError, match='no variable "limit"'):
        asked({"state": {"limit": 1}}, cls=Promised)


def test_a_large_run() -> None:
    """Domains of a real run cannot be listed; whoever names the arguments does not need it."""
    header = {"constants": {"vocabulary": 50_000, "max_output": 4_096, "max_nodes": 64}}
    tree = step("propose", {"phase": "walking"}, tokens=[17, 49_999], parents=[0, 1])
    answer = asked(header, tree, step("descend", {"output": [17]}, verdict=17, child=1), cls=Walk)
    assert answer.verdict == "behaviour"
    answer = asked(header, step("propose"), cls=Walk)
    assert (answer.verdict, answer.events) == ("inconclusive", 0)
    assert "more than 100,000 values for tokens and parents" in answer.reason
    assert asked(header, tree, step("descend", verdict=17), cls=Walk).verdict == "behaviour"
    assert rejected(header, tree, step("finish", verdict=17), cls=Walk).reasons[0].text == (
        "it is refused by no_child_agrees"
    )


def test_too_many_states_are_no_pass() -> None:
    log = [step("extend"), step("extend"), step("start_read"), step("rollback", k=0)]
    answer = asked(*log, max_states=1)
    assert answer.verdict == "inconclusive"
    assert answer.reason == "line 3: more than 1 states are possible at once"


def drawn(most: int, *lines: Any, state: dict[str, int] | None = None, **options: Any) -> Validation:
    header = {"constants": {"most": most}, **({} if state is None else {"state": state})}
    return asked(header, *lines, cls=Drawn, **options)


def test_more_initial_states_than_may_be_possible_are_no_mistake_and_no_pass() -> None:
    answer = drawn(1, step("forget"), max_states=3)
    assert answer.verdict == "inconclusive"
    assert answer.reason == "more than 3 states are possible at once: let the log name the state that it begins with"
    assert drawn(1, step("forget"), max_states=4).verdict == "behaviour"
    # A state that is named is looked for, however many there are.
    first = {"drawn": 1, "total": 2}
    assert drawn(1, step("forget", {"drawn": 0}), state=first, max_states=1).verdict == "behaviour"
    found = drawn(1, step("forget"), state={"drawn": 1, "total": 0}, max_states=1)
    assert found.rejection is not None
    assert [reason.text for reason in found.rejection.reasons] == ["there is no initial state like that"]


def test_a_first_state_among_too_many_to_be_listed() -> None:
    most, first = 50_000, {"drawn": 7, "total": 50_000}
    # The choice that is assigned as it is need not be guessed, the other one can be.
    assert drawn(most, step("forget"), state=first).verdict == "behaviour"
    assert drawn(most, step("forget"), state={"drawn": 7, "total": 50_008}).verdict == "rejected"
    found = drawn(most, step("forget"), state={"drawn": 50_001, "total": 0})
    assert found.rejection is not None
    assert [reason.text for reason in found.rejection.reasons] == ["drawn = 50001 is outside 0..50000"]
    answer = drawn(most, step("forget"), state={"total": 9})
    assert (answer.verdict, answer.events) == ("inconclusive", 0)
    assert answer.reason == (
        "whether it begins in an initial state was not decided: init chooses among more than 100,000 values"
        " (--from-anywhere does not ask)"
    )
    assert drawn(most, step("forget")).reason.endswith("let the log name the state that it begins with")


def test_where_the_first_state_is_in_doubt_its_steps_are_looked_at() -> None:
    most, first = 200_000, {"drawn": 0, "total": 200_000}
    answer = drawn(most, {"state": {"drawn": 0}}, state=first)
    assert (answer.verdict, answer.events) == ("inconclusive", 1)
    assert "whether it begins in an initial state was not decided" in answer.reason
    # No log goes on like this, wherever it begins.
    assert drawn(most, step("forget"), state=first).verdict == "rejected"
    assert drawn(most, {"state": {"drawn": 0}}, state=first, anywhere=True).verdict == "behaviour"


def test_a_constant_that_is_no_member_of_its_enum() -> None:
    assert asked({"constants": {"paid": "Phase.BUSY", "known": {"#set": []}}}, step("earn"), cls=Paid).events == 1
    for name, value in (("paid", "Phase.LAZY"), ("known", {"#set": ["Phase.LAZY"]})):
        with pytest.raises(LogError, match=f"log:1: .* is no value for the constant {name}, whose type is "):
            asked({"constants": {name: value}}, step("earn"), cls=Paid)


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


def test_values_that_are_nested_too_deep() -> None:
    for lines in (
        [step("extend", {"length": deep(600)})],
        [step("extend", {"length": {"#set": [deep(600)]}})],
        [{"protocol": "rollback", "state": {"length": deep(600)}}],
        [{"protocol": "rollback", "constants": {"max_len": deep(600)}}],
    ):
        with pytest.raises(LogError, match=r"log:1: .*nested too deep"):
            asked(*lines)


# ------------------------------------------------------------------------------------------------ what is no log

BAD: list[tuple[bytes, str]] = [
    (b'{"action": "exten', r"log:2: the line is cut off"),
    (b'{"action": "exten\n', r"log:2: this is no JSON: .*column 18"),
    (b'{"action": "extend"} x\n', r"log:2: this is no JSON: Extra data"),
    (b"[1]\n", "log:2: an event is a JSON object"),
    (b"null\n", "log:2: an event is a JSON object"),
    (b'{"action": "extend", "action": "extend"}\n', 'log:2: the key "action" stands there twice'),
    (b'{"action": "start_read", "args": {"i": 1, "i": 2}}\n', 'log:2: the key "i" stands there twice'),
    (b'{"action": "extend", "state": {"length": NaN}}\n', "log:2: NaN is no JSON"),
    (b'{"action": "extend", "state": {"length": -Infinity}}\n', "log:2: -Infinity is no JSON"),
    (b'{"action": "ext\xff"}\n', "log:2: byte 16 is no UTF-8"),
    (b"[" * 100_000 + b"\n", "log:2: this is no JSON that can be read"),
    (b'{"action": "extend", "n": ' + b"9" * 10_000 + b"}\n", "log:2: this is no JSON that can be read"),
    (b'{"action": 3}\n', "log:2: an action's name is a string, not 3"),
    (b'{"args": {}}\n', "log:2: an event names its action"),
    (b'{"state": {}}\n', "log:2: an event names its action"),
    (b'{"action": null, "args": {"i": 1}, "state": {"length": 1}}\n', "log:2: an event names its action"),
    (b'{"action": "extent"}\n', 'log:2: .*no action "extent"; did you mean extend'),
    (b'{"action": "extend", "args": {"i": 1}}\n', 'log:2: extend has no parameter "i"; there is none'),
    (b'{"action": "extend", "args": []}\n', r"log:2: args is no JSON object, but \[\]"),
    (b'{"action": "extend", "state": []}\n', r"log:2: state is no JSON object, but \[\]"),
    (b'{"action": "extend", "changes": 0}\n', "log:2: changes is no JSON object, but 0"),
    (b'{"action": "extend", "state": {"lenght": 1}}\n', 'log:2: .*no variable "lenght"; did you mean length'),
    (b'{"action": "extend", "state": {"length": true}}\n', "log:2: length = True is no int"),
    (b'{"action": "extend", "state": {"length": 1.0}}\n', "log:2: length: 1.0 is no value"),
    (b'{"action": "extend", "state": {"length": "1"}}\n', 'log:2: length = "1" is no int'),
    (b'{"action": "extend", "state": {"pending_reads": [1]}}\n', "log:2: pending_reads = .* is no"),
    (b'{"action": "start_read", "args": {"i": null}}\n', "log:2: i = None is no int"),
    (b'{"action": "start_read", "args": {"i": {"#bigint": "x"}}}\n', "log:2: i: 'x' is no integer"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_read_is_told_with_its_line(line: bytes, message: str) -> None:
    with pytest.raises(LogError, match=message):
        asked({"protocol": "rollback"}, line)


BAD_HEADERS: list[tuple[Any, str]] = [
    ({"format": "other"}, "the format is 'other'"),
    ({"format": "protocheck-log", "version": 2}, "the version is 2"),
    ({"protocol": "walk"}, "it is a log of 'walk', not of rollback"),
    ({"protocol": "rollback", "constant": {}}, "a header has no key 'constant'; did you mean constants"),
    ({"constants": {"max_length": 3}}, 'no constant "max_length"; did you mean max_len'),
    ({"constants": {"max_len": "3"}}, "'3' is no value for the constant max_len"),
    ({"constants": {"max_len": True}}, "True is no value for the constant max_len"),
    ({"constants": {"max_len": -1}}, "these constants cannot be"),
    ({"constants": [3]}, "the constants are no JSON object"),
    ({"protocol": "rollback", "state": 3}, "the state is no JSON object"),
    ({"protocol": "rollback", "state": {"x": 3}}, 'no variable "x"'),
]


@pytest.mark.parametrize(("header", "message"), BAD_HEADERS, ids=range(len(BAD_HEADERS)))
def test_headers_that_do_not_fit(header: Any, message: str) -> None:
    with pytest.raises(LogError, match=f"log:1: .*{message}"):
        asked(header, step("extend"))


def test_a_log_without_events_is_no_pass() -> None:
    for lines in ([], [b"\n", b"  \n"]):
        with pytest.raises(LogError, match="it is empty"):
            asked(*lines)
    with pytest.raises(LogError, match="there is no event in it"):
        asked({"protocol": "rollback"})
    with pytest.raises(LogError, match="there is no event in it but those that are skipped"):
        asked(step("heartbeat"), skipped=frozenset({"heartbeat"}))


def test_a_line_that_is_cut_off_can_be_accepted() -> None:
    answer = asked(step("extend"), b'{"action": "ext', truncated=True)
    assert (answer.verdict, answer.events) == ("behaviour", 1)
    assert answer.notes == ("line 2 is cut off, and was not looked at",)
    # In the middle it is no end.
    with pytest.raises(LogError, match="log:2: this is no JSON"):
        asked(step("extend"), b'{"action": "ext\n', step("extend"), truncated=True)


def test_blank_lines_and_a_byte_order_mark() -> None:
    answer = asked(b'\xef\xbb\xbf{"action": "extend"}\r\n', b"\n", b'  {"action": "extend"}\n', b'{"action": "extend"}')
    assert (answer.verdict, answer.events, answer.lines) == ("behaviour", 3, 4)


def test_a_line_without_end_is_no_event() -> None:
    from protocheck.toolchain.validation import lines

    with pytest.raises(LogError, match="more than 16,777,216 bytes"):
        next(numbered_objects([b" " * (lines.LONGEST + 1)], "log"))
    with pytest.raises(Truncated):
        next(numbered_objects([b"{"], "log"))
