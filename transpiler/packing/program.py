"""An instance → a generated Python module that searches its states, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .. import ir
from ..conditions import TRUE
from ..definedness import abstractions_defined, action_obligations, init_obligations, property_obligations
from ..instance import Instance
from . import emit, expressions, layouts, low
from .builder import Builder
from .fitting import field_of
from .layouts import Layout
from .low import Low
from .patience import Patience
from .reduction import Orders, Reduction, exchange_lines, orders_text, reduction_of, representative_lines
from .refinement import Refined, affecting, seen_lines
from .render import STATE
from .scope import Scope, needs_of
from .steps import Block, Frame, Oblige, Task, TransitionInvariant, lower_task
from .values import Known, Value

NARROW = 26
"""Up to so many bits a state, a byte is set aside for each word that there may be: at most 64 MiB."""

Flag = Callable[[int, int | None], None]
"""Called by generated code with the kind of a violation (its place in `Program.order`) and the state at hand."""

Edge = Callable[[int, tuple[int, ...], int], None]
"""Called by generated code for every step: the number of its block, the codes of its loops, the state after it."""


@dataclass(frozen=True)
class Program:
    """The generated module of one instance and how to read its states.

    `order` names the safety properties in the order in which violations of equal length are reported; a kind is a
    place in it. `looks_ahead` says whether expanding a state may violate `well_defined` in that state. `refined` is
    there where `refines` is evaluated. With a `reduction`, `initial` and `expand` hand on representatives of states.
    """

    instance: Instance
    frame: Frame
    order: tuple[str, ...]
    looks_ahead: bool
    text: str
    blocks: tuple[Block, ...]
    assembly: Assembly
    globals: dict[str, Any]
    refined: Refined | None = None
    reduction: Reduction | None = None

    def decode(self, state: int) -> dict[str, Any]:
        """The values of the variables in a state."""
        found = {}
        for name, layout in self.frame.layouts.items():
            code = state >> self.frame.offsets[name] & ((1 << layout.bits) - 1)
            found[name] = layouts.decode(layout, code)
        return found

    def encode(self, state: Mapping[str, Any]) -> int:
        """The state with these values; raises `layouts.OutsideError` where one lies outside its domain."""
        return sum(
            layouts.encode(layout, state[name]) << self.frame.offsets[name]
            for name, layout in self.frame.layouts.items()
        )

    @property
    def patience(self) -> Patience:
        """What long loops ask in between; `thorough` programs ask the same."""
        return self.assembly.builder.patience

    @property
    def narrow(self) -> bool:
        """Whether there is a byte for each possible state; else `seen` is a dictionary."""
        return self.frame.width <= NARROW

    @property
    def representative(self) -> Callable[[int], int]:
        """`representative(state)` is the state that stands for its orbit: itself where there is no reduction."""
        if self.reduction is None:
            return lambda state: state
        return self.globals["representative"]  # type: ignore[no-any-return]

    @property
    def initial(self) -> Callable[[Callable[[int], None], Flag], int]:
        """`initial(append, flag)` hands on every initial state and returns how many choices init has."""
        return self.globals["initial"]  # type: ignore[no-any-return]

    @property
    def expand(self) -> Callable[..., tuple[tuple[int, ...], int, int]]:
        """`expand(states, seen, append, parent, flag)` → steps of each action, idle steps, terminal states.

        Successors that `seen` lacks are entered there and appended. Their parents are the values of `seen`, or where
        states are narrow handed to `parent` in the same order.
        """
        return self.globals["expand"]  # type: ignore[no-any-return]

    @property
    def check(self) -> Callable[[list[int], Flag], None]:
        """`check(states, flag)` evaluates the invariants."""
        return self.globals["check"]  # type: ignore[no-any-return]

    def thorough(self) -> Program | None:
        """The same program with more of its actions unrolled, for a long search; None where that changes nothing.

        States are laid out alike, so that a search may go on with it.
        """
        if self.assembly.thorough or not any(block.loops for block in self.blocks):
            return None
        return self.assembly.program(thorough=True)

    def predicate(self, condition: ir.Expr) -> Callable[[int], bool]:
        """A function that tells whether a condition holds in a state where it is defined."""
        found: Callable[[int], bool] = self._function("holds", "s", self.assembly.predicate_lines(condition))
        return found

    def edges(self) -> Callable[[int, Edge], None]:
        """A function `edges(state, edge)` that hands on every step from a state."""
        found: Callable[[int, Edge], None] = self._function("edges", "s, edge", self.assembly.edge_lines(self.blocks))
        return found

    def arguments(self, block: int, codes: tuple[int, ...]) -> tuple[str, tuple[tuple[str, Any], ...]]:
        """Action and arguments of a step that `edges` handed on."""
        chosen = self.blocks[block]
        action = self.instance.protocol.actions[chosen.action]
        remaining = iter(codes)
        values = (
            argument.value if isinstance(argument, Known) else layouts.decode(argument.layout, next(remaining))
            for argument in chosen.arguments
        )
        return action.name, tuple(zip((item.name for item in action.parameters), values, strict=True))

    def _function(self, name: str, parameters: str, lines: list[str]) -> Any:
        """One more function in the terms of the module, with whatever it refers to."""
        return self.assembly.function(name, parameters, lines)


def compile_program(instance: Instance, properties: frozenset[str] | None = None, symmetry: bool = False) -> Program:
    """The program that evaluates the named safety properties (None: all).

    With `symmetry` it visits one state of each orbit, if there are symmetric constants; raises
    `reduction.TooManyOrders`.
    """
    return Assembly(instance, properties, symmetry).program(thorough=False)


class Assembly:
    """The parts of a program in the making."""

    def __init__(self, instance: Instance, properties: frozenset[str] | None, symmetry: bool) -> None:
        self.instance = instance
        self.properties = properties
        protocol = instance.protocol
        self.protocol = protocol
        self.builder = Builder(instance)
        self.frame = _frame(instance, self.builder)
        self.needs = needs_of(protocol)
        variables = {
            name: field_of(self.builder, layout, self.frame.word, self.frame.offsets[name])
            for name, layout in self.frame.layouts.items()
        }
        self.scope = self.scope_of(variables)
        self.defined = {item.property.name: item.condition for item in property_obligations(protocol)}
        self.order = protocol.safety
        self.thorough = False
        self.kinds = emit.Kinds(0, 1, len(self.order) - 1)
        self.refined = self.refinement() if protocol.refinement is not None and self.selected(ir.REFINES) else None
        self.strays = self.builder.function("strays", self.refined.strays) if self.refined is not None else ""
        self.reduction = reduction_of(instance, self.frame, self.builder) if symmetry else None
        related = self.reduction is not None and self.reduction.related
        self.orders = self.builder.function("orders", Orders) if related else ""

    def selected(self, name: str) -> bool:
        return self.properties is None or name in self.properties or name in ir.ALWAYS_JUDGED

    def refinement(self) -> Refined:
        """The map to the states of what is refined."""
        assert self.instance.abstract is not None
        abstract = compile_program(self.instance.abstract, frozenset())
        seen = self.function("seen", "s", seen_lines(self.protocol, self.scope, abstract.frame))
        return Refined(self.order.index(ir.REFINES), affecting(self.protocol), abstract, seen)

    def function(self, name: str, parameters: str, lines: list[str]) -> Any:
        """A function in the terms of the module, with whatever it refers to."""
        text = f"def {name}({parameters}):\n" + "".join(f"{emit.INDENT}{line}\n" for line in lines)
        module = self.builder.globals
        exec(compile(text, f"<explorer of {self.protocol.name}>", "exec"), module)
        return module[name]

    def scope_of(self, variables: Mapping[str, Value]) -> Scope:
        return Scope(self.builder, expressions.lower, self.needs, variables, {})

    def program(self, thorough: bool) -> Program:
        self.thorough = thorough
        blocks = tuple(self.blocks())
        initial = self.initial_lines()
        expand = self.expand_lines(blocks)
        check = self.check_lines()
        counts = [f"n{number}" for number in range(len(self.protocol.actions))]
        reduction = self.reduction
        text = template("explorer.py.j2").render(
            title=self.title,
            frame=self.description,
            tables=[(name, _tuple_text(values)) for values, name in self.builder.tables.items()],
            counters=" = ".join([*counts, "same", "terminated"]) + " = 0",
            counted=_tuple_text(counts),
            initial=initial,
            expand=expand,
            check=check,
            representative=representative_lines(reduction, "ORDERS") if reduction is not None else [],
            exchanges=exchange_lines(reduction) if reduction is not None else [],
            orders=orders_text(reduction, self.orders) if reduction is not None else "",
        )
        return Program(
            instance=self.instance,
            frame=self.frame,
            order=self.order,
            looks_ahead=any(_may_be_undefined(block) for block in blocks),
            text=text,
            blocks=blocks,
            assembly=self,
            globals=_execute(text, self.protocol.name, self.builder.globals),
            refined=self.refined,
            reduction=reduction,
        )

    def blocks(self) -> Iterator[Block]:
        invariants = tuple(self.transition_invariants())
        for number, action in enumerate(self.protocol.actions):
            obligations = action_obligations(action, self.protocol)
            task = Task(number, action.name, action.parameters, action.steps, action.updates, obligations)
            yield from lower_task(task, self.scope, self.frame, invariants, self.thorough)

    def transition_invariants(self) -> Iterator[TransitionInvariant]:
        for item in self.protocol.of_kind("transition_invariant"):
            defined = self.defined.get(item.name, TRUE)
            if self.selected(item.name):
                yield TransitionInvariant(self.order.index(item.name), item.body, defined)
            elif defined != TRUE:
                yield TransitionInvariant(self.order.index(item.name), None, defined)

    @property
    def title(self) -> str:
        """What the protocol, or the variant, is called."""
        return self.protocol.name + (f" without {self.protocol.dropped}" if self.protocol.dropped else "")

    @property
    def description(self) -> list[str]:
        """Where each variable lies in a state, a line each."""
        return _describe(self.frame)

    def initial_blocks(self) -> tuple[Block, ...]:
        """Init as blocks that begin with a word of zeros."""
        init = self.protocol.init
        frame = Frame(low.ZERO, self.frame.offsets, self.frame.layouts, self.frame.width)
        # Init reads no variable; what it does not assign keeps the value of its declaration.
        given = {item.name: item.initial for item in self.protocol.variables if item.initial is not None}
        assigned = {update.variable for update in init.updates}
        declared = tuple(ir.Update(variable=name, value=value) for name, value in given.items() if name not in assigned)
        obligations = init_obligations(self.protocol)
        task = Task(0, "", init.parameters, init.steps, (*declared, *init.updates), obligations)
        return tuple(lower_task(task, self.scope_of({}), frame, (), thorough=False))

    def initial_lines(self) -> list[str]:
        plan = emit.stretches(self.initial_blocks(), self.builder)

        def body(page: emit.Page) -> None:
            sink = emit.initial_sink(self.kinds, self.reduction is not None)
            emit.write_blocks(page, plan, sink, self.kinds, count=True, live=False)
            page.line("return n0")

        return emit.without_names(body, origin="None")

    def watches_deadlock(self, blocks: tuple[Block, ...]) -> bool:
        """Whether it has to be noted that some action was enabled."""
        return self.selected("deadlock_free") and not emit.never_deadlocks(blocks)

    def terminal(self) -> Low:
        """Whether a state may be the last one."""
        return low.either(*(self.guarded(item) for item in self.protocol.of_kind("terminal")))

    def expand_lines(self, blocks: tuple[Block, ...]) -> list[str]:
        watched = self.watches_deadlock(blocks)
        terminal = self.terminal()
        plan = emit.stretches(blocks, self.builder)
        refined = self.refined
        watch = emit.Watch(refined.number, self.strays, refined.actions) if refined is not None else None
        reduced = self.reduction is not None
        sink = emit.search_sink(self.kinds, self.frame.width <= NARROW, watch, reduced)

        def body(page: emit.Page) -> None:
            if watched:
                page.line("live = 0")
            emit.write_blocks(page, plan, sink, self.kinds, count=True, live=watched)
            keyword = "if"
            if terminal != low.FALSE:
                page.line(f"if {page.test(terminal)}:")
                page.line(emit.INDENT + "terminated += 1")
                keyword = "elif"
            if watched:
                page.line(f"{keyword} not live:")
                page.line(emit.INDENT + f"flag({self.kinds.deadlock}, s)")
            if not page.lines:
                page.line("pass")

        return emit.with_names(body, self.field_name)

    def state_tests(self) -> tuple[tuple[int, Low, Low], ...]:
        """What is asked of every state, as the kind of violation, whether it is defined, and whether it holds:
        invariants, and whether every other property of a state, selected or not, is defined there."""
        tests: list[tuple[int, Low, Low]] = []
        for item in self.protocol.properties:
            if item.kind == "transition_invariant":
                continue
            invariant = item.kind == "invariant" and self.selected(item.name)
            defined = self.defined.get(item.name, TRUE)
            if defined == TRUE and not invariant:
                continue
            test = self.scope.truth(defined)
            holds = self.scope.assume(test).truth(item.body) if invariant and test != low.FALSE else low.TRUE
            if test != low.TRUE or holds != low.TRUE:
                tests.append((self.order.index(item.name) if invariant else self.kinds.well_defined, test, holds))

        seen = self.scope.truth(abstractions_defined(self.protocol))
        if seen != low.TRUE:
            tests.append((self.kinds.well_defined, seen, low.TRUE))
        return tuple(tests)

    def check_lines(self) -> list[str]:
        tests = self.state_tests()

        def body(page: emit.Page) -> None:
            for number, defined, holds in tests:
                emit.write_property(page, number, defined, holds, self.kinds)

        return emit.with_names(body, self.field_name)

    def predicate_lines(self, condition: ir.Expr) -> list[str]:
        """The body of a function that tells whether a condition holds in a state."""
        test = self.scope.truth(condition)

        def body(page: emit.Page) -> None:
            page.line(f"return {page.test(test)}")

        return emit.without_names(body)

    def edge_lines(self, blocks: tuple[Block, ...]) -> list[str]:
        """The body of a function that hands on every step from a state."""
        numbers = {id(block): number for number, block in enumerate(blocks)}
        plan = emit.stretches(blocks, self.builder)

        def body(page: emit.Page) -> None:
            page.line("pass")
            emit.write_blocks(page, plan, emit.edge_sink(numbers), None, count=False, live=False)

        return emit.with_names(body, self.field_name)

    def guarded(self, item: ir.Property) -> Low:
        """A property of a state, false where it is undefined."""
        defined = self.scope.truth(self.defined.get(item.name, TRUE))
        if defined == low.FALSE:
            return low.FALSE
        return low.both(defined, self.scope.assume(defined).truth(item.body))

    def field_name(self, field: low.Bits) -> str:
        """A name for a field of the state, after the variable that it belongs to."""
        for name, offset in self.frame.offsets.items():
            if offset <= field.shift < offset + self.frame.layouts[name].bits:
                whole = field.shift == offset and field.width == self.frame.layouts[name].bits
                return f"v_{name}" if whole else f"v_{name}_{field.shift - offset}_{field.width}"
        return f"v_{field.shift}_{field.width}"


def _may_be_undefined(block: Block) -> bool:
    obliged = any(isinstance(item, Oblige) for item in block.items)
    return obliged or any(check.defined != low.TRUE for check in block.effect.checks)


def _frame(instance: Instance, builder: Builder) -> Frame:
    found: dict[str, Layout] = {}
    offsets: dict[str, int] = {}
    width = 0
    for name, domain in instance.variables.items():
        found[name] = layouts.layout_of(domain, builder.interned)
        offsets[name] = width
        width += found[name].bits
    return Frame(low.Name(STATE, 0, (1 << width) - 1), offsets, found, width)


def _describe(frame: Frame) -> list[str]:
    lines = []
    for name, layout in frame.layouts.items():
        first, last = frame.offsets[name], frame.offsets[name] + layout.bits - 1
        where = f"bits {first}..{last}" if last > first else f"bit {first}" if last == first else "no bits"
        lines.append(f"{name}: {where}, {_in_a_comment(str(layouts.domain_of(layout)))}")
    return lines


def _in_a_comment(text: str) -> str:
    """A text in which nothing ends the comment it stands in, and which every compiler reads: a string may hold NUL."""
    return (
        text if text.isascii() and text.isprintable() and "*/" not in text else ascii(text)[1:-1].replace("*/", "* /")
    )


def _tuple_text(values: Iterable[int | str]) -> str:
    values = list(values)
    return f"({', '.join(map(str, values))}{',' if len(values) == 1 else ''})"


@cache
def template(name: str) -> Any:
    """A template of generated code, by the name of its file."""
    # Imported here: whoever only looks at a protocol need not pay for the template engine.
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False
    )
    source = files("protocheck.templates").joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(source)


def _execute(text: str, name: str, functions: Mapping[str, Any]) -> dict[str, Any]:
    module: dict[str, Any] = dict(functions)
    exec(compile(text, f"<explorer of {name}>", "exec"), module)
    return module
