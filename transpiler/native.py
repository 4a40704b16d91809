"""Protocol class → what runs: the methods' own syntax trees with ghosts and assumptions erased.

A method is compiled with its file and lines, so that a debugger and a traceback show the user's source:

    guard(a=x, b=y)      →  if not (x & y): raise GuardRefused(…)
    assume(x)            →  nothing
    self.v = x           →  the instance's dictionary is written (plain assignment from outside is refused)
    self.f[k] = x        →  self.f is replaced by an updated copy; a foreign key raises
    {a, b}, {k: v …}     →  frozenset and FrozenDict, so that states can be hashed

Whatever is raised, the state is as before: with more than one assignment the old values are put back.
"""

from __future__ import annotations

import ast
import copy
import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from . import ir, language
from .argument_checks import argument_check
from .declarations import Declarations, DeclaredMethod, collect
from .domains import canonical, show
from .frontend import compile_protocol
from .ghosts import Taint, erase, ghost_only_parameters, ghostly_attributes, taint_of
from .instance import Instance, instantiate
from .language import MARK, Protocol
from .native_values import ValueRewriter, built, compiled_value
from .refusals import GuardRefused
from .source import Namespace, method_namespace
from .tla_names import parts_of
from .valuetypes import Function

RUN = "__protocheck_run__"
LOCK = "__protocheck_lock__"
"""Where a scheduler that has adopted an instance leaves its lock, so that questions see no step half taken."""
ASK = "__protocheck_ask__"
"""Where a compiled action keeps its question: the same step, to be taken on a copy, that answers with the guards which
refuse it, as (names, verdicts), where the action raises; None where the step is taken."""
MOST_RUNS = 256
"""Constants of one class whose shared parts are kept: a program may make instances of ever new sizes."""


@dataclass(frozen=True)
class Run:
    """What an instance knows besides its state; `check` maps an action to the check of its arguments."""

    instance: Instance
    variables: tuple[str, ...]
    check: Mapping[str, Callable[..., None]]


@dataclass(frozen=True)
class Native:
    """A protocol class made ready to run, once: its IR and declarations, and its instances' shared parts.

    `values` are the initial values of the class body, as functions of the constants.
    """

    protocol: ir.Protocol
    declarations: Declarations
    variables: tuple[str, ...]
    values: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    init: FunctionType | None
    init_parameters: tuple[str, ...]
    runs: dict[tuple[Any, ...], Run]


_natives: WeakKeyDictionary[type[Protocol], Native] = WeakKeyDictionary()


class GhostAttribute:
    """Stands in the class for a ghost: it has no value at run time, and saying so beats a wrong one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        raise AttributeError(f"{self.name} is a ghost: it exists in the model only and has no value at run time")


def native_of(cls: type[Protocol]) -> Native:
    """Compile a class's methods, once. Raises `CompileError` for what is outside the language."""
    if cls not in _natives:
        if cls is Protocol:
            raise TypeError("Protocol is the base of protocols; instantiate one of them")
        _natives[cls] = _realise(cls)
    return _natives[cls]


def initialise(instance: Protocol, values: Mapping[str, Any]) -> None:
    """Put a new instance into its initial state; `values` names constants and what `@init` chooses."""
    native = native_of(type(instance))
    names = {constant.name for constant in native.protocol.constants}
    for name in values:
        if name not in names and name not in native.init_parameters:
            near = difflib.get_close_matches(name, [*names, *native.init_parameters], 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"{type(instance).__name__} has no constant or initial choice {name}{hint}")
    missing = [name for name in native.init_parameters if name not in values]
    if missing:
        raise TypeError(f"{type(instance).__name__} needs an initial choice of {missing[0]}")
    run = _run_of(native, {name: canonical(value) for name, value in values.items() if name in names})
    state = instance.__dict__
    state[RUN] = run
    state.update(run.instance.constants)
    for name, value in native.values.items():
        state[name] = value(run.instance.constants)
    if native.init is not None:
        choices = {name: values[name] for name in native.init_parameters}
        run.check[""](*choices.values())
        native.init(instance, **{name: canonical(value) for name, value in choices.items()})


