"""When a check counts orbits under renamings of symmetric members in place of states, and when that is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..transpiler import ir
from ..transpiler.instance import Instance
from ..transpiler.symmetry import symmetric_sets
from .errors import UserError


def liveness_among(protocol: ir.Protocol, properties: Iterable[str] | None) -> tuple[str, ...]:
    """The liveness properties among these (None: all): what no search of orbits may judge."""
    wanted = None if properties is None else frozenset(properties)
    return tuple(
        item.name for item in protocol.properties if item.is_liveness and (wanted is None or item.name in wanted)
    )


def unsound(names: Iterable[str]) -> str:
    """Why an engine that was asked for orbits has no answer about these properties."""
    return f"{', '.join(names)} cannot be judged on orbits: symmetry is for safety only"


def reduced_constants(instance: Instance, requested: Sequence[str], symmetry: bool) -> tuple[str, ...]:
    """The symmetric constants that a check makes use of; none where `symmetry` is false or nothing can be exchanged.

    Raises `UserError` where liveness is among the properties asked for.
    """
    constants = tuple(item.constant for item in symmetric_sets(instance)) if symmetry else ()
    liveness = liveness_among(instance.protocol, requested)
    if constants and liveness:
        raise UserError(_refusal(instance.protocol, constants, liveness, requested))
    return constants


def of_orbits(constants: Sequence[str]) -> tuple[str, ...]:
    """What a report says of its counts, where some constants were made use of."""
    if not constants:
        return ()
    names = " and ".join(constants)
    return (
        f"orbits are counted: states that differ only in the names of {names} count as one (--no-symmetry counts each)",
    )


def _refusal(protocol: ir.Protocol, constants: Sequence[str], liveness: Sequence[str], requested: Sequence[str]) -> str:
    others = [name for name in requested if name not in liveness and name not in ir.ALWAYS_JUDGED]
    selection = " ".join(f"--property {name}" for name in others or ["type_ok"])
    verb = "is" if len(liveness) == 1 else "are"
    return (
        f"{protocol.name} declares {' and '.join(constants)} symmetric, and {' and '.join(liveness)} {verb} about "
        "liveness: a behaviour that comes back to a state but for names has not come back to it\n"
        f"check everything on all states with --no-symmetry, or safety alone with {selection}"
    )
