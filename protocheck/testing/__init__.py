"""Protocols in tests: `check` in a test function, `state_machine` to drive an implementation, and the pytest plugin.

`from protocheck.testing import check` loads what it needs when it is first asked for; the plugin, which pytest loads in
every project of an environment, imports this package alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import CheckFailed, ProtocolWarning, check
    from .stateful import state_machine

_MODULES = {
    "CheckFailed": "checking",
    "ProtocolWarning": "checking",
    "check": "checking",
    "state_machine": "stateful",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CheckFailed", "ProtocolWarning", "check", "state_machine"]
