"""What everything is called in TLA+: one name space for a whole module, in which nothing may hide anything else.

SANY refuses shadowing altogether, so a bound name is made unique against every variable, constant and operator of the
module and of the standard modules. Names that users gave are never changed; where two of them would be one operator,
that is a diagnostic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from . import ir, traverse
from . import valuetypes as types
from .diagnostics import Code, CompileError, Diagnostic, Span
from .naming import camel_case
from .tla_library import LIBRARY

_TLC_OPERATORS = """
    Any Assert JavaTime Permutations Print PrintT RandomElement SortSeq TLCEval TLCFP TLCGet TLCGetAndSet
    TLCGetOrDefault TLCSet ToString
"""
STANDARD_OPERATORS: Mapping[str, frozenset[str]] = {
    "Integers": frozenset(("Nat", "Int")),
    "Sequences": frozenset(("Seq", "Len", "Append", "Head", "Tail", "SubSeq", "SelectSeq")),
    "FiniteSets": frozenset(("IsFiniteSet", "Cardinality")),
    "TLC": frozenset(_TLC_OPERATORS.split()),
}

_BUILT_ON: Mapping[str, tuple[str, ...]] = {
    "FiniteSets": ("Sequences",),
    "TLC": ("Sequences", "FiniteSets"),
}

_RESERVED_WORDS = """
    ACTION ASSUME ASSUMPTION AXIOM BOOLEAN BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS DOMAIN ELSE
    ENABLED EXCEPT EXTENDS FALSE HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW OBVIOUS OMITTED ONLY OTHER
    PICK PROOF PROPOSITION PROVE QED RECURSIVE STATE STRING SUBSET SUFFICES TAKE TEMPORAL THEN THEOREM TRUE UNCHANGED
    UNION USE VARIABLE VARIABLES WITH WITNESS
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())

INIT, NEXT, SPEC, VARS, TYPE_OK, WELL_DEFINED = "Init", "Next", "Spec", "vars", "TypeOK", "WellDefined"
STEPS_WELL_DEFINED, TERMINATED = "StepsWellDefined", "Terminated"
_FIXED = (INIT, NEXT, SPEC, VARS, TYPE_OK, WELL_DEFINED)

_REFINEMENT = {
    "instance": "Abstract",
    "domains": "RefinesDomains",
    "init": "RefinesInit",
    "steps": "RefinesSteps",
}

_SYMMETRY = "Symmetry"

_LIVENESS_PREFIX = {
    "eventually": "Eventually",
    "infinitely_often": "InfinitelyOften",
    "eventually_always": "EventuallyAlways",
    "leads_to": "LeadsTo",
}


@dataclass(frozen=True)
class Names:
    """The names of one protocol and all its variants.

    `operators` maps (kind, Python name) to the operator: kinds are "constant", "action", "guards", "helper", "after"
    (a helper evaluated in the state after a step), "property", "never", "refinement" (the parts of that, of a
    protocol that claims one) and "symmetry" (the renamings, of one with symmetric constants). `taken` holds what no
    bound name may be.
    Records that a union tells apart carry their class in the field `tag`.
    """

    operators: Mapping[tuple[str, str], str]
    variables: Mapping[str, str]
    taken: frozenset[str]
    none: str
    library: Mapping[str, str]
    enumerations: Mapping[type, str]
    tag: str
    tags: Mapping[type, str]
    fields: Mapping[tuple[type, str], str]

    def __getitem__(self, key: tuple[str, str]) -> str:
        return self.operators[key]

    def is_tagged(self, record: types.Record) -> bool:
        """Whether values of this record carry their class."""
        return record.python in self.tags

    def field(self, record: types.Record, name: str) -> str:
        """What a field of a record is called."""
        return self.fields.get((record.python, name), identifier(name))

    def fresh(self, wanted: str, used: Iterable[str] = ()) -> str:
        """A bound name: `wanted` where nothing else has it."""
        return fresh(identifier(wanted), self.taken.union(used))


