"""The reachable state graph as TLC has it: what the explorer's is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..transpiler.instance import Instance
from ..transpiler.tla import build_module
from ..transpiler.tla_config import Config
from ..transpiler.tla_names import SPEC, TERMINATED
from .generate import config_text, module_files
from .tlc.driver import TlcJob, Toolchain, run_tlc
from .tlc.errors import RunError
from .tlc_decode import Decoder

Values = tuple[Any, ...]
"""The values of a state, in the order in which the variables are declared."""


@dataclass(frozen=True)
class TlcGraph:
    """States by their values, and steps as (before, action, after) with the number of argument tuples that take them.

    Steps that change nothing are steps; the stuttering disjunct `Terminated` is none.
    """

    states: frozenset[Values]
    initial: frozenset[Values]
    steps: Mapping[tuple[Values, str, Values], int]


def tlc_state_graph(instance: Instance, toolchain: Toolchain | None = None, timeout: float | None = None) -> TlcGraph:
    """The reachable states and labelled steps of a small instance, whether or not its properties hold.

    Raises `ToolError` where TLC cannot be used, or did not search everything.
    """
    module = build_module(instance.protocol, instance.constants)
    config = Config("The state graph.", module.values.assignments, SPEC, (), ())
    files = {**module_files(module), f"{module.name}.cfg": config_text(config)}
    job = TlcJob(files, module.name, f"{module.name}.cfg", check_deadlock=False, dump_graph=True, timeout=timeout)
    run = run_tlc(job, toolchain)
    if run.graph is None:
        raise RunError("TLC did not search the whole state graph.", reason=run.outcome.message, workspace=run.workspace)
    decoder = Decoder.of(module, {item.name: item.type for item in instance.protocol.variables})
    actions = {module.names["action", action.name]: action.name for action in instance.protocol.actions}
    states = {key: tuple(decoder.state(item.values).values()) for key, item in run.graph.states.items()}
    taken = Counter(
        (states[edge.source], actions[edge.action], states[edge.target])
        for edge in run.graph.edges
        if edge.action != TERMINATED
    )
    initial = frozenset(states[item.fingerprint] for item in run.graph.initial)
    return TlcGraph(frozenset(states.values()), initial, taken)
