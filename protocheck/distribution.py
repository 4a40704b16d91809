"""`protocheck run --distributed`: which engine that is, and what does not go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from .commands_common import cores
from .toolchain.errors import UserError

if TYPE_CHECKING:
    from .toolchain.engines import Selection
    from .transpiler import ir


@dataclass(frozen=True, slots=True)
class Place:
    """How many workers are started here (None: one a core), and where others find them (None: nobody does)."""

    workers: int | None
    host: str | None
    port: int | None


def demand_fitting(
    engine: str, mutate: bool, workers: int | None, distributed: bool, host: str | None, port: int | None
) -> None:
    """Raise `UserError` where options do not go together."""
    if not distributed:
        for name, value in (("--host", host), ("--port", port)):
            if value is not None:
                raise UserError(f"{name} says where the server of --distributed is found; add --distributed")
        if workers == 0:
            raise UserError("--workers 0 leaves nobody to work; it goes with --distributed --host only")
        return
    if engine != "tlc":
        raise UserError("--distributed is a mode of TLC's; add --engine tlc")
    if mutate:
        raise UserError(
            "--distributed drops no guard: that is for bounds that one host can bear\n"
            "use --mutate at smaller bounds, without --distributed"
        )
    if workers == 0 and host is None:
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


def _invite(line: str) -> None:
    """Say what to run on each further host."""
    if line:
        click.echo(f"TLC's server waits; on each further host run, with the same tla2tools.jar:\n  {line}", err=True)
