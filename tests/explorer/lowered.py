"""Evaluating lowered expressions: what the generated code would compute, as a Python value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocheck.transpiler import ir
from protocheck.transpiler.instance import Instance
from protocheck.transpiler.packing import expressions, layouts, low
from protocheck.transpiler.packing.builder import Builder
from protocheck.transpiler.packing.facts import NOTHING, Facts
from protocheck.transpiler.packing.fitting import field_of
from protocheck.transpiler.packing.low import Low
from protocheck.transpiler.packing.render import Writer
from protocheck.transpiler.packing.scope import Scope, needs_of


class Bench:
    """The variables of an instance in one word `s`, and expressions over them as functions of that word."""

    def __init__(self, instance: Instance) -> None:
        self.builder = Builder(instance)
        self.layouts = {
            name: layouts.layout_of(domain, self.builder.interned) for name, domain in instance.variables.items()
        }
        self.offsets: dict[str, int] = {}
        width = 0
        for name, layout in self.layouts.items():
            self.offsets[name] = width
            width += layout.bits
        self.word = low.Name("s", 0, (1 << width) - 1)
        variables = {
            name: field_of(self.builder, layout, self.word, self.offsets[name]) for name, layout in self.layouts.items()
        }
        self.scope = Scope(self.builder, expressions.lower, needs_of(instance.protocol), variables, {})

    def encode(self, state: Mapping[str, Any]) -> int:
        return sum(layouts.encode(self.layouts[name], value) << self.offsets[name] for name, value in state.items())

    def evaluate(self, expr: ir.Expr, state: Mapping[str, Any], facts: Facts = NOTHING) -> Any:
        """The value that the generated code computes for an expression in a state where it is defined."""
        value = self.scope.value(expr)
        words: list[Low] = []
        carrier = expressions.carry(value, self.builder, words)
        return carrier(tuple(self.compute(word, self.encode(state)) for word in words))

    def compute(self, word: Low, state: int) -> Any:
        """The value of a word, once as a word and once as a test where it is a truth value."""
        names = {**self.builder.functions, **{name: table for table, name in self.builder.tables.items()}, "s": state}
        value = eval(Writer().value(word), names)
        if isinstance(word, low.TRUTH):
            assert bool(eval(Writer().test(word), names)) == bool(value)
            assert value in (0, 1)
        return value

    @property
    def interpreted(self) -> int:
        """How many expressions were left to the interpreter so far."""
        return sum(name.startswith("interpret") for name in self.builder.functions)
