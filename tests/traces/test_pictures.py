"""Traces as SVG tables and as Mermaid: what is in them, and that nothing in a value is taken for syntax."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from protocheck.toolchain.drawing import png_of
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.trace_formats import write_one
from protocheck.toolchain.trace_json import TraceFile
from protocheck.toolchain.trace_mermaid import mermaid_source
from protocheck.toolchain.trace_svg import svg_table
from protocheck.toolchain.traces import DescribedTrace, Trace, TraceStep

from ..fonts import NEEDS_FONTS
from .samples import ALL, finite, kinds, lasso, long, stuttering

Golden = Callable[[str, str], None]
SVG = "{http://www.w3.org/2000/svg}"


def texts(example: DescribedTrace) -> list[tuple[str, str]]:
    """The lines of text in the picture, with their class."""
    root = ElementTree.fromstring(svg_table(example))
    return [(item.text or "", item.get("class") or "") for item in root.iter(f"{SVG}text")]


def test_a_counter_example_of_four_states(golden: Golden) -> None:
    golden("finite.svg", svg_table(finite()))


@pytest.mark.parametrize("name", ["finite", "lasso", "stuttering"])
def test_mermaid(name: str, golden: Golden) -> None:
    golden(f"{name}.mmd", mermaid_source(ALL[name]()))


def test_what_has_changed_is_marked_without_colour() -> None:
    found = texts(finite())
    assert ("▸ 1", "changed") in found
    assert ("·", "faint") in found
    assert ("✗ state 4 violates no_ghost_reads", "bad") in found
    assert svg_table(finite()).count('class="frame"') == 2


def test_the_first_and_the_last_state_are_whole() -> None:
    rows = [text for text, _ in texts(finite())]
    first, last = rows.index("init"), rows.index("rollback(k=0)")
    assert rows[first + 1 : first + 3] == ["0", "{}"]
    assert rows[last + 1 : last + 3] == ["▸ 0", "{1}"]


def test_what_never_changes_has_no_column() -> None:
    found = [text for text, _ in texts(long())]
    assert "throughout: limit = 40" in found
    assert "limit" not in found
    assert {"count", "flags"} <= set(found)


def test_loops_are_drawn() -> None:
    for example, words in ((lasso(), "goes back to state 2"), (stuttering(), "may stay for ever")):
        picture = svg_table(example)
        assert picture.count('class="line"') == 1
        assert words in picture
        assert 'class="frame"' not in picture
    assert 'class="line"' not in svg_table(finite())


def test_long_values_are_broken_and_nothing_runs_out_of_the_picture() -> None:
    wide = TraceStep("go", (), {"x": tuple(range(300)), "y": "日本" * 40})
    example = DescribedTrace("wide", {}, Trace((TraceStep(None, (), {"x": (), "y": ""}), wide)))
    root = ElementTree.fromstring(svg_table(example))
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    assert width < 1200
    for item in root.iter(f"{SVG}text"):
        text = item.text or ""
        columns = sum(2 if each > "\u2e7f" else 1 for each in text)
        assert float(item.get("x") or 0) + 7.83 * columns <= width
        assert float(item.get("y") or 0) <= height


def test_characters_that_xml_cannot_hold() -> None:
    strange = DescribedTrace("p", {}, Trace((TraceStep(None, (), {"x": "\x00\x1b]<&>\"'\ufffe"}),)))
    ElementTree.fromstring(svg_table(strange))


def test_values_are_never_syntax() -> None:
    """Quotes, hashes and semicolons end things in Mermaid; they stand as entities."""
    source = mermaid_source(kinds())
    box = next(line for line in source.splitlines() if " as s1" in line)
    assert box.count('"') == 2
    for line in source.splitlines()[4:]:
        inner = re.sub(r"#(?:\d+|quot|lt|gt|amp);", "", line.replace("<br/>", ""))
        assert not set("#;<>{}[]\\`&") & set(inner.replace("-->", "").replace("[*]", "").replace("class", ""))


def test_boxes_hold_what_has_changed() -> None:
    lines = mermaid_source(long()).splitlines()
    boxes = [line for line in lines if line.lstrip().startswith("state ")]
    assert len(boxes) == 40
    assert "limit" in boxes[0]
    assert "limit" in boxes[-1]
    assert not any("limit" in box for box in boxes[1:-1])
    assert "    s40 --> s13 : wrap(), for ever" in lines


def test_a_behaviour_violates_nothing() -> None:
    run = replace(finite(), violated=None, dropped=None, kind="")
    assert "violates" not in svg_table(run) + mermaid_source(run)
    assert 'class="frame"' not in svg_table(run)
    assert "a behaviour of 4 states" in svg_table(run)


@NEEDS_FONTS
@pytest.mark.parametrize("name", ["finite", "long"])
def test_png(name: str) -> None:
    found = png_of(svg_table(ALL[name]()))
    width, height = struct.unpack(">II", found[16:24])
    root = ElementTree.fromstring(svg_table(ALL[name]()))
    assert (width, height) == (2 * int(root.get("width") or 0), 2 * int(root.get("height") or 0))


@pytest.mark.parametrize("kind", ["svg", "png", "mermaid", "dot"])
def test_what_nobody_could_look_at_is_not_drawn(kind: str) -> None:
    with pytest.raises(UserError, match=rf"1,001 states is too long for {kind}.*--format text"):
        write_one(TraceFile((long(1_001),)), kind)
    assert write_one(TraceFile((long(1_001),)), "itf")
