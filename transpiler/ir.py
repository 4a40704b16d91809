"""The typed intermediate representation: what every backend reads, and the only thing it reads.

An action is a guarded command in single-assignment form: `steps` in source order (local names, guards, assumptions,
obligations, each under the condition of the branch it stands in), then the final value of every assigned variable,
expressed in the state before the step. Nothing is mutable, every node knows its source span and every expression its
type. Names bound inside one definition (parameters, locals, generators) are distinct, so that substitution is safe.

Spans take no part in equality: two nodes are equal when they mean the same text.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any
from typing import Literal as OneOf

from . import valuetypes as types
from .diagnostics import NOWHERE, Span
from .records import record

# --------------------------------------------------------------------------------------------------- expressions


@record(frozen=True, kw_only=True)
class Node:
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@record(frozen=True, kw_only=True)
class Typed(Node):
    type: types.Type


@record(frozen=True)
class Literal(Typed):
    """A bool, int, string, Enum member or None."""

    value: Any


@record(frozen=True)
class ConstantRef(Typed):
    name: str


@record(frozen=True)
class VariableRef(Typed):
    """A state variable; `after` in transition invariants only: its value after the step."""

    name: str
    after: bool = False


@record(frozen=True)
class LocalRef(Typed):
    """A parameter, a local name or a name bound by a generator."""

    name: str


@record(frozen=True)
class Not(Typed):
    operand: Expr


@record(frozen=True)
class Logic(Typed):
    """`and` / `or` of two or more bools, evaluated from the left until decided."""

    operator: OneOf["and", "or"]
    operands: tuple[Expr, ...]


@record(frozen=True)
class IfElse(Typed):
    condition: Expr
    then: Expr
    orelse: Expr


@record(frozen=True)
class Negate(Typed):
    operand: Expr


@record(frozen=True)
class Absolute(Typed):
    operand: Expr


@record(frozen=True)
class Arithmetic(Typed):
    """On ints. `//` floors and `%` has the sign of the divisor, as in Python; undefined for a zero divisor."""

    operator: OneOf["+", "-", "*", "//", "%"]
    left: Expr
    right: Expr


@record(frozen=True)
class Extreme(Typed):
    """`min(a, b, …)` or `max(a, b, …)` of two or more ints."""

    operator: OneOf["min", "max"]
    operands: tuple[Expr, ...]


@record(frozen=True)
class Compare(Typed):
    """Order of two ints."""

    operator: OneOf["<", "<=", ">", ">="]
    left: Expr
    right: Expr


@record(frozen=True)
class Equal(Typed):
    left: Expr
    right: Expr
    negated: bool = False


@record(frozen=True)
class Member(Typed):
    """`element in collection`; the collection is a set, a sequence, a range or a `Members` of an Enum class.

    In the conditions that `definedness` makes it may also be a function, whose keys are meant.
    """

    element: Expr
    collection: Expr
    negated: bool = False


@record(frozen=True)
class Subset(Typed):
    left: Expr
    right: Expr
    strict: bool = False


@record(frozen=True)
class Members(Typed):
    """All members of an Enum class, in order of declaration; iterated or on the right of `in`. Type: Sequence."""

    enumeration: types.Enumeration


@record(frozen=True)
class RangeOf(Typed):
    """`range(start, stop)`, type Range: a generator's source, the right of `in`, or an argument of frozenset/tuple."""

    start: Expr
    stop: Expr


@record(frozen=True)
class SetDisplay(Typed):
    elements: tuple[Expr, ...]


@record(frozen=True)
class SetOf(Typed):
    """`frozenset(collection)` of a range, a sequence or an Enum class."""

    collection: Expr


@record(frozen=True)
class SetOperation(Typed):
    operator: OneOf["|", "&", "-", "^"]
    left: Expr
    right: Expr


@record(frozen=True)
class Size(Typed):
    """`len` of a set, a sequence or a range."""

    collection: Expr


@record(frozen=True)
class Generator(Node):
    """`for name in source if conditions`; `name` is bound in the conditions and in everything to the right."""

    name: str
    source: Expr
    conditions: tuple[Expr, ...] = ()


