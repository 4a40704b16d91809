"""Values as running code makes them: immutable, so that nothing is shared and states can be hashed.

    {a, b}, {k: v …}     →  frozenset and FrozenDict
    {**f, k: v}          →  an updated copy; a foreign key raises

The functions of a module that a protocol calls are compiled in the same way.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import Any

from .domains import canonical
from .source import MISSING, ClassSource, Namespace, function_source, is_protocol
from .valuetypes import FrozenDict


def updated(function: Mapping[Any, Any], *entries: tuple[Any, Any]) -> FrozenDict[Any, Any]:
    """`{**function, key: value, …}`; a key outside the function's domain raises `KeyError`."""
    for key, _ in entries:
        if key not in function:
            raise KeyError(key)
    return FrozenDict({**function, **dict(entries)})


class ValueRewriter(ast.NodeTransformer):
    """A syntax tree whose displays and calls are made ready to run.

    `functions` are those compiled so far, by the ones of the user; `support` is what the new names in the tree mean.
    """

    def __init__(self, namespace: Namespace, functions: dict[FunctionType, FunctionType], *holders: str) -> None:
        self.namespace, self.functions, self.holders = namespace, functions, holders
        self.support: dict[str, Any] = {"__updated": updated, "__frozenset": frozenset, "__function": FrozenDict}

    # ast.NodeTransformer fixes these names.

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = self.resolved(node.func)
        self.generic_visit(node)
        if isinstance(function, FunctionType) and function is not dataclasses.replace:
            name = f"__called_{function.__name__}_{len(self.support)}"
            self.support[name] = compiled_function(function, self.functions)
            node.func = ast.copy_location(ast.Name(name, ast.Load()), node.func)
        return node

    def visit_Set(self, node: ast.Set) -> ast.expr:
        # Out of a tuple: no set is made on the way.
        members = ast.Tuple([self.visit(item) for item in node.elts], ast.Load())
        return self.wrapped("__frozenset", ast.copy_location(members, node))

    def visit_SetComp(self, node: ast.SetComp) -> ast.expr:
        return self.wrapped("__frozenset", self.generic_visit(node))

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        return self.wrapped("__function", self.generic_visit(node))

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        if node.keys and node.keys[0] is None:
            pairs: list[ast.expr] = [
                ast.copy_location(ast.Tuple([self.visit(key), self.visit(value)], ast.Load()), value)
                for key, value in zip(node.keys[1:], node.values[1:], strict=True)
                if key is not None
            ]
            called = ast.Call(ast.Name("__updated", ast.Load()), [self.visit(node.values[0]), *pairs], [])
            return ast.copy_location(called, node)
        return self.wrapped("__function", self.generic_visit(node))

    def wrapped(self, name: str, node: ast.AST) -> ast.expr:
        assert isinstance(node, ast.expr)
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node], []), node)

    def resolved(self, function: ast.expr) -> Any:
        """What a dotted name outside the protocol refers to, or `MISSING`."""
        match function:
            case ast.Name(name) if name not in self.holders:
                return self.namespace.lookup(name)
            case ast.Attribute(value, name):
                outer = self.resolved(value)
                return MISSING if outer is MISSING else getattr(outer, name, MISSING)
            case _:
                return MISSING


def compiled_function(function: FunctionType, functions: dict[FunctionType, FunctionType]) -> FunctionType:
    """A function of a module, compiled once."""
    if function not in functions:
        source = function_source(function)
        rewriter = ValueRewriter(source.namespace, functions)
        node = copy.deepcopy(source.node)
        body = [rewriter.visit(item) for item in node.body]
        names = [item.arg for item in node.args.args]
        functions[function] = built(node, names, body, function, source.namespace, rewriter.support)
    return functions[function]


def compiled_value(
    node: ast.expr, owner: ClassSource, functions: dict[FunctionType, FunctionType], constants: Collection[str]
) -> Callable[[Mapping[str, Any]], Any]:
    """An expression of a class body, as a function of the constants."""
    rewriter = _ClassBody(owner, functions, constants)
    tree = ast.fix_missing_locations(ast.Expression(rewriter.visit(copy.deepcopy(node))))
    code = compile(tree, owner.file, "eval")
    around: dict[str, Any] = {}
    for layer in reversed(owner.namespace.layers):
        around.update(layer)
    around.update(rewriter.support)
    return lambda values: canonical(eval(code, {**around, **values}))


class _ClassBody(ValueRewriter):
    """Constants that are named through the class, or a base of it, have the values that they have in an instance."""

    def __init__(
        self, owner: ClassSource, functions: dict[FunctionType, FunctionType], constants: Collection[str]
    ) -> None:
        super().__init__(owner.namespace, functions)
        self.python, self.constants = owner.python, constants

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        holder = self.resolved(node.value)
        if node.attr in self.constants and is_protocol(holder) and issubclass(self.python, holder):
            return ast.copy_location(ast.Name(node.attr, ast.Load()), node)
        self.generic_visit(node)
        return node


def built(
    node: ast.FunctionDef,
    parameters: Collection[str],
    body: list[ast.stmt],
    original: FunctionType,
    namespace: Namespace,
    support: Mapping[str, Any],
) -> FunctionType:
    """Compile a body inside a factory whose parameters are the closure, with the original's own globals."""
    free: dict[str, Any] = {}
    for layer in reversed(namespace.layers[:-1]):
        free.update({name: value for name, value in layer.items() if name.isidentifier()})
    closure = {**support, **{name: free[name] for name in original.__code__.co_freevars if name in free}}
    inner = _function(node, node.name, parameters, body)
    factory = _function(
        node,
        "__factory",
        closure,
        [inner, ast.copy_location(ast.Return(ast.Name(node.name, ast.Load())), node)],
    )
    module = ast.fix_missing_locations(ast.Module([factory], []))
    made: dict[str, Any] = {}
    # Assertions are obligations here: they are kept whatever the interpreter's -O says.
    exec(compile(module, original.__code__.co_filename, "exec", optimize=0), original.__globals__, made)
    function: FunctionType = made["__factory"](**closure)
    function.__qualname__, function.__module__ = original.__qualname__, original.__module__
    function.__doc__ = original.__doc__
    return function


def _function(at: ast.FunctionDef, name: str, parameters: Collection[str], body: list[ast.stmt]) -> ast.FunctionDef:
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    function = ast.FunctionDef(name, arguments, body, [], None)
    if "type_params" in ast.FunctionDef._fields:
        function.type_params = []  # type: ignore[attr-defined,unused-ignore]
    return ast.copy_location(function, at)


__all__ = ["ValueRewriter", "built", "compiled_function", "compiled_value", "updated"]
