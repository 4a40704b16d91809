"""What a person sees: goldens at a fixed width, plain and drawn by rich, with and without colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.layout import (
    Block,
    Column,
    Table,
    Text,
    count,
    display_width,
    line,
    listing,
    render_plain,
    row,
)
from protocheck.toolchain.layout_rich import render_rich
from protocheck.toolchain.report import Report
from protocheck.toolchain.report_text import report_blocks
from protocheck.toolchain.results import Budget, CheckJob, EngineResult
from protocheck.toolchain.trace_text import trace_blocks
from protocheck.toolchain.traces import Trace, TraceStep
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.valuetypes import BOOL

from .engines import ReferenceEngine
from .samples import lasso, stuttering

Golden = Callable[[str, str], None]
FALSE = ir.Literal(value=False, type=BOOL)


def untimed(_: CheckJob, result: EngineResult) -> EngineResult:
    """A result whose seconds are the same in every run."""
    assert result.stats is not None
    return replace(result, stats=replace(result.stats, seconds=0.0125, wall_seconds=0.5))


def explorer(alter: Callable[[CheckJob, EngineResult], EngineResult] = untimed) -> ReferenceEngine:
    return ReferenceEngine(version="1.0", alter=alter)


def rollback() -> ir.Protocol:
    from protocheck.protocols.rollback import Rollback

    return compile_protocol(Rollback)


def portable(text: str) -> str:
    """The text without the lines of the protocol's source, which may move."""
    return re.sub(r"[\w/.-]*protocols/rollback\.py:\d+", "protocols/rollback.py:N", text)


def drawn(blocks: list[Block], *, colour: bool, width: int = 100) -> str:
    stream = io.StringIO()
    render_rich(blocks, stream, width, colour=colour)
    return stream.getvalue()


# -------------------------------------------------------------------------------------------------------- reports


