r"""A log as a TLA+ specification, for a second opinion: TLC says whether it is a behaviour of the generated module.

The log's module extends the protocol's, which is generated as ever, and adds a variable, the number of the next event.
An event is explained by a step of the action that it names, with the arguments and the values that it names:

    Event2 ==
        /\ Log[position].kind = 2
        /\ Log[position].args[1] \in 1..MaxLen
        /\ StartRead(Log[position].args[1])
        /\ length' = Log[position].seen[1]

`Unexplained` says that events are left. It is an invariant of the model: TLC reports it violated, with the behaviour,
where the whole log can be explained, and finds no error where it cannot be. (The technique is that of Cirstea, Kuppe,
Loillier and Merz, "Validating Traces of Distributed Programs Against TLA+ Specifications", SEFM 2024.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...transpiler import ir
from ...transpiler import valuetypes as types
from ...transpiler.tla import Module, build_module, enumerations_of
from ...transpiler.tla_config import Assignment, Config
from ...transpiler.tla_domains import domain_set, membership
from ...transpiler.tla_expressions import outermost
from ...transpiler.tla_library import LIBRARY, Used, definition
from ...transpiler.tla_names import INIT, VARS, module_name
from ...transpiler.tla_scope import Scope
from ...transpiler.tla_syntax import angles, atom, bounded, braces, joined
from ...transpiler.tla_values import value_text
from ..errors import UserError
from ..generate import config_text, module_files
from .explain import event_text
from .model import Model, Outside
from .results import Event, Options

MOST_EVENTS = 20_000
"""Events of a log that is written for TLC: beyond that it takes minutes to read the module."""

Kind = tuple[str | None, tuple[str, ...], tuple[str, ...], bool]
"""What events of one operator share: action, named arguments, named variables, whether nothing else changes."""


@dataclass(frozen=True, slots=True)
class LogSpecification:
    """The files by name; `module` is the one to check, with the .cfg of its name, `unexplained` its invariant."""

    files: Mapping[str, str]
    module: str
    unexplained: str


def log_specification(model: Model, begun: Event | None, events: Sequence[Event], options: Options) -> LogSpecification:
    """The specification of a log: what is known of the state that it begins with, and its events.

    Refusals are left out: TLA+ has steps only. Raises `UserError` for a log that is too long, or has a value that no
    state has.
    """
    return _Writer(model, options).specification(begun, [event for event in events if event.refused is None])


class _Writer:
    """One log; the names that it adds are unlike all others of the protocol's module."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model, self.options = model, options
        # Properties are not the log's business; without them the module is what can happen and nothing else.
        self.protocol = replace(model.instance.protocol, properties=(), refinement=None)
        self.base: Module = build_module(self.protocol, model.instance.constants)
        self.used = Used(self.base.names)
        self.scope = outermost(self.protocol, self.base.names, self.used)
        taken: list[str] = []
        for wanted in ("Log", "position", "LogInit", "LogNext", "LogSpec", "Unexplained", "Event", "Unlogged"):
            taken.append(self.base.names.fresh(wanted, taken))
        self.taken = taken
        self.members: dict[str, str] = {}
        self.log, self.position, self.init, self.next, self.spec, self.unexplained, self.event, self.unlogged = taken

    def specification(self, begun: Event | None, events: Sequence[Event]) -> LogSpecification:
        if len(events) > MOST_EVENTS:
            raise UserError(f"{len(events):,} events are too many for a specification; at most {MOST_EVENTS:,} are not")
        first = list(self._begins(begun))
        kinds: dict[Kind, int] = {}
        records = [self._record(event, kinds.setdefault(_kind(event), len(kinds) + 1)) for event in events]
        operators = [self._operator(kind, number) for kind, number in kinds.items()]
        hidden = [self._hidden(name) for name in sorted(self.options.unlogged)]
        name = f"{module_name(self.protocol)}__log"
        lines = [
            f"---- MODULE {name} ----",
            "\\* Whether a log is a behaviour of the protocol: it is one if and only if TLC reports that",
            f"\\* {self.unexplained} is violated. Generated; see docs/validate.md.",
            *self._head(),
            *([f"CONSTANTS {', '.join(self.members.values())}"] if self.members else []),
            f"VARIABLE {self.position}",
            "",
            f"{self.log} == <<",
            *_separated(records),
            ">>",
            "",
            f"{self.init} ==",
            f"    /\\ {self.position} = 1",
            *first,
            "",
            *(line for operator in operators for line in (*operator, "")),
            *(line for operator in hidden for line in (*operator, "")),
            f"{self.next} ==",
            f"    \\/ /\\ {self.position} <= {len(records)}",
            f"       /\\ {self.position}' = {self.position} + 1",
            f"       /\\ {self._any_of(self.event, len(operators))}",
            *(f"    \\/ {self.unlogged}{number}" for number in range(1, len(hidden) + 1)),
            "",
            f"{self.spec} == {self.init} /\\ [][{self.next}]_<<{VARS}, {self.position}>>",
            "",
            f"{self.unexplained} == {self.position} <= {len(records)}",
            "====",
        ]
        members = (Assignment(name, value, "=", "a member") for value, name in self.members.items())
        constants = (*self.base.values.assignments, *members)
        config = Config("A log; a violation is the pass.", constants, self.spec, (self.unexplained,), ())
        files = {**module_files(self.base), f"{name}.tla": "\n".join(lines) + "\n", f"{name}.cfg": config_text(config)}
        return LogSpecification(files, name, self.unexplained)

    def _head(self) -> Iterator[str]:
        """What is extended, and definitions that the protocol's module did not need."""
        modules = sorted({"Integers", "Sequences", *self.used.modules})
        yield f"EXTENDS {', '.join([self.base.name, *modules])}"
        there = {text for _, text in self.base.library}
        for name in LIBRARY:
            if name in self.used.operators and definition(self.base.names, name) not in there:
                yield definition(self.base.names, name)
        known = {operator.head for operator in self.base.enumerations}
        for operator in enumerations_of(self.used):
            if operator.head not in known:
                yield f"{operator.head} == {operator.body[0]}"

    # -------------------------------------------------------------------------------------------------- the events

    def _record(self, event: Event, kind: int) -> str:
        args, seen = self._values(event)
        types_of = self._parameter_types(event.action)
        texts = [self._text(args[name], types_of[name]) for name in event.arguments]
        kinds = {variable.name: variable.type for variable in self.protocol.variables}
        looks = [self._text(value, kinds[name]) for name, value in seen.items()]
        return f"[kind |-> {kind}, args |-> <<{', '.join(texts)}>>, seen |-> <<{', '.join(looks)}>>]"

    def _values(self, event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
        seen, impossible = self.model.values(event.seen)
        try:
            args = self.model.arguments(event.action, event.arguments) if event.action is not None else {}
        except Outside as outside:
            impossible = {"": str(outside)}
        if impossible:
            reason = next(iter(impossible.values()))
            raise UserError(f"line {event.line}, {event_text(event)}: {reason}; there is nothing to ask TLC")
        return args, {name: seen[name] for name in event.seen}

    def _parameter_types(self, action: str | None) -> Mapping[str, types.Type]:
        if action is None:
            return {}
        return {parameter.name: parameter.type for parameter in self.model.actions[action].parameters}

    def _member(self, model_value: str) -> str:
        """A constant that stands for a model value: a module cannot name one, only a .cfg can."""
        if model_value not in self.members:
            taken = (*self.taken, *self.members.values())
            self.members[model_value] = self.base.names.fresh(f"the_{model_value}", taken)
        return self.members[model_value]

    def _text(self, value: Any, kind: types.Type) -> str:
        return str(self._typed(value, kind))

    def _typed(self, value: Any, kind: types.Type) -> Any:
        """The value with the members of symmetric constants as what they are in TLA+: model values."""
        match kind:
            case types.Model() if isinstance(value, str):
                return atom(self._member(self.base.values.models[kind.constant, value]))
            case types.Optional(item) if value is not None:
                return self._typed(value, item)
            case types.Set(element):
                return braces(*(self._typed(item, element) for item in sorted(value, key=repr)))
            case types.Sequence(element):
                return angles(*(self._typed(item, element) for item in value))
            case types.Tuple(items):
                return angles(*(self._typed(part, item) for part, item in zip(value, items, strict=True)))
            case types.Function(key, result) if value and isinstance(key, types.Model):
                self.used.modules.add("TLC")
                pairs = sorted(value.items(), key=repr)
                texts = (f"({self._typed(k, key)} :> {self._typed(v, result)})" for k, v in pairs)
                return joined("@@", map(atom, texts))
            case _:
                return value_text(value, self.used)

    def _begins(self, begun: Event | None) -> Iterator[str]:
        if not self.options.anywhere:
            yield f"    /\\ {INIT}"
        kinds = {variable.name: variable.type for variable in self.protocol.variables}
        if begun is not None:
            _, seen = self._values(begun)
            for name, value in seen.items():
                yield f"    /\\ {self.base.names.variables[name]} = {self._text(value, kinds[name])}"

    # ----------------------------------------------------------------------------------------------- the operators

    def _operator(self, kind: Kind, number: int) -> list[str]:
        action, named, seen, whole = kind
        here = f"{self.log}[{self.position}]"
        lines = [f"{self.event}{number} ==", f"    /\\ {here}.kind = {number}"]
        if action is None:
            lines.append(f"    /\\ UNCHANGED {VARS}")
        else:
            lines += [f"    /\\ {line}" for line in self._step(self.model.actions[action], named, here)]
        variables = self.base.names.variables
        lines += [f"    /\\ {variables[name]}' = {here}.seen[{place}]" for place, name in enumerate(seen, start=1)]
        others = [variables[item.name] for item in self.protocol.variables if item.name not in seen]
        if whole and others and action is not None:
            lines.append(f"    /\\ UNCHANGED <<{', '.join(others)}>>")
        return lines

    def _step(self, action: ir.Action, named: Sequence[str], here: str) -> Iterator[str]:
        """A step of the action, with the arguments that are named, and any others."""
        scope: Scope = self.scope
        given = {name: f"{here}.args[{place}]" for place, name in enumerate(named, start=1)}
        quantified, called = [], []
        for parameter in action.parameters:
            if parameter.name in given:
                value = atom(given[parameter.name])
                yield str(membership(value, parameter.domain, self.scope))
                called.append(given[parameter.name])
                continue
            source = domain_set(parameter.domain, scope)
            bound, scope = scope.parameter(parameter.name, parameter.domain)
            quantified.append(f"\\E {bounded(bound, source)} :")
            called.append(bound)
        operator = self.base.names["action", action.name]
        yield " ".join([*quantified, f"{operator}({', '.join(called)})" if called else operator])

    def _hidden(self, name: str) -> list[str]:
        number = sorted(self.options.unlogged).index(name) + 1
        (step,) = self._step(self.model.actions[name], (), "")
        return [f"{self.unlogged}{number} ==", f"    /\\ UNCHANGED {self.position}", f"    /\\ {step}"]

    @staticmethod
    def _any_of(operator: str, count: int) -> str:
        return " \\/ ".join(f"{operator}{number}" for number in range(1, count + 1)) or "FALSE"


def _kind(event: Event) -> Kind:
    return event.action, tuple(event.arguments), tuple(event.seen), event.exhaustive


def _separated(records: Sequence[str]) -> Iterator[str]:
    for place, record in enumerate(records):
        yield f"    {record}{',' if place < len(records) - 1 else ''}"
