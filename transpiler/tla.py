r"""IR → a TLA+ module, as data that the template `module.tla.j2` lays out.

Every action becomes an operator, its guards a conjunction in an operator of their own, so that a variant differs from
its baseline in that one conjunct (and in the guard's own share of `WellDefined`):

    RollbackGuards(k) ==
        /\ shrinks:: k < length
        /\ no_reader_above:: \A i \in pending_reads : i <= k

    Rollback(k) ==
        /\ RollbackGuards(k)
        /\ length' = k
        /\ UNCHANGED pending_reads
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import ir, traverse
from .conditions import TRUE, conjunction
from .definedness import abstractions_defined, property_obligations
from .instance import instantiate
from .tla_actions import (
    actions_of,
    fairness_of,
    init_of,
    next_of,
    terminated_of,
    well_defined_actions,
    well_defined_init,
)
from .tla_config import Constants, constants_of
from .tla_domains import membership, membership_parts
from .tla_expressions import outermost
from .tla_layout import WIDTH, Lines, hanging, lines
from .tla_levels import moored, with_named_predicates
from .tla_library import LIBRARY, Used, definition
from .tla_names import (
    INIT,
    NEXT,
    SPEC,
    STEPS_WELL_DEFINED,
    TYPE_OK,
    VARS,
    WELL_DEFINED,
    Names,
    check_extended,
    member_string,
    module_name,
    names_of,
)
from .tla_operators import Conjunct, Operator, comments, head, position
from .tla_refinement import demands_of, instance_of
from .tla_scope import Scope
from .tla_syntax import Text, atom, braces, call, infix, inside, joined, negated, parenthesised, string

# Standard modules in the order in which they are extended.
_MODULES = ("Integers", "Sequences", "FiniteSets", "TLC")


@dataclass(frozen=True)
class Variable:
    name: str
    note: str


@dataclass(frozen=True)
class Module:
    """A module as data, in the order of its text. `invariants` and the like map Python names to operators.

    `abstract` is the module of what is refined, which stands beside this one; `refinement` are the instance of it and
    what is demanded of that. `symmetry` is the operator for the renamings of symmetric members, where there are any.
    """

    name: str
    comments: tuple[str, ...]
    extends: tuple[str, ...]
    constants: tuple[str, ...]
    variables: tuple[Variable, ...]
    library: tuple[tuple[str, str], ...]
    enumerations: tuple[Operator, ...]
    definitions: tuple[Operator, ...]
    assumptions: tuple[Lines, ...]
    type_ok: Operator
    helpers: tuple[Operator, ...]
    init: Operator
    actions: tuple[Operator, ...]
    next: Operator
    spec: Operator
    well_defined: tuple[Operator, ...]
    properties: tuple[Operator, ...]
    refinement: tuple[Operator, ...]
    abstract: Module | None
    values: Constants
    names: Names
    invariants: Mapping[str, str]
    transitions: Mapping[str, str]
    liveness: Mapping[str, str]
    reachable: Mapping[str, str]
    steps_well_defined: bool
    symmetry: str | None

    def files(self) -> Iterator[Module]:
        """This module and those that it needs beside it."""
        yield self
        if self.abstract is not None:
            yield from self.abstract.files()

    def refinement_operator(self, part: str) -> str:
        """The operator of a part of what is demanded: "domains", "init" or "steps"."""
        return self.names["refinement", part]


def build_module(protocol: ir.Protocol, constants: Mapping[str, Any], dropped: str | None = None) -> Module:
    """The module of a protocol with these values of its constants; of a variant where a guard is dropped.

    Raises `CompileError` where two names would be one in TLA+. `constants` holds canonical values by Python name.
    """
    protocol = with_named_predicates(moored(protocol))
    names = names_of(protocol)
    used = Used(names)
    scope = outermost(protocol, names, used)
    helpers = tuple(_helpers(protocol, scope))
    type_ok = _type_ok(protocol, scope)
    init = init_of(protocol.init, scope)
    actions = [operator for action in protocol.actions for operator in actions_of(action, protocol, dropped, scope)]
    terminated = terminated_of(protocol, scope)
    properties = tuple(_properties(protocol, scope))
    well_defined = tuple(_well_defined(protocol, dropped, scope))
    assumptions = tuple(_assumptions(protocol, scope))
    abstract, refinement = _refinement(protocol, scope)
    spec = (INIT, f"[][{NEXT}]_{VARS}", *fairness_of(protocol, scope))
    next_step = next_of(protocol, scope)
    values = constants_of(protocol, constants, names, used)
    symmetric = [item for item in protocol.constants if item.symmetric]
    definitions = [Operator(name, body=(value,)) for name, value in values.definitions]
    if symmetric:
        definitions.append(_symmetry(symmetric, names, used))
    extends = tuple(module for module in _MODULES if module in used.modules)
    check_extended(protocol, extends)
    return Module(
        name=module_name(replace(protocol, dropped=dropped or protocol.dropped)),
        comments=_header(protocol, dropped or protocol.dropped),
        extends=extends,
        constants=tuple(item.name for item in values.assignments),
        variables=tuple(
            Variable(names.variables[item.name], "ghost" if item.ghost else "") for item in protocol.variables
        ),
        library=tuple((LIBRARY[name].comment, definition(names, name)) for name in LIBRARY if name in used.operators),
        enumerations=tuple(enumerations_of(used)),
        definitions=tuple(definitions),
        assumptions=assumptions,
        type_ok=type_ok,
        helpers=helpers,
        init=init,
        actions=(*actions, terminated) if terminated is not None else tuple(actions),
        next=next_step,
        spec=Operator(SPEC, items=tuple(Conjunct((item,)) for item in spec)),
        well_defined=well_defined,
        properties=properties,
        refinement=refinement,
        abstract=abstract,
        values=values,
        names=names,
        invariants={item.name: names["property", item.name] for item in protocol.of_kind("invariant")},
        transitions={item.name: names["property", item.name] for item in protocol.of_kind("transition_invariant")},
        liveness={item.name: names["property", item.name] for item in protocol.properties if item.is_liveness},
        reachable={item.name: names["never", item.name] for item in protocol.of_kind("reachable")},
        steps_well_defined=any(operator.head == STEPS_WELL_DEFINED for operator in well_defined),
        symmetry=names["symmetry", ""] if any(len(constants[item.name]) > 1 for item in symmetric) else None,
    )


def _header(protocol: ir.Protocol, dropped: str | None) -> tuple[str, ...]:
    text = [line.rstrip() for line in protocol.doc.strip().splitlines()]
    where = position(protocol.span)
    text += [""] if text else []
    text.append(f"Generated from the class {protocol.name}{f' ({where})' if where else ''}; edit that, not this.")
    if dropped is not None:
        text.append(f"A variant: without the guard {dropped}.")
    return tuple(text)


def enumerations_of(used: Used) -> list[Operator]:
    """The sets of the members of the Enums in use."""
    return [
        Operator(
            used.names.enumerations[python],
            body=(str(braces(*(string(member_string(member)) for member in python))),),  # type: ignore[attr-defined]
        )
        for python in used.enumerations
    ]


def _symmetry(constants: Sequence[ir.Constant], names: Names, used: Used) -> Operator:
    """The renamings of symmetric members. TLC generates the group of what is listed."""
    permutations = used.standard("Permutations", "TLC")
    sets = (call(permutations, atom(names["constant", item.name])) for item in constants)
    note = ("Nothing tells these members apart. Of use for safety only, not for liveness.",)
    return Operator(names["symmetry", ""], note, body=(str(joined("\\cup", sets)),))


def _assumptions(protocol: ir.Protocol, scope: Scope) -> list[Lines]:
    """What the values of constants must satisfy, and that init's choices can be evaluated."""
    found: list[Lines] = [
        (str(membership(atom(scope.names["constant", item.name]), item.domain, scope)),)
        for item in protocol.constants
        if item.domain is not None
    ]
    return found + [conjunct.lines for conjunct in well_defined_init(protocol, scope)]


