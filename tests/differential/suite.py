"""One machine through one of the suites: what the tests and the long runs have in common."""

from __future__ import annotations

import random
from typing import Literal

from protocheck import Protocol, without
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.ircheck import check
from protocheck.transpiler.mutation import drop_guard

from ..machines.loading import loaded
from ..machines.machine import Machine, machine_of
from .compiled import compare_compiled
from .differences import Difference, Tally
from .explorer import compare_explorer
from .native import compare_native
from .symmetry import compare_symmetry
from .tlc import compare_tlc

Suite = Literal["native", "reference", "compiled", "orbits", "tlc"]
SUITES: tuple[Suite, ...] = ("native", "reference", "compiled", "orbits", "tlc")


def machine_for(suite: Suite, seed: int) -> Machine:
    """The machine of a seed for a suite: where orbits are looked for, with symmetric constants for certain."""
    return machine_of(seed, symmetric=suite == "orbits")


def run_suite(suite: Suite, machine: Machine, dice: random.Random, tally: Tally, toolchain: Toolchain | None) -> None:
    """Put a machine, and one of its variants, through a suite; raises whatever is wrong with the project.

    native: random walks of the class against the interpreter. reference: the explorer against the reference checker.
    compiled: the native engine against the explorer. orbits: searches of orbits against searches of states, with TLC
    where there is a toolchain. tlc: the explorer against TLC, which needs a toolchain.
    """
    with loaded(machine) as cls:
        protocol = check(compile_protocol(cls))
        guard = dice.choice(protocol.guard_names) if protocol.guard_names else None
        # Now and then with another value of its constant.
        known = any(constant.name == "n" for constant in protocol.constants)
        constants = {"n": 3} if known and dice.random() < 0.25 else {}
        tally.add("machines")
        match suite:
            case "native":
                compare_native(cls, dice, tally, constants)
                if guard is not None:
                    compare_native(_variant(cls, guard), dice, tally, constants, walks=1)
            case "reference":
                compare_explorer(instantiate(protocol, constants), tally)
                if guard is not None:
                    compare_explorer(instantiate(drop_guard(protocol, guard), constants), tally)
            case "compiled":
                compare_compiled(instantiate(protocol, constants), tally)
                if guard is not None:
                    compare_compiled(instantiate(drop_guard(protocol, guard), constants), tally, threads=(1,))
            case "orbits":
                compare_symmetry(instantiate(protocol, constants), tally, toolchain, max_states=200)
                if guard is not None:
                    compare_symmetry(instantiate(drop_guard(protocol, guard), constants), tally, max_states=200)
            case "tlc":
                assert toolchain is not None
                # Now and then the variant instead: a run of TLC takes a second.
                varied = guard is not None and dice.random() < 0.3
                chosen = drop_guard(protocol, guard) if varied and guard is not None else protocol
                compare_tlc(instantiate(chosen, constants), toolchain, tally, graph=True)


def _variant(cls: type[Protocol], guard: str) -> type[Protocol]:
    variant = without(cls, guard)
    expected: ir.Protocol = drop_guard(compile_protocol(cls), guard)
    if compile_protocol(variant) != expected:
        raise Difference(f"the class without {guard} does not lower to the variant without it")
    return variant


__all__ = ["SUITES", "Suite", "machine_for", "run_suite"]