def module_name(protocol: ir.Protocol) -> str:
    """The class's name; of a variant, with the dropped guard: `Rollback__rollback__no_reader_above`."""
    name = identifier(protocol.name)
    return name if protocol.dropped is None else f"{name}__{identifier(protocol.dropped.replace('.', '__'))}"


def member_string(member: Any) -> str:
    """The string that stands for a member of an Enum."""
    return f"{type(member).__name__}.{member.name}"


def identifier(name: str) -> str:
    """A name that TLA+ accepts; Python's own names nearly always are."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not re.search("[A-Za-z]", plain) or plain[0].isdigit() or plain.startswith(("WF_", "SF_")):
        plain = f"x{plain}"
    return f"{plain}_" if plain in _RESERVED else plain


def fresh(wanted: str, used: Iterable[str]) -> str:
    """`wanted`, or the first of `wanted_2`, `wanted_3` … that is free."""
    return traverse.fresh_name(wanted, used)


def names_of(protocol: ir.Protocol) -> Names:
    """Name everything in a protocol. Raises `CompileError` where two names would be one."""
    claims = _claims(protocol)
    diagnostics = list(_clashes(claims))
    if diagnostics:
        raise CompileError(diagnostics)
    taken = {claim.text for claim in claims} | set(_FIXED) | _RESERVED | {STEPS_WELL_DEFINED, TERMINATED}
    taken = taken.union(*STANDARD_OPERATORS.values())
    none = fresh("None", taken)
    taken.add(none)
    library = {name: fresh(name, taken) for name in LIBRARY}
    taken.update(library.values())
    enumerations: dict[type, str] = {}
    records: dict[type, types.Record] = {}
    united: set[type] = set()
    for kind in types_of(protocol):
        if isinstance(kind, types.Enumeration) and kind.python not in enumerations:
            enumerations[kind.python] = fresh(identifier(kind.python.__name__), taken)
            taken.add(enumerations[kind.python])
        for record in types.alternatives(kind):
            records.setdefault(record.python, record)
            # TLA+ has no record without fields, so that one carries its class as well.
            if isinstance(kind, types.Union) or not record.fields:
                united.add(record.python)
    tags: dict[type, str] = {}
    for cls in records:
        if cls in united:
            tags[cls] = fresh(cls.__name__, tags.values())
    tag = next(word for word in _tag_words() if not any(record.field(word) for record in records.values()))
    operators = {(claim.kind, claim.name): claim.text for claim in claims}
    if protocol.refinement is not None:
        for part, wanted in _REFINEMENT.items():
            operators["refinement", part] = fresh(wanted, taken)
            taken.add(operators["refinement", part])
    if any(constant.symmetric for constant in protocol.constants):
        operators["symmetry", ""] = fresh(_SYMMETRY, taken)
        taken.add(operators["symmetry", ""])
    return Names(
        operators=operators,
        variables={claim.name: claim.text for claim in claims if claim.kind == "variable"},
        taken=frozenset(taken),
        none=none,
        library=library,
        enumerations=enumerations,
        tag=tag,
        tags=tags,
        fields=_separated_fields(protocol),
    )


def check_names(protocol: ir.Protocol) -> list[Diagnostic]:
    """What is wrong with a protocol's names, for a frontend that reports everything at once."""
    return list(_clashes(_claims(protocol)))


def check_extended(protocol: ir.Protocol, modules: Iterable[str]) -> None:
    """Raise `CompileError` where a name of the protocol is an operator of a module that it extends."""
    diagnostics = []
    # TLC also takes the operators of the modules that these are built on for theirs, LOCAL though they are.
    known = sorted({*modules}.union(*(_BUILT_ON.get(module, ()) for module in modules)))
    for claim in _claims(protocol):
        for module in known:
            if claim.text in STANDARD_OPERATORS[module]:
                diagnostics.append(
                    Diagnostic(
                        Code.COLLISION,
                        claim.span,
                        f"{claim.what} becomes {claim.text}, an operator of the standard module {module}",
                        "TLA+ has one name space, and this protocol uses that module",
                        f"give {claim.name} another name",
                    )
                )
    if diagnostics:
        raise CompileError(diagnostics)