def _type_ok(protocol: ir.Protocol, scope: Scope) -> Operator:
    items = [
        Conjunct((str(part),))
        for item in protocol.variables
        for part in membership_parts(atom(scope.names.variables[item.name]), item.domain, scope)
    ]
    return Operator(TYPE_OK, items=tuple(items))


# ----------------------------------------------------------------------------------------------------- helpers


def _helpers(protocol: ir.Protocol, scope: Scope) -> list[Operator]:
    """Helpers after those that they call, since TLA+ wants a definition before its use."""
    found: list[Operator] = []
    done: set[tuple[str, bool]] = set()

    def define(helper: ir.Helper, after: bool) -> None:
        if (helper.name, after) in done:
            return
        done.add((helper.name, after))
        for node in traverse.walk(helper.body):
            if isinstance(node, ir.Call):
                define(protocol.helper(node.helper), False)
                if after and ("after", node.helper) in scope.names.operators:
                    define(protocol.helper(node.helper), True)
        found.append(_helper(helper, after, scope))

    for helper in protocol.helpers:
        define(helper, False)
        if ("after", helper.name) in scope.names.operators and traverse.variables_of(helper.body, protocol):
            define(helper, True)
    return found


def _helper(helper: ir.Helper, after: bool, scope: Scope) -> Operator:
    inner, names = replace(scope, after=after), []
    for item in helper.parameters:
        name, inner = inner.parameter(item.name)
        names.append(name)
    called = scope.names["after" if after else "helper", helper.name]
    note = (f"{helper.name}, in the state after the step.",) if after else comments(helper.doc, helper.span)
    return Operator(head(called, names), note, body=lines(helper.body, inner, WIDTH - 4))


# -------------------------------------------------------------------------------------------------- properties


