"""Is this log of a running system a behaviour of the protocol?

    lines → objects → (which instance, what happened) → states that are possible → verdict

Two kinds of logs are read: the recordings that `protocheck.runtime.Recorder` writes, of any number of instances, and
plain logs, one JSON object an event, of one instance, with the constants in a first line or given by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...transpiler import ir
from ...transpiler.frontend import compile_protocol
from ...transpiler.language import Protocol
from ..errors import nearest
from .following import Follower
from .lines import LogError, numbered_objects
from .plain_log import follow_plain
from .recorded_log import FORMAT, follow_recording
from .results import Options, Validation
from .target import Target


def validate(
    lines: Iterable[bytes],
    cls: type[Protocol] | ir.Protocol,
    *,
    name: str = "log",
    options: Options = Options(),  # noqa: B008  # it is immutable
    constants: Mapping[str, Any] | None = None,
    instances: Collection[str] = (),
) -> tuple[Validation, ...]:
    """The answer for each instance of the protocol in a log; reading stops at the first event that is rejected.

    lines: of the log, with their ends. cls: the protocol; its IR will do as well, but then nothing can run, and long
    logs take their time. name: of the log, for messages. constants: those that the log does not name. instances: of a
    recording, by name; all of the protocol's if none is named.

    Raises `LogError` for a log that cannot be read, or not as one of this protocol; `CompileError` for constants that
    the protocol cannot have.
    """
    followed = follow(lines, cls, name=name, options=options, constants=constants, instances=instances)
    return tuple(follower.answer() for follower in followed)


def follow(
    lines: Iterable[bytes],
    cls: type[Protocol] | ir.Protocol,
    *,
    name: str = "log",
    options: Options = Options(),  # noqa: B008  # it is immutable
    constants: Mapping[str, Any] | None = None,
    instances: Collection[str] = (),
    keeps: bool = False,
) -> tuple[Follower, ...]:
    """As `validate`: whoever has followed each instance, with its events where they are to be kept."""
    protocol = compile_protocol(cls) if isinstance(cls, type) else cls
    _demand_actions(protocol, options.unlogged)
    objects = numbered_objects(lines, name)
    first = next(objects, None)
    if first is None:
        raise LogError(name, 0, "it is empty: there is no event in it")
    target = Target(
        cls if isinstance(cls, type) else None, protocol, name, options, dict(constants or {}), tuple(instances), keeps
    )
    if first[1].get("format") == FORMAT:
        return follow_recording(target, first[1], objects)
    return (follow_plain(target, first, objects),)


def _demand_actions(protocol: ir.Protocol, names: Iterable[str]) -> None:
    known = [action.name for action in protocol.actions]
    for name in names:
        if name not in known:
            raise LogError("--unlogged", 0, f"{protocol.name} has no action {name}{nearest(name, known)}")
