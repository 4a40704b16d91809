"""The ways to run TLC on what is too large for a quick check: over several hosts, or over several days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .commands_common import cores
from .toolchain.errors import UserError

if TYPE_CHECKING:
    from .toolchain.engines import Selection
    from .transpiler import ir


@dataclass(frozen=True, slots=True)
class Place:
    """Of a distributed run: workers started here (None: one a core), and where others find it (None: nobody does)."""

    workers: int | None
    host: str | None = None
    port: int | None = None


def demand_fitting(
    engine: str, mutate: bool, place: Place | None, loose: Mapping[str, object], checkpoint: Path | None
) -> None:
    """Raise `UserError` where options do not go together; `loose` are those that only `--distributed` understands."""
    for option, given in (("--distributed", place is not None), ("--checkpoint", checkpoint is not None)):
        if given and engine != "tlc":
            raise UserError(f"{option} is for TLC alone; add --engine tlc")
        if given and mutate:
            raise UserError(
                f"{option} is for bounds that take long, and drops no guard\n"
                f"use --mutate at smaller bounds, without {option}"
            )
    if place is not None and checkpoint is not None:
        raise UserError("TLC saves no progress when it runs distributed; use either --distributed or --checkpoint")
    if place is None:
        for name in ("--host", "--port"):
            if loose[name] is not None:
                raise UserError(f"{name} says where the server of --distributed is found; add --distributed")
        if loose["--workers"] == 0:
            raise UserError("--workers 0 leaves nobody to work; it goes with --distributed --host only")
    elif place.workers == 0 and place.host is None:
        raise UserError("--workers 0 leaves nobody to work; with --host others may come")


def select_distributed(protocol: ir.Protocol, requested: Sequence[str], place: Place) -> Selection:
    """The engine for `--distributed`, alone.

    Raises `UserError` where liveness is asked for, `ToolError` where TLC cannot be used.
    """
    from .toolchain.engines import Selection
    from .toolchain.tlc.distributed import Crew
    from .toolchain.tlc.distributed_command import LOOPBACK
    from .toolchain.tlc_distributed import DistributedTlcEngine, refuse_liveness

    refuse_liveness(protocol, requested)
    workers = cores() if place.workers is None else place.workers
    crew = Crew(workers, place.host or LOOPBACK, place.port)
    return Selection((DistributedTlcEngine(crew, ready=_invite),))


def select_saving(folder: Path, minutes: float) -> Selection:
    """The engine for `--checkpoint`, alone.

    Raises `UserError` where the folder cannot be used, `ToolError` where TLC cannot.
    """
    from .toolchain.engines import Selection
    from .toolchain.tlc.checkpoint import CheckpointError, CheckpointFolder
    from .toolchain.tlc_engine import TlcEngine

    try:
        return Selection((TlcEngine(checkpoint=CheckpointFolder(folder, minutes)),))
    except CheckpointError as error:
        raise UserError(str(error)) from None


def _invite(line: str) -> None:
    """Say what to run on each further host."""
    if line:
        click.echo(f"TLC's server waits; on each further host run, with the same tla2tools.jar:\n  {line}", err=True)