@record(frozen=True)
class SetComprehension(Typed):
    generators: tuple[Generator, ...]
    element: Expr


@record(frozen=True)
class Quantifier(Typed):
    """`any` / `all` over generators. Every element is demanded to be defined, whatever decides it."""

    operator: OneOf["any", "all"]
    generators: tuple[Generator, ...]
    condition: Expr


@record(frozen=True)
class Aggregate(Typed):
    """`sum`, `min`, `max` over generators, one contribution an iteration.

    `min` and `max` of nothing are `default`, and undefined where that is None; `sum` of nothing is 0.
    """

    operator: OneOf["sum", "min", "max"]
    generators: tuple[Generator, ...]
    element: Expr
    default: Expr | None = None


@record(frozen=True)
class TupleDisplay(Typed):
    """A display whose type says whether it is a Tuple (fixed) or a Sequence."""

    elements: tuple[Expr, ...]


@record(frozen=True)
class Component(Typed):
    """A position of a fixed tuple; `index` counts from 0 and is within it."""

    tuple: Expr
    index: int


@record(frozen=True)
class Index(Typed):
    """An element of a sequence, Python's way: from 0, negative from the end; undefined outside."""

    sequence: Expr
    index: Expr


@record(frozen=True)
class Slice(Typed):
    """`sequence[start:stop]`, Python's way: bounds clipped, negative from the end. Always defined."""

    sequence: Expr
    start: Expr | None
    stop: Expr | None


@record(frozen=True)
class Concatenate(Typed):
    left: Expr
    right: Expr


@record(frozen=True)
class SequenceComprehension(Typed):
    """`tuple(element for name in source if …)`; the source is a range or a sequence."""

    generator: Generator
    element: Expr


@record(frozen=True)
class RecordDisplay(Typed):
    """Construction; `values` in the order of the record's fields."""

    values: tuple[Expr, ...]


@record(frozen=True)
class Field(Typed):
    """A field of a record; of a union: undefined unless the record at hand has it."""

    record: Expr
    name: str


@record(frozen=True)
class Replace(Typed):
    """`dataclasses.replace(record, name=value, …)`."""

    record: Expr
    changes: tuple[tuple[str, Expr], ...]


@record(frozen=True)
class IsInstance(Typed):
    record: Expr
    classes: tuple[types.Record, ...]


@record(frozen=True)
class FunctionDisplay(Typed):
    """A dict display with one entry a key of the function's domain."""

    entries: tuple[tuple[Expr, Expr], ...]


@record(frozen=True)
class FunctionComprehension(Typed):
    """`{name: value for name in source}`; the source is the function's whole domain."""

    name: str
    source: Expr
    value: Expr


@record(frozen=True)
class Apply(Typed):
    """`function[key]`; undefined for a key outside its domain."""

    function: Expr
    key: Expr


@record(frozen=True)
class FunctionUpdate(Typed):
    """`{**function, key: value, …}`, later entries winning; undefined for a key outside the function's domain."""

    function: Expr
    entries: tuple[tuple[Expr, Expr], ...]


@record(frozen=True)
class Unwrap(Typed):
    """An optional used as what it holds; undefined for None. Identity in TLA+."""

    optional: Expr


@record(frozen=True)
class Call(Typed):
    """A helper (or a property used as one); `after` evaluates its body in the state after the step."""

    helper: str
    arguments: tuple[Expr, ...]
    after: bool = False


@record(frozen=True)
class Let(Typed):
    name: str
    value: Expr
    body: Expr


Expr = (
    Literal
    | ConstantRef
    | VariableRef
    | LocalRef
    | Not
    | Logic
    | IfElse
    | Negate
    | Absolute
    | Arithmetic
    | Extreme
    | Compare
    | Equal
    | Member
    | Subset
    | Members
    | RangeOf
    | SetDisplay
    | SetOf
    | SetOperation
    | Size
    | SetComprehension
    | Quantifier
    | Aggregate
    | TupleDisplay
    | Component
    | Index
    | Slice
    | Concatenate
    | SequenceComprehension
    | RecordDisplay
    | Field
    | Replace
    | IsInstance
    | FunctionDisplay
    | FunctionComprehension
    | Apply
    | FunctionUpdate
    | Unwrap
    | Call
    | Let
)