def _refinement(protocol: ir.Protocol, scope: Scope) -> tuple[Module | None, tuple[Operator, ...]]:
    """The module of what is refined, as it is generated on its own; its instance, and what is demanded of that."""
    refinement = protocol.refinement
    if refinement is None:
        return None, ()
    abstract = build_module(refinement.abstract, instantiate(refinement.abstract).constants)
    none = abstract.names.none in abstract.constants
    instance = instance_of(refinement, scope.names, abstract.names, none, scope)
    return abstract, (instance, *demands_of(refinement, scope.names))


def _well_defined(protocol: ir.Protocol, dropped: str | None, scope: Scope) -> list[Operator]:
    items = well_defined_actions(protocol, dropped, scope)
    steps: list[ir.Expr] = []
    for obligation in property_obligations(protocol):
        if obligation.property.kind == "transition_invariant":
            steps.append(obligation.condition)
        else:
            items.append(Conjunct(lines(obligation.condition, scope, WIDTH - 8), position(obligation.property.span)))
    seen = abstractions_defined(protocol)
    if seen != TRUE:
        items.append(Conjunct(lines(seen, scope, WIDTH - 8), "abstractions"))
    note = ("Nothing is evaluated where it has no value.",)
    if items and protocol.variables and not _reads_state(items, protocol, scope):
        # TLC takes an invariant of constants that is false for a mistake in the configuration.
        name = scope.names.variables[protocol.variables[0].name]
        items.append(Conjunct((f"{name} = {name}",)))
    found = [
        Operator(WELL_DEFINED, note, items=tuple(items)) if items else Operator(WELL_DEFINED, note, body=("TRUE",))
    ]
    if steps:
        found.append(_of_steps(STEPS_WELL_DEFINED, (), conjunction(*steps), scope))
    return found


def _reads_state(items: Sequence[Conjunct], protocol: ir.Protocol, scope: Scope) -> bool:
    """Whether a variable stands in the text of these conjuncts, or in the guards and helpers that they call."""
    reading = set(scope.names.variables.values())
    for helper in protocol.helpers:
        if traverse.variables_of(helper.body, protocol):
            reading.add(scope.names["helper", helper.name])
    for action in protocol.actions:
        guards = [step for step in action.steps if isinstance(step, ir.Guard)]
        if any(traverse.variables_of(step.condition, protocol) for step in guards):
            keys = [action.name, *(f"{action.name}.{number + 1}" for number in range(len(guards)))]
            reading |= {name for key in keys if (name := scope.names.operators.get(("guards", key)))}
    return bool(reading & {word for item in items for text in item.lines for word in re.findall(r"\w+", text)})


def _of_steps(name: str, notes: Lines, body: ir.Expr, scope: Scope, partial: bool = False) -> Operator:
    """`[][body]_vars`: true of every step that changes something.

    partial: the body may have no value. TLC evaluates it also for steps that change nothing, where none is asked for.
    """
    text = scope.text(body)
    shown = lines(body, scope, WIDTH - 12)
    if partial:
        shown = (f"\\/ UNCHANGED {VARS}", *hanging("\\/ ", shown))
    elif inside(text) != text:
        *before, last = hanging("(", shown)
        shown = (*before, f"{last})")
    *before, last = hanging("[][", shown)
    return Operator(name, notes, body=(*before, f"{last}]_{VARS}"))


def _properties(protocol: ir.Protocol, scope: Scope) -> list[Operator]:
    helpers = {helper.name for helper in protocol.helpers}
    partial = {obligation.property.name for obligation in property_obligations(protocol)}
    found = []
    for item in protocol.properties:
        note = comments(item.doc, item.span)
        body = _body(item, helpers, scope)
        match item.kind:
            case "terminal":
                continue
            case "invariant":
                if item.name in helpers:
                    continue
                found.append(
                    Operator(scope.names["property", item.name], note, body=lines(item.body, scope, WIDTH - 4))
                )
            case "transition_invariant":
                name = scope.names["property", item.name]
                found.append(_of_steps(name, note, item.body, scope, item.name in partial))
            case "reachable":
                found.append(Operator(scope.names["never", item.name], note, body=(str(negated(body)),)))
            case _:
                text = _temporal(item, body, scope)
                found.append(Operator(scope.names["property", item.name], note, body=(text,)))
    return found


def _body(item: ir.Property, helpers: set[str], scope: Scope) -> Text:
    """The state predicate of a property: by name where it is also a helper."""
    if item.name in helpers and item.kind != "transition_invariant":
        return atom(scope.names["helper", item.name])
    return scope.text(item.body)


def _temporal(item: ir.Property, body: Text, scope: Scope) -> str:
    inside = str(parenthesised(body))
    match item.kind:
        case "eventually":
            return f"<>{inside}"
        case "infinitely_often":
            return f"[]<>{inside}"
        case "eventually_always":
            return f"<>[]{inside}"
        case "leads_to":
            assert item.target is not None
            return str(infix("~>", parenthesised(body), parenthesised(scope.text(item.target))))
        case _:
            raise AssertionError(f"{item.name} is no liveness property")
