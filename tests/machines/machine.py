"""Machines at random: the source text of a module with one protocol class, from the language itself.

    constants, enums, records → variables → functions and helpers → `@init`, actions → properties → text

Domains are small, so that state spaces are; most machines fire and go on, some stop, some step outside their domains,
some evaluate what has no value.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import members as of_members
from .bodies import Bodies, Variable
from .expressions import Expressions
from .kinds import (
    BOOL,
    BoolKind,
    EnumKind,
    FunctionKind,
    IntKind,
    Kind,
    LiteralKind,
    MemberKind,
    OptionalKind,
    RecordKind,
    SequenceKind,
    SetKind,
    TupleKind,
    UnionKind,
    annotation,
    plain_type,
    size,
    source,
)
from .scope import Atom, Callee, Dice, Scope, World, writable

HEADER = '''"""Machine {seed}, generated at random."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Literal, Self

from protocheck import (
    Between, In, MaxLen, MinLen, Protocol, action, assume, const, eventually, eventually_always, ghost, guard, helper,
    infinitely_often, init, invariant, leads_to, reachable, terminal, transition_invariant,
)
'''

VARIABLES = ("phase", "x", "queue", "owner", "tail", "level", "Done")
GHOSTS = ("truth", "history")
ACTIONS = ("move", "send", "take_back", "tick", "give_up")
PARAMETERS = ("i", "to", "Seq", "item", "by")

MAX_STATES = 4000
"""The product of the domains' sizes that variables may have together, ghosts left out."""

MAX_CHOICES = 12
"""The number of argument tuples that an action may have."""


@dataclass(frozen=True)
class Machine:
    """The text of a module, and the name of the protocol class in it."""

    seed: object
    source: str
    class_name: str = "Machine"


def machine(dice: random.Random, seed: object = None, symmetric: bool = False) -> Machine:
    """A machine from a source of randomness; `seed` is what its text calls it.

    With `symmetric` it has one or two symmetric constants for certain, and variables that hold or relate their members.
    """
    return _Writer(Dice(dice), symmetric=symmetric).write(seed)


def machine_of(seed: int, symmetric: bool = False) -> Machine:
    """The machine of a seed: always the same."""
    return machine(random.Random(seed), seed, symmetric)


@dataclass
class _Writer:
    dice: Dice
    symmetric: bool = False
    world: World = field(default_factory=World)
    variables: list[Variable] = field(default_factory=list)
    functions: list[Callee] = field(default_factory=list)
    helpers: list[Callee] = field(default_factory=list)
    aliases: dict[str, Kind] = field(default_factory=dict)
    outer_alias: Kind | None = None

    def write(self, seed: object) -> Machine:
        dice = self.dice
        head = self.declare_world()
        if dice.chance(30):
            self.outer_alias = INT01
            head.append(f"Bit = {annotation(INT01)}")
        self.choose_variables()
        self.expressions = Expressions(dice, self.world)
        self.bodies = Bodies(dice, self.world, self.expressions, self.variables)
        has_init = dice.chance(35) or any(not item.given for item in self.variables)
        functions = self.module_functions()
        constants = [f"{atom.text}: {self.constant_text(atom)}" for atom in self.world.constants]
        aliases = [f"{name} = {annotation(kind)}" for name, kind in self.aliases.items()]
        declared = [self.declaration(item) for item in self.variables]
        methods = self.helper_methods()
        methods += [self.init_method()] if has_init else []
        actions = [self.action_method(name) for name in dice.some(ACTIONS, dice.pick((1, 2, 2, 3)), 4)]
        in_two = dice.chance(15)
        if dice.chance(60):
            actions.insert(dice.between(0, len(actions)), self.stirring())
        for item in [item for item in self.variables if item.name in of_members.NAMES]:
            guard = self.expressions.expr(self.scope().plain(), BOOL, 2) if dice.chance(40) else ""
            actions.insert(dice.between(0, len(actions)), of_members.touching(dice, item.name, item.kind, guard))
        properties = self.property_methods(by_name=in_two)
        keywords = dice.pick(("", "", "", "", ', fairness="weak"', ', fairness="strong"'))
        if in_two:
            text = self.inherited(keywords, constants, [*aliases, *declared], methods, actions, properties)
        else:
            body = [*constants, *aliases, *declared, *methods, *actions, *properties]
            text = f"class Machine(Protocol{keywords}):\n" + _block(body)
        module = "\n\n".join([HEADER.format(seed=seed), *head, *functions, text])
        return Machine(seed, _tidy(module))

    def inherited(
        self,
        keywords: str,
        constants: list[str],
        declared: list[str],
        methods: list[str],
        actions: list[str],
        properties: list[str],
    ) -> str:
        """The same in two classes; the second replaces an action, and perhaps the default of a constant."""
        dice = self.dice
        own = [actions.pop()] if len(actions) > 1 else []
        name = self.method_name(actions[0])
        own.append(self.action_method(name))
        own += properties[len(properties) // 2 :]
        base = f"class Base(Protocol{keywords}):\n" + _block(
            [*constants, *declared, *methods, *actions, *properties[: len(properties) // 2]]
        )
        replaced = [text for text in constants if text.startswith("n: ") and dice.chance(50)]
        own = [text.replace("const(2)", "const(3)") for text in replaced] + own
        return base + "\n\nclass Machine(Base):\n" + _block(own)

    def method_name(self, text: str) -> str:
        return text.split("def ", 1)[1].split("(", 1)[0]

    # ------------------------------------------------------------------------------------------------ world

    def declare_world(self) -> list[str]:
        """Constants, Enums and records; the text of the latter two."""
        dice = self.dice
        risk, overflow = dice.pick(((0, 0), (0, 0), (0, 0), (20, 0), (20, 0), (0, 10), (15, 10)))
        enums = tuple(dice.some((EnumKind("Color", ("RED", "GREEN")), EnumKind("Step", ("A", "B", "C"))), 0, 2))
        constants: list[Atom] = []
        if dice.chance(60):
            constants.append(Atom("n", IntKind(2, 2), constant=True))
        tokens = [
            MemberKind("names", LiteralKind(("b", "c")), ('"b"', '"c"')),
            MemberKind("servers", LiteralKind(("s1", "s2")), ('"s1"', '"s2"'), symmetric=True),
            MemberKind("weights", IntKind(1, 3), ("1", "3")),
        ]
        if enums:
            first = enums[0]
            tokens.append(MemberKind("kinds", first, tuple(f"{first.name}.{m}" for m in first.members[:2])))
        if self.symmetric:
            tokens[:2] = []
            for kind in (of_members.SERVERS, of_members.PAGES) if dice.chance(35) else (of_members.SERVERS,):
                constants.append(Atom(kind.constant, SetKind(kind), constant=True))
        for kind in dice.some(tokens, 0, 2):
            constants.append(Atom(kind.constant, SetKind(kind), constant=True))
        self.world = World(enums, (), tuple(constants), risk, overflow)
        records = tuple(self.record(name) for name in dice.some(("Ack", "Put", "Cell"), 0, 3))
        self.world = World(enums, records, tuple(constants), risk, overflow)
        texts = [self.enum_text(item) for item in enums]
        texts += [self.record_text(item) for item in records]
        return texts

    def constant_text(self, atom: Atom) -> str:
        match atom.kind:
            case SetKind(MemberKind(_, item, members, symmetric)):
                extra = ", symmetric=True" if symmetric else ""
                return f"frozenset[{plain_type(item)}] = const(frozenset({{{', '.join(members)}}}){extra})"
            case _:
                if self.dice.chance(30):
                    return "Annotated[int, Between(1, 4)] = const(2)"
                return "int = const(2)"

    def enum_text(self, enum: EnumKind) -> str:
        values = [
            f'"{name.lower()}"' if len(enum.members) > 2 else str(index) for index, name in enumerate(enum.members)
        ]
        lines = [f"    {name} = {value}" for name, value in zip(enum.members, values, strict=True)]
        return f"class {enum.name}(Enum):\n" + "\n".join(lines)

    def record(self, name: str) -> RecordKind:
        names = self.dice.some(("at", "on", "by"), 1, 2)
        # A field of one name has one type in every class, so that a union's field has it too.
        fixed: dict[str, Sequence[Kind]] = {
            "at": (IntKind(0, 1), IntKind(0, 2)),
            "on": (BOOL,),
            "by": (LiteralKind(("a", "b")), *self.world.enums[:1]),
        }
        choices = {key: list(kinds) for key, kinds in fixed.items()}
        if "by" in names and self.world.enums:
            choices["by"] = [self.world.enums[0]]
        return RecordKind(name, tuple((field_name, self.dice.pick(choices[field_name])) for field_name in names))

    def record_text(self, record: RecordKind) -> str:
        lines = [f"    {name}: {annotation(kind)}" for name, kind in record.fields]
        return f"@dataclass(frozen=True)\nclass {record.name}:\n" + "\n".join(lines)

    # -------------------------------------------------------------------------------------------- variables

    def scalars(self, symmetric: bool = True) -> list[Kind]:
        """Kinds of simple values."""
        kinds: list[Kind] = [BOOL, IntKind(0, 2), IntKind(-1, 1), LiteralKind(("a", "b")), LiteralKind(("a", "b", "c"))]
        if self.has_n:
            kinds += [IntKind(0, 2, "n"), IntKind(1, 3, "n", 1)]
        kinds += self.world.enums
        kinds += [atom.kind.element for atom in self.world.constants if isinstance(atom.kind, SetKind)]
        return [kind for kind in kinds if symmetric or not (isinstance(kind, MemberKind) and kind.symmetric)]

    @property
    def has_n(self) -> bool:
        return any(atom.text == "n" for atom in self.world.constants)

    def small(self, symmetric: bool = True) -> Kind:
        return self.dice.pick(self.scalars(symmetric))

    def record_like(self, least: int) -> Kind | None:
        records = self.world.records
        if not records:
            return None
        if len(records) >= 2 and self.dice.chance(60):
            return UnionKind(tuple(self.dice.some(records, 2, 3)))
        return self.dice.pick(records)

    def compound(self, symmetric: bool) -> Kind:
        """A kind built from others."""
        dice = self.dice

        def keys() -> Kind:
            listed = [kind for kind in self.scalars() if source(kind, "") is not None and size(kind) <= 3]
            return dice.pick(listed)

        def function() -> Kind:
            value = dice.pick((self.small(False), self.small(False), OptionalKind(self.small()), SetKind(BOOL)))
            if dice.chance(25):
                record = self.record_like(1) or BOOL
                nested: tuple[Kind, ...] = (
                    FunctionKind(BOOL, IntKind(0, 1)),
                    SequenceKind(BOOL, 0, 1),
                    TupleKind((BOOL, INT01)),
                    record,
                )
                return FunctionKind(dice.pick((BOOL, *self.world.enums)), dice.pick(nested))
            return FunctionKind(keys(), value)

        def optional() -> Kind:
            record = self.record_like(1) if dice.chance(30) else None
            return OptionalKind(record or self.small())

        def a_set() -> Kind:
            record = self.record_like(1) if dice.chance(45) else None
            pair = TupleKind((IntKind(0, 1), self.small(symmetric))) if dice.chance(25) else None
            others: tuple[Kind, ...] = (OptionalKind(IntKind(0, 1)), SequenceKind(BOOL, 0, 1), SetKind(BOOL))
            other = dice.pick(others)
            return SetKind(record or pair or (other if dice.chance(15) else self.small()))

        def a_sequence() -> Kind:
            element = self.record_like(1) if dice.chance(30) else None
            if dice.chance(15):
                element = TupleKind((BOOL, self.small(symmetric)))
            elif dice.chance(10):
                element = SetKind(BOOL)
            shortest = 1 if dice.chance(15) else 0
            return SequenceKind(element or self.small(shortest == 0 and symmetric), shortest, dice.between(1, 2))

        def a_tuple() -> Kind:
            return TupleKind(tuple(self.small(False) for _ in range(dice.between(2, 3))))

        def a_record() -> Kind:
            return self.record_like(1) or self.small(False)

        return dice.weighted([(4, function), (4, a_set), (4, a_sequence), (3, optional), (2, a_tuple), (4, a_record)])

    def choose_variables(self) -> None:
        dice, room = self.dice, MAX_STATES
        if self.symmetric:
            kinds = [atom.kind.element for atom in self.world.constants if isinstance(atom.kind, SetKind)]
            constants = [kind for kind in kinds if isinstance(kind, MemberKind) and kind.symmetric]
            for name in dice.some(of_members.NAMES, 1, 2):
                kind = of_members.kind_of_members(dice, constants)
                if size(kind) <= room:
                    room //= size(kind)
                    self.variables.append(Variable(name, kind, given=writable(kind, Scope(prefix=""))))
        for name in dice.some(VARIABLES, dice.pick((1, 2, 2, 3)), 4):
            kind = self.fitting(room)
            room //= size(kind)
            self.variables.append(Variable(name, kind, given=not dice.chance(15)))
        for name in dice.some(GHOSTS, 1, 2) if dice.chance(30) else []:
            kind = self.fitting(6)
            self.variables.append(Variable(name, kind, ghost=True, given=dice.chance(60)))
        if dice.chance(30):
            self.aliases["Small"] = INT01

    def fitting(self, room: int) -> Kind:
        """A kind of at most so many values that can be written in a class body."""
        for _ in range(8):
            kind = self.compound(True) if self.dice.chance(60) else self.small(False)
            if size(kind) <= min(room, 64) and writable(kind, Scope(prefix="")):
                return kind
        return BOOL

    def declaration(self, variable: Variable) -> str:
        kind = variable.kind
        text = f"{variable.name}: {annotation(kind)}"
        if not variable.given:
            return f"{text} = ghost({self.initial(kind)})" if variable.ghost else text
        value = self.initial(kind)
        return f"{text} = ghost({value})" if variable.ghost else f"{text} = {value}"

    def initial(self, kind: Kind) -> str:
        return self.expressions.literal(Scope(prefix=""), kind)

    # ---------------------------------------------------------------------------------------------- methods

    def state(self, holder: str = "self") -> tuple[Atom, ...]:
        return tuple(Atom(f"{holder}.{item.name}", item.kind, item.ghost) for item in self.variables)

    def scope(self) -> Scope:
        """What a method sees besides its parameters."""
        constants = tuple(Atom(f"self.{atom.text}", atom.kind, constant=True) for atom in self.world.constants)
        return Scope((*constants, *self.state()), (*self.functions, *self.helpers))

    def signature(self, kinds: Sequence[Kind]) -> str:
        return "".join(f"{chr(ord('a') + index)}_: {plain_type(kind)}, " for index, kind in enumerate(kinds))

    def parameter_atoms(self, kinds: Sequence[Kind]) -> tuple[Atom, ...]:
        return tuple(Atom(f"{chr(ord('a') + index)}_", _unbounded(kind)) for index, kind in enumerate(kinds))

    def module_functions(self) -> list[str]:
        if not self.dice.chance(35):
            return []
        kinds = [
            self.dice.pick((*_BASIC, *self.world.enums, *self.world.records)) for _ in range(self.dice.between(1, 2))
        ]
        result = self.dice.pick(_BASIC)
        body = self.bodies.returning(Scope(self.parameter_atoms(kinds), ()), result)
        self.functions.append(Callee("shaped", tuple(kinds), _unbounded(result)))
        return [f"def shaped({self.signature(kinds)}) -> {plain_type(result)}:\n" + _block(body)]

    def helper_methods(self) -> list[str]:
        texts = []
        for name in self.dice.some(("level_of", "busy", "Cardinal"), 0, 2):
            pool = [item.kind for item in self.variables] + list(_BASIC)
            kinds = [self.dice.pick(pool) for _ in range(self.dice.between(0, 2))]
            pool = [kind for kind in pool if writable(kind, Scope())]
            result = BOOL if name == "busy" else self.dice.pick(pool)
            ghost = any(item.ghost for item in self.variables) and self.dice.chance(40)
            scope = self.scope() if ghost else self.scope().plain()
            body = self.bodies.returning(scope.adding(*self.parameter_atoms(kinds)), result)
            # Text decides what is a ghost's: a name of one anywhere in the body makes the helper one.
            self.helpers.append(Callee(f"self.{name}", tuple(map(_unbounded, kinds)), _unbounded(result), ghost))
            returns = plain_type(result)
            texts.append(f"@helper\ndef {name}(self, {self.signature(kinds)}) -> {returns}:\n" + _block(body))
        return texts

    def parameters(self) -> list[Atom]:
        """Parameters of an action or of init: few choices in all."""
        found: list[Atom] = []
        room = MAX_CHOICES
        # A parameter that a generator's name hides is taken for one that only a ghost reads, where there are ghosts.
        hidden = ("i", "item") if any(item.ghost for item in self.variables) else ()
        for name in self.dice.some([name for name in PARAMETERS if name not in hidden], 0, 2):
            kind = self.small() if self.dice.chance(70) else self.compound(True)
            if self.dice.chance(60):
                # A value to assign, an element to put in, a key to change.
                kind = self.dice.pick(self.parts())
            if self.aliases and self.dice.chance(30):
                kind = self.aliases["Small"]
            if size(kind) <= room:
                room //= max(1, size(kind))
                found.append(Atom(name, kind, parameter=True))
        return found

    def parts(self) -> list[Kind]:
        """The kinds of the variables, and of what they are made of."""
        found: list[Kind] = []
        for item in self.variables:
            found.append(item.kind)
            match item.kind:
                case SetKind(element) | SequenceKind(element):
                    found += [element, element]
                case FunctionKind(key, value):
                    found += [key, value]
                case OptionalKind(inner):
                    found.append(inner)
                case _:
                    continue
        return found

    def parameter_text(self, atom: Atom) -> str:
        if self.outer_alias == atom.kind and self.dice.chance(50):
            return f"{atom.text}: Bit"
        if self.aliases.get("Small") == atom.kind:
            return f"{atom.text}: Small"
        return f"{atom.text}: {annotation(atom.kind)}"

    def init_method(self) -> str:
        parameters = [Atom(atom.text, atom.kind) for atom in self.parameters()]
        constants = tuple(Atom(f"self.{atom.text}", atom.kind, constant=True) for atom in self.world.constants)
        given = tuple(
            Atom(f"self.{item.name}", item.kind, item.ghost) for item in self.variables if item.given or item.ghost
        )
        scope = Scope((*constants, *given, *parameters), tuple(self.functions))
        body = self.bodies.init(scope)
        signature = "".join(f"{self.parameter_text(atom)}, " for atom in parameters)
        return f"@init\ndef begin(self, {signature}) -> None:\n" + _block(body)

    def action_method(self, name: str) -> str:
        parameters = self.parameters()
        body = self.bodies.action(self.scope().adding(*parameters))
        decorator = "@action"
        if self.dice.chance(20):
            fairness = self.dice.pick(("weak", "strong"))
            each = ""
            if parameters and self.dice.chance(50):
                names = tuple(atom.text for atom in parameters)
                each = f", each={names[0]!r}" if len(names) == 1 or self.dice.chance(50) else f", each={names!r}"
            decorator = f'@action(fairness="{fairness}"{each})'
        signature = "".join(f"{self.parameter_text(atom)}, " for atom in parameters)
        return f"{decorator}\ndef {name}(self, {signature}) -> None:\n" + _block(body)

    def stirring(self) -> str:
        """An action that gives a variable any value, so that the others are met in many states."""
        small = [item for item in self.variables if not item.ghost and size(item.kind) <= MAX_CHOICES]
        if not small:
            return self.action_method("stir")
        variable = self.dice.pick(small)
        name = f"self.{variable.name}"
        guards = [f"guard(other=to != {name})"] if self.dice.chance(60) else []
        lines = [f"@action\ndef stir(self, to: {annotation(variable.kind)}) -> None:"]
        return "\n".join(lines) + "\n" + _block([*guards, f"{name} = to"])

    def property_methods(self, by_name: bool) -> list[str]:
        """Properties of every kind; in one of two classes the goal of a `leads_to` is named as a string."""
        dice, texts = self.dice, []
        scope = self.scope()
        called: list[Callee] = []
        for index in range(dice.pick((0, 1, 1, 2))):
            body = self.weak(scope) if dice.chance(70) else self.bodies.returning(scope, BOOL)
            texts.append(f"@invariant\ndef safe_{index}(self) -> bool:\n" + _block(body))
            called.append(Callee(f"self.safe_{index}", (), BOOL))
        scope = Scope(scope.atoms, (*scope.callees, *called))
        if dice.chance(45):
            after = [
                Callee(item.text.replace("self.", "after."), item.parameters, item.result) for item in self.helpers
            ]
            both = Scope((*scope.atoms, *self.state("after")), (*scope.callees, *after))
            body = self.weak(both) if dice.chance(60) else self.bodies.returning(both, BOOL)
            texts.append("@transition_invariant\ndef steady(self, after: Self) -> bool:\n" + _block(body))
        kinds = dice.some(
            ("eventually", "infinitely_often", "eventually_always", "leads_to", "reachable", "terminal"), 0, 2
        )
        for kind in kinds:
            body = self.bodies.returning(scope, BOOL)
            decorator = f"@{kind}"
            if kind == "leads_to":
                goal = "@helper\ndef goal(self) -> bool:\n" + _block(self.bodies.returning(scope, BOOL))
                if dice.chance(50) and not by_name:
                    texts.append(goal)
                    decorator = "@leads_to(goal)"
                    goal = ""
                else:
                    decorator = '@leads_to("goal")'
            else:
                goal = ""
            texts.append(f"{decorator}\ndef {kind}_so(self) -> bool:\n" + _block(body))
            texts += [goal] if goal else []
        return texts

    def weak(self, scope: Scope) -> list[str]:
        """A condition that is true more often than not, so that the search goes on."""
        parts = [self.expressions.expr(scope, BOOL, 2) for _ in range(self.dice.between(2, 4))]
        return [f"return {' or '.join(parts)}"]


INT01 = IntKind(0, 1)
_BASIC: tuple[Kind, ...] = (BOOL, IntKind(-2, 3), SetKind(IntKind(0, 2)), SequenceKind(IntKind(0, 2), 0, 2))


def _unbounded(kind: Kind) -> Kind:
    """A kind as a helper's annotation has it: the type alone."""
    match kind:
        case IntKind():
            return IntKind(-9, 9)
        case LiteralKind():
            return LiteralKind(("a", "b", "z"))
        case MemberKind(_, item, _, symmetric):
            return kind if symmetric else _unbounded(item)
        case OptionalKind(item):
            return OptionalKind(_unbounded(item))
        case SetKind(element):
            return SetKind(_unbounded(element))
        case TupleKind(items):
            return TupleKind(tuple(map(_unbounded, items)))
        case SequenceKind(element):
            return SequenceKind(_unbounded(element), 0, 3)
        case FunctionKind(key, value):
            return FunctionKind(key, _unbounded(value))
        case BoolKind() | EnumKind() | RecordKind() | UnionKind():
            return kind


def _block(lines: Sequence[str]) -> str:
    return "\n".join("    " + line for text in lines for line in text.split("\n")) + "\n"


def _tidy(text: str) -> str:
    """The text as a person would write it: without the parentheses that are not needed."""
    return ast.unparse(ast.parse(text)) + "\n"


__all__ = ["Machine", "machine", "machine_of"]
