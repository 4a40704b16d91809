"""A protocol as it runs: what the native class has, well-formed, and with every behaviour of the protocol."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocheck import Protocol
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.transpiler import ir
from protocheck.transpiler.erasure import as_it_runs
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import Taken, attempt, initial_states, steps
from protocheck.transpiler.ircheck import check
from protocheck.transpiler.native import native_of

from ..handmade import MACHINES
from ..validation.test_logs import Promised

CLASSES: tuple[type[Protocol], ...] = (Rollback, Acceptance, HandOff, TreeCache, Walk, Promised)
MOST = 400


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_it_is_what_the_class_runs(cls: type[Protocol]) -> None:
    erased, native = as_it_runs(compile_protocol(cls)), native_of(cls)
    check(erased)
    assert tuple(variable.name for variable in erased.variables) == native.variables
    assert tuple(parameter.name for parameter in erased.init.parameters) == native.init_parameters
    assert erased.guard_names == native.protocol.guard_names
    assert not any(isinstance(step, ir.Assume) for action in erased.actions for step in action.steps)


@pytest.mark.parametrize(
    "protocol", [lambda cls=cls: compile_protocol(cls) for cls in CLASSES] + list(MACHINES.values())
)
def test_every_step_of_the_protocol_is_one_of_what_runs(protocol: Callable[[], ir.Protocol]) -> None:
    whole = instantiate(protocol())
    erased = instantiate(as_it_runs(whole.protocol))
    waiting = [outcome.state for _, outcome in initial_states(whole) if isinstance(outcome, Taken)][:MOST]
    begun = [outcome.state for _, outcome in initial_states(erased) if isinstance(outcome, Taken)]
    assert all({name: state[name] for name in erased.variables} in begun for state in waiting)
    seen = {tuple(state.values()) for state in waiting}
    for state in waiting:
        for name, arguments, outcome in steps(whole, state):
            if not isinstance(outcome, Taken) or outcome.outside:
                continue
            before = {variable: state[variable] for variable in erased.variables}
            again = attempt(erased, before, erased.protocol.action(name), arguments)
            assert isinstance(again, Taken)
            assert again.state == {variable: outcome.state[variable] for variable in erased.variables}
            key = tuple(outcome.state.values())
            if key not in seen and len(seen) < MOST:
                seen.add(key)
                waiting.append(outcome.state)
