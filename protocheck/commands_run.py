"""`protocheck run`: the check of one protocol, with or without its mutants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .ci import annotating_mistakes, annotations_option, hand_over, junit_option, telling_of_failures
from .commands_common import (
    Number,
    OneOf,
    check_writable,
    compile_target,
    complete_properties,
    cores,
    emit,
    set_option,
    target_argument,
    width,
    write_file,
)

if TYPE_CHECKING:
    from .ci import Annotations
    from .progress import Mode

ENGINES = ("auto", "explorer", "native", "tlc")

MOST_WORKERS = 1024
"""More cores than a machine has today; the system refuses threads beyond some thousands."""
MOST_MEMORY = 2**30
"""GiB: all that 64 bits can address are still in the numbers of the native engine."""
MOST_MINUTES = 1_000_000
"""Between two checkpoints: TLC counts them in 32 bits."""


@click.command()
@target_argument
@set_option
@click.option(
    "--engine",
    type=OneOf("engine", ENGINES),
    default="auto",
    show_default=True,
    help="auto: the explorer answers, for what is large the native engine, and TLC confirms where it is there.",
)
@click.option(
    "--symmetry/--no-symmetry",
    default=True,
    help="Whether states that differ only in names of symmetric constants count as one (for safety only).",
    show_default=True,
)
@click.option("--mutate", is_flag=True, help="Drop each guard in turn and see which property notices.")
@click.option(
    "--property",
    "properties",
    metavar="NAME",
    multiple=True,
    shell_complete=complete_properties,
    help="Check only this property (and type_ok and well_defined); may be repeated.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, MOST_WORKERS),
    help="Checks side by side, and the baseline's threads (native) or workers (TLC).  [default: a check for each core]",
    metavar="N",
)
@click.option(
    "--memory",
    type=Number(min=0, max=MOST_MEMORY, min_open=True),
    metavar="GIB",
    help="Of the native engine: give up where states need more.  [default: three quarters of what is available]",
)
@click.option("--max-states", type=click.IntRange(min=1), metavar="N", help="Give up after N distinct states.")
@click.option(
    "--timeout",
    type=Number(min=0, min_open=True),
    metavar="SECONDS",
    help="Give up on the baseline, or on one mutant, after so long.",
)
@click.option(
    "--distributed",
    is_flag=True,
    help="With --engine tlc: TLC's distributed mode, a server and --workers on this host (docs/scaling.md).",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    help="With --distributed: let other hosts take part, who reach this one at ADDRESS; prints what to run there.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Of that server.  [default: a free one]")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="With --engine tlc: save progress in FOLDER, and go on from what is saved there.",
)
@click.option(
    "--checkpoint-minutes",
    type=Number(min=0, max=MOST_MINUTES, min_open=True),
    default=10.0,
    show_default=True,
    metavar="N",
    help="How often to save it; TLC looks at the clock once a minute.",
)
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the counter-examples to FILE, for `protocheck trace show`.",
)
@click.option("--show-traces", is_flag=True, help="Print the counter-example of every killed mutant too.")
@click.option(
    "--progress",
    "progress_mode",
    type=OneOf("way to show progress", ("auto", "plain", "json", "off")),
    default="auto",
    show_default=True,
    help="auto: a line at a terminal, nothing elsewhere; plain, json: a line every ten seconds, for logs.",
)
@junit_option
@annotations_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/report.md) in place of the tables.")
@click.pass_context
def run(
    ctx: click.Context,
    target: str,
    settings: tuple[str, ...],
    engine: str,
    symmetry: bool,
    mutate: bool,
    properties: tuple[str, ...],
    workers: int | None,
    memory: float | None,
    max_states: int | None,
    timeout: float | None,
    distributed: bool,
    host: str | None,
    port: int | None,
    checkpoint: Path | None,
    checkpoint_minutes: float,
    trace_file: Path | None,
    show_traces: bool,
    progress_mode: Mode,
    junit_file: Path | None,
    annotations: Annotations,
    as_json: bool,
) -> None:
    """Check TARGET: a built-in protocol (see `protocheck list`), FILE.py:Class, or package.module:Class.

    Exit codes: 0 everything held and every mutant is accounted for, 1 a violation or an unaccounted mutant, 2 wrong
    use or a protocol that does not compile, 3 a tool failed or engines disagree, 4 inconclusive: a bound was reached,
    or Ctrl-C pressed.
    """
    from dataclasses import replace

    from .distribution import Place, demand_fitting, select_distributed, select_saving
    from .interrupts import Interruptible
    from .progress import ProgressDisplay
    from .toolchain.check import check_protocol, select_properties
    from .toolchain.engines import select_engines
    from .toolchain.results import Budget
    from .toolchain.settings import read_settings

    for file in (trace_file, junit_file):
        if file is not None:
            check_writable(file)
    with annotating_mistakes(annotations):
        protocol = compile_target(target)
    constants = read_settings(protocol, settings)
    # Names are checked before an engine is looked for: a typing mistake is answered at once.
    requested = select_properties(protocol, properties or None)
    place = Place(workers, host, port) if distributed else None
    demand_fitting(
        engine, mutate, place, loose={"--host": host, "--port": port, "--workers": workers}, checkpoint=checkpoint
    )
    with telling_of_failures(protocol, junit_file):
        if place is not None:
            selection = select_distributed(protocol, requested, place)
        elif checkpoint is not None:
            selection = select_saving(checkpoint, checkpoint_minutes)
        else:
            selection = select_engines(engine)
        with Interruptible() as interruptible, ProgressDisplay(mode=progress_mode) as display:
            report = check_protocol(
                protocol,
                constants,
                engines=selection.engines,
                mutate=mutate,
                properties=properties or None,
                budget=Budget(max_states, timeout, None if memory is None else int(memory * 2**30)),
                workers=workers or cores(),
                baseline_workers=workers or 1,
                on_activity=display.show,
                cancel=interruptible.cancel,
                symmetry=symmetry,
            )
    if selection.note:
        report = replace(report, notes=(selection.note, *report.notes))
    if trace_file is not None:
        from .toolchain.counterexample import counter_examples
        from .toolchain.trace_json import dumps, trace_file_json

        write_file(trace_file, dumps(trace_file_json(report, counter_examples(report), target)))
    if as_json:
        from .toolchain.report_json import report_json
        from .toolchain.trace_json import dumps

        click.echo(dumps(report_json(report)), nl=False)
    else:
        from .toolchain.report_text import report_blocks

        emit(report_blocks(report, width(), traces=show_traces))
    hand_over(report, junit_file, annotations)
    ctx.exit(report.exit_code)
