"""protocheck: write a concurrent protocol once in Python; check it, break it guard by guard, and run it.

This is the public API: the words of the language, the domains, and the questions one can ask of an instance. It loads
nothing heavy; the compiler is loaded when a protocol is first used.
"""

from .transpiler.bounds import Between, In, MaxLen, MinLen
from .transpiler.language import (
    Protocol,
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

__all__ = [
    "Between",
    "In",
    "MaxLen",
    "MinLen",
    "Protocol",
    "action",
    "assume",
    "const",
    "eventually",
    "eventually_always",
    "ghost",
    "guard",
    "helper",
    "infinitely_often",
    "init",
    "invariant",
    "leads_to",
    "reachable",
    "terminal",
    "transition_invariant",
]
