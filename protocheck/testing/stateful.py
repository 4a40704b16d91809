"""`state_machine`: somebody's implementation driven by Hypothesis, with a protocol as its oracle.

The machine has one rule an action, whose arguments are those with which the protocol allows the step in the state that
was reached, and one that tries refused steps. Both sides take each step; then what the implementation shows of its
state is compared with the protocol's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn, cast

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing.name} is not installed, which state_machine drives implementations with: "
        'pip install "protocheck-tla[testing]"'
    ) from None

from ..toolchain.errors import UserError, nearest
from ..toolchain.loading import load_protocol
from ..toolchain.traces import TraceStep
from ..transpiler import ir
from ..transpiler.diagnostics import CompileError
from ..transpiler.frontend import compile_protocol
from ..transpiler.instance import Instance, instantiate
from ..transpiler.interpreter import AssumedAway, IllDefined, Refused, Taken, begin
from .checking import all_constants
from .oracle import Options, Oracle, Values, place_of_guard, small_actions
from .strategies import from_domain

if TYPE_CHECKING:
    from ..transpiler.language import Protocol

OBSERVE = "observe"
"""The one name that an adapter may have besides those of actions."""

Refusals = type[BaseException] | tuple[type[BaseException], ...]


def state_machine(
    protocol: type[Protocol] | str,
    adapter: Callable[..., object],
    /,
    *,
    refused: Refusals | None = None,
    constants: Mapping[str, Any] | None = None,
    **more_constants: Any,
) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine that drives an implementation and holds it against a protocol.

    `TestCache = state_machine(Rollback, CacheAdapter, max_len=6).TestCase` is a test for pytest and unittest.

    The adapter is a class or a function; what it makes, anew for each run, has a method for each action of the
    protocol, called with the action's arguments by name, and may have `observe()`, which returns any part of the state
    by the names of the variables. What `@init` chooses is passed to the adapter itself, by name. An adapter that is a
    context manager is entered at the start of a run and left at its end.

    Args:
        protocol: a class, or what the command line takes.
        adapter: makes what is driven.
        refused: the exceptions by which the implementation refuses a step. Steps that a guard refuses are then tried
            as well, and must be refused, and change nothing. None: only steps that the protocol allows are taken.
        constants: as for `check`.

    A run fails with an `AssertionError` that shows the steps so far where the implementation refuses what it must do,
    does what it must refuse, or shows another state than the protocol's. Where it raises anything else, that is raised,
    with the steps as a note. Raises `UserError` for names that do not fit, of an adapter when the first run begins.
    """
    __tracebackhide__ = True
    given = ["refused"] if refused is not None else []
    try:
        compiled = compile_protocol(load_protocol(protocol) if isinstance(protocol, str) else protocol)
        instance = instantiate(compiled, all_constants(compiled, given, constants, more_constants))
    except (UserError, CompileError) as error:
        raise error.with_traceback(None) from None
    if any(action.name == OBSERVE for action in compiled.actions):
        raise UserError(
            f"{compiled.name} has an action {OBSERVE}, which is also how adapters show their state: call it otherwise"
        )
    body: dict[str, Any] = {
        "__module__": getattr(adapter, "__module__", __name__),
        "__doc__": f"{getattr(adapter, '__name__', 'An implementation')}, held against {compiled.name}.",
        "_instance": instance,
        "_make": staticmethod(adapter),
        "_refusals": () if refused is None else refused if isinstance(refused, tuple) else (refused,),
        "_tries_refused": refused is not None,
        "_small": small_actions(instance),
        "_known": {},
    }
    body["start"] = _start(instance)
    for action in compiled.actions:
        body[_rule_name(action.name)] = _allowed(instance, action)
        if refused is not None and action.guards:
            body[_rule_name(f"{action.name}_refused")] = _refused(instance, action)
    return type(f"{compiled.name}StateMachine", (_Driven,), body)


def _demand_methods(made: object, protocol: ir.Protocol) -> None:
    for action in protocol.actions:
        if not callable(getattr(made, action.name, None)):
            known = [each for each in dir(made) if not each.startswith("_")]
            raise UserError(
                f"{type(made).__name__} has no method for the action {action.name} of {protocol.name}"
                f"{nearest(action.name, known) if known else ''}"
            )


def _rule_name(action: str) -> str:
    """The name of a rule, which is printed; an action may be called as something that every machine has."""
    return f"{action}_" if hasattr(_Driven, action) or action == "start" else action


