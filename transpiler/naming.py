"""The names a protocol has in TLA+, and the check that no two of them fall together."""

from __future__ import annotations

from . import ir
from .diagnostics import Code, Diagnostic


def camel_case(name: str) -> str:
    """`start_read` → `StartRead`. A name that is CamelCase already stays."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_") if part)


def snake_case(name: str) -> str:
    """`KvCache2` → `kv_cache2`: the name of a class on the command line."""
    text = ""
    for index, character in enumerate(name):
        follows_lower = index > 0 and (name[index - 1].islower() or name[index - 1].isdigit())
        before_lower = 0 < index < len(name) - 1 and name[index + 1].islower()
        if character.isupper() and (follows_lower or (before_lower and name[index - 1].isupper())):
            text += "_"
        text += character.lower()
    return text.replace("__", "_")


def check_names(protocol: ir.Protocol, problems: list[Diagnostic]) -> None:
    """Report declarations whose names would be one operator in TLA+."""
    taken: dict[str, tuple[str, ir.Node]] = {}
    declared: list[tuple[str, str, ir.Node]] = [
        *((item.name, f"the constant {item.name}", item) for item in protocol.constants),
        *((item.name, f"the action {item.name}", item) for item in protocol.actions),
        *((item.name, f"the helper {item.name}", item) for item in protocol.helpers),
        *((item.name, f"the property {item.name}", item) for item in protocol.properties),
    ]
    for name, what, node in declared:
        operator = camel_case(name)
        earlier = taken.get(operator)
        if earlier is None:
            taken[operator] = (name, node)
        elif earlier[0] != name:
            problems.append(
                Diagnostic(
                    Code.COLLISION,
                    node.span,
                    f"{what} and {earlier[0]} are both {operator} in TLA+",
                    "operators are named in CamelCase",
                    "rename one of them",
                )
            )


__all__ = ["camel_case", "check_names", "snake_case"]
