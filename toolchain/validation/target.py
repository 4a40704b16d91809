"""What a log is held against, and how it may begin: common to both kinds of logs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ...transpiler import ir
from ...transpiler.diagnostics import CompileError
from ...transpiler.domains import show
from ...transpiler.language import Protocol
from ..traces import State
from .constants import read_constants
from .following import Follower
from .lines import LogError, Truncated
from .model import Foreign, Model, TooMany
from .results import Options
from .simulation import Possible, agrees

NOTHING: Mapping[str, Any] = {}

TOO_DEEP = "a value in it is nested too deep"

Numbered = tuple[int, dict[str, Any]]
"""A line of a log: its number and its object."""


@dataclass
class Target:
    """What the log is held against, and what was said about reading it."""

    cls: type[Protocol] | None
    protocol: ir.Protocol
    name: str
    options: Options
    constants: dict[str, Any]
    instances: tuple[str, ...]
    keeps: bool = False
    notes: list[str] = field(default_factory=list)

    def fail(self, line: int, reason: object) -> NoReturn:
        raise LogError(self.name, line, str(reason)) from None

    def mapping(self, line: int, data: Any, what: str) -> Mapping[str, Any]:
        if type(data) is not dict:
            self.fail(line, f"{what} is no JSON object, but {show_json(data)}")
        found: Mapping[str, Any] = data
        return found

    def model(self, line: int, constants: Any) -> Model:
        """The protocol with the constants of a line, and those of the caller."""
        try:
            read = read_constants(self.protocol, constants)
            for constant, value in self.constants.items():
                if constant in read and read[constant] != value:
                    raise Foreign(f"the log says {constant} = {show(read[constant])}, and --set {show(value)}")
            return Model.of(self.protocol, {**self.constants, **read}, assumptions=self.options.assumptions)
        except Foreign as error:
            self.fail(line, error)
        except CompileError as error:
            self.fail(line, f"these constants cannot be: {error.diagnostics[0].message}")
        except RecursionError:
            self.fail(line, TOO_DEEP)

    def follower(self, line: int, model: Model, begun: Mapping[str, Any] | None, instance: str = "") -> Follower:
        """A follower in the states that the log can begin with; `begun` is what it says of that, None if nothing."""
        doubt = ""
        if self.options.anywhere:
            states: Collection[State] = [self._any(line, model, begun or {})]
        else:
            states, doubt = self._initial(model, begun)
        follower = Follower(self.cls, model, self.options, states, instance, keeps=self.keeps, doubt=doubt)
        if begun is not None:
            follower.begins(line, begun)
        return follower

    def _initial(self, model: Model, begun: Mapping[str, Any] | None) -> tuple[Collection[State], str]:
        """The initial states, those that are like `begun` where there are too many; and why that is in doubt, if so.

        Then the state that the log names is among them, so that its steps are looked at all the same.
        """
        try:
            return Possible(model, self.options, model.initial()).states.values(), ""
        except TooMany as error:
            if begun is None:
                return (), f"{error}: let the log name the state that it begins with"
        values, impossible = model.values(begun)
        if impossible:
            return (), ""
        try:
            fitting = (state for state in model.initial(values) if agrees(state, values))
            return Possible(model, self.options, fitting).states.values(), ""
        except TooMany as error:
            doubt = f"whether it begins in an initial state was not decided: {error} (--from-anywhere does not ask)"
        named = len(values) == len(model.instance.variables)
        return [{name: values[name] for name in model.instance.variables}] if named else (), doubt

    def demand_truncated(self, error: Truncated) -> None:
        """Note that the last line was cut off, where that is no error."""
        if not self.options.truncated:
            self.fail(error.line, f"{error.reason}; --truncated accepts that")
        self.notes.append(f"line {error.line} is cut off, and was not looked at")

    def _any(self, line: int, model: Model, begun: Mapping[str, Any]) -> State:
        values, impossible = model.values(begun)
        missing = [variable for variable in model.instance.variables if variable not in values]
        if impossible:
            self.fail(line, next(iter(impossible.values())))
        if missing:
            self.fail(line, f"the state that the log begins with lacks {', '.join(missing)}")
        return {variable: values[variable] for variable in model.instance.variables}


def show_json(data: Any) -> str:
    """A JSON value in a message, not too long."""
    try:
        text = repr(data)
    except RecursionError:
        return TOO_DEEP
    return text if len(text) <= 60 else text[:59] + "…"
