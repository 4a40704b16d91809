r"""A refinement in TLA+: the abstract module's instance under the abstractions, and what is demanded of it.

    Abstract == INSTANCE Rollback WITH
        MaxLen <- MaxLen,
        length <- Length

    RefinesDomains == Abstract!TypeOK
    RefinesInit == Abstract!Init = TRUE
    RefinesSteps == [][Abstract!Next]_(Abstract!vars)

TLC names what is violated by its operator only where that is one formula: it would take the conjunction in the abstract
`Init` apart and name its conjuncts by line and column, so that stands as a value.
"""

from __future__ import annotations

from . import ir
from . import valuetypes as types
from .diagnostics import Code, Diagnostic
from .tla_names import INIT, NEXT, TYPE_OK, VARS, Names, module_name, names_of, parts_of
from .tla_operators import Operator
from .tla_scope import Scope


def instance_of(refinement: ir.Refinement, names: Names, abstract: Names, none: bool, scope: Scope) -> Operator:
    """The instance of the abstract module; every constant and variable of it is substituted by name.

    `none` says whether Python's None is among the constants of that module.
    """
    texts = [abstract["constant", item.name] for item in refinement.abstract.constants]
    texts += [abstract.variables[item.name] for item in refinement.abstract.variables]
    pairs = [(text, str(scope.text(item.value))) for text, item in zip(texts, refinement.abstractions, strict=True)]
    if none:
        scope.used.none = True
        pairs.append((abstract.none, names.none))
    body = [f"INSTANCE {module_name(refinement.abstract)} WITH"]
    body += [f"    {text} <- {value}," for text, value in pairs]
    body[-1] = body[-1].removesuffix(",")
    return Operator(names["refinement", "instance"], (f"Seen as {refinement.abstract.name}.",), body=tuple(body))


def demands_of(refinement: ir.Refinement, names: Names) -> tuple[Operator, ...]:
    """What the instance must satisfy: its domains always, its Init at first, its Next or nothing at every step."""
    instance = names["refinement", "instance"]
    demands = {
        "domains": (f"Every behaviour is one of {refinement.abstract.name}: in its domains,", f"{instance}!{TYPE_OK}"),
        "init": ("from one of its initial states,", f"{instance}!{INIT} = TRUE"),
        "steps": ("by its steps.", f"[][{instance}!{NEXT}]_({instance}!{VARS})"),
    }
    return tuple(Operator(names["refinement", part], (note,), body=(text,)) for part, (note, text) in demands.items())


def check_records(protocol: ir.Protocol) -> list[Diagnostic]:
    """Records that the two modules would write differently, so that what is equal in Python were not there."""
    refinement = protocol.refinement
    if refinement is None:
        return []
    abstract = refinement.abstract
    own, other = names_of(protocol), names_of(abstract)
    found: dict[str, Diagnostic] = {}
    for item in (*abstract.constants, *abstract.variables):
        for kind in parts_of(item.type):
            if isinstance(kind, types.Record) and _written(kind, own) != _written(kind, other):
                found[kind.python.__name__] = Diagnostic(
                    Code.REFINEMENT,
                    refinement.span,
                    f"records of {kind.python.__name__} differ in TLA+ between {protocol.name} and {abstract.name}",
                    "a record carries its class there where it is part of a union, or has no fields",
                    "let it be part of the same unions in both protocols",
                )
    return list(found.values())


def _written(record: types.Record, names: Names) -> tuple[object, ...]:
    """The names of a record's fields, with that of its class where it is told."""
    tag = (names.tag, names.tags.get(record.python)) if names.is_tagged(record) else ()
    return (tag, *(names.field(record, name) for name, _ in record.fields))