def held(instance: Protocol) -> AbstractContextManager[Any]:
    """The lock of the scheduler that has adopted the instance, to be held while its state is read."""
    return instance.__dict__.get(LOCK) or nullcontext()


def describe(instance: Protocol) -> str:
    """`Rollback(max_len=4): length = 2, pending_reads = {1}`."""
    run: Run | None = instance.__dict__.get(RUN)
    if run is None:
        return f"<{type(instance).__name__}, not initialised>"
    constants = ", ".join(f"{name}={show(value)}" for name, value in run.instance.constants.items())
    with held(instance):
        values = ", ".join(f"{name} = {show(value)}" for name, value in state_of(instance).items())
    return f"{type(instance).__name__}({constants}): {values}"


def state_of(instance: Protocol) -> dict[str, Any]:
    """The values of the state variables, ghosts left out, in order of declaration."""
    run: Run = instance.__dict__[RUN]
    return {name: instance.__dict__[name] for name in run.variables}


def copied(instance: Protocol) -> tuple[Any, ...]:
    """How to copy or pickle an instance: its class, constants and state. The steps of a scheduler stay behind."""
    run: Run | None = instance.__dict__.get(RUN)
    if run is None:
        return object.__new__, (type(instance),)
    with held(instance):
        return restored, (type(instance), dict(run.instance.constants), state_of(instance))


def restored(cls: type[Protocol], constants: Mapping[str, Any], state: Mapping[str, Any]) -> Protocol:
    """An instance in a state that another one was in."""
    instance = object.__new__(cls)
    run = _run_of(native_of(cls), constants)
    instance.__dict__.update({RUN: run, **run.instance.constants, **state})
    return instance


# -------------------------------------------------------------------------------------------------- realisation


def _realise(cls: type[Protocol]) -> Native:
    protocol = compile_protocol(cls)
    declarations = collect(cls, [])
    ghosts = frozenset(variable.name for variable in protocol.variables if variable.ghost)
    attributes = ghostly_attributes(declarations)
    dropped_action, _, dropped_guard = (protocol.dropped or "").partition(".")
    init: FunctionType | None = None
    init_parameters: tuple[str, ...] = ()
    functions: dict[FunctionType, FunctionType] = {}
    mutable = {action.name: frozenset(_mutable(action)) for action in protocol.actions}
    for method in declarations.methods():
        taint = taint_of(method, attributes)
        rewriter = _Rewriter(
            method,
            method_namespace(method.function, method.owner.namespace),
            frozenset(variable.name for variable in protocol.variables),
            dropped_guard if method.name == dropped_action else None,
            functions,
            mutable.get(method.name, frozenset()),
        )
        if method.mark.kind == "init":
            hidden = ghost_only_parameters(method, attributes)
            init = rewriter.compile(taint, ghosts, hidden)
            init_parameters = tuple(item.arg for item in method.node.args.args[1:] if item.arg not in hidden)
        elif method.mark.kind == "action":
            step = rewriter.compile(taint, ghosts, ())
            setattr(step, ASK, rewriter.compile(taint, ghosts, (), asking=True))
            setattr(cls, method.name, step)
        else:
            setattr(cls, method.name, rewriter.compile(None, ghosts, ()))
    for name in ghosts:
        setattr(cls, name, GhostAttribute(name))
    variables = tuple(variable.name for variable in protocol.variables if not variable.ghost)
    constants = frozenset(constant.name for constant in protocol.constants)
    values = {
        item.name: compiled_value(item.value, item.owner, functions, constants)
        for item in declarations.variables()
        if not item.ghost and item.value is not None
    }
    return Native(protocol, declarations, variables, values, init, init_parameters, {})


