r"""Action properties as invariants, for a mode of TLC that checks them only at steps to states not seen before.

    GrowsByOne == [][length' <= length + 1]_vars

becomes, in a module that extends the protocol's,

    EveryStepGrowsByOne == ~ENABLED (Next /\ ~GrowsByOne!1)

where `GrowsByOne!1` is what stands behind the box. TLC evaluates it in each state, by trying all steps once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..transpiler.tla import Module
from ..transpiler.tla_names import NEXT


def stepwise_module(module: Module, properties: Sequence[str]) -> tuple[str, str, Mapping[str, str]]:
    """A module that extends `module`: its name, its text, and for each of the properties the invariant it becomes.

    The properties are operators of the module, each a box over an action.
    """
    name = f"{module.name}__stepwise"
    invariants: dict[str, str] = {}
    for operator in properties:
        invariants[operator] = module.names.fresh(f"EveryStep{operator}", invariants.values())
    lines = [f"---- MODULE {name} ----", f"EXTENDS {module.name}"]
    lines += [f"{fresh} == ~ENABLED ({NEXT} /\\ ~{operator}!1)" for operator, fresh in invariants.items()]
    return name, "\n".join([*lines, "===="]) + "\n", invariants
