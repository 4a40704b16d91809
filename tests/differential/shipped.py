"""The protocols that are shipped and the examples, with bounds at which each is checked in full in a moment."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from protocheck import Protocol
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.mutation import drop_guard

ROOT = Path(__file__).resolve().parents[2]


def example(name: str) -> ModuleType:
    """A module of examples/, which is no package."""
    full = f"protocheck_examples_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, ROOT / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


def _classes(module: str, *names: str) -> tuple[type[Protocol], ...]:
    return tuple(getattr(example(module), name) for name in names)


PROTOCOLS: tuple[type[Protocol], ...] = (Rollback, Dispatch, Acceptance, TreeCache, HandOff, Walk)

EXAMPLES: tuple[type[Protocol], ...] = (
    *_classes("two_phase_commit", "TwoPhaseCommit"),
    *_classes("peterson", "Peterson"),
    *_classes("bounded_buffer", "BoundedBuffer"),
    *_classes("dining_philosophers", "DiningPhilosophers", "WithButler"),
    *_classes("leader_election", "LeaderElection"),
)

BOUNDS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "Rollback": ({"max_len": 2}, {"max_len": 4}, {"max_len": 5}),
    "Dispatch": ({},),
    "Acceptance": ({"max_trace": 2, "max_draft": 1}, {"max_trace": 2, "max_draft": 2}),
    "TreeCache": ({"max_rows": 2, "max_nodes": 2, "window": 1}, {"max_rows": 3, "max_nodes": 2, "window": 1}),
    "HandOff": ({},),
    "Walk": ({"max_output": 2, "max_nodes": 1}, {"max_output": 2}),
    "TwoPhaseCommit": ({"managers": frozenset({"rm1", "rm2"})}, {}),
    "Peterson": ({},),
    "BoundedBuffer": ({"capacity": 1, "items": 2}, {}, {"capacity": 3, "items": 5}),
    "DiningPhilosophers": ({"seats": 2}, {"seats": 4}),
    "WithButler": ({"seats": 2}, {"seats": 4}),
    "LeaderElection": ({"size": 2}, {"size": 3}),
}
"""Constants for each protocol, the smallest first."""


def variants(cls: type[Protocol]) -> Iterator[ir.Protocol]:
    """A protocol and what it becomes without each of its guards."""
    protocol = compile_protocol(cls)
    yield protocol
    for guard in protocol.guard_names:
        yield drop_guard(protocol, guard)
