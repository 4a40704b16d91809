"""Every guard of the decoder's protocols, dropped, with the checker's counter-example acted out on a real model.

The counter-examples come from the explorer, the effects from forwards of a real model over real rows: the tables below
say what was seen, and fail when something else is.
"""

from __future__ import annotations

import functools
import re
import threading
from typing import Any

import pytest

from protocheck import Protocol
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime.acting import act_out
from protocheck.runtime.effects import Act, Effect, Kind
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.report import Report
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.naming import snake_case

from .models import prompt, tiny

# Guard → what comes of dropping it, and why.
TREE_CACHE: dict[str, tuple[Kind, str]] = {
    # A root that was drafted behind one text is verified behind another.
    "fill.no_tree": ("corrupted", "verifier's forward .* a logit .* is off by"),
    # Where rows are paged or of a fixed number they would be another's.
    "fill.room_left": ("unharmed", "5 of them at most, in buffers that grow"),
    "extend.room_left": ("crashed", "start_read: top = 5 is outside"),
    "extend.nodes_left": ("unharmed", "4 of them at most, in buffers that grow"),
    "extend.parent_exists": ("unreached", "no draft tree can be made of that"),
    # Of two forwards of one reader the protocol forgets one, and rows are evicted under it.
    "start_read.reader_idle": ("corrupted", "drafter's forward up to row 1: .* is off by"),
    "start_read.not_behind": ("corrupted", "drafter's forward up to row 1: .* is off by"),
    "start_read.inside_tail": ("crashed", "has no rows, but row 1 is to be read"),
    "keep.is_written": ("crashed", "holds rows 0 to 0 and cannot be cut to 1 rows"),
    # The token between the two has no row.
    "keep.child_of_the_last": ("corrupted", "verifier's forward .* is off by"),
    # The next round writes its rows where a forward in flight reads.
    "commit.no_reader_above": ("corrupted", "drafter's forward up to row 1: .* is off by"),
    # The sliding mask is made for rows that never were.
    "evict.outside_the_window": ("crashed", "shape"),
    "evict.nobody_reads": ("corrupted", "drafter's forward up to row 2: .* is off by"),
    # The rows are another request's by now.
    "release.nobody_reads": ("corrupted", "drafter's forward up to row 1: .* is off by"),
}
DECLARED = {"finish_read.is_reading"}
"""Guards whose loss changes nothing in the protocol: there is nothing to act out."""


@functools.cache
def campaign(cls: type[Protocol]) -> Report:
    return check_protocol(compile_protocol(cls), {}, engines=[ExplorerEngine()], mutate=True)


@functools.cache
def model() -> Any:
    """Sliding and full layers; the window is the one of the check, and the token itself."""
    return tiny("gemma3", window=3, layers=3)


def counter_example(cls: type[Protocol], guard: str) -> tuple[list[Act], dict[str, Any]]:
    (mutant,) = (mutant for mutant in campaign(cls).mutants or () if mutant.guard == guard)
    trace = mutant.verdict.answer.trace
    assert trace is not None
    steps = [Act(step.action, dict(step.arguments)) for step in trace.steps if step.action is not None]
    return steps, dict(campaign(cls).instance.constants)


def acted(cls: type[Protocol], guard: str, *, guarded: bool) -> Effect:
    before = threading.active_count()
    steps, constants = counter_example(cls, guard)
    name = f"{snake_case(cls.__name__)}.{guard}"
    effect = act_out(model(), name, steps, constants, prompt=prompt(8), guarded=guarded)
    assert threading.active_count() == before
    return effect


def test_the_table_has_every_guard() -> None:
    assert set(TREE_CACHE) | DECLARED == set(compile_protocol(TreeCache).guard_names)
    survivors = {mutant.guard for mutant in campaign(TreeCache).mutants or () if mutant.status == "survived"}
    assert survivors == DECLARED


@pytest.mark.parametrize("guard", TREE_CACHE)
def test_the_guarded_cache_refuses_the_step(guard: str) -> None:
    effect = acted(TreeCache, guard, guarded=True)
    action, name = guard.split(".")
    assert (effect.kind, effect.guards) == ("refused", (name,))
    assert effect.step is not None
    assert counter_example(TreeCache, guard)[0][effect.step].action == action


@pytest.mark.parametrize("guard", TREE_CACHE)
def test_the_cache_without_it(guard: str) -> None:
    kind, why = TREE_CACHE[guard]
    effect = acted(TreeCache, guard, guarded=False)
    assert effect.kind == kind, effect
    assert re.search(why, effect.why), effect