# ---------------------------------------------------------------------------------------------------------- a run


class _Driven(RuleBasedStateMachine):
    """One run: the implementation and the oracle, side by side."""

    _instance: Instance
    _make: Callable[..., object]
    _refusals: tuple[type[BaseException], ...]
    _tries_refused: bool
    _small: frozenset[str]
    _known: dict[tuple[str, Values], Options]

    def __init__(self) -> None:
        super().__init__()
        self._oracle = Oracle(self._instance, self._small, known=self._known)
        self._driven: Any = None
        self._context: AbstractContextManager[Any] | None = None
        self._drawn: dict[str, Any] = {}

    def teardown(self) -> None:
        """Let an adapter that holds something go of it."""
        if self._context is not None:
            self._context.__exit__(None, None, None)

    @precondition(lambda self: self._oracle.steps and not self._anything())
    @rule()
    def nothing_is_enabled(self) -> None:
        """Hypothesis demands a rule in every state; where a protocol has ended, nothing happens any more."""

    def _anything(self) -> bool:
        """Whether any action may be tried now."""
        return any(
            found is None or found.enabled or (self._tries_refused and found.refused)
            for found in map(self._oracle.options, self._instance.protocol.actions)
        )

    def _begin(self, arguments: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        outcome = self._oracle.begin(arguments)
        if isinstance(outcome, IllDefined):
            raise AssertionError(f"the protocol itself is not well defined: init, {outcome.span}: {outcome.reason}")
        made = self._make(**arguments)
        if isinstance(made, AbstractContextManager):
            self._context = made
            made = made.__enter__()
        _demand_methods(made, self._instance.protocol)
        self._driven = made
        self._compare("at the start")

    def _step(self, action: ir.Action, arguments: Mapping[str, Any]) -> None:
        """Take a step on both sides, if the protocol allows it."""
        __tracebackhide__ = True
        outcome = self._oracle.attempt(action, arguments)
        match outcome:
            case Taken():
                pass
            case IllDefined():
                self._fail(f"the protocol itself is not well defined: {outcome.span}: {outcome.reason}")
            case Refused() | AssumedAway():
                return  # arguments that were drawn from too many to look at each: no step
        try:
            getattr(self._driven, action.name)(**arguments)
        except self._refusals as error:
            self._oracle.take(action, arguments, outcome)
            self._fail(
                f"{_call(action, arguments)} is allowed, but was refused: {type(error).__name__}: {error}", error
            )
        except Exception as error:
            self._oracle.take(action, arguments, outcome)
            error.add_note(f"{_call(action, arguments)} is allowed, but raised this\n\n{self._oracle.schedule()}")
            raise
        self._oracle.take(action, arguments, outcome)
        self._compare(f"after {_call(action, arguments)}")

    def _try_refused(self, action: ir.Action, arguments: Mapping[str, Any]) -> None:
        """Try a step that guards refuse; the implementation must refuse it, too, and be as before."""
        __tracebackhide__ = True
        outcome = self._oracle.attempt(action, arguments)
        if not isinstance(outcome, Refused):
            return
        call = _call(action, arguments)
        self._oracle.note_refused(action, arguments)
        try:
            getattr(self._driven, action.name)(**arguments)
        except self._refusals:
            self._compare(f"after {call} was refused")
            return
        except Exception as error:
            error.add_note(f"{call} is to be refused, but raised this\n\n{self._oracle.schedule()}")
            raise
        guards = " and ".join(f"{name} ({place_of_guard(action, name)})" for name in outcome.guards)
        self._fail(f"{call} was done, but is to be refused by {guards}")

    def _compare(self, when: str) -> None:
        """Hold what the implementation shows against the protocol's state, and that against the properties."""
        __tracebackhide__ = True
        fault = self._oracle.own_fault()
        if fault:
            self._fail(f"{when}, {fault}")
        observe = getattr(self._driven, OBSERVE, None)
        if observe is None:
            return
        try:
            observed = observe()
        except Exception as error:
            error.add_note(f"{when}, {OBSERVE}() raised this\n\n{self._oracle.schedule()}")
            raise
        if not isinstance(observed, Mapping):
            raise UserError(f"{OBSERVE}() returns a mapping of variables to values, not {observed!r}")
        for name in observed:
            if name not in self._instance.variables:
                known = nearest(str(name), self._instance.variables)
                raise UserError(f"{OBSERVE}() tells {name}, which is no variable of the protocol{known}")
        wrong = list(self._oracle.differences(observed))
        if wrong:
            self._fail(f"{when}, {'; '.join(wrong)}")

    def _fail(self, message: str, cause: BaseException | None = None) -> NoReturn:
        __tracebackhide__ = True
        raise AssertionError(f"{message}\n\n{self._oracle.schedule()}".rstrip()) from cause

    # ------------------------------------------------------------------------------------------ drawing arguments

    def _pick(self, action: ir.Action, kind: str, parameter: str, index: int) -> Any:
        """A value for a parameter, of those that go with what was drawn of the others for the same step.

        Hypothesis draws the arguments of a rule one by one, in an order of its own.
        """
        if parameter in self._drawn:
            self._drawn.clear()  # of a step that was given up while it was drawn
        found = self._oracle.options(action)
        assert found is not None
        names = [each.name for each in action.parameters]
        tuples: Iterable[Values] = getattr(found, kind)
        fitting = [
            each for each in tuples if all(each[names.index(name)] == value for name, value in self._drawn.items())
        ]
        possible = list(dict.fromkeys(each[names.index(parameter)] for each in fitting))
        value = self._drawn[parameter] = possible[index % len(possible)]
        return value


def _call(action: ir.Action, arguments: Mapping[str, Any]) -> str:
    return TraceStep(action.name, tuple(arguments.items()), {}).label


# ---------------------------------------------------------------------------------------------------------- rules


def _start(instance: Instance) -> Callable[..., None]:
    domains = {p.name: instance.parameters["", p.name] for p in instance.protocol.init.parameters}

    def start(self: _Driven, **arguments: Any) -> None:
        self._begin({name: arguments[name] for name in domains})

    def possible(chosen: dict[str, Any]) -> bool:
        return not isinstance(begin(instance, tuple((name, chosen[name]) for name in domains)), AssumedAway)

    if not domains:
        return initialize()(start)
    together = st.fixed_dictionaries({name: from_domain(domain) for name, domain in domains.items()}).filter(possible)

    def start_with(self: _Driven, choice: dict[str, Any]) -> None:
        start(self, **choice)

    start_with.__name__ = "start"
    return initialize(choice=together)(start_with)


def _allowed(instance: Instance, action: ir.Action) -> Callable[..., None]:
    def step(self: _Driven, **arguments: Any) -> None:
        __tracebackhide__ = True
        self._drawn.clear()
        self._step(action, {parameter.name: arguments[parameter.name] for parameter in action.parameters})

    return _rule(instance, action, "enabled", step, _rule_name(action.name))


def _refused(instance: Instance, action: ir.Action) -> Callable[..., None]:
    def step(self: _Driven, **arguments: Any) -> None:
        __tracebackhide__ = True
        self._drawn.clear()
        self._try_refused(action, {parameter.name: arguments[parameter.name] for parameter in action.parameters})

    return _rule(instance, action, "refused", step, _rule_name(f"{action.name}_refused"))


def _rule(
    instance: Instance, action: ir.Action, kind: str, step: Callable[..., None], name: str
) -> Callable[..., None]:
    """The rule of an action: in a state in which it has arguments of this kind, with one tuple of them."""

    def applicable(self: _Driven) -> bool:
        found = self._oracle.options(action)
        return found is None or bool(getattr(found, kind))

    step.__name__ = step.__qualname__ = name
    small = action.name in small_actions(instance)
    strategies: dict[str, SearchStrategy[Any]] = {
        parameter.name: _fitting(action, kind, parameter.name)
        if small
        else from_domain(instance.parameters[action.name, parameter.name])
        for parameter in action.parameters
    }
    decorate: Any = rule  # its overloads know no strategies by name
    return cast("Callable[..., None]", precondition(applicable)(decorate(**strategies)(step)))


def _fitting(action: ir.Action, kind: str, parameter: str) -> SearchStrategy[Any]:
    # An index of fixed range: were it drawn from the values that are possible, a step could not be left out without
    # the later ones being drawn differently, and examples would not shrink. Mapped, so that the value is printed.
    indices = st.integers(0, 2**16 - 1)

    def draw(machine: _Driven) -> SearchStrategy[Any]:
        return indices.map(lambda index: machine._pick(action, kind, parameter, index))

    return st.runner().flatmap(draw)
