"""The engines by name. Each is imported only when it is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, get_args

from .errors import UserError, nearest
from .results import Engine
from .tlc.errors import ToolError
from .tlc.jars import VARIABLE as JAR

Choice = Literal["auto", "explorer", "native", "tlc"]
CHOICES: tuple[str, ...] = get_args(Choice)


@dataclass(frozen=True, slots=True)
class Selection:
    """The engines of a check, the answering one first, and a note where one that could have helped is not there."""

    engines: tuple[Engine, ...]
    note: str = ""


def select_engines(choice: str) -> Selection:
    """The engines for `--engine`: `auto` is the explorer, or for what is large the native engine, confirmed by TLC
    where that is there.

    Raises `UserError` for an unknown name, `ToolError` where TLC is asked for by name and cannot be used.
    """
    match choice:
        case "explorer":
            return Selection((_explorer(),))
        case "native":
            return Selection((_native(),))
        case "tlc":
            return Selection((_tlc(),))
        case "auto":
            try:
                return Selection((_embedded(), _tlc()))
            except ToolError as error:
                if os.environ.get(JAR):
                    # Whoever names a TLC wants it: it is used or refused, never passed over.
                    raise
                problem = f"{str(error).splitlines()[0]} `protocheck toolchain doctor` says more."
                return Selection((_embedded(),), f"the explorer alone; TLC is not there to confirm: {problem}")
        case _:
            raise UserError(f"there is no engine {choice}{nearest(choice, CHOICES)}")


def _explorer() -> Engine:
    from .explorer import ExplorerEngine

    return ExplorerEngine()


def _embedded() -> Engine:
    from .embedded import EmbeddedEngine

    return EmbeddedEngine()


def _native() -> Engine:
    from .native.engine import NativeEngine

    return NativeEngine()


def _tlc() -> Engine:
    from .tlc_engine import TlcEngine

    return TlcEngine()
