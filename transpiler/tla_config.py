"""What goes into a .cfg: the values of constants, each with what it bounds, and the properties of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from . import ir, traverse
from . import valuetypes as types
from .tla_library import Used
from .tla_names import Names
from .tla_values import config_value, model_values, value_text


@dataclass(frozen=True)
class Assignment:
    """A constant's line: `name = value`, or `name <- value` where the value is defined in the module."""

    name: str
    value: str
    sign: str
    comment: str


@dataclass(frozen=True)
class Constants:
    """The constants of one instance: their lines, the definitions that the module must add, and the model values."""

    assignments: tuple[Assignment, ...]
    definitions: tuple[tuple[str, str], ...]
    models: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Config:
    """A .cfg as data: one run's behaviour and what is checked of it."""

    title: str
    constants: tuple[Assignment, ...]
    specification: str
    invariants: Sequence[str]
    properties: Sequence[str]
    constraint: str = ""
    symmetry: str | None = None


def constants_of(protocol: ir.Protocol, values: Mapping[str, Any], names: Names, used: Used) -> Constants:
    """The constants with these values (canonical, by Python name)."""
    members = {item.name: frozenset(values[item.name]) for item in protocol.constants if _is_symmetric(item)}
    models = model_values(members, names)
    assignments: list[Assignment] = []
    definitions: list[tuple[str, str]] = []
    for constant in protocol.constants:
        value, name = values[constant.name], names["constant", constant.name]
        comment = _comment(constant, protocol)
        plain = config_value(value, constant.type, used, models)
        if plain is not None:
            assignments.append(Assignment(name, plain, "=", comment))
            continue
        holder = names.fresh(f"{name}Value", (item for item, _ in definitions))
        definitions.append((holder, str(value_text(value, used))))
        assignments.append(Assignment(name, holder, "<-", comment))
    if used.none:
        assignments.append(Assignment(names.none, names.none, "=", "stands for Python's None"))
    return Constants(tuple(assignments), tuple(definitions), models)


def _is_symmetric(constant: ir.Constant) -> bool:
    return isinstance(constant.type, types.Set) and isinstance(constant.type.element, types.Model)


def _comment(constant: ir.Constant, protocol: ir.Protocol) -> str:
    """What a constant bounds, so that a reader of the .cfg knows what he changes."""
    bounded = [item.name for item in protocol.variables if _mentions(item.domain, constant.name)]
    for owner, parameters in [
        ("init", protocol.init.parameters),
        *((action.name, action.parameters) for action in protocol.actions),
    ]:
        bounded += [f"{owner}({item.name})" for item in parameters if _mentions(item.domain, constant.name)]
    if not bounded:
        return "bounds no domain"
    return "bounds " + ", ".join(bounded)


def _mentions(domain: ir.DomainExpr, constant: str) -> bool:
    return any(
        isinstance(node, ir.ConstantRef) and node.name == constant
        for expr in domain_expressions(domain)
        for node in traverse.walk(expr)
    )


def domain_expressions(domain: ir.DomainExpr) -> tuple[ir.Expr, ...]:
    """The expressions over constants in a domain."""
    match domain:
        case ir.IntSet():
            return (domain.low, domain.high)
        case ir.MemberSet():
            return (domain.members,)
        case ir.OptionalSet():
            return domain_expressions(domain.item)
        case ir.PowerSet():
            return domain_expressions(domain.element)
        case ir.TupleSet():
            return tuple(expr for item in domain.items for expr in domain_expressions(item))
        case ir.SequenceSet():
            return (*domain_expressions(domain.element), domain.min_length, domain.max_length)
        case ir.FunctionSet():
            return (*domain_expressions(domain.key), *domain_expressions(domain.value))
        case ir.RecordSet():
            return tuple(expr for _, item in domain.fields for expr in domain_expressions(item))
        case ir.UnionSet():
            return tuple(expr for item in domain.alternatives for expr in domain_expressions(item))
        case ir.BoolSet() | ir.LiteralSet() | ir.EnumSet():
            return ()
        case _:
            assert_never(domain)