# ----------------------------------------------------------------------------------------------------- collisions


@dataclass(frozen=True)
class _Claim:
    """`text` is what `name`, of the given kind, is called in TLA+; `what` says so to a user."""

    kind: str
    name: str
    text: str
    what: str
    span: Span


def _claims(protocol: ir.Protocol) -> list[_Claim]:
    claims: list[_Claim] = []
    helpers = {helper.name for helper in protocol.helpers}

    def claim(kind: str, name: str, text: str, what: str, span: Span) -> None:
        claims.append(_Claim(kind, name, text, what, span))

    for constant in protocol.constants:
        claim("constant", constant.name, camel_case(constant.name), f"the constant {constant.name}", constant.span)
    for variable in protocol.variables:
        claim("variable", variable.name, variable.name, f"the variable {variable.name}", variable.span)
    for action in protocol.actions:
        name, text = action.name, camel_case(action.name)
        claim("action", name, text, f"the action {name}", action.span)
        claim("guards", name, f"{text}Guards", f"the guards of the action {name}", action.span)
        calls = {guard.call for guard in action.guards}
        for number in range(1, len(calls) + 1):
            key = f"{name}.{number}"
            claim("guards", key, f"{text}Guards{number}", f"the guards of the action {name}", action.span)
    for helper in protocol.helpers:
        claim("helper", helper.name, camel_case(helper.name), f"the helper {helper.name}", helper.span)
    for name in sorted(_helpers_after(protocol)):
        text = f"{camel_case(name)}After"
        claim("after", name, text, f"the helper {name} in the state after a step", protocol.helper(name).span)
    for item in protocol.properties:
        text = camel_case(item.name)
        if item.kind == "reachable":
            claim("never", item.name, f"Never_{text}", f"the absence of {item.name}", item.span)
        elif item.is_liveness and item.name in helpers:
            # The state predicate has the plain name, so that it can be called.
            claim("property", item.name, _LIVENESS_PREFIX[item.kind] + text, f"the property {item.name}", item.span)
        elif item.kind != "terminal":
            claim("property", item.name, text, f"the property {item.name}", item.span)
    return claims


def _helpers_after(protocol: ir.Protocol) -> set[str]:
    """Helpers that a transition invariant evaluates in the state after the step with arguments of its own."""
    found: set[str] = set()

    def visit(expr: ir.Expr, inside_after: bool) -> None:
        for node in traverse.walk(expr):
            if isinstance(node, ir.Call) and (node.after or inside_after):
                if node.arguments:
                    found.add(node.helper)
                visit(protocol.helper(node.helper).body, True)

    for item in protocol.of_kind("transition_invariant"):
        visit(item.body, False)
    return found


def _clashes(claims: Iterable[_Claim]) -> Iterator[Diagnostic]:
    fixed = dict.fromkeys(_FIXED, "an operator that every module has")
    seen: dict[str, _Claim] = {}
    for claim in claims:
        text = claim.text
        if identifier(text) != text:
            reason = "a name in TLA+ is made of ASCII letters, digits and underscores, and is no reserved word"
            message = f"{claim.what} cannot be called {text or claim.name} in TLA+"
            yield Diagnostic(Code.COLLISION, claim.span, message, reason, f"give {claim.name} another name")
        elif text in fixed:
            message = f"{claim.what} becomes {text} in TLA+, {fixed[text]}"
            reason = "TLA+ has one name space for everything"
            yield Diagnostic(Code.COLLISION, claim.span, message, reason, f"give {claim.name} another name")
        elif text in seen and not (
            claim.kind == "property" and (seen[text].kind, seen[text].name) == ("helper", claim.name)
        ):
            message = f"{claim.what} and {seen[text].what} both become {text} in TLA+"
            reason = "constants, actions, helpers and properties are operators there, in CamelCase"
            yield Diagnostic(Code.COLLISION, claim.span, message, reason, "give one of them another name")
        seen.setdefault(text, claim)


