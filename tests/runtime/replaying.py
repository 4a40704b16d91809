"""A recording against the interpreter: every step it holds is one of the protocol, and changes what it says.

What only the model has is left out, as it is where the protocol runs: assumptions, ghosts, and what feeds ghosts alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocheck import Protocol
from protocheck.toolchain.itf import decode_untyped
from protocheck.transpiler import ir, traverse
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.interpreter import Refused, Taken, attempt
from protocheck.transpiler.itf import decode
from protocheck.transpiler.mutation import drop_guard


@dataclass
class Replayed:
    """One instance of a recording, where its steps have led, and how many there were of each kind."""

    instance: Instance
    state: dict[str, Any]
    kinds: dict[str, int]


def lines_of(text: str) -> list[dict[str, Any]]:
    """The lines of a recording, its numbers and clock checked."""
    header, *lines = map(json.loads, text.splitlines())
    assert header["format"] == "protocheck-recording"
    assert header["version"] == 1
    ends = [line for line in lines if line["kind"] == "end"]
    others = lines[: len(lines) - len(ends)]
    assert [line["seq"] for line in others] == list(range(len(others)))
    if ends:
        # Lines that are not there were counted.
        assert ends == [{**lines[-1], "seq": len(others) + lines[-1]["lost"], "lines": len(lines)}]
    assert all(line["time"] >= 0 for line in lines)
    return [header, *lines]


def replay(text: str, *classes: type[Protocol]) -> dict[str, Replayed]:
    """Take every recorded step again; the instances by name. Fails where a step is none, or changes something else."""
    compiled = {protocol.name: protocol for protocol in map(compile_protocol, classes)}
    found: dict[str, Replayed] = {}
    _, *lines, end = lines_of(text)
    assert end["kind"] == "end"
    for line in lines:
        if line["kind"] == "instance":
            assert line["of"] not in found
            found[line["of"]] = _started(line, compiled[line["protocol"]])
            continue
        replayed = found[line["of"]]
        replayed.kinds[line["kind"]] = replayed.kinds.get(line["kind"], 0) + 1
        if line["kind"] in ("step", "refused"):
            _take(replayed, line)
    return found


def _started(line: Mapping[str, Any], protocol: ir.Protocol) -> Replayed:
    if line["dropped"] is not None:
        protocol = drop_guard(protocol, line["dropped"])
    constants = {name: decode_untyped(value) for name, value in line["constants"].items()}
    instance = instantiate(protocol, constants)
    return Replayed(instance, _decoded(line["state"], instance.variables), {})


def _take(replayed: Replayed, line: Mapping[str, Any]) -> None:
    instance = replayed.instance
    action = instance.protocol.action(line["action"])
    known = {parameter.name: instance.parameters[action.name, parameter.name] for parameter in action.parameters}
    assert list(line["args"]) == list(known)
    arguments = tuple(_decoded(line["args"], known).items())
    full = {name: replayed.state.get(name) for name in instance.variables}
    outcome = attempt(instance, full, _as_it_runs(instance, action), arguments)
    if line["kind"] == "refused":
        assert isinstance(outcome, Refused), line
        assert list(outcome.guards) == line["guards"]
        return
    assert isinstance(outcome, Taken), (line, outcome)
    after = {name: outcome.state[name] for name in replayed.state}
    changed = {name: value for name, value in after.items() if value != replayed.state[name]}
    assert _decoded(line["changes"], instance.variables) == changed, line
    replayed.state.update(changed)


def _decoded(values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(value, domains[name]) for name, value in values.items()}


def _as_it_runs(instance: Instance, action: ir.Action) -> ir.Action:
    ghosts = {variable.name for variable in instance.protocol.variables if variable.ghost}
    hidden: set[str] = set()

    def depends(expr: ir.Expr) -> bool:
        reads = traverse.variables_of(expr, instance.protocol)
        return bool(ghosts & reads or hidden & traverse.free_locals(expr))

    steps: list[ir.Step] = []
    for step in action.steps:
        if isinstance(step, ir.Bind) and depends(step.value):
            hidden.add(step.name)
        elif not isinstance(step, ir.Assume) and not (isinstance(step, ir.Oblige) and depends(step.condition)):
            steps.append(step)
    updates = tuple(update for update in action.updates if update.variable not in ghosts)
    return dataclasses.replace(action, steps=tuple(steps), updates=updates)
