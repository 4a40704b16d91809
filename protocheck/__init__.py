"""protocheck: write a concurrent protocol once in Python; check it, break it guard by guard, and run it.

This is the public API: the words of the language, the domains, and the questions one can ask of an instance. It loads
nothing heavy; the compiler is loaded when a protocol is first used.
"""

from typing import TYPE_CHECKING, Any

from .transpiler.bounds import Between, In, MaxLen, MinLen
from .transpiler.language import (
    Protocol,
    abstraction,
    action,
    assume,
    const,
    eventually,
    eventually_always,
    ghost,
    guard,
    helper,
    infinitely_often,
    init,
    invariant,
    leads_to,
    reachable,
    terminal,
    transition_invariant,
)

if TYPE_CHECKING:
    from .transpiler.diagnostics import CompileError
    from .transpiler.questions import choices, enabled, holds, refused_by, snapshot, without
    from .transpiler.refusals import ArgumentRefused, GuardRefused

_LAZY = {
    "ArgumentRefused": "refusals",
    "CompileError": "diagnostics",
    "GuardRefused": "refusals",
    "choices": "questions",
    "enabled": "questions",
    "holds": "questions",
    "refused_by": "questions",
    "snapshot": "questions",
    "without": "questions",
}


def __getattr__(name: str) -> Any:
    """What only a running protocol needs, and with it the compiler, is loaded when it is first asked for."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".transpiler.{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ArgumentRefused",
    "Between",
    "CompileError",
    "GuardRefused",
    "In",
    "MaxLen",
    "MinLen",
    "Protocol",
    "abstraction",
    "action",
    "assume",
    "choices",
    "const",
    "enabled",
    "eventually",
    "eventually_always",
    "ghost",
    "guard",
    "helper",
    "holds",
    "infinitely_often",
    "init",
    "invariant",
    "leads_to",
    "reachable",
    "refused_by",
    "snapshot",
    "terminal",
    "transition_invariant",
    "without",
]
