"""Names between Python's spelling and that of TLA+ and of the command line."""

from __future__ import annotations


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


__all__ = ["camel_case", "snake_case"]
