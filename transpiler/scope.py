"""The working state of lowering: where names are looked up, which bound names are taken, and refusal."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import NoReturn

from . import ir
from . import valuetypes as types
from .declarations import Declarations
from .diagnostics import Code, Diagnostic, Span
from .source import MISSING, Namespace, span_of


class Refused(Exception):
    """Lowering of one construct stopped; `diagnostic` is None where its cause has been reported already."""

    def __init__(self, diagnostic: Diagnostic | None) -> None:
        super().__init__(diagnostic.message if diagnostic else "")
        self.diagnostic = diagnostic


@dataclass
class NameSupply:
    """Bound names of one definition: each is handed out once, so that substitution can never capture."""

    taken: set[str] = field(default_factory=set)

    def fresh(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3`, … where it is taken."""
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


@dataclass(frozen=True)
class Context:
    """What lowering knows about the whole protocol.

    `call` and `call_function` lower a helper, a method or a module-level function, on first use; `helpers` are those
    lowered so far.
    """

    declarations: Declarations
    problems: list[Diagnostic]
    constants: dict[str, ir.Constant]
    variables: dict[str, ir.Variable]
    helpers: dict[str, ir.Helper]
    call: Callable[[str, Span], ir.Helper]
    call_function: Callable[[FunctionType, Span], ir.Helper]


@dataclass(frozen=True)
class Scope:
    """Where an expression stands.

    `self_name` and `after_name` are the parameters that hold the state before and after the step. `locals` maps a
    Python name to what it stands for. `current` holds the values of variables that were assigned earlier in the
    action. In a class body (`self_name` None) bare names are constants. `unassigned` are local names that have a
    value on some paths only, `broken` those whose definition was refused, `unbound` those that a later `for` of the
    comprehension at hand will bind: Python takes them for that name throughout. `outside` is where records and
    functions of a module stand: the names there come before those of the class.
    """

    context: Context
    file: str
    namespace: Namespace
    names: NameSupply
    self_name: str | None = None
    after_name: str | None = None
    locals: Mapping[str, ir.Expr] = field(default_factory=dict)
    current: Mapping[str, ir.Expr] = field(default_factory=dict)
    unassigned: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    unbound: frozenset[str] = frozenset()
    stateless: bool = False
    outside: bool = False

    def sees(self, name: str) -> bool:
        """Whether a bare name is one of the class body, if that declares it."""
        return self.self_name is None and not (self.outside and self.namespace.lookup(name) is not MISSING)

    def span(self, node: ast.AST) -> Span:
        return span_of(self.file, node)

    def refuse(self, code: Code, node: ast.AST, message: str, reason: str = "", remedy: str = "") -> NoReturn:
        raise Refused(Diagnostic(code, self.span(node), message, reason, remedy))

    def with_later_names(self, body: Sequence[ast.stmt]) -> Scope:
        """This scope at the start of a body: a name that is assigned anywhere in it is local to all of it."""
        targets = [
            target
            for statement in body
            for node in ast.walk(statement)
            for target in _targets(node)
            if isinstance(target, ast.Name) and target.id not in self.locals
        ]
        return replace(self, unassigned=self.unassigned.union(target.id for target in targets))

    def bind(self, python_name: str, value: ir.Expr) -> Scope:
        """This scope with one more local name."""
        return replace(
            self,
            locals={**self.locals, python_name: value},
            unassigned=self.unassigned - {python_name},
            broken=self.broken - {python_name},
            unbound=self.unbound - {python_name},
        )

    def bind_fresh(self, python_name: str, kind: types.Type, span: Span) -> tuple[Scope, str]:
        """This scope with a new bound name, made unique in its definition."""
        name = self.names.fresh(python_name)
        return self.bind(python_name, ir.LocalRef(name, type=kind, span=span)), name


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to, patterns taken apart; the targets of comprehensions are their own."""
    match node:
        case ast.Assign(targets):
            for target in targets:
                yield from target.elts if isinstance(target, ast.Tuple) else (target,)
        case ast.AugAssign(target) | ast.AnnAssign(target):
            yield target
        case _:
            return