def test_a_campaign_as_plain_text(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [explorer(), ReferenceEngine("tlc", "2.15", alter=untimed)]
    report = check_protocol(rollback(), engines=engines, mutate=True)
    golden("campaign.txt", portable(render_plain(report_blocks(report))))


def test_a_campaign_with_its_traces(golden: Golden) -> None:
    report = check_protocol(rollback(), engines=[explorer()], mutate=True)
    golden("campaign_traces.txt", portable(render_plain(report_blocks(report, traces=True))))


def test_a_campaign_at_a_terminal(golden: Golden) -> None:
    report = check_protocol(rollback(), engines=[explorer()], mutate=True)
    # Positions are cut to a fixed text before rich aligns them, so that line numbers may grow.
    blocks = [_without_places(block) for block in report_blocks(report)]
    golden("campaign_rich.txt", drawn(blocks, colour=False))
    coloured = drawn(blocks, colour=True)
    assert "\x1b[32mholds" in coloured
    # Colour adds nothing but colour.
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == drawn(blocks, colour=False)


@pytest.mark.parametrize("width", [72, 60, 50, 30])
def test_a_narrow_terminal_loses_no_word(width: int) -> None:
    """Places go first; what is folded then can still be put together again."""
    columns = (Column("dropped guard"), Column("mutant"), Column("by"), Column("trace"), Column(""))
    cells = ("rollback.no_reader_above", "killed", "no_ghost_reads_at_all", "1234", "some/where/rollback.py:43")
    lines = drawn([Table(columns, (row(*cells),))], colour=False, width=width).splitlines()
    assert max(map(len, lines)) <= width
    body = lines[next(index for index, text in enumerate(lines) if "──" in text) + 1 :]
    starts = [found.start() for found in re.finditer(r"\S+", body[0])]
    pieces = [
        [text[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)] for text in body
    ]
    assert ["".join(parts) for parts in zip(*pieces, strict=True)] == list(cells[:4])
    if width >= 60:
        assert all(cell in body[0] for cell in cells[:2])


def _without_places(block: Block) -> Block:
    if not isinstance(block, Table):
        return block
    rows = tuple(tuple(Text(portable(cell.text), cell.style) for cell in each) for each in block.rows)
    return Table(block.columns, rows)


def failing() -> Report:
    protocol = rollback()
    never = ir.Property(name="never", kind="invariant", body=FALSE)
    protocol = replace(protocol, properties=(*protocol.properties, never))
    return check_protocol(protocol, engines=[explorer()], mutate=True)


def test_a_violated_baseline(golden: Golden) -> None:
    golden("violated.txt", portable(render_plain(report_blocks(failing()))))


def test_problems_of_a_campaign(golden: Golden) -> None:
    def late(job: CheckJob, result: EngineResult) -> EngineResult:
        result = untimed(job, result)
        if job.instance.protocol.dropped == "extend.room_left":
            return replace(result, status="inconclusive", violated=None, trace=None, reason="10 s are over")
        return result

    invariants = tuple(item for item in rollback().properties if item.kind == "invariant")
    protocol = replace(rollback(), properties=invariants, survivors=(("rollback.no_reader_above", "I thought so"),))
    report = check_protocol(protocol, engines=[explorer(late)], mutate=True)
    golden("problems.txt", portable(render_plain(report_blocks(report))))


def verdict_of(report: Report) -> str:
    return render_plain(report_blocks(report)).splitlines()[-1]


def test_the_verdict_never_overstates() -> None:
    check = check_protocol
    assert verdict_of(check(rollback(), engines=[explorer()])) == "✓ rollback holds within max_len=4"
    both = [explorer(), ReferenceEngine("tlc", alter=untimed)]
    assert verdict_of(check(rollback(), {"max_len": 3}, engines=both)) == (
        "✓ rollback holds within max_len=3 (explorer and tlc agree)"
    )
    selected = check(rollback(), engines=[explorer()], properties=["no_ghost_reads"])
    assert verdict_of(selected) == "✓ rollback holds for type_ok, well_defined and no_ghost_reads within max_len=4"
    undecided = check(rollback(), engines=[explorer()], budget=Budget(max_states=3))
    assert verdict_of(undecided) == "? rollback is undecided within max_len=4: more than 3 states"
    assert verdict_of(failing()) == "✗ rollback violates never in 1 state within max_len=4"
    unreached = ir.Property(name="far_away", kind="reachable", body=FALSE)
    protocol = replace(rollback(), properties=(*rollback().properties, unreached))
    assert verdict_of(check(protocol, engines=[explorer()])) == "✗ rollback never reaches far_away within max_len=4"
    assert "proved" not in render_plain(report_blocks(failing()))

    def broken(_: CheckJob, result: EngineResult) -> EngineResult:
        return replace(result, status="invalid", reason="the tool broke", evaluated=())

    assert verdict_of(check(rollback(), engines=[explorer(broken)])) == "✗ rollback has no verdict: the tool broke"


def test_a_protocol_without_constants_says_what_was_explored() -> None:
    from protocheck.protocols.dispatch import Dispatch

    report = check_protocol(compile_protocol(Dispatch), engines=[explorer()])
    assert verdict_of(report) == "✓ dispatch holds in all its reachable states"


# --------------------------------------------------------------------------------------------------------- traces


def test_a_loop(golden: Golden) -> None:
    golden("lasso.txt", render_plain(trace_blocks(lasso())))


def test_stuttering(golden: Golden) -> None:
    golden("stuttering.txt", render_plain(trace_blocks(stuttering())))


def test_a_trace_too_wide_for_a_table(golden: Golden) -> None:
    golden("lasso_narrow.txt", render_plain(trace_blocks(lasso(), width=60)))
    golden("stuttering_narrow.txt", render_plain(trace_blocks(stuttering(), width=40)))


def test_only_what_changed_is_shown_between_the_first_state_and_the_last() -> None:
    steps = tuple(TraceStep("go" if n else None, (), {"x": n, "constant": 7, "flag": n > 1}) for n in range(4))
    lines = render_plain(trace_blocks(replace(lasso(), trace=Trace(steps)))).splitlines()
    table = [text.split() for text in lines if re.match(r" +(\d|=)", text)]
    assert table == [
        ["1", "init", "0", "7", "False"],
        ["2", "go()", "1", "·", "·"],
        ["3", "go()", "2", "·", "True"],
        ["4", "go()", "3", "·", "·"],
        ["=", "state", "4", "3", "7", "True"],
    ]


def test_a_deadlock_says_so() -> None:
    example = replace(stuttering(), violated="deadlock_free", kind="implicit", where="")
    example = replace(example, trace=replace(example.trace, stuttering=False))
    assert "in state 2 nothing is enabled" in render_plain(trace_blocks(example))


# --------------------------------------------------------------------------------------------------------- layout


def test_values_are_never_markup() -> None:
    blocks: list[Block] = [line("[bold]x[/bold] :smile:"), Table((Column("[red]"),), (row("[/nothing]"),))]
    text = drawn(blocks, colour=True)
    assert "[bold]x[/bold] :smile:" in text
    assert "[red]" in text
    assert "[/nothing]" in text


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    assert display_width("日本") == 4
    assert display_width("e\u0301") == 1
    table = Table((Column("a"), Column("n", numeric=True)), (row("日本", 1), row("abcde", 1234), row("", "")))
    assert render_plain([table]) == "  a          n\n  日本       1\n  abcde  1,234\n\n"


def test_empty_columns_are_left_out() -> None:
    table = Table((Column("a"), Column("b")), (row("x", ""), row("y", "")))
    assert render_plain([table]) == "  a\n  x\n  y\n"


def test_words() -> None:
    assert [listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert [count(1, "state"), count(2048, "state")] == ["1 state", "2,048 states"]
