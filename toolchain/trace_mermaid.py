"""Traces as Mermaid, which GitHub and GitLab draw in a comment: a state diagram, a state a box, a step an arrow.

A box says what has changed; the first and the last say everything. A sequence diagram would need somebody who sends
and somebody who receives, and a trace has neither.
"""

from __future__ import annotations

from ..transpiler.domains import show
from .trace_text import title
from .traces import DescribedTrace, Move

MOST = 60
"""Characters of a value that are shown: a box as wide as the page hides the others."""


def mermaid_source(example: DescribedTrace) -> str:
    """The diagram, without the fence that a Markdown page has around it."""
    trace = example.trace
    last = len(trace.steps) - 1
    heading = f"{example.protocol}: {title(example)}"
    if example.dropped:
        heading += f", without the guard {example.dropped}"
    lines = ["---", f"title: {_yaml(heading)}", "---", "stateDiagram-v2", "    direction TB"]
    violating = example.violated is not None and trace.shape == "finite"
    lines += [
        f'    state "{_box(move, whole=move.place in (0, last))}" as s{move.place + 1}'
        for move in trace.moves()
        if not move.closes
    ]
    lines.append(f"    [*] --> s1{_labelled(trace.steps[0].label)}")
    lines += [f"    s{place} --> s{place + 1}{_labelled(trace.steps[place].label)}" for place in range(1, last + 1)]
    if trace.loop_to is not None:
        by = f"{trace.closing.label}, for ever" if trace.closing is not None else "for ever"
        lines.append(f"    s{last + 1} --> s{trace.loop_to + 1}{_labelled(by)}")
    elif trace.stuttering:
        lines.append(f"    s{last + 1} --> s{last + 1}{_labelled('stays for ever')}")
    if violating:
        lines += [f"    note right of s{last + 1} : ✗ violates {_text(example.violated or '')}"]
        lines += ["    classDef bad stroke-width:3px", f"    class s{last + 1} bad"]
    return "\n".join(lines) + "\n"


def _box(move: Move, *, whole: bool) -> str:
    """What a box says: its number, and a line a variable, marked where it has changed."""
    rows = [f"state {move.place + 1}"]
    for name, value in move.step.state.items():
        changed = move.before is not None and move.changes(name)
        if whole or changed:
            rows.append(f"{'▸ ' if changed else ''}{name} = {_short(show(value))}")
    return "<br/>".join(map(_text, rows))


def _short(text: str) -> str:
    return text if len(text) <= MOST else text[: MOST - 1] + "…"


def _labelled(text: str) -> str:
    return f" : {_text(text)}"


def _text(text: str) -> str:
    """A text for which Mermaid's own characters stand as entities, `#quot;`: what a value says is never syntax."""
    return "".join(_ENTITIES.get(character, character) for character in text)


_ENTITIES = {
    "#": "#35;",
    ";": "#59;",
    '"': "#quot;",
    "<": "#lt;",
    ">": "#gt;",
    "&": "#amp;",
    "\\": "#92;",
    "`": "#96;",
    ":": "#58;",
    "{": "#123;",
    "}": "#125;",
    "[": "#91;",
    "]": "#93;",
    "\n": " ",
}


def _yaml(text: str) -> str:
    """A text as a quoted scalar of YAML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
