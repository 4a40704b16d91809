"""The answers of a validation as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from ...transpiler.domains import show
from ..itf import Json, encode
from ..layout import BLANK, Block, Column, Line, Table, Text, count, line, row
from ..traces import State
from .results import Rejection, Validation

EXIT = {"behaviour": 0, "rejected": 1, "inconclusive": 4}


def exit_code(found: Sequence[Validation]) -> int:
    """The worst of several: a rejected instance counts before one of which nothing is known."""
    codes = {EXIT[each.verdict] for each in found}
    return next(code for code in (1, 4, 0) if code in codes)


def validation_blocks(found: Sequence[Validation], name: str) -> list[Block]:
    """What is shown of a log's validation; `name` is the log's."""
    blocks: list[Block] = []
    for each in found:
        if blocks:
            blocks.append(BLANK)
        blocks += _one(each, name)
    return blocks


def _one(found: Validation, name: str) -> list[Block]:
    what = f"{name}, {found.instance}," if found.instance else name
    constants = ", ".join(f"{constant}={show(value)}" for constant, value in found.constants.items())
    within = f"{found.protocol} with {constants}" if constants else found.protocol
    blocks: list[Block]
    if found.rejection is not None:
        blocks = [*_rejection(found.rejection, found.protocol), BLANK]
        blocks.append(line(Text("✗", "bad"), f" {what} is no behaviour of {within}: {_before(found)}"))
    elif found.verdict == "inconclusive":
        blocks = [line(Text("?", "warn"), f" {what}: whether it is a behaviour of {within} was not decided")]
        blocks.append(line(f"  {found.reason}"))
    else:
        blocks = [line(Text("✓", "good"), f" {what} is a behaviour of {within}: {_explained(found)}")]
    blocks += [line(Text(f"  {note}", "dim")) for note in found.notes]
    return blocks


def _before(found: Validation) -> str:
    assert found.rejection is not None
    explained = f"{count(found.events, 'event')} before line {found.rejection.line}"
    return f"{explained} could happen, this one could not" if found.events else "its first event could not happen"


def _explained(found: Validation) -> str:
    events = count(found.events, "event")
    bare = found.events - found.with_arguments
    details = [f"{bare:,} of them without all arguments"] if bare else []
    details.append(f"{found.with_values:,} with values of variables" if found.with_values else "none with values")
    if found.possible > 1:
        details.append(f"{found.possible:,} states are possible at its end")
    return f"{events}, {', '.join(details)}" if found.events else "it has no event"


def _rejection(rejection: Rejection, protocol: str) -> list[Block]:
    states = count(rejection.count, "possible state")
    blocks: list[Block] = [
        line(f"line {rejection.line}: ", Text(rejection.event, "bad"), f" cannot happen in {protocol} here")
    ]
    for reason in rejection.reasons:
        often = f", in {reason.states:,} of the {states}" if rejection.count > 1 else ""
        where = f" ({reason.where})" if reason.where else ""
        blocks.append(line(f"  {reason.text}", Text(where, "dim"), often))
    if rejection.count:
        blocks.append(line("the state before it" if rejection.count == 1 else f"the {states} before it"))
    blocks += _states(rejection.possible)
    if rejection.count > len(rejection.possible):
        blocks.append(line(Text(f"  and {rejection.count - len(rejection.possible):,} more", "dim")))
    if rejection.instead:
        first = "" if rejection.count == 1 else "in the first of them "
        blocks.append(line(f"{first}possible instead: {', '.join(rejection.instead)}"))
    return blocks


def _states(states: Sequence[State]) -> list[Line | Table]:
    if not states or not states[0]:
        return []
    columns = (Column(""), *map(Column, states[0]))
    # A first column that is never empty, so that the table is indented.
    rows = tuple(row(" ", *(show(value) for value in state.values())) for state in states)
    return [Table(columns, rows)]


def validation_json(found: Sequence[Validation]) -> list[dict[str, Json]]:
    """What `validate --json` prints, one object an instance."""
    return [_json(each) for each in found]


def _json(found: Validation) -> dict[str, Json]:
    data: dict[str, Json] = {
        "protocol": found.protocol,
        "instance": found.instance or None,
        "constants": {name: encode(value) for name, value in found.constants.items()},
        "verdict": found.verdict,
        "events": found.events,
        "with_arguments": found.with_arguments,
        "with_values": found.with_values,
        "last_line": found.lines,
        "possible": found.possible,
    }
    if found.rejection is not None:
        data["rejection"] = {
            "line": found.rejection.line,
            "event": found.rejection.event,
            "reasons": [
                {"text": reason.text, "where": reason.where, "states": reason.states}
                for reason in found.rejection.reasons
            ],
            "possible": [{name: encode(value) for name, value in state.items()} for state in found.rejection.possible],
            "possible_count": found.rejection.count,
            "instead": list(found.rejection.instead),
        }
    if found.reason:
        data["reason"] = found.reason
    data["notes"] = list(found.notes)
    return data
