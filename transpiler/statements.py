"""Bodies of methods → IR: actions as guarded commands, helpers and properties as expressions."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import ir, language
from . import valuetypes as types
from .diagnostics import Code, Span
from .expressions import condition, fitted, lower, lower_as, merge, near
from .scope import Refused, Scope
from .traverse import bound_names, walk, without_shadowing

# A condition this small is repeated in every value it decides; a larger one gets a name.
_SMALL = 8


def expression_body(scope: Scope, body: Sequence[ast.stmt], holder: ast.AST) -> ir.Expr:
    """The value of a helper or property: local names, `if`, `return`, on every path."""
    if not body:
        scope.refuse(
            Code.STATEMENT, holder, "this does not return on every path", remedy="end every branch with `return …`"
        )
    first, rest = body[0], body[1:]
    match first:
        case ast.Expr(ast.Constant(str())) | ast.Pass():
            return expression_body(scope, rest, holder)
        case ast.Return(value) if value is not None:
            if rest:
                scope.refuse(Code.STATEMENT, rest[0], "this is never reached", remedy="remove it")
            return lower(scope, value)
        case ast.If(test, then, orelse):
            decided = condition(scope, test)
            left = expression_body(scope, [*then, *(() if _returns(then) else rest)], first)
            right = expression_body(scope, [*orelse, *(() if orelse and _returns(orelse) else rest)], first)
            return merge(scope, first, decided, left, right)
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            name, local = _local_value(scope, first)
            inside, bound = scope.bind_fresh(name, local.type, scope.span(first))
            inner = expression_body(inside, rest, holder)
            return ir.Let(bound, local, inner, type=inner.type, span=scope.span(first))
        case ast.Assert():
            scope.refuse(
                Code.STATEMENT,
                first,
                "assert is an obligation of an action",
                "an expression is defined or it is not",
                "write `if x is None: return …` before, or use it in a comparison with `is not None`",
            )
        case _:
            scope.refuse(
                Code.STATEMENT,
                first,
                f"{_statement(first)} is not in the language of helpers and properties",
                remedy="use local names, `if` and `return`",
            )


def _returns(body: Sequence[ast.stmt]) -> bool:
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.If):
        return _returns(last.body) and _returns(last.orelse)
    return isinstance(last, ast.Return)


def _local_value(scope: Scope, node: ast.stmt) -> tuple[str, ir.Expr]:
    """The name and value of an assignment to a local name."""
    match node:
        case ast.Assign([ast.Name(name)], value):
            return name, lower(scope, value)
        case ast.AnnAssign(ast.Name(name), hint, value) if value is not None:
            from .annotations import annotation, type_of

            # Python does not evaluate it, and to type checkers it is as in the class body.
            return name, lower_as(scope, value, type_of(annotation(replace(scope, self_name=None), hint)))
        case ast.AugAssign(ast.Name(name), operator, value):
            return name, lower(scope, _spelled_out(node, operator, value))
        case _:
            scope.refuse(
                Code.STATEMENT, node, "only local names are assigned here", remedy="assign one plain name at a time"
            )


def _spelled_out(node: ast.AugAssign, operator: ast.operator, value: ast.expr) -> ast.expr:
    """`x += v` as the expression `x + v`."""
    target = ast.copy_location(_as_load(node.target), node.target)
    return ast.copy_location(ast.BinOp(target, operator, value), node)


def _as_load(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(name):
            return ast.Name(name, ast.Load())
        case ast.Attribute(value, name):
            return ast.Attribute(value, name, ast.Load())
        case ast.Subscript(value, index):
            return ast.copy_location(ast.Subscript(_copied(value), index, ast.Load()), target)
        case _:
            return target


def _copied(value: ast.expr) -> ast.expr:
    return ast.copy_location(_as_load(value), value)


# -------------------------------------------------------------------------------------------------------- actions


@dataclass
class _Body:
    """An action under construction: the steps and the number of `guard(...)` calls so far.

    `reads` says where attributes are read, so that a value assigned to a variable gets a name only if it is needed.
    """

    steps: list[ir.Step]
    reads: Sequence[tuple[str, tuple[int, int]]]
    calls: int = 0
    in_init: bool = False


@dataclass(frozen=True)
class _Path:
    """Where lowering stands: the names in scope, the condition of the branch, whether the state was assigned."""

    scope: Scope
    when: ir.Expr | None = None
    assigned: bool = False


def action_body(
    scope: Scope, body: Sequence[ast.stmt], *, in_init: bool = False
) -> tuple[tuple[ir.Step, ...], tuple[ir.Update, ...]]:
    """The steps and updates of an action or of `@init`; what is malformed is reported and the rest is still read."""
    builder = _Body([], _reads(body), in_init=in_init)
    end = _block(builder, _Path(_with_named_defaults(builder, scope)), body)
    current = end.scope.current
    updates = tuple(
        ir.Update(name, current[name], span=current[name].span) for name in scope.context.variables if name in current
    )
    return tuple(builder.steps), updates


def _with_named_defaults(builder: _Body, scope: Scope) -> Scope:
    """The values that `@init` starts from: one that it reads gets a name, as a value that was assigned would."""
    current = dict(scope.current)
    read = {attribute for attribute, _ in builder.reads}
    for name, value in scope.current.items():
        wanted = scope.context.variables[name].type
        if name in read and (value.type != wanted or not isinstance(value, (ir.Literal, ir.ConstantRef))):
            fresh = scope.names.fresh(name)
            # It was lowered in the class body, where the names of this method were not known.
            renamed = without_shadowing(value, scope.names.taken)
            scope.names.taken.update(bound_names(renamed))
            builder.steps.append(ir.Bind(fresh, renamed, span=value.span))
            current[name] = ir.LocalRef(fresh, type=wanted, span=value.span)
    return replace(scope, current=current)


def _block(builder: _Body, path: _Path, body: Sequence[ast.stmt]) -> _Path:
    for node in body:
        try:
            path = _statement_of(builder, path, node)
        except Refused as refused:
            if refused.diagnostic is not None:
                path.scope.context.problems.append(refused.diagnostic)
            path = _without(path, node)
    return path


def _without(path: _Path, node: ast.AST) -> _Path:
    """Names that a refused statement would have given a value are not complained about again."""
    assigned = {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)}
    scope = path.scope
    return replace(path, scope=replace(scope, broken=scope.broken | assigned))


def _statement_of(builder: _Body, path: _Path, node: ast.stmt) -> _Path:
    scope = path.scope
    match node:
        case ast.Expr(ast.Constant(str())) | ast.Pass():
            return path
        case ast.Expr(ast.Call() as call):
            return _call_statement(builder, path, call)
        case ast.Assert(test, _):
            builder.steps.append(ir.Oblige(condition(scope, test), when=path.when, span=scope.span(node)))
            return path
        case ast.If(test, then, orelse):
            return _branch(builder, path, node, test, then, orelse)
        case ast.Assign(targets, value):
            return _assign(builder, path, node, targets, value)
        case ast.AnnAssign(target, _, value) if value is not None:
            if isinstance(target, ast.Name):
                name, expr = _local_value(scope, node)
                return _bind_local(builder, path, name, expr, scope.span(node))
            return _assign(builder, path, node, [target], value)
        case ast.AugAssign(target, operator, value):
            return _assign(builder, path, node, [target], _spelled_out(node, operator, value))
        case ast.Return():
            scope.refuse(
                Code.STATEMENT,
                node,
                "an action runs to its end",
                "every path reaches the same updates",
                "use if / else",
            )
        case ast.For() | ast.While():
            scope.refuse(
                Code.STATEMENT, node, "loops are not in the language", remedy="write a comprehension, any, all or sum"
            )
        case ast.Raise() | ast.Try():
            scope.refuse(
                Code.STATEMENT,
                node,
                "exceptions are not in the language",
                "a step that must not be taken is refused by its guards",
                "write guard(name=condition)",
            )
        case _:
            scope.refuse(Code.STATEMENT, node, f"{_statement(node)} is not in the language of actions")


def _call_statement(builder: _Body, path: _Path, call: ast.Call) -> _Path:
    scope = path.scope
    called = None
    if isinstance(call.func, ast.Name) and call.func.id not in scope.locals:
        called = scope.namespace.lookup(call.func.id)
    elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        called = getattr(scope.namespace.lookup(call.func.value.id), call.func.attr, None)
    if called is language.guard:
        return _guard(builder, path, call)
    if called is language.assume:
        _in_order(path, call, "an assumption")
        if len(call.args) != 1 or call.keywords:
            scope.refuse(Code.GUARD, call, "assume takes one condition", remedy="write assume(condition)")
        test = condition(scope, call.args[0])
        builder.steps.append(ir.Assume(test, when=path.when, span=scope.span(call)))
        return path
    if any(isinstance(item, ast.Name) and item.id == "super" for item in ast.walk(call)):
        scope.refuse(
            Code.STATEMENT,
            call,
            "super() is not in the language",
            "a declaration replaces the inherited one as a whole, so that its guards stand in one place",
            "write the step out, or name what both share as a @helper",
        )
    scope.refuse(
        Code.STATEMENT,
        call,
        f"`{ast.unparse(call.func)}(…)` as a statement has no effect that the language knows",
        "an action guards, assumes and assigns; it calls no other action",
        "assign its value to a name, or remove it",
    )


def _guard(builder: _Body, path: _Path, call: ast.Call) -> _Path:
    scope = path.scope
    if builder.in_init:
        scope.refuse(Code.GUARD, call, "@init has no guards", remedy="restrict a choice with assume(condition)")
    _in_order(path, call, "a guard")
    if call.args or not call.keywords or any(keyword.arg is None for keyword in call.keywords):
        scope.refuse(
            Code.GUARD,
            call,
            "every guard has a name",
            "the name stands in reports, in traces and for the mutant that drops it",
            "write guard(room_left=self.length < self.max_len)",
        )
    taken = {step.name for step in builder.steps if isinstance(step, ir.Guard)}
    for keyword in call.keywords:
        assert keyword.arg is not None
        span = scope.span(keyword)
        try:
            if keyword.arg in taken:
                scope.refuse(Code.GUARD, keyword, f"{keyword.arg} is the name of another guard of this action")
            taken.add(keyword.arg)
            test = condition(scope, keyword.value)
            builder.steps.append(ir.Guard(keyword.arg, test, builder.calls, when=path.when, span=span))
        except Refused as refused:
            if refused.diagnostic is not None:
                scope.context.problems.append(refused.diagnostic)
            path = _without(path, keyword.value)
    builder.calls += 1
    return path


def _in_order(path: _Path, node: ast.AST, what: str) -> None:
    if path.assigned:
        path.scope.refuse(
            Code.ORDER,
            node,
            f"{what} after an assignment to the state",
            "an action is refused before it has changed anything",
            "move it before the first assignment",
        )


def _branch(
    builder: _Body, path: _Path, node: ast.If, test: ast.expr, then: Sequence[ast.stmt], orelse: Sequence[ast.stmt]
) -> _Path:
    path = _with_named_values(builder, path, node)
    scope = path.scope
    decided = condition(scope, test)
    span = scope.span(test)
    if _weight(decided) > _SMALL or bound_names(decided):
        name = scope.names.fresh("holds")
        builder.steps.append(ir.Bind(name, decided, when=path.when, span=span))
        decided = ir.LocalRef(name, type=types.BOOL, span=span)
    negated = decided.operand if isinstance(decided, ir.Not) else ir.Not(decided, type=types.BOOL, span=span)
    left = _block(builder, replace(path, when=_both(path.when, decided)), then)
    right = _block(builder, replace(path, when=_both(path.when, negated)), orelse)
    return _merged(builder, path, node, decided, left, right)


def _with_named_values(builder: _Body, path: _Path, node: ast.If) -> _Path:
    """Values that a branch may replace get a name: they stand once for each path that keeps them."""
    stored = {item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute) and _is_stored(item, node)}
    for name in path.scope.context.variables:
        value = path.scope.current.get(name)
        if name in stored and value is not None and not isinstance(value, (ir.Literal, ir.LocalRef, ir.ConstantRef)):
            path, value = _named(builder, path, name, value)
            path = replace(path, scope=replace(path.scope, current={**path.scope.current, name: value}))
    return path


def _is_stored(attribute: ast.Attribute, node: ast.If) -> bool:
    if isinstance(attribute.ctx, ast.Store):
        return True
    return any(
        item.value is attribute
        for item in ast.walk(node)
        if isinstance(item, ast.Subscript) and isinstance(item.ctx, ast.Store)
    )


def _merged(builder: _Body, path: _Path, node: ast.If, decided: ir.Expr, left: _Path, right: _Path) -> _Path:
    """One path again: a variable or name assigned in a branch is decided by its condition."""
    scope = path.scope
    current = dict(scope.current)
    for name, variable in scope.context.variables.items():
        a, b = left.scope.current.get(name), right.scope.current.get(name)
        if a is b:
            continue
        if builder.in_init and (a is None or b is None):
            # Without an initial value there is nothing to keep on the other path; `frontend` reports what is missing.
            continue
        before: ir.Expr = ir.VariableRef(name, type=variable.type, span=scope.span(node))
        current[name] = merge(scope, node, decided, a if a is not None else before, b if b is not None else before)
    merged = replace(
        scope,
        current=current,
        broken=scope.broken | left.scope.broken | right.scope.broken,
        unassigned=scope.unassigned | left.scope.unassigned | right.scope.unassigned,
    )
    result = replace(path, scope=merged, assigned=left.assigned or right.assigned)
    for name in sorted({*left.scope.locals, *right.scope.locals}):
        x, y = left.scope.locals.get(name), right.scope.locals.get(name)
        if x is y or x == y:
            continue
        if x is None or y is None:
            result = replace(result, scope=replace(result.scope, unassigned=result.scope.unassigned | {name}))
            continue
        result = _bind_local(builder, result, name, merge(scope, node, decided, x, y), scope.span(node))
    return result


def _assign(builder: _Body, path: _Path, node: ast.stmt, targets: Sequence[ast.expr], value: ast.expr) -> _Path:
    scope = path.scope
    flat = [item for target in targets for item in (target.elts if isinstance(target, ast.Tuple) else [target])]
    if len(targets) > 1:
        expr = _lower_for(scope, flat[0], value)
        if not isinstance(expr, (ir.Literal, ir.LocalRef, ir.ConstantRef)):
            path, expr = _named(builder, path, "value", expr)
        values = [expr] * len(targets)
        if any(isinstance(target, ast.Tuple) for target in targets):
            scope.refuse(
                Code.STATEMENT, node, "a tuple pattern among several targets", remedy="assign one after the other"
            )
    elif isinstance(targets[0], ast.Tuple):
        if not isinstance(value, ast.Tuple) or len(value.elts) != len(flat):
            scope.refuse(
                Code.STATEMENT,
                node,
                "a pattern is assigned a display of as many values",
                remedy="write `a, b = x, y`, or index the tuple",
            )
        # All values are those before the assignment, so that a swap is a swap.
        values = [_lower_for(scope, target, item) for target, item in zip(flat, value.elts, strict=True)]
        for index, item in enumerate(values):
            if not isinstance(item, (ir.Literal, ir.ConstantRef)):
                path, values[index] = _named(builder, path, "value", item) if len(flat) > 1 else (path, item)
    else:
        values = [lower(scope, value)]
    for target, expr in zip(flat, values, strict=True):
        # With several targets, the next one sees what this one was given.
        path = _assign_one(builder, path, node, target, expr, value, behind=target if len(flat) > 1 else node)
    return path


def _lower_for(scope: Scope, target: ast.expr, value: ast.expr) -> ir.Expr:
    """A value that gets a name before it is assigned: fitted while it is still a display, whose type is open."""
    expr = lower(scope, value)
    wanted = _type_of_target(scope, target)
    return expr if wanted is None else fitted(scope, value, expr, wanted)


def _type_of_target(scope: Scope, target: ast.expr) -> types.Type | None:
    """The type of the values that a state variable, or an entry of one, takes; None for other targets."""
    match target:
        case ast.Attribute(ast.Name(holder), name) if holder == scope.self_name and name in scope.context.variables:
            return scope.context.variables[name].type
        case ast.Subscript(holder):
            function = _type_of_target(scope, holder)
            return function.value if isinstance(function, types.Function) else None
        case _:
            return None


def _named(builder: _Body, path: _Path, name: str, value: ir.Expr) -> tuple[_Path, ir.Expr]:
    fresh = path.scope.names.fresh(name)
    builder.steps.append(ir.Bind(fresh, value, when=path.when, span=value.span))
    return path, ir.LocalRef(fresh, type=value.type, span=value.span)


def _assign_one(
    builder: _Body,
    path: _Path,
    node: ast.stmt,
    target: ast.expr,
    value: ir.Expr,
    value_node: ast.expr,
    *,
    behind: ast.stmt | ast.expr,
) -> _Path:
    scope = path.scope
    span = scope.span(node)
    match target:
        case ast.Name(name):
            if name in (scope.self_name, scope.after_name):
                scope.refuse(Code.STATEMENT, target, f"{name} is not assigned")
            return _bind_local(builder, path, name, value, span)
        case ast.Attribute(ast.Name(holder), name) if holder == scope.self_name:
            variable = _variable(scope, target, name)
            fitted_value = replace(fitted(scope, value_node, value, variable.type), span=span)
            return _store(builder, path, behind, name, fitted_value)
        case ast.Subscript(ast.Attribute(ast.Name(holder), name), index) if holder == scope.self_name:
            variable = _variable(scope, target, name)
            if not isinstance(variable.type, types.Function):
                scope.refuse(
                    Code.TYPE,
                    target,
                    f"{types.an(variable.type)} is not assigned by index",
                    "values are immutable; only functions have the short form",
                    "build the new value: `xs[:i] + (x,) + xs[i + 1:]`"
                    if isinstance(variable.type, types.Sequence)
                    else "",
                )
            function = lower(
                scope, ast.copy_location(ast.Attribute(ast.Name(holder, ast.Load()), name, ast.Load()), target)
            )
            key = lower_as(scope, index, variable.type.key)
            entry = fitted(scope, value_node, value, variable.type.value)
            entries: tuple[tuple[ir.Expr, ir.Expr], ...] = ((key, entry),)
            return _store(
                builder, path, behind, name, ir.FunctionUpdate(function, entries, type=variable.type, span=span)
            )
        case ast.Attribute():
            scope.refuse(
                Code.STATEMENT,
                target,
                f"`{ast.unparse(target)}` is not assigned",
                "records are immutable",
                "write `self.x = dataclasses.replace(self.x, field=…)`",
            )
        case _:
            scope.refuse(Code.STATEMENT, target, f"`{ast.unparse(target)}` cannot be assigned here")


def _variable(scope: Scope, target: ast.AST, name: str) -> ir.Variable:
    variable = scope.context.variables.get(name)
    if variable is None:
        if name in scope.context.constants:
            scope.refuse(Code.CONSTANT, target, f"{name} is a constant", remedy="declare it without const to change it")
        if name in scope.context.declarations.members:
            raise Refused(None)
        scope.refuse(
            Code.NAME,
            target,
            f"{name} is not declared",
            "every state variable is declared with its domain",
            near(name, list(scope.context.variables)) or f"write `{name}: T = …` in the class body",
        )
    return variable


def _store(builder: _Body, path: _Path, behind: ast.stmt | ast.expr, name: str, value: ir.Expr) -> _Path:
    """What comes later sees the value; where something behind `behind` does, the value gets a name and stands once."""
    path = _with_overwritten(builder, path, name)
    scope = path.scope
    end = (behind.end_lineno or behind.lineno, behind.end_col_offset or 0)
    read_later = any(attribute in (name, _ANY) and position >= end for attribute, position in builder.reads)
    wanted = scope.context.variables[name].type
    # What is read later has the variable's type: an optional may be asked whether it is None, whatever it was given.
    if read_later and (value.type != wanted or not isinstance(value, (ir.Literal, ir.LocalRef, ir.ConstantRef))):
        fresh = scope.names.fresh(name)
        builder.steps.append(ir.Bind(fresh, value, when=path.when, span=value.span))
        value = ir.LocalRef(fresh, type=wanted, span=value.span)
    return replace(path, scope=replace(scope, current={**scope.current, name: value}), assigned=True)


def _with_overwritten(builder: _Body, path: _Path, name: str) -> _Path:
    """A value that is replaced unread was evaluated all the same: `well_defined` asks for it, if it may have none."""
    old = path.scope.current.get(name)
    if old is None or old == path.scope.context.variables[name].initial:
        return path
    if any(isinstance(part, _PARTIAL) for part in walk(old)):
        path, _ = _named(builder, path, name, old)
    return path


_PARTIAL = (
    ir.Arithmetic,
    ir.Aggregate,
    ir.Index,
    ir.Field,
    ir.Replace,
    ir.Apply,
    ir.FunctionUpdate,
    ir.Unwrap,
    ir.Call,
)
"""Expressions that may have no value, or have parts that do."""

_ANY = "*"


def _reads(body: Sequence[ast.stmt]) -> list[tuple[str, tuple[int, int]]]:
    """The attributes that are read, each with its position; a call may read any, through a helper."""
    found: list[tuple[str, tuple[int, int]]] = []
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Call(ast.Attribute()):
                    found.append((_ANY, (node.lineno, node.col_offset)))
                case ast.Attribute(_, name, ast.Load()):
                    found.append((name, (node.lineno, node.col_offset)))
                case ast.AugAssign(ast.Attribute(_, name)) | ast.Assign([ast.Subscript(ast.Attribute(_, name))]):
                    found.append((name, (node.lineno, node.col_offset)))
    return found


def _bind_local(builder: _Body, path: _Path, name: str, value: ir.Expr, span: Span) -> _Path:
    scope, bound = path.scope.bind_fresh(name, value.type, span)
    builder.steps.append(ir.Bind(bound, value, when=path.when, span=span))
    return replace(path, scope=scope)


def _both(first: ir.Expr | None, second: ir.Expr) -> ir.Expr:
    if first is None:
        return second
    operands = first.operands if isinstance(first, ir.Logic) and first.operator == "and" else (first,)
    return ir.Logic("and", (*operands, second), type=types.BOOL, span=second.span)


def _weight(expr: ir.Expr) -> int:
    return sum(1 for _ in walk(expr))


def _statement(node: ast.stmt) -> str:
    return {
        "FunctionDef": "a nested function",
        "ClassDef": "a nested class",
        "With": "`with`",
        "Import": "`import`",
        "ImportFrom": "`import`",
        "Global": "`global`",
        "Nonlocal": "`nonlocal`",
        "Delete": "`del`",
        "Match": "`match`",
    }.get(type(node).__name__, "this statement")
