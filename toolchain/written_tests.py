"""Traces → a pytest file: the schedule of a counter-example on the class that runs, guarded and without the guard.

What is written depends on what the trace is:

- of a variant: the guarded class refuses the step that needs the guard's loss, and the variant takes it and violates
  the property; with a runtime adapter (`runtime.acting`) the same on a real model;
- of the protocol as it is written: the schedule violates the property, a test that fails until the protocol is mended;
- of a recording: the steps are possible, and lead where they led.

The layout is in the template `replay_test.py.j2`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from ..transpiler import ir, traverse
from ..transpiler.interpreter import Refused, attempt
from ..transpiler.language import Protocol
from ..transpiler.native import native_of
from .errors import UserError
from .generate import template
from .trace_binding import Bound
from .trace_text import title
from .traces import Trace, TraceStep

ADAPTED = ("tree_cache", "hand_off", "walk")
"""Built-in protocols whose steps `runtime.acting` can take on a real model."""

PACKAGE = "protocheck.protocols."


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """One test function: its name, what it says of itself, and its body."""

    name: str
    doc: str
    lines: tuple[str, ...]


@dataclass
class Imports:
    """What the written file imports, found while it is written."""

    protocol: type[Protocol]
    public: set[str] = field(default_factory=set)
    beside: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    pytest: bool = False
    runtime: bool = False
    model: bool = False
    copy: bool = False

    def literal(self, value: Any) -> str:
        """A value as Python source."""
        match value:
            case Enum():
                return f"{self._named(type(value))}.{value.name}"
            case frozenset() if not value:
                return "frozenset()"
            case frozenset():
                return "frozenset({" + ", ".join(sorted(map(self.literal, value))) + "})"
            case dict():
                return "{" + ", ".join(f"{self.literal(k)}: {self.literal(v)}" for k, v in value.items()) + "}"
            case tuple():
                inner = ", ".join(map(self.literal, value))
                return f"({inner},)" if len(value) == 1 else f"({inner})"
            case _ if hasattr(type(value), "__dataclass_fields__"):
                fields = ", ".join(
                    f"{name}={self.literal(getattr(value, name))}" for name in type(value).__dataclass_fields__
                )
                return f"{self._named(type(value))}({fields})"
            case str():
                return _quoted(value)
            case _:
                return repr(value)

    def _named(self, cls: type) -> str:
        """A class of the protocol's module, or of another one."""
        if cls.__module__ == self.protocol.__module__:
            self.beside.add(cls.__qualname__.partition(".")[0])
        else:
            self.modules.add(f"from {cls.__module__} import {cls.__qualname__.partition('.')[0]}")
        return cls.__qualname__

    def mapping(self, values: Mapping[str, Any]) -> str:
        return "{" + ", ".join(f"{_quoted(name)}: {self.literal(value)}" for name, value in values.items()) + "}"

    def keywords(self, values: Iterable[tuple[str, Any]]) -> str:
        return ", ".join(f"{name}={self.literal(value)}" for name, value in values)


