"""Protocol class → IR: the pass that puts declarations, annotations and bodies together.

    class source → declarations → constants, variables → helpers, init, actions, properties → checked IR

Every part is lowered even where another one was refused, so that all diagnostics of a protocol come at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FunctionType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from . import ir, language
from . import valuetypes as types
from .annotations import Unbounded, annotation, domain, type_of
from .coercion import fit
from .declarations import (
    Declarations,
    Declared,
    DeclaredAlias,
    DeclaredConstant,
    DeclaredMethod,
    DeclaredVariable,
    collect,
    foreign_decorators,
)
from .diagnostics import Code, CompileError, Diagnostic, Span
from .domains import canonical
from .embed import embed
from .expressions import bound, fitted
from .ghosts import check_flow
from .interchange import check_members, holds_members
from .language import Protocol, mark_of
from .mutation import drop_guard
from .refining import refinement_of
from .scope import Context, NameSupply, Refused, Scope
from .source import FunctionSource, function_source, method_namespace, span_of
from .statements import action_body, expression_body
from .tla_names import check_names
from .tla_refinement import check_records

_compiled: WeakKeyDictionary[type[Protocol], ir.Protocol] = WeakKeyDictionary()


def compile_protocol(cls: type[Protocol]) -> ir.Protocol:
    """The IR of a protocol class, compiled once. Raises `CompileError` with every diagnostic."""
    if cls not in _compiled:
        _compiled[cls] = _Compilation(cls).run()
    return _compiled[cls]


class _Compilation:
    """One protocol being compiled: tables that fill up, and the problems found so far."""

    def __init__(self, cls: type[Protocol]) -> None:
        self.python = cls
        self.problems: list[Diagnostic] = []
        self.declarations: Declarations = collect(cls, self.problems)
        self.helpers: dict[str, ir.Helper] = {}
        self.functions: dict[FunctionType, str] = {}
        self.in_progress: list[str] = []
        self.context = Context(
            self.declarations, self.problems, {}, {}, self.helpers, self.helper, self.function_helper
        )

    def run(self) -> ir.Protocol:
        for constant in self.declarations.constants():
            with self.reporting():
                self.context.constants[constant.name] = self.constant(constant)
        for variable in self.declarations.variables():
            with self.reporting():
                self.context.variables[variable.name] = self.variable(variable)
        for alias in self.declarations.aliases():
            with self.reporting():
                self.alias(alias)
        with self.reporting():
            self.check_fairness(self.declarations.fairness, self.declarations.span)
        init = self.init()
        actions = [item for item in map(self.action, self.declarations.methods("action")) if item is not None]
        properties = [item for method in self.declarations.methods() for item in self.property(method)]
        for method in self.declarations.methods("helper", "abstraction"):
            with self.reporting():
                self.helper(method.name, method.span)
        check_flow(self.declarations, self.problems)
        protocol = ir.Protocol(
            name=self.declarations.python.__name__,
            constants=tuple(self.context.constants.values()),
            variables=tuple(self.context.variables.values()),
            init=init,
            helpers=tuple(self.helpers.values()),
            actions=tuple(actions),
            properties=tuple(properties),
            doc=self.declarations.doc,
            fairness=self.declarations.fairness,
            survivors=tuple(self.declarations.survivors.items()),
            span=self.declarations.span,
        )
        refinement = refinement_of(self.declarations, protocol, compile_protocol, self.problems)
        protocol = replace(protocol, refinement=refinement)
        self.check_whole(protocol)
        self.problems += check_names(protocol)
        if not self.problems:
            self.problems += check_records(protocol)
        if not self.problems:
            self.problems += check_members(protocol)
        if self.problems:
            raise CompileError(dict.fromkeys(self.problems))
        dropped = self.python.__protocheck_dropped__
        return drop_guard(protocol, dropped) if dropped is not None else protocol

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turns a refusal into a diagnostic, so that the next part is still looked at."""
        try:
            yield
        except Refused as refused:
            if refused.diagnostic is not None:
                self.problems.append(refused.diagnostic)

    def scope(self, declared: Declared) -> Scope:
        """The scope of a class body."""
        return Scope(self.context, declared.owner.file, declared.owner.namespace, NameSupply())

    def method_scope(self, method: DeclaredMethod) -> Scope:
        arguments = method.node.args
        if not arguments.args or not _are_plain(arguments):
            self.refuse(
                Code.DECLARATION,
                method,
                f"{method.name} has parameters that the language does not know",
                "write `self` and plain parameters with domains, without defaults, `*` or `/`",
            )
        _check_names(method.owner.file, method.node)
        after = None
        if method.mark.kind == "transition_invariant":
            if len(arguments.args) != 2:
                self.refuse(
                    Code.DECLARATION,
                    method,
                    f"the transition invariant {method.name} needs the state after the step",
                    f"write `def {method.name}(self, after: Self) -> bool`",
                )
            after = arguments.args[1].arg
        return Scope(
            self.context,
            method.owner.file,
            method_namespace(method.function, method.owner.namespace),
            NameSupply(set()),
            self_name=arguments.args[0].arg,
            after_name=after,
        )

    def refuse(self, code: Code, declared: Declared, message: str, remedy: str = "", reason: str = "") -> NoReturn:
        raise Refused(Diagnostic(code, declared.span, message, reason, remedy))

    # ------------------------------------------------------------------------------------- constants, variables

    def constant(self, declared: DeclaredConstant) -> ir.Constant:
        scope = self.scope(declared)
        parsed = annotation(scope, declared.annotation)
        kind, default = type_of(parsed), canonical(declared.default)
        bounds = None if isinstance(parsed, Unbounded) else parsed
        if declared.symmetric:
            if kind != types.Set(types.STR) or bounds is not None:
                self.refuse(
                    Code.CONSTANT,
                    declared,
                    "a symmetric constant is a frozenset[str]",
                    f"write `{declared.name}: frozenset[str] = const(…, symmetric=True)`",
                    "its members are names, known by nothing but its value" if bounds is not None else "",
                )
            return ir.Constant(
                declared.name, default, None, True, type=types.Set(types.Model(declared.name)), span=declared.span
            )
        if (problem := holds_members(declared.span, declared.name, kind)) is not None:
            raise Refused(problem)
        try:
            literal = embed(default, declared.span)
        except TypeError as error:
            self.refuse(Code.CONSTANT, declared, f"the default of {declared.name} cannot be used: {error}")
        if fit(literal, kind) is None:
            self.refuse(Code.CONSTANT, declared, f"the default of {declared.name} is no {kind}")
        return ir.Constant(declared.name, default, bounds, type=kind, span=declared.span)

    def variable(self, declared: DeclaredVariable) -> ir.Variable:
        scope = self.scope(declared)
        variable_domain = domain(scope, declared.annotation)
        kind = type_of(variable_domain)
        initial = None
        if declared.value is not None:
            self.class_body_trap(declared)
            initial = fitted(scope, declared.value, bound(scope, declared.value, None), kind)
        return ir.Variable(declared.name, variable_domain, initial, declared.ghost, type=kind, span=declared.span)

    def alias(self, declared: DeclaredAlias) -> None:
        """An attribute without annotation that is not a type would be neither checked nor part of the state."""
        try:
            annotation(self.scope(declared), declared.value)
        except Refused:
            self.refuse(
                Code.DECLARATION,
                declared,
                f"{declared.name} is neither a type nor declared with one",
                f"write `{declared.name}: T = …` for a variable, `{declared.name}: T = const(…)` for a constant",
                "an attribute without annotation names a type",
            )

    def class_body_trap(self, declared: DeclaredVariable) -> None:
        """In a class body the inner part of a comprehension does not see the class: Python raises NameError."""
        for node in ast.walk(declared.value) if declared.value is not None else ():
            if isinstance(node, (ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.ListComp)):
                outermost = set(map(id, ast.walk(node.generators[0].iter)))
                for inner in ast.walk(node):
                    named = isinstance(inner, ast.Name) and inner.id in self.declarations.members
                    if named and id(inner) not in outermost:
                        assert isinstance(inner, ast.Name)
                        raise Refused(
                            Diagnostic(
                                Code.SCOPE,
                                span_of(declared.owner.file, inner),
                                f"a comprehension in a class body does not see {inner.id}",
                                "Python gives comprehensions a scope of their own, which skips the class",
                                "give the initial value in an @init method",
                            )
                        )

    # --------------------------------------------------------------------------------------------- init, actions

    def init(self) -> ir.Init:
        methods = list(self.declarations.methods("init"))
        defaults: dict[str, ir.Expr] = {
            name: variable.initial for name, variable in self.context.variables.items() if variable.initial is not None
        }
        parameters: tuple[ir.Parameter, ...] = ()
        steps: tuple[Any, ...] = ()
        span, doc = self.declarations.span, ""
        updates = tuple(ir.Update(name, value, span=value.span) for name, value in defaults.items())
        for extra in methods[1:]:
            with self.reporting():
                self.refuse(Code.DECLARATION, extra, "a protocol has one @init", "put both into one method")
        if methods:
            method = methods[0]
            with self.reporting():
                scope = replace(self.method_scope(method), current=defaults, stateless=True)
                scope, parameters = self.parameters(scope, method)
                steps, updates = action_body(scope.with_later_names(method.node.body), method.node.body, in_init=True)
                span, doc = method.span, ast.get_docstring(method.node) or ""
        given = {update.variable for update in updates}
        for name, variable in self.context.variables.items():
            if name not in given and not (methods and self.problems):
                self.problems.append(
                    Diagnostic(
                        Code.UNASSIGNED,
                        variable.span,
                        f"{name} has no initial value" + (" on every path of @init" if methods else ""),
                        "a protocol starts in a known state",
                        f"write `{name}: T = value`, or assign it in an @init method",
                    )
                )
        return ir.Init(parameters, steps, updates, doc, span=span)

    def parameters(self, scope: Scope, method: DeclaredMethod) -> tuple[Scope, tuple[ir.Parameter, ...]]:
        found: list[ir.Parameter] = []
        for argument in method.node.args.args[1:]:
            with self.reporting():
                if argument.annotation is None:
                    raise Refused(
                        Diagnostic(
                            Code.ANNOTATION,
                            span_of(method.owner.file, argument),
                            f"the parameter {argument.arg} has no domain",
                            "in the model it is a choice among finitely many values",
                            f"write `{argument.arg}: Annotated[int, Between(a, b)]` or another domain",
                        )
                    )
                outer = self.scope(method)
                parameter_domain = domain(outer, argument.annotation)
                kind = type_of(parameter_domain)
                span = span_of(method.owner.file, argument)
                scope, name = scope.bind_fresh(argument.arg, kind, span)
                found.append(ir.Parameter(name, parameter_domain, type=kind, span=span))
                continue
            scope = replace(scope, broken=scope.broken | {argument.arg})
        return scope, tuple(found)

    def action(self, method: DeclaredMethod) -> ir.Action | None:
        with self.reporting():
            scope, parameters = self.parameters(self.method_scope(method), method)
            steps, updates = action_body(scope.with_later_names(method.node.body), method.node.body)
            self.check_fairness(method.mark.fairness, method.span)
            if method.mark.each and method.mark.fairness is None:
                self.refuse(
                    Code.DECLARATION,
                    method,
                    "each=... says whose fairness, but not which",
                    'write `@action(fairness="weak", each=...)`',
                )
            for name in method.mark.each:
                if name not in {item.name for item in parameters}:
                    self.refuse(Code.DECLARATION, method, f"each={name!r} names no parameter of {method.name}")
            return ir.Action(
                method.name,
                parameters,
                steps,
                updates,
                ast.get_docstring(method.node) or "",
                method.mark.fairness,
                method.mark.each,
                span=method.span,
            )
        return None

    def check_fairness(self, fairness: object, span: Span) -> None:
        if fairness not in (None, "weak", "strong"):
            raise Refused(
                Diagnostic(
                    Code.DECLARATION,
                    span,
                    f"fairness={fairness!r} is no fairness",
                    "what stays possible is taken in the end (weak), or what is possible again and again (strong)",
                    'write fairness="weak" or fairness="strong"',
                )
            )

    # ------------------------------------------------------------------------------------------------- properties

    def property(self, method: DeclaredMethod) -> Iterator[ir.Property]:
        kind = method.mark.kind
        if kind in ("init", "action", "helper", "abstraction"):
            return
        with self.reporting():
            if method.name in ir.BUILT_IN:
                self.refuse(
                    Code.DECLARATION,
                    method,
                    f"{method.name} names a property that protocols have without asking",
                    "give it another name",
                    "a verdict names its property",
                )
            target = None
            if kind == "transition_invariant":
                body = self.property_body(method)
            elif method.name in self.helpers:
                body = self.helpers[method.name].body
            else:
                body = self.property_body(method)
            if kind == "leads_to":
                goal = self.declarations.members.get(method.mark.target)
                if not isinstance(goal, DeclaredMethod) or goal.mark.kind in ("action", "init", "transition_invariant"):
                    self.refuse(
                        Code.NAME, method, f"leads_to names {method.mark.target}, which is no helper or property"
                    )
                helper = self.helper(method.mark.target, method.span)
                if helper.type != types.BOOL or helper.parameters:
                    self.refuse(
                        Code.TYPE, method, f"{helper.name} is no condition: leads_to needs a bool without parameters"
                    )
                target = ir.Call(helper.name, (), type=types.BOOL, span=method.span)
            doc = ast.get_docstring(method.node) or ""
            yield ir.Property(method.name, kind, body, target, doc, span=method.span)  # type: ignore[arg-type]

    def property_body(self, method: DeclaredMethod) -> ir.Expr:
        scope = self.method_scope(method)
        expected = 2 if method.mark.kind == "transition_invariant" else 1
        if len(method.node.args.args) != expected:
            self.refuse(
                Code.DECLARATION, method, f"the property {method.name} takes no parameters", "use any or all inside"
            )
        body = expression_body(scope.with_later_names(method.node.body), method.node.body, method.node)
        result = fit(body, types.BOOL)
        if result is None:
            self.refuse(Code.TYPE, method, f"{method.name} returns {types.an(body.type)}", "a property returns a bool")
        return result

    # ---------------------------------------------------------------------------------------------------- helpers

    def helper(self, name: str, span: Span) -> ir.Helper:
        """A helper or property by name, lowered on first use."""
        if name in self.helpers:
            return self.helpers[name]
        method = self.declarations.members[name]
        assert isinstance(method, DeclaredMethod)
        with self.lowering(name, span):
            if method.mark.kind == "abstraction" and len(method.node.args.args) > 1:
                self.refuse(
                    Code.DECLARATION,
                    method,
                    f"the abstraction {name} takes no parameters",
                    f"write `def {name}(self)`",
                    "it stands for a variable or a constant",
                )
            if method.mark.kind not in ("helper", "abstraction"):
                helper = ir.Helper(
                    name,
                    (),
                    self.property_body(method),
                    ast.get_docstring(method.node) or "",
                    type=types.BOOL,
                    span=method.span,
                )
            else:
                helper = self.helper_of(name, self.method_scope(method), method.node, self.scope(method), skip=1)
            self.helpers[name] = helper
        return self.helpers[name]

    def function_helper(self, function: FunctionType, span: Span) -> ir.Helper:
        """A module-level function called from a protocol, lowered on first use."""
        if function in self.functions:
            return self.helpers[self.functions[function]]
        mark = mark_of(function)
        if mark is not None and mark.kind != "helper":
            raise Refused(Diagnostic(Code.CALL, span, f"{function.__name__} is an {mark.kind}, which has no value"))
        source = self.function_source(function, span)
        name = function.__name__
        while name in self.helpers or name in self.declarations.members:
            name += "_"
        namespace = method_namespace(function)
        outer = Scope(self.context, source.file, namespace, NameSupply(), self_name=None, outside=True)
        # A module-level function sees no state: no parameter of its is `self`.
        inner = replace(outer, self_name="", names=NameSupply())
        with self.lowering(name, span):
            self.helpers[name] = self.helper_of(name, inner, source.node, outer, skip=0)
            self.functions[function] = name
        return self.helpers[name]

    def function_source(self, function: FunctionType, span: Span) -> FunctionSource:
        if hasattr(function, "__wrapped__"):
            raise Refused(
                Diagnostic(
                    Code.CALL,
                    span,
                    f"{function.__name__} is wrapped by a decorator",
                    "the text of the function is what is checked, and it is not what would run",
                    "remove the decorator",
                )
            )
        source = function_source(function)
        foreign = foreign_decorators(source, source.node, (language.helper,))
        if foreign:
            raise Refused(foreign[0])
        _check_names(source.file, source.node)
        return source

    def helper_of(self, name: str, scope: Scope, node: ast.FunctionDef, outer: Scope, *, skip: int) -> ir.Helper:
        parameters: list[ir.HelperParameter] = []
        if not _are_plain(node.args):
            raise Refused(
                Diagnostic(
                    Code.DECLARATION,
                    span_of(scope.file, node),
                    f"{name} has parameters that the language does not know",
                    remedy="write plain parameters with types, without defaults, `*` or `/`",
                )
            )
        for argument in node.args.args[skip:]:
            span = span_of(scope.file, argument)
            if argument.annotation is None:
                raise Refused(
                    Diagnostic(
                        Code.ANNOTATION,
                        span,
                        f"the parameter {argument.arg} has no type",
                        remedy=f"write `{argument.arg}: int`",
                    )
                )
            kind = type_of(annotation(outer, argument.annotation))
            scope, bound_name = scope.bind_fresh(argument.arg, kind, span)
            parameters.append(ir.HelperParameter(bound_name, type=kind, span=span))
        body = expression_body(scope.with_later_names(node.body), node.body, node)
        kind = body.type
        if node.returns is not None:
            declared = type_of(annotation(outer, node.returns))
            result = fit(body, declared)
            if result is None:
                raise Refused(
                    Diagnostic(
                        Code.TYPE,
                        span_of(scope.file, node.returns),
                        f"{name} returns {types.an(body.type)}, not {types.an(declared)}",
                    )
                )
            body, kind = result, declared
        return ir.Helper(
            name, tuple(parameters), body, ast.get_docstring(node) or "", type=kind, span=span_of(scope.file, node)
        )

    @contextmanager
    def lowering(self, name: str, span: Span) -> Iterator[None]:
        if name in self.in_progress:
            cycle = " → ".join([*self.in_progress[self.in_progress.index(name) :], name])
            raise Refused(
                Diagnostic(
                    Code.RECURSION,
                    span,
                    f"{name} calls itself ({cycle})",
                    "a helper is a named expression, and unfolding it must end",
                    "write a comprehension, any, all, sum, min or max",
                )
            )
        self.in_progress.append(name)
        try:
            yield
        finally:
            self.in_progress.pop()

    # ---------------------------------------------------------------------------------------------------- checks

    def check_whole(self, protocol: ir.Protocol) -> None:
        """What only shows once everything is there."""
        if not any(True for _ in self.declarations.variables()):
            self.problems.append(
                Diagnostic(
                    Code.DECLARATION,
                    protocol.span,
                    f"{protocol.name} has no state variable",
                    remedy="declare one with its domain: `length: Annotated[int, Between(0, 4)] = 0`",
                )
            )
        if not any(True for _ in self.declarations.methods("action")):
            self.problems.append(
                Diagnostic(
                    Code.DECLARATION, protocol.span, f"{protocol.name} has no action", remedy="declare one with @action"
                )
            )
        known = set(protocol.guard_names)
        for name, reason in protocol.survivors:
            if name not in known and not self.problems:
                self.problems.append(
                    Diagnostic(
                        Code.SURVIVOR,
                        protocol.span,
                        f"the declared survivor {name} names no guard",
                        f"its reason is {reason!r}",
                        f"the guards are {', '.join(protocol.guard_names) or 'none'}",
                    )
                )


def _check_names(file: str, node: ast.FunctionDef) -> None:
    for item in ast.walk(node):
        name = item.arg if isinstance(item, ast.arg) else item.id if isinstance(item, ast.Name) else ""
        if name.startswith("__") and not (isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load)):
            raise Refused(
                Diagnostic(
                    Code.DECLARATION,
                    span_of(file, item),
                    f"{name} cannot name a parameter or local value",
                    "Python rewrites names that begin with two underscores",
                    "take a plain name",
                )
            )


def _are_plain(arguments: ast.arguments) -> bool:
    """Whether parameters are given by place or name, each, and always."""
    return not (
        arguments.posonlyargs or arguments.vararg or arguments.kwonlyargs or arguments.kwarg or arguments.defaults
    )


__all__ = ["compile_protocol"]
