"""What the page is told of a protocol as such: its actions with their guards, its properties, and where each stands."""

from __future__ import annotations

import inspect
from typing import Any

from ...transpiler import ir
from ...transpiler.domains import Domain
from ...transpiler.naming import snake_case
from ...transpiler.pretty import pretty_expr
from ..counterexample import place
from .machine import Calls, Judged, Machine, truths_of
from .session import Exploration
from .texts import source_text, value_text, visible

Json = Any

IMPLICIT = {
    "type_ok": "Every variable is in its domain.",
    "well_defined": "Nothing is evaluated where it has no value.",
    ir.DEADLOCK_FREE: "Something is enabled, or the state is terminal.",
    ir.REFINES: "Every step is one of what the protocol refines, or changes nothing there.",
}


def protocol_json(session: Exploration, target: str) -> dict[str, Json]:
    """The protocol of a session; `target` is what the user called it."""
    instance, protocol = session.instance, session.instance.protocol
    described: dict[str, Json] = {
        "name": snake_case(protocol.name),
        "target": target,
        "doc": first_paragraph(protocol.doc),
        "constants": [[item.name, value_text(instance.constants[item.name])] for item in protocol.constants],
        "variables": [
            {"name": item.name, "domain": domain_text(instance.variables[item.name]), "ghost": item.ghost}
            for item in protocol.variables
        ],
        "init": {
            "parameters": [item.name for item in protocol.init.parameters],
            "at": place(protocol.init.span),
            "choices": session.beginnings(),
            "more": session.baseline.more_beginnings,
        },
        "actions": [_action(calls) for calls in session.baseline.calls],
        "properties": _properties(session.baseline),
        "survivors": dict(protocol.survivors),
    }
    if instance.abstract is not None:
        described["refines"] = {
            "name": snake_case(instance.abstract.protocol.name),
            "variables": [item.name for item in instance.abstract.protocol.variables],
        }
    return described


def first_paragraph(doc: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return visible(" ".join(inspect.cleandoc(doc).partition("\n\n")[0].split()))


def domain_text(domain: Domain) -> str:
    """A domain in words."""
    return visible(str(domain))


def _action(calls: Calls) -> dict[str, Json]:
    action = calls.action
    return {
        "name": action.name,
        "doc": first_paragraph(action.doc),
        "at": place(action.span),
        "parameters": [parameter.name for parameter in action.parameters],
        "guards": [
            {"name": guard.name, "text": condition_text(guard.condition), "at": place(guard.span)}
            for guard in action.guards
        ],
        "calls": [[value_text(value) for _, value in arguments] for arguments in calls.arguments],
        "more": calls.more,
    }


def _properties(machine: Machine) -> list[Json]:
    """Each property, with the places of its truths in those of a state."""
    found, place_of = [], 0
    for item in machine.judged:
        number = truths_of(item)
        declared = item.declared
        entry: dict[str, Json] = {
            "name": item.name,
            "kind": item.kind,
            "scope": item.scope,
            "truths": list(range(place_of, place_of + number)),
            "doc": IMPLICIT[item.name] if declared is None else first_paragraph(declared.doc),
            "texts": [] if declared is None else [condition_text(part) for part in _parts(item)],
            "at": "" if declared is None else place(declared.span),
        }
        if item.name == ir.REFINES and machine.instance.protocol.refinement is not None:
            entry["at"] = place(machine.instance.protocol.refinement.span)
        found.append(entry)
        place_of += number
    return found


def _parts(item: Judged) -> tuple[ir.Expr, ...]:
    if item.declared is not None and item.scope == "step":
        return (item.declared.body,)
    return item.conditions


def condition_text(expr: ir.Expr) -> str:
    """A condition as it is written, or as the IR has it where there is no source."""
    return source_text(expr.span) or visible(pretty_expr(expr))