# ----------------------------------------------------------------------------------------------- types and records


def expressions_of(protocol: ir.Protocol) -> Iterator[ir.Expr]:
    """Every outermost expression of a protocol, in source order."""
    for variable in protocol.variables:
        if variable.initial is not None:
            yield variable.initial
    for steps, updates in [(protocol.init.steps, protocol.init.updates)] + [
        (action.steps, action.updates) for action in protocol.actions
    ]:
        for step in steps:
            if step.when is not None:
                yield step.when
            yield step.value if isinstance(step, ir.Bind) else step.condition
        for update in updates:
            yield update.value
    for helper in protocol.helpers:
        yield helper.body
    for item in protocol.properties:
        yield item.body
        if item.target is not None:
            yield item.target


def domains_of(protocol: ir.Protocol) -> Iterator[ir.DomainExpr]:
    """The domain of every constant that has one, of every variable and of every parameter."""
    yield from (constant.domain for constant in protocol.constants if constant.domain is not None)
    yield from (variable.domain for variable in protocol.variables)
    for parameters in (protocol.init.parameters, *(action.parameters for action in protocol.actions)):
        yield from (parameter.domain for parameter in parameters)


def types_of(protocol: ir.Protocol) -> Iterator[types.Type]:
    """Every type in a protocol, parts included, in a fixed order and with repetitions."""
    for typed in (*protocol.constants, *protocol.variables, *protocol.init.parameters):
        yield from parts_of(typed.type)
    for action in protocol.actions:
        for parameter in action.parameters:
            yield from parts_of(parameter.type)
    for expr in expressions_of(protocol):
        for node in traverse.walk(expr):
            yield from parts_of(node.type)
            if isinstance(node, ir.IsInstance):
                for record in node.classes:
                    yield from parts_of(record)


def parts_of(kind: types.Type) -> Iterator[types.Type]:
    """A type and every type within it, with repetitions."""
    yield kind
    match kind:
        case types.Optional(inner) | types.Set(inner) | types.Sequence(inner):
            yield from parts_of(inner)
        case types.Tuple(items):
            for item in items:
                yield from parts_of(item)
        case types.Function(key, value):
            yield from parts_of(key)
            yield from parts_of(value)
        case types.Record(_, fields):
            for _, item in fields:
                yield from parts_of(item)
        case types.Union(records):
            for record in records:
                yield from parts_of(record)
        case (
            types.Bool()
            | types.Int()
            | types.Str()
            | types.Model()
            | types.Enumeration()
            | types.Nothing()
            | types.Never()
            | types.Range()
        ):
            return
        case _:
            assert_never(kind)


def _separated_fields(protocol: ir.Protocol) -> dict[tuple[type, str], str]:
    """Fields that must be renamed, because TLC compares equally named fields of different records by value.

    It fails when those values are of different kinds, an integer and a string say, even where the tags differ.
    """
    renamed = {}
    for kind in types_of(protocol):
        if not isinstance(kind, types.Union):
            continue
        for first in kind.alternatives:
            for second in kind.alternatives:
                for name, item in first.fields:
                    other = second.field(name)
                    if other is not None and types.unify(item, other) is None:
                        renamed[first.python, name] = f"{identifier(first.python.__name__)}_{identifier(name)}"
                        renamed[second.python, name] = f"{identifier(second.python.__name__)}_{identifier(name)}"
    return renamed


def _tag_words() -> Iterator[str]:
    yield from ("type", "kind", "tag")
    number = 2
    while True:
        yield f"tag_{number}"
        number += 1