# ------------------------------------------------------------------------------------------------------- domains


@record(frozen=True)
class BoolSet(Node):
    pass


@record(frozen=True)
class IntSet(Node):
    """`Annotated[int, Between(low, high)]`; bounds are expressions over constants."""

    low: Expr
    high: Expr


@record(frozen=True)
class LiteralSet(Node):
    """`Literal["a", "b"]`."""

    members: tuple[str, ...]


@record(frozen=True)
class EnumSet(Node):
    enumeration: types.Enumeration


@record(frozen=True)
class MemberSet(Node):
    """`Annotated[T, In(constant)]`: the members of a constant set (an expression over constants, of a Set type)."""

    members: Expr


@record(frozen=True)
class OptionalSet(Node):
    item: DomainExpr


@record(frozen=True)
class PowerSet(Node):
    """`frozenset[T]`."""

    element: DomainExpr


@record(frozen=True)
class TupleSet(Node):
    items: tuple[DomainExpr, ...]


@record(frozen=True)
class SequenceSet(Node):
    """`Annotated[tuple[T, ...], MinLen(a), MaxLen(b)]`."""

    element: DomainExpr
    min_length: Expr
    max_length: Expr


@record(frozen=True)
class FunctionSet(Node):
    """`dict[K, V]`: total functions."""

    key: DomainExpr
    value: DomainExpr


@record(frozen=True)
class RecordSet(Node):
    record: types.Record
    fields: tuple[tuple[str, DomainExpr], ...]


@record(frozen=True)
class UnionSet(Node):
    alternatives: tuple[RecordSet, ...]


DomainExpr = (
    BoolSet
    | IntSet
    | LiteralSet
    | EnumSet
    | MemberSet
    | OptionalSet
    | PowerSet
    | TupleSet
    | SequenceSet
    | FunctionSet
    | RecordSet
    | UnionSet
)

# ------------------------------------------------------------------------------------------------------ protocol


@record(frozen=True)
class Constant(Typed):
    """A constant; `domain` where its annotation has bounds; `default` is a canonical Python value."""

    name: str
    default: Any
    domain: DomainExpr | None = None
    symmetric: bool = False


@record(frozen=True)
class Variable(Typed):
    """A state variable; `initial` (over constants) is None where `@init` assigns it on every path."""

    name: str
    domain: DomainExpr
    initial: Expr | None
    ghost: bool = False


@record(frozen=True)
class Parameter(Typed):
    """A parameter with its domain: a choice in the model, an argument at run time."""

    name: str
    domain: DomainExpr


@record(frozen=True, kw_only=True)
class StepNode(Node):
    """`when` is the condition of the branch a step stands in, None for always.

    A step's own expression is evaluated only where `when` holds.
    """

    when: Expr | None = None


@record(frozen=True)
class Bind(StepNode):
    """A local name; where `when` is false it has no value and nothing refers to it."""

    name: str
    value: Expr


@record(frozen=True)
class Guard(StepNode):
    """What the system checks. Guards of one `guard(...)` call share `call`, and are all evaluated."""

    name: str
    condition: Expr
    call: int


@record(frozen=True)
class Assume(StepNode):
    """What the environment gives; restricts the model, erased at run time."""

    condition: Expr


@record(frozen=True)
class Oblige(StepNode):
    """`assert`: an obligation of `well_defined`."""

    condition: Expr


Step = Bind | Guard | Assume | Oblige


@record(frozen=True)
class Update(Node):
    """The value of a variable after the step, in terms of the state before it and of the local names."""

    variable: str
    value: Expr


