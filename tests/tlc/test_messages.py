"""The reader of TLC's stream: nesting, messages in mid-line, text between messages, and damage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocheck.toolchain.tlc.messages import Message, MessageReader, read_messages

from .support import captured


def start(code: int, severity: int = 0) -> str:
    return f"@!@!@STARTMSG {code}:{severity} @!@!@"


def end(code: int) -> str:
    return f"@!@!@ENDMSG {code} @!@!@"


def test_a_message() -> None:
    read = read_messages([start(2110, 1), "Invariant I is violated.", end(2110)])
    assert read.messages == (Message(2110, 1, "Invariant I is violated."),)
    assert read.intact
    assert read.loose == ""


def test_a_message_in_a_message_that_starts_in_mid_line() -> None:
    read = read_messages([start(1000, 1), "It threw", ": " + start(2132), "FALSE", end(2132), end(1000)])
    (outer,) = read.messages
    assert outer == Message(1000, 1, "It threw\n: \nFALSE", (Message(2132, 0, "FALSE"),))
    assert read.first(2132) == Message(2132, 0, "FALSE")
    assert [each.code for each in read.flattened()] == [1000, 2132]


def test_text_between_messages_is_kept_aside() -> None:
    read = read_messages(["***Parse Error***", start(3002, 1), "failed", end(3002), '<<"printed", 1>>'])
    assert read.loose == '***Parse Error***\n<<"printed", 1>>'
    assert [each.text for each in read.messages] == ["failed"]


def test_marks_within_one_line() -> None:
    read = read_messages([f"before {start(1)} inside {end(1)} after"])
    assert read.messages == (Message(1, 0, " inside "),)
    assert read.loose == "before \n after"


def test_empty_lines_inside_a_message_stay() -> None:
    read = read_messages([start(1), "a", "", "b", "", end(1)])
    assert read.messages[0].text == "a\n\nb"


def test_a_message_that_never_ends_is_none() -> None:
    read = read_messages([start(2193), "No error"])
    assert read.messages == ()
    assert not read.intact
    assert read.loose == "No error"


def test_an_end_without_a_start() -> None:
    assert not read_messages([end(2193)]).intact


def test_an_end_of_another_message_ends_those_inside() -> None:
    read = read_messages([start(1), start(2), "x", end(1)])
    assert not read.intact
    assert read.messages == (Message(1, 0, "x", (Message(2, 0, "x"),)),)


def test_messages_come_as_soon_as_they_are_complete() -> None:
    reader = MessageReader()
    assert reader.feed(start(2200)) == ()
    assert reader.feed("Progress(3)") == ()
    assert reader.feed(end(2200)) == (Message(2200, 0, "Progress(3)"),)
    assert reader.feed("loose") == ()


def test_negative_codes() -> None:
    assert read_messages([start(-123456), "odd", end(-123456)]).messages == (Message(-123456, 0, "odd"),)


@given(st.data())
def test_nested_messages_come_back(data: st.DataObject) -> None:
    lines: list[str] = []

    def message(depth: int) -> tuple[int, list[object]]:
        code = data.draw(st.integers(1, 9999))
        lines.append(start(code, data.draw(st.sampled_from([0, 1, 3, 4]))))
        inner = [message(depth - 1) for _ in range(data.draw(st.integers(0, 2 if depth else 0)))]
        lines.append(end(code))
        return code, list(inner)

    expected = [message(2) for _ in range(data.draw(st.integers(0, 3)))]

    def shape(each: Message) -> tuple[int, list[object]]:
        return each.code, [shape(inner) for inner in each.nested]

    read = read_messages(lines)
    assert read.intact
    assert [shape(each) for each in read.messages] == expected


def test_the_whole_of_a_captured_output() -> None:
    read = read_messages(captured("2.15", "AssertF").splitlines())
    assert read.intact
    assert [each.code for each in read.messages] == [
        2262,
        2187,
        2220,
        2219,
        2185,
        2189,
        2190,
        1000,
        2103,
        2200,
        2199,
        2186,
    ]