def _mutable(action: ir.Action) -> Iterator[str]:
    for parameter in action.parameters:
        if any(isinstance(part, Function) for part in parts_of(parameter.type)):
            yield parameter.name


def _run_of(native: Native, constants: Mapping[str, Any]) -> Run:
    key = tuple(sorted(constants.items()))
    run = native.runs.get(key)
    if run is None:
        instance = instantiate(native.protocol, constants)
        check = {
            action.name: argument_check(
                action.name, [(p.name, instance.parameters[action.name, p.name]) for p in action.parameters]
            )
            for action in native.protocol.actions
        }
        check[""] = argument_check("init", [(name, instance.parameters["", name]) for name in native.init_parameters])
        if len(native.runs) >= MOST_RUNS:
            native.runs.pop(next(iter(native.runs)), None)
        run = native.runs[key] = Run(instance, native.variables, check)
    return run


def refuse_guard(
    instance: Protocol, action: str, arguments: Mapping[str, Any], names: Sequence[str], verdicts: Sequence[bool]
) -> NoReturn:
    """Raise `GuardRefused` for the guards whose verdict is false."""
    false = tuple(name for name, verdict in zip(names, verdicts, strict=True) if not verdict)
    raise GuardRefused(action, arguments, false, state_of(instance))


class _Rewriter(ValueRewriter):
    """The syntax tree of one method, made ready to run; `mutable` are parameters that may be passed plain dicts."""

    def __init__(
        self,
        method: DeclaredMethod,
        namespace: Namespace,
        variables: frozenset[str],
        dropped: str | None,
        functions: dict[FunctionType, FunctionType],
        mutable: frozenset[str],
    ) -> None:
        names = [item.arg for item in method.node.args.args]
        super().__init__(namespace, functions, *names)
        self.support |= {"__refuse_guard": refuse_guard, "__canonical": canonical}
        self.method, self.variables, self.dropped, self.mutable = method, variables, dropped, mutable
        self.self_name, *parameters = names
        # Parameters that the body gives other values: a refusal names those that were passed.
        stored = {
            item.id for item in ast.walk(method.node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)
        }
        self.reassigned = not stored.isdisjoint(parameters)
        self.asking = False

    def compile(
        self, taint: Taint | None, ghosts: frozenset[str], hidden: Sequence[str], asking: bool = False
    ) -> FunctionType:
        """The function; `taint` None for a property or helper, which keeps its ghosts (calling it needs none).

        asking: the action's question, see ASK. A refusal is its answer, and nothing has to be put back on a copy.
        """
        self.asking = asking
        node = self.method.node
        kept = list(node.body) if taint is None else erase(node.body, taint, ghosts, self.namespace)
        # A copy: the tree itself is read again, for a variant or a class that inherits the method.
        body = copy.deepcopy(kept)
        doc = (
            [body.pop(0)] if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else []
        )
        body = self.rewritten(body)
        first = node
        if self.method.mark.kind in ("action", "init"):
            body = body if asking else self.protected(body)
            body.insert(0, _at(first, f"__state = {self.self_name}.__dict__"))
            if self.method.mark.kind == "action" and len(node.args.args) > 1:
                names = ", ".join(item.arg for item in node.args.args[1:])
                body.insert(1, _at(first, f"__state['{RUN}'].check[{node.name!r}]({names})"))
                body[2:2] = [_at(first, f"{name} = __canonical({name})") for name in sorted(self.mutable)]
                if self.reassigned and not asking:
                    passed = ", ".join(f"{item.arg!r}: {item.arg}" for item in node.args.args[1:])
                    body.insert(2, _at(first, f"__arguments = {{{passed}}}"))
        parameters = [item.arg for item in node.args.args if item.arg not in hidden]
        body = [*doc, *(body or [_at(first, "pass")])]
        function = built(node, parameters, body, self.method.function, self.namespace, self.support)
        function.__wrapped__ = self.method.function  # type: ignore[attr-defined]
        setattr(function, MARK, self.method.mark)
        return function

    def protected(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Old values are put back if something is raised after the first assignment to the state."""
        if not _goes_on_after_store(body):
            return body
        at = self.method.node
        # An instance that is not initialised yet has no values to save one by one.
        names = () if self.method.mark.kind == "init" else _stored(body)
        save = [_at(at, f"__before_{name} = __state[{name!r}]") for name in names]
        put_back = [_at(at, f"__state[{name!r}] = __before_{name}") for name in names]
        if not names:
            save, put_back = [_at(at, "__before = __state.copy()")], [_at(at, "__state.update(__before)")]
        handler = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), None, [*put_back, _at(at, "raise")])
        guarded = ast.Try(body, [ast.copy_location(handler, at)], [], [])
        return [*save, ast.copy_location(guarded, at)]

    def rewritten(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for node in body:
            new = self.visit(node)
            result.extend(new if isinstance(new, list) else [new])
        return result

    # ast.NodeTransformer fixes these names.

    def visit_If(self, node: ast.If) -> ast.stmt:
        then, orelse = self.rewritten(node.body), self.rewritten(node.orelse)
        test = self.visit(node.test)
        return ast.copy_location(ast.If(test, then or [ast.copy_location(ast.Pass(), node)], orelse), node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        call = node.value
        if not (isinstance(call, ast.Call) and self.resolved(call.func) is language.guard):
            return ast.copy_location(ast.Expr(self.visit(node.value)), node)
        kept = [(k.arg, self.visit(k.value)) for k in call.keywords if k.arg is not None and k.arg != self.dropped]
        if not kept:
            return []
        if self.asking:
            return self.answered(node, kept)
        # `&` evaluates every condition of the call, as the model does; each is a bool.
        test: ast.expr = kept[0][1]
        for _, condition in kept[1:]:
            test = ast.copy_location(ast.BinOp(test, ast.BitAnd(), condition), condition)
        arguments = [item.arg for item in self.method.node.args.args[1:]]
        refusal = ast.Call(
            ast.Name("__refuse_guard", ast.Load()),
            [
                ast.Name(self.self_name, ast.Load()),
                ast.Constant(self.method.name),
                ast.Name("__arguments", ast.Load())
                if self.reassigned
                else ast.Dict(
                    [ast.Constant(name) for name in arguments], [ast.Name(name, ast.Load()) for name in arguments]
                ),
                ast.Tuple([ast.Constant(name) for name, _ in kept], ast.Load()),
                ast.Tuple([condition for _, condition in kept], ast.Load()),
            ],
            [],
        )
        raising = ast.copy_location(ast.Expr(refusal), node)
        return ast.copy_location(ast.If(ast.UnaryOp(ast.Not(), test), [raising], []), node)

    def answered(self, node: ast.Expr, kept: Sequence[tuple[str, ast.expr]]) -> list[ast.stmt]:
        """A guard in a question: `__verdicts = (…)`, and where one is false, `return names, __verdicts`."""
        verdicts = ast.Tuple([condition for _, condition in kept], ast.Load())
        names = tuple(name for name, _ in kept)
        return [
            ast.copy_location(ast.Assign([ast.Name("__verdicts", ast.Store())], verdicts), node),
            _at(node, f"if False in __verdicts:\n    return {names!r}, __verdicts"),
        ]

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:
        value = self.visit(node.value)
        flat = [
            item for target in node.targets for item in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
        if not any(self.entry(target) for target in flat):
            return ast.copy_location(ast.Assign([self.target(target) for target in node.targets], value), node)
        if len(flat) == 1:
            return self.assigned(node, flat[0], value)
        # An entry is written by replacing the whole function: one after the other, the values before all of them.
        names = [f"__value_{place}" for place in range(len(flat) if isinstance(node.targets[0], ast.Tuple) else 1)]
        kept: list[ast.expr] = [ast.Name(name, ast.Store()) for name in names]
        pattern = ast.Tuple(kept, ast.Store()) if len(kept) > 1 else kept[0]
        values = [ast.Name(names[place % len(names)], ast.Load()) for place in range(len(flat))]
        first: ast.stmt = ast.copy_location(ast.Assign([pattern], value), node)
        return [first, *(self.assigned(node, target, item) for target, item in zip(flat, values, strict=True))]

    def assigned(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> ast.stmt:
        """One value for one target."""
        entry = self.entry(target)
        if entry is not None:
            return self.replaced(node, *entry, value)
        return ast.copy_location(ast.Assign([self.target(target)], value), node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | list[ast.stmt]:
        if node.value is None:
            return []
        return self.visit_Assign(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:
        if isinstance(node.target, ast.Name):
            return ast.copy_location(ast.AugAssign(node.target, node.op, self.visit(node.value)), node)
        old = ast.parse(ast.unparse(node.target), mode="eval").body
        for item in ast.walk(old):
            if isinstance(item, ast.expr):
                ast.copy_location(item, node.target)
        value = ast.copy_location(ast.BinOp(old, node.op, node.value), node)
        return self.visit_Assign(ast.copy_location(ast.Assign([node.target], value), node))

    def target(self, target: ast.expr) -> ast.expr:
        match target:
            case ast.Attribute(ast.Name(holder), name) if holder == self.self_name and name in self.variables:
                return ast.copy_location(_store_of(name), target)
            case ast.Tuple(elements):
                return ast.copy_location(ast.Tuple([self.target(item) for item in elements], ast.Store()), target)
            case _:
                return target

    def entry(self, target: ast.expr) -> tuple[str, ast.expr] | None:
        match target:
            case ast.Subscript(ast.Attribute(ast.Name(holder), name), index) if holder == self.self_name:
                return name, self.visit(index)
            case _:
                return None

    def replaced(self, node: ast.stmt, name: str, key: ast.expr, value: ast.expr) -> ast.stmt:
        """`self.f[key] = value` as a new value of `self.f`."""
        old = ast.Attribute(ast.Name(self.self_name, ast.Load()), name, ast.Load())
        pair = ast.Tuple([key, value], ast.Load())
        call = ast.Call(ast.Name("__updated", ast.Load()), [old, pair], [])
        return ast.copy_location(ast.Assign([_store_of(name)], call), node)


def _store_of(name: str) -> ast.Subscript:
    return ast.Subscript(ast.Name("__state", ast.Load()), ast.Constant(name), ast.Store())


def _goes_on_after_store(body: Sequence[ast.stmt]) -> bool:
    """Whether a path assigns to the state and then does something more, which may raise."""
    for place, statement in enumerate(body):
        if any(
            isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and _is_state(node.value)
            for node in ast.walk(statement)
        ):
            rest = [item for item in body[place + 1 :] if not isinstance(item, ast.Pass)]
            if rest:
                return True
            return isinstance(statement, ast.If) and any(map(_goes_on_after_store, (statement.body, statement.orelse)))
    return False


def _stored(body: Sequence[ast.stmt]) -> tuple[str, ...]:
    """The variables that a body assigns to, sorted."""
    keys = (
        node.slice.value
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and _is_state(node.value)
        if isinstance(node.slice, ast.Constant)
    )
    return tuple(sorted({str(key) for key in keys}))


def _is_state(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__state"


def _at(node: ast.AST, text: str) -> ast.stmt:
    """A statement given as text, at the position of another node."""
    statement = ast.parse(text).body[0]
    for item in ast.walk(statement):
        if isinstance(item, (ast.expr, ast.stmt)):
            ast.copy_location(item, node)
    return statement


__all__ = [
    "ASK",
    "LOCK",
    "RUN",
    "GhostAttribute",
    "Native",
    "Run",
    "copied",
    "describe",
    "held",
    "initialise",
    "native_of",
    "restored",
    "state_of",
]