def _quoted(text: str) -> str:
    """A string in double quotes, as formatters prefer them."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in text else plain


def pytest_source(
    traces: Sequence[Bound], protocol: type[Protocol], target: str, folder: Path, *, runtime: bool = True
) -> str:
    """The text of a test file for these traces, all of one protocol with the same constants.

    target: how the command line names the protocol. folder: where the file will be, from which a protocol in a file of
    its own is found. runtime: whether traces that can be acted out on a real model are.
    """
    imports = Imports(protocol)
    tests = [test for bound in traces for test in _Writer(bound, imports, runtime).tests()]
    first = traces[0].described
    about = f"{first.protocol}: {title(first)}" if len(traces) == 1 else f"{first.protocol}: {len(traces)} traces"
    standard, lines, loaded = _import_lines(imports, target, folder)
    return template("replay_test.py.j2").render(
        title=f"{about}{f', without {first.dropped}' if first.dropped and len(traces) == 1 else ''}.",
        purpose="The schedules are the checker's; what they show is asserted of the class that runs.",
        standard=standard,
        pytest=imports.pytest,
        imports=lines,
        loaded=loaded,
        constants=imports.mapping(traces[0].instance.constants),
        tests=tests,
    )


def _import_lines(imports: Imports, target: str, folder: Path) -> tuple[list[str], list[str], str]:
    """Imports of the standard library, the others, and where need be how the protocol is loaded from its file."""
    cls = imports.protocol
    names = sorted({cls.__name__, *imports.beside})
    place, colon, _ = target.rpartition(":")
    file = place if colon else target
    lines = [f"from protocheck import {', '.join(sorted(imports.public))}"] if imports.public else []
    standard = ["import copy"] if imports.copy else []
    loaded = ""
    if file.endswith(".py"):
        standard += [*(["import sys"] if imports.beside else []), "from pathlib import Path"]
        lines.append("from protocheck.toolchain.loading import load_protocol")
        relative = Path(os.path.relpath(file, folder)).as_posix()
        loaded = f'{cls.__name__} = load_protocol(f"{{Path(__file__).parent / {relative!r}}}:{cls.__name__}")'
        loaded += "".join(
            f"\n{name} = sys.modules[{cls.__name__}.__module__].{name}" for name in sorted(imports.beside)
        )
    else:
        lines.append(f"from {cls.__module__} import {', '.join(names)}")
    if imports.runtime:
        lines.append("from protocheck.toolchain.acted import acted_on_demonstration")
    if imports.model:
        lines.append("from protocheck.toolchain.schedules import shows_violation")
    return standard, sorted({*lines, *imports.modules}, key=lambda line: line.split()[1]), loaded


@dataclass
class _Writer:
    """The tests of one trace."""

    bound: Bound
    imports: Imports
    runtime: bool

    @property
    def trace(self) -> Trace:
        return self.bound.trace

    @property
    def protocol(self) -> ir.Protocol:
        return self.bound.instance.protocol

    def tests(self) -> Iterator[WrittenTest]:
        described = self.bound.described
        if described.violated is None:
            yield self._possible()
        elif described.dropped is None:
            yield self._mended(described.violated)
        else:
            yield self._refused(described.dropped)
            yield self._shown(described.violated, described.dropped)
            if self.runtime and _is_adapted(self.imports.protocol):
                yield self._acted(described.protocol, described.dropped)

    # ------------------------------------------------------------------------------------------------- the kinds

    def _possible(self) -> WrittenTest:
        slug = _slug(self.bound.described.instance or "run")
        lines = (f"run = {self._made()}", *self._taken(self._moves(), seen=True))
        doc = "The recorded steps are possible, and lead where they led."
        return WrittenTest(f"test_{slug}_is_possible", doc, lines)

    def _mended(self, violated: str) -> WrittenTest:
        doc = f"Fails as long as this schedule violates {violated}: mend the protocol, then it passes."
        name = f"test_{_slug(violated)}_holds"
        condition = self._native_condition(violated)
        if condition is None:
            return WrittenTest(name, doc, tuple(self._by_model(violated, None)))
        self.imports.public.add("GuardRefused")
        before, asserted = condition
        steps = self._taken(self._moves(), seen=False, before_last=before)
        lines = [f"run = {self._made()}", "try:", *(f"    {line}" for line in steps or ["pass"])]
        lines += ["except GuardRefused:", "    return  # a guard refuses the schedule now", f"assert {asserted}"]
        return WrittenTest(name, doc, tuple(lines))

    def _refused(self, dropped: str) -> WrittenTest:
        guarded, place, guards = self._refusal(dropped)
        self.imports.public |= {"GuardRefused", "snapshot"}
        self.imports.pytest = True
        moves = self._moves()
        lines = [
            f"run = {self._made()}",
            *self._taken(moves[:place], seen=False),
            "with pytest.raises(GuardRefused) as refusal:",
            f"    {self._call(moves[place])}",
            f"assert refusal.value.guards == {self.imports.literal(guards)}",
            f"assert snapshot(run) == {self.imports.mapping(self._seen(guarded))}",
        ]
        doc = f"The guard {dropped} refuses what would violate {self.bound.described.violated}."
        return WrittenTest(f"test_{_slug(dropped)}_refuses_the_step", doc, tuple(lines))

    def _shown(self, violated: str, dropped: str) -> WrittenTest:
        self.imports.public.add("without")
        condition = self._native_condition(violated)
        before, asserted = condition if condition is not None else (False, "")
        lines = [f"run = {self._made(dropped)}", *self._taken(self._moves(), seen=True, before_last=before)]
        lines += [f"assert not {asserted}"] if condition is not None else self._by_model(violated, dropped)
        doc = f"Without the guard {dropped} the schedule violates {violated}."
        return WrittenTest(f"test_without_{_slug(dropped)}_{_slug(violated)}_is_violated", doc, tuple(lines))

    def _acted(self, protocol: str, dropped: str) -> WrittenTest:
        """The same trace on a real model, whose forwards halt between a layer's update and its attention."""
        self.imports.pytest = self.imports.runtime = True
        guard = dropped.partition(".")[2]
        chosen = self.imports.mapping(dict(self.trace.steps[0].arguments))
        call = f"acted_on_demonstration({_quoted(f'{protocol}.{dropped}')}, steps, CONSTANTS, {chosen}"
        lines = (
            'pytest.importorskip("torch")',
            'pytest.importorskip("transformers")',
            *self._listed(),
            f"guarded = {call}, guarded=True)",
            "if guarded is None:",
            '    pytest.skip("this trace is for a model with other sliding layers")',
            f'assert (guarded.kind, guarded.guards) == ("refused", ({_quoted(guard)},))',
            f"dropped = {call}, guarded=False)",
            'assert dropped is not None and dropped.kind != "refused", dropped',
        )
        doc = "On a real model the guarded runtime refuses the step; without the guard it is taken."
        return WrittenTest(f"test_{_slug(dropped)}_on_a_real_model", doc, lines)

    # ------------------------------------------------------------------------------------------------- its parts

    def _moves(self) -> list[TraceStep]:
        return [move.step for move in self.trace.moves() if move.before is not None]

    def _made(self, dropped: str | None = None) -> str:
        name = self.imports.protocol.__name__
        if dropped is not None:
            name = f"without({name}, {_quoted(dropped)})"
        native = native_of(self.imports.protocol)
        chosen = [(key, value) for key, value in self.trace.steps[0].arguments if key in native.init_parameters]
        return f"{name}(**CONSTANTS{''.join(f', {each}' for each in [self.imports.keywords(chosen)] if each)})"

    def _call(self, step: TraceStep) -> str:
        return f"run.{step.action}({self.imports.keywords(step.arguments)})"

    def _seen(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """What a running instance has of a state: no ghosts."""
        ghosts = {variable.name for variable in self.protocol.variables if variable.ghost}
        return {name: value for name, value in state.items() if name not in ghosts}

    def _taken(self, steps: Sequence[TraceStep], *, seen: bool, before_last: bool = False) -> list[str]:
        """The calls, each followed by what it has changed; a copy is kept of the state before the last."""
        lines: list[str] = []
        before = self._seen(self.trace.steps[0].state)
        for place, step in enumerate(steps):
            if before_last and place == len(steps) - 1:
                lines.append("before = copy.copy(run)")
                self.imports.copy = True
            lines.append(self._call(step))
            after = self._seen(step.state)
            if seen:
                changed = [name for name in after if after[name] != before[name]]
                lines += [f"assert run.{name} == {self.imports.literal(after[name])}" for name in changed]
            before = after
        return lines

    def _native_condition(self, violated: str) -> tuple[bool, str] | None:
        """Whether the state before the last is needed, and the property as `holds(…)`; None if the class has it not."""
        named = [item for item in self.protocol.properties if item.name == violated]
        if not named or named[0].kind not in ("invariant", "transition_invariant"):
            return None
        ghosts = {variable.name for variable in self.protocol.variables if variable.ghost}
        if ghosts & traverse.variables_of(named[0].body, self.protocol):
            return None
        self.imports.public.add("holds")
        if named[0].kind == "invariant":
            return False, f"holds(run.{violated})"
        return True, f"holds(before.{violated}, run)"

    def _listed(self) -> list[str]:
        """The schedule as a list, a step a line."""
        steps = [(step.action or "", self.imports.mapping(dict(step.arguments))) for step in self._moves()]
        return ["steps = [", *(f"    ({_quoted(action)}, {arguments})," for action, arguments in steps), "]"]

    def _by_model(self, violated: str, dropped: str | None) -> list[str]:
        """The schedule, and the assertion that it violates a property, or without a dropped guard that it does not."""
        self.imports.model = True
        chosen = dict(self.trace.steps[0].arguments)
        more = {
            "chosen": self.imports.mapping(chosen) if chosen else "",
            "without": _quoted(dropped) if dropped is not None else "",
            "loop_to": str(self.trace.loop_to) if self.trace.loop_to is not None else "",
            "stuttering": "True" if self.trace.stuttering else "",
        }
        options = "".join(f", {name}={text}" for name, text in more.items() if text)
        name = self.imports.protocol.__name__
        call = f"shows_violation({name}, {_quoted(violated)}, steps, constants=CONSTANTS{options})"
        return [*self._listed(), f"assert {'not ' if dropped is None else ''}{call}"]

    def _refusal(self, dropped: str) -> tuple[Mapping[str, Any], int, tuple[str, ...]]:
        """The state in which the guarded protocol refuses a step of the trace, which step, and by which guards."""
        action = dropped.partition(".")[0]
        for place, move in enumerate(move for move in self.trace.moves() if move.before is not None):
            assert move.before is not None
            if move.step.action != action:
                continue
            outcome = attempt(self._guarded, move.before, self._guarded.protocol.action(action), move.step.arguments)
            if isinstance(outcome, Refused):
                return move.before, place, outcome.guards
        raise UserError(f"{self.protocol.name} with {dropped} refuses no step of this trace: it shows nothing of it")

    @property
    def _guarded(self) -> Any:
        from ..transpiler.instance import instantiate

        return instantiate(native_of(self.imports.protocol).protocol, self.bound.instance.constants)


def _is_adapted(cls: type[Protocol]) -> bool:
    return cls.__module__.removeprefix(PACKAGE) in ADAPTED and cls.__module__.startswith(PACKAGE)


def _slug(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")
