"""Where an expression is rendered: what its local names are called, and what is known about their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from . import ir
from . import valuetypes as types
from .tla_library import Used
from .tla_names import Names
from .tla_syntax import Text, atom


@dataclass(frozen=True)
class Scope:
    """A place in a module.

    `locals` gives the text of every local name, `floors` a lower bound of those that are known to have one, and
    `bound` the names that are in use here. With `after`, variables mean their values after the step.
    """

    protocol: ir.Protocol
    names: Names
    used: Used
    renderer: Callable[[ir.Expr, Scope], Text]
    locals: Mapping[str, Text]
    floors: Mapping[str, int]
    bound: frozenset[str] = frozenset()
    after: bool = False

    def text(self, expr: ir.Expr) -> Text:
        """The expression in TLA+."""
        return self.renderer(expr, self)

    def bind(self, name: str, floor: int | None = None) -> tuple[str, Scope]:
        """A new bound name for `name`, and the scope in which it has that name."""
        new = self.names.fresh(name, self.bound)
        inner = self.define(name, atom(new), floor)
        return new, replace(inner, bound=self.bound | {new})

    def define(self, name: str, text: Text, floor: int | None = None) -> Scope:
        """The scope in which `text` stands for a local name."""
        floors = {key: value for key, value in self.floors.items() if key != name}
        if floor is not None:
            floors[name] = floor
        return replace(self, locals={**self.locals, name: text}, floors=floors)

    def fresh(self, wanted: str) -> tuple[str, Scope]:
        """A bound name of our own, which no expression refers to by name."""
        new = self.names.fresh(wanted, self.bound)
        return new, replace(self, bound=self.bound | {new})


def floor_of(expr: ir.Expr, scope: Scope) -> int | None:
    """A lower bound of an int, from the shape of the expression and the declared domains; None where none is known.

    Variables lie in their domains wherever this is used: TLC stops at the state in which `TypeOK` fails.
    """
    match expr:
        case ir.Literal():
            return int(expr.value)
        case ir.LocalRef():
            return scope.floors.get(expr.name)
        case ir.ConstantRef():
            return domain_floor(scope.protocol.constant(expr.name).domain, scope)
        case ir.VariableRef():
            return domain_floor(scope.protocol.variable(expr.name).domain, scope)
        case ir.Size() | ir.Absolute():
            return 0
        case ir.IfElse():
            return _least((floor_of(expr.then, scope), floor_of(expr.orelse, scope)))
        case ir.Extreme():
            floors = [floor_of(operand, scope) for operand in expr.operands]
            if expr.operator == "min":
                return _least(floors)
            return max((floor for floor in floors if floor is not None), default=None)
        case ir.Arithmetic():
            return _arithmetic_floor(expr, scope)
        case _:
            return None


def _arithmetic_floor(expr: ir.Arithmetic, scope: Scope) -> int | None:
    left, right = floor_of(expr.left, scope), floor_of(expr.right, scope)
    match expr.operator:
        case "+":
            return left + right if left is not None and right is not None else None
        case "-":
            return left - expr.right.value if left is not None and isinstance(expr.right, ir.Literal) else None
        case "*":
            return left * right if left is not None and right is not None and left >= 0 and right >= 0 else None
        case "//":
            return 0 if left is not None and right is not None and left >= 0 and right > 0 else None
        case "%":
            return 0 if right is not None and right > 0 else None


def domain_floor(domain: ir.DomainExpr | None, scope: Scope) -> int | None:
    """A lower bound of the ints in a domain, where its own lower bound has one."""
    return floor_of(domain.low, scope) if isinstance(domain, ir.IntSet) else None


def element_floor(source: ir.Expr, scope: Scope) -> int | None:
    """A lower bound of what iterating over a collection yields."""
    match source:
        case ir.RangeOf():
            return floor_of(source.start, scope)
        case ir.VariableRef():
            domain = scope.protocol.variable(source.name).domain
            return domain_floor(domain.element, scope) if isinstance(domain, ir.PowerSet | ir.SequenceSet) else None
        case ir.SetDisplay() | ir.TupleDisplay() if source.elements and source.elements[0].type == types.INT:
            return _least([floor_of(element, scope) for element in source.elements])
        case _:
            return None


def _least(floors: Iterable[int | None]) -> int | None:
    known = list(floors)
    return None if any(floor is None for floor in known) else min(floor for floor in known if floor is not None)
