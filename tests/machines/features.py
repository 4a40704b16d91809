"""What of the language occurs in a machine: kinds of IR nodes, and forms of the source that the IR no longer shows."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from typing import Any, get_args

from protocheck.transpiler import ir


def wanted_nodes() -> frozenset[str]:
    """Every class of node, and every operator of those that have one: what random machines must make occur."""
    classes = [*get_args(ir.Expr), *get_args(ir.DomainExpr), *get_args(ir.Step), ir.Generator, ir.Update]
    names = {item.__name__ for item in classes}
    names |= {f"property {kind}" for kind in get_args(ir.PropertyKind)}
    for cls, operators in _OPERATORS.items():
        names |= {f"{cls.__name__} {operator}" for operator in operators}
    names |= {f"Member of {kind}" for kind in ("Set", "Sequence", "Range", "Enum")}
    names |= {f"Aggregate {word} with a default" for word in ("min", "max")}
    return frozenset(names)


_OPERATORS: dict[type, tuple[str, ...]] = {
    ir.Logic: ("and", "or"),
    ir.Arithmetic: ("+", "-", "*", "//", "%"),
    ir.Extreme: ("min", "max"),
    ir.Compare: ("<", "<=", ">", ">="),
    ir.SetOperation: ("|", "&", "-", "^"),
    ir.Quantifier: ("any", "all"),
    ir.Aggregate: ("sum", "min", "max"),
}


def nodes_of(protocol: ir.Protocol) -> Iterator[str]:
    """The names of all nodes of a protocol, operators and property kinds included."""
    for node in _walk(protocol):
        name = type(node).__name__
        yield name
        operator = getattr(node, "operator", None)
        if operator is not None:
            yield f"{name} {operator}"
        match node:
            case ir.Property():
                yield f"property {node.kind}"
            case ir.Member(collection=ir.Members()):
                yield "Member of Enum"
            case ir.Member():
                yield f"Member of {type(node.collection.type).__name__}"
            case ir.Aggregate() if node.default is not None:
                yield f"Aggregate {node.operator} with a default"


def _walk(node: Any) -> Iterator[ir.Node]:
    if isinstance(node, ir.Node):
        yield node
        for item in dataclasses.fields(node):
            yield from _walk(getattr(node, item.name))
    elif isinstance(node, tuple):
        for part in node:
            yield from _walk(part)


class _Forms(ast.NodeVisitor):
    """Collects the forms of a module's source; each is named as a person would say it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.kind = ""
        """The decorator of the method at hand, "" outside methods."""
        self.parameters: frozenset[str] = frozenset()

    def say(self, form: str, when: bool = True) -> None:
        if when:
            self.found.append(form)

    # ------------------------------------------------------------------------------------------- declarations

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [ast.unparse(base) for base in node.bases]
        for keyword in node.keywords:
            if keyword.arg == "fairness" and isinstance(keyword.value, ast.Constant):
                self.say(f"fairness of the class, {keyword.value.value!s}")
        if "Base" in bases:
            self.say("inheritance")
            for item in node.body:
                self.say("an inherited constant replaced", isinstance(item, ast.AnnAssign))
        if "Protocol" in bases or "Base" in bases:
            for item in node.body:
                self.declared(item)
            self.generic_visit(node)

    def visit_Module(self, node: ast.Module) -> None:
        self.say("an alias outside the class", any(isinstance(item, ast.Assign) for item in node.body))
        self.generic_visit(node)

    def declared(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign():
                self.say("an alias of a type")
            case ast.AnnAssign(_, hint, ast.Call(ast.Name("const"), _, keywords)):
                text = ast.unparse(hint)
                self.say("a symmetric constant", bool(keywords))
                self.say("a constant with bounds", "Between" in text)
                self.say("a constant set of ints", text == "frozenset[int]")
                self.say("a constant set of strings", text == "frozenset[str]" and not keywords)
                self.say("a constant set of Enum members", text in ("frozenset[Color]", "frozenset[Step]"))
            case ast.AnnAssign(_, _, ast.Call(ast.Name("ghost"))):
                self.say("a ghost")
            case ast.AnnAssign(value=None):
                self.say("no initial value in the class")
            case _:
                pass

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        decorator = node.decorator_list[0] if node.decorator_list else None
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        self.kind = name.id if isinstance(name, ast.Name) else "function"
        self.parameters = frozenset(item.arg for item in node.args.args[1:])
        self.say("a module-level function", self.kind == "function")
        returns = [item for item in ast.walk(node) if isinstance(item, ast.Return)]
        if self.kind in ("helper", "function"):
            self.say("a helper with a local name", any(isinstance(item, ast.Assign) for item in node.body))
            self.say("a helper that returns early", len(returns) > 1)
        if self.kind == "init":
            self.say("@init")
            self.say("a choice in @init", len(node.args.args) > 1)
            self.say("a branch in @init", any(isinstance(item, ast.If) for item in node.body))
        if self.kind == "action":
            self.action(node, decorator)
        if isinstance(decorator, ast.Call) and self.kind == "leads_to":
            self.say("leads_to a name" if isinstance(decorator.args[0], ast.Constant) else "leads_to a method")
        self.generic_visit(node)
        self.kind = ""

    def action(self, node: ast.FunctionDef, decorator: ast.expr | None) -> None:
        self.say("an action with two parameters", len(node.args.args) > 2)
        calls = [item for item in ast.walk(node) if isinstance(item, ast.Call) and ast.unparse(item.func) == "guard"]
        self.say("several calls of guard", len(calls) > 1)
        self.say("several guards in a call", any(len(call.keywords) > 1 for call in calls))
        stored = [
            item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store)
        ]
        self.say("a variable assigned twice", len(stored) > len(set(stored)))
        targets = [item for item in ast.walk(node) if isinstance(item, ast.Assign)]
        local = [item.targets[0].id for item in targets if isinstance(item.targets[0], ast.Name)]
        self.say("a local name", bool(local))
        self.say("a local name assigned again", len(local) > len(set(local)))
        self.say("a parameter assigned again", bool(self.parameters & set(local)))
        if isinstance(decorator, ast.Call):
            given = {keyword.arg: keyword.value for keyword in decorator.keywords}
            word = given["fairness"]
            assert isinstance(word, ast.Constant)
            self.say(f"fairness of an action, {word.value!s}")
            self.say("fairness of each parameter", isinstance(given.get("each"), ast.Constant))
            self.say("fairness of each of several parameters", isinstance(given.get("each"), ast.Tuple))

    # --------------------------------------------------------------------------------------------- statements

    def visit_If(self, node: ast.If) -> None:
        if self.kind == "action":
            self.say("if")
            self.say("a guard under if", any(_calls(item, "guard") for item in (*node.body, *node.orelse)))
            elif_ = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
            self.say("elif", elif_)
            self.say("else", bool(node.orelse) and not elif_)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.say("an assignment of several values", isinstance(node.targets[0], ast.Tuple))
        self.say("several targets", len(node.targets) > 1)
        self.say("an assignment by subscript", isinstance(node.targets[0], ast.Subscript))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        forms = {
            ast.Attribute: "an augmented assignment",
            ast.Name: "an augmented local name",
            ast.Subscript: "an augmented subscript",
        }
        self.say(forms[type(node.target)])
        self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        self.say("pass", self.kind == "action")

    def visit_Assert(self, node: ast.Assert) -> None:
        self.say("assert")
        self.generic_visit(node)

    # -------------------------------------------------------------------------------------------- expressions

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        self.say("assume", called == "assume" and self.kind == "action")
        self.say("an assumption in @init", called == "assume" and self.kind == "init")
        self.say("a helper after the step", called.startswith("after."))
        self.say("a property used as a helper", called.startswith("self.safe_"))
        helper = called == "shaped" or called.startswith(("self.", "after."))
        self.say("an argument by name", helper and bool(node.keywords))
        self.say("a record by name", called in ("Ack", "Put", "Cell") and bool(node.keywords))
        self.say("dataclasses.replace", called == "replace")
        generator = bool(node.args) and isinstance(node.args[0], ast.GeneratorExp)
        self.say("frozenset of a generator", called == "frozenset" and generator)
        self.say("tuple of a generator", called == "tuple" and generator)
        self.say("a range from a start", called == "range" and len(node.args) > 1)
        if called == "isinstance":
            self.say("isinstance of several classes", isinstance(node.args[1], ast.Tuple))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.say("a chain of comparisons", len(node.ops) > 1)
        self.say("is None", isinstance(node.ops[0], ast.Is | ast.IsNot))
        in_enum = isinstance(node.ops[0], ast.In | ast.NotIn) and ast.unparse(node.comparators[0]) in ("Color", "Step")
        self.say("in an Enum", in_enum)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        match node.slice:
            case ast.Slice(lower, upper):
                ends = [item for item in (lower, upper) if item is not None]
                self.say("a slice from the end", any(isinstance(item, ast.UnaryOp) for item in ends))
            case ast.UnaryOp(ast.USub()):
                self.say("an index from the end")
            case _:
                pass
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        self.say("a dict that spreads another", bool(node.keys) and node.keys[0] is None)
        self.generic_visit(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self.say("a set comprehension")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.say("if expression")
        self.generic_visit(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.say("two clauses in a generator", len(node.generators) > 1)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.say("a pattern in a generator", isinstance(node.target, ast.Tuple))
        self.say("a condition in a generator", bool(node.ifs))
        self.generic_visit(node)


def _calls(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == name


def forms_of(source: str) -> list[str]:
    """The forms that occur in a machine's source, one entry an occurrence."""
    forms = _Forms()
    forms.visit(ast.parse(source))
    return forms.found


WANTED_FORMS = frozenset(
    (
        "@init",
        "a branch in @init",
        "a chain of comparisons",
        "a choice in @init",
        "a condition in a generator",
        "a constant set of Enum members",
        "a constant set of ints",
        "a constant set of strings",
        "a constant with bounds",
        "a dict that spreads another",
        "a ghost",
        "a guard under if",
        "a helper after the step",
        "a helper that returns early",
        "a helper with a local name",
        "a local name",
        "a local name assigned again",
        "a module-level function",
        "a parameter assigned again",
        "a pattern in a generator",
        "a property used as a helper",
        "a range from a start",
        "a record by name",
        "a set comprehension",
        "a slice from the end",
        "a symmetric constant",
        "a variable assigned twice",
        "an action with two parameters",
        "an alias of a type",
        "an alias outside the class",
        "an argument by name",
        "an assignment by subscript",
        "an assignment of several values",
        "an assumption in @init",
        "an augmented assignment",
        "an augmented local name",
        "an augmented subscript",
        "an index from the end",
        "an inherited constant replaced",
        "assert",
        "assume",
        "dataclasses.replace",
        "elif",
        "else",
        "fairness of an action, strong",
        "fairness of an action, weak",
        "fairness of each of several parameters",
        "fairness of each parameter",
        "fairness of the class, strong",
        "fairness of the class, weak",
        "frozenset of a generator",
        "if",
        "if expression",
        "in an Enum",
        "inheritance",
        "is None",
        "isinstance of several classes",
        "leads_to a method",
        "leads_to a name",
        "no initial value in the class",
        "pass",
        "several calls of guard",
        "several guards in a call",
        "several targets",
        "tuple of a generator",
        "two clauses in a generator",
    )
)
"""The forms that random machines must make occur."""
