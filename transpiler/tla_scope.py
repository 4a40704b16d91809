"""Where an expression is rendered: what its local names are called, and what is known about their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from . import ir
from .domain_inference import Known, domain_of, least
from .tla_library import Used
from .tla_names import Names
from .tla_syntax import Text, atom


@dataclass(frozen=True)
class Scope:
    """A place in a module.

    `locals` gives the text of every local name, `known` what their declarations tell of their values, and `bound` the
    names that are in use here. With `after`, variables mean their values after the step.
    """

    known: Known
    names: Names
    used: Used
    renderer: Callable[[ir.Expr, Scope], Text]
    locals: Mapping[str, Text]
    bound: frozenset[str] = frozenset()
    after: bool = False

    @property
    def protocol(self) -> ir.Protocol:
        return self.known.protocol

    def text(self, expr: ir.Expr) -> Text:
        """The expression in TLA+."""
        return self.renderer(expr, self)

    def least(self, expr: ir.Expr) -> int | None:
        """A number that the value of an int expression is certainly not below."""
        return least(expr, self.known)

    def parameter(self, name: str, domain: ir.DomainExpr | None = None) -> tuple[str, Scope]:
        """A new bound name for the local name `name`, and the scope in which it has that name."""
        new, inner = self.fresh(name)
        return new, inner.define(name, atom(new), self.known.with_domain(name, domain))

    def element(self, name: str, source: ir.Expr) -> tuple[str, Scope]:
        """The same for an element of a collection."""
        new, inner = self.fresh(name)
        return new, inner.define(name, atom(new), self.known.inside(name, source))

    def value(self, name: str, value: ir.Expr) -> tuple[str, Scope]:
        """The same for a name that stands for a value."""
        return self.parameter(name, domain_of(value, self.known))

    def define(self, name: str, text: Text, known: Known | None = None) -> Scope:
        """The scope in which `text` stands for a local name."""
        return replace(self, locals={**self.locals, name: text}, known=known or self.known)

    def fresh(self, wanted: str) -> tuple[str, Scope]:
        """A bound name that nothing else has here."""
        new = self.names.fresh(wanted, self.bound)
        return new, replace(self, bound=self.bound | {new})