@record(frozen=True)
class Action(Node):
    """`fairness` is of the action as a whole; `each` names the parameters whose every instance has it."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    updates: tuple[Update, ...]
    doc: str = ""
    fairness: OneOf["weak", "strong"] | None = None
    each: tuple[str, ...] = ()

    @property
    def guards(self) -> tuple[Guard, ...]:
        return tuple(step for step in self.steps if isinstance(step, Guard))


@record(frozen=True)
class Init(Node):
    """`parameters` are choices; `updates` gives every variable its value, over constants, choices and locals."""

    parameters: tuple[Parameter, ...]
    steps: tuple[Bind | Assume | Oblige, ...]
    updates: tuple[Update, ...]
    doc: str = ""


@record(frozen=True)
class HelperParameter(Typed):
    name: str


@record(frozen=True)
class Helper(Typed):
    """A named expression of type `type`; a property called by name elsewhere is one as well."""

    name: str
    parameters: tuple[HelperParameter, ...]
    body: Expr
    doc: str = ""


PropertyKind = OneOf[
    "invariant",
    "transition_invariant",
    "eventually",
    "infinitely_often",
    "eventually_always",
    "leads_to",
    "reachable",
    "terminal",
]


ALWAYS_JUDGED = ("type_ok", "well_defined")
"""Judged in every run, whichever properties are selected: values that do not fit, expressions that have no value.

Whatever else is found in a run that steps over one of them would mean nothing.
"""

DEADLOCK_FREE = "deadlock_free"
REFINES = "refines"
"""The property of a protocol with a refinement."""

BUILT_IN = (*ALWAYS_JUDGED, REFINES, DEADLOCK_FREE)
"""Names of properties that no declared property may have."""


@record(frozen=True)
class Property(Node):
    """`target` is the right side of `leads_to`; `body` of a transition invariant refers to variables `after`."""

    name: str
    kind: PropertyKind
    body: Expr
    target: Expr | None = None
    doc: str = ""

    @property
    def is_liveness(self) -> bool:
        return self.kind in ("eventually", "infinitely_often", "eventually_always", "leads_to")


@record(frozen=True)
class Abstraction(Node):
    """What a constant or variable of the refined protocol is in the refining one: a constant or a state expression."""

    name: str
    value: Expr


@record(frozen=True)
class Refinement(Node):
    """The claim that every behaviour, seen through the abstractions, is one of `abstract`, or stays where it is.

    There is one abstraction for each constant of the abstract protocol, then one for each of its variables, in its
    order. Only safety is claimed: initial states and steps, not fairness.
    """

    abstract: Protocol
    abstractions: tuple[Abstraction, ...]

    @property
    def constants(self) -> tuple[Abstraction, ...]:
        return self.abstractions[: len(self.abstract.constants)]

    @property
    def variables(self) -> tuple[Abstraction, ...]:
        return self.abstractions[len(self.abstract.constants) :]


@record(frozen=True)
class Protocol(Node):
    """A whole protocol, or (with `dropped`) the variant without one guard, named "action.guard"."""

    name: str
    constants: tuple[Constant, ...]
    variables: tuple[Variable, ...]
    init: Init
    helpers: tuple[Helper, ...]
    actions: tuple[Action, ...]
    properties: tuple[Property, ...]
    doc: str = ""
    fairness: OneOf["weak", "strong"] | None = None
    survivors: tuple[tuple[str, str], ...] = ()
    dropped: str | None = None
    refinement: Refinement | None = None

    def constant(self, name: str) -> Constant:
        return next(item for item in self.constants if item.name == name)

    def variable(self, name: str) -> Variable:
        return next(item for item in self.variables if item.name == name)

    def action(self, name: str) -> Action:
        return next(item for item in self.actions if item.name == name)

    def helper(self, name: str) -> Helper:
        return next(item for item in self.helpers if item.name == name)

    def of_kind(self, *kinds: PropertyKind) -> tuple[Property, ...]:
        """The properties of the given kinds, in source order."""
        return tuple(item for item in self.properties if item.kind in kinds)

    @property
    def safety(self) -> tuple[str, ...]:
        """The names of the safety properties, in the order in which violations of equal length are reported."""
        invariants = [item.name for item in self.of_kind("invariant")]
        steps = [item.name for item in self.of_kind("transition_invariant")]
        refined = [REFINES] if self.refinement is not None else []
        return (*ALWAYS_JUDGED, *invariants, *steps, *refined, DEADLOCK_FREE)

    @property
    def guard_names(self) -> tuple[str, ...]:
        """Every guard as "action.guard", in source order."""
        return tuple(f"{action.name}.{guard.name}" for action in self.actions for guard in action.guards)
