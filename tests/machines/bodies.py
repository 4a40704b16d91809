"""Bodies of methods at random: actions and `@init` as statements, helpers and properties as local names and returns.

Ghosts flow only into ghosts and assumptions: an expression for anything else is written in the scope without them, and
one for a ghost mentions only those parameters that something else has mentioned before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from .expressions import Expressions
from .kinds import (
    BOOL,
    INT,
    BoolKind,
    EnumKind,
    FunctionKind,
    IntKind,
    Kind,
    LiteralKind,
    MemberKind,
    OptionalKind,
    SequenceKind,
    SetKind,
    high_text,
    inside,
    plain_type,
)
from .scope import Atom, Dice, Scope, World, writable

Lines = list[str]

GUARD_NAMES = ("ready", "room", "fits", "fresh", "allowed", "idle", "held", "inside", "first", "next_one", "quiet")


@dataclass(frozen=True)
class Variable:
    """A state variable of a machine; `given` where the class body gives its initial value."""

    name: str
    kind: Kind
    ghost: bool = False
    given: bool = True


@dataclass
class Bodies:
    """Writes the bodies of one machine's methods."""

    dice: Dice
    world: World
    write: Expressions
    variables: Sequence[Variable]
    guards: int = field(default=0)
    """How many guards the action at hand has."""

    # ---------------------------------------------------------------------------------------------- values

    def value(self, scope: Scope, kind: Kind, depth: int = 2, old: str = "") -> str:
        """A value to assign: in its domain, unless the machine's temper lets it leave; rarely the `old` one."""
        tight = not self.dice.chance(self.world.overflow)
        chosen = [atom for atom in scope.atoms if not atom.text.startswith("self.") and inside(atom.kind, kind)]
        if chosen and self.dice.chance(50):
            return self.write.mention(self.dice.pick(chosen))
        text = self.write.expr(scope, kind, depth, tight)
        for _ in range(2):
            if text != old:
                break
            text = self.write.expr(scope, kind, depth, tight)
        return text

    def likely(self, scope: Scope, depth: int) -> str:
        """A condition that is true more often than not."""
        if self.dice.chance(45):
            return self.write.expr(scope, BOOL, depth)
        parts = [self.write.expr(scope, BOOL, depth - 1) for _ in range(self.dice.between(2, 3))]
        return f"({' or '.join(parts)})"

    def returning(self, scope: Scope, kind: Kind, depth: int = 2) -> Lines:
        """The body of a helper or property."""
        dice = self.dice
        expr = self.write.expr

        def plain() -> Lines:
            return [f"return {expr(scope, kind, depth)}"]

        def named() -> Lines:
            name, local, text = self.local(scope)
            lines = [f"{name} = {text}"]
            if isinstance(local.kind, IntKind) and dice.chance(40):
                lines.append(f"{name} {dice.pick(('+=', '-=', '*='))} {expr(scope, IntKind(1, 2), 0, True)}")
            return [*lines, *self.returning(scope.adding(local), kind, depth - 1)]

        def early() -> Lines:
            test = expr(scope, BOOL, 1)
            return [f"if {test}:", f"    return {expr(scope, kind, 1)}", *self.returning(scope, kind, depth - 1)]

        def branches() -> Lines:
            lines = [f"if {expr(scope, BOOL, 1)}:", *_indented(self.returning(scope, kind, depth - 1))]
            if dice.chance(40):
                lines += [f"elif {expr(scope, BOOL, 1)}:", *_indented(self.returning(scope, kind, 0))]
            return [*lines, "else:", *_indented(self.returning(scope, kind, depth - 1))]

        if depth <= 0:
            return plain()
        return dice.weighted([(6, plain), (3, named), (2, early), (2, branches)])

    def local(self, scope: Scope, prefix: str = "") -> tuple[str, Atom, str]:
        """A new local name with its value; its type is certain from the value alone."""
        kind = self.local_kind(scope)
        name = prefix + self.local_name(kind)
        text = self.write.expr(scope, kind, 2)
        return name, Atom(name, _loosened(kind)), text

    def local_name(self, kind: Kind) -> str:
        """A name that has always the same type, so that the branches of an `if` agree about it."""
        match kind:
            case BoolKind():
                return self.dice.pick(("flag", "Spec"))
            case MemberKind(constant, symmetric=True):
                return f"one_of_{constant}"
            case MemberKind(_, item):
                return self.local_name(item)
            case EnumKind(name):
                return f"new_{name.lower()}"
            case LiteralKind():
                return self.dice.pick(("chosen", "Head"))
            case _:
                return self.dice.pick(("total", "Next", "x"))

    def local_kind(self, scope: Scope) -> Kind:
        kinds = [atom.kind for atom in scope.atoms if isinstance(atom.kind, _SIMPLE) and writable(atom.kind, scope)]
        plain: tuple[Kind, ...] = (INT, BOOL)
        return self.dice.pick(kinds) if kinds else self.dice.pick(plain)

    # ---------------------------------------------------------------------------------------------- actions

    def action(self, scope: Scope) -> Lines:
        """The body of an action: what must hold, then what is assigned."""
        self.guards = 0
        self.dice.used.clear()
        lines: Lines = []
        for _ in range(self.dice.pick((0, 1, 1, 2, 3))):
            more, scope = self.condition(scope)
            lines += more
        assigned: set[str] = set()
        body: Lines = []
        # The guards of one idiom stand before the assignments of all: they see none of the names these bring.
        before = scope
        for _ in range(self.dice.pick((0, 1, 1, 2))):
            guards, more, local = self.idiom(before, assigned)
            if guards:
                lines.append(self.guard(guards))
            body += more
            scope = scope.adding(*local)
        for _ in range(self.dice.between(0 if body else 1, 2)):
            more, scope = self.statement(scope, 2)
            body += more
        for variable in self.variables:
            if variable.ghost and self.dice.chance(70):
                body += self.ghost_step(scope, variable)
        return [*lines, *body] or ["pass"]

    def condition(self, scope: Scope) -> tuple[Lines, Scope]:
        """A statement that comes before any assignment to the state."""
        dice, plain = self.dice, scope.plain()

        def guards() -> tuple[Lines, Scope]:
            conditions = [self.likely(plain, 2) for _ in range(2 if dice.chance(25) else 1)]
            return [self.guard(conditions)], scope

        def under_if() -> tuple[Lines, Scope]:
            lines = [f"if {self.write.expr(plain, BOOL, 1)}:"]
            lines.append("    " + self.guard([self.likely(plain, 1)]))
            if dice.chance(30):
                lines += [f"elif {self.write.expr(plain, BOOL, 1)}:"]
                lines += ["    " + self.guard([self.likely(plain, 1)])]
            if dice.chance(40):
                lines += ["else:", "    " + self.guard([self.likely(plain, 1)])]
            return lines, scope

        def named() -> tuple[Lines, Scope]:
            return self.assign_local(scope)

        def assumption() -> tuple[Lines, Scope]:
            return [f"assume({self.likely(self.for_ghosts(scope), 2)})"], scope

        options: list[tuple[int, Callable[[], tuple[Lines, Scope]]]] = [
            (6, guards),
            (2, under_if),
            (3, named),
            (2, assumption),
        ]
        optionals = [atom for atom in plain.atoms if isinstance(atom.kind, OptionalKind)]
        if optionals:

            def narrowed() -> tuple[Lines, Scope]:
                name = self.write.mention(dice.pick(optionals))
                lines = [self.guard([f"{name} is not None"])] if not dice.chance(self.world.risk) else []
                return [*lines, f"assert {name} is not None"], scope

            options.append((2, narrowed))
        options.append((1, lambda: ([f"assert {self.certain(plain)}"], scope)))
        return dice.weighted(options)

    def certain(self, scope: Scope) -> str:
        """A condition for an `assert`, true unless the machine takes risks."""
        test = self.write.expr(scope, BOOL, 1)
        return test if self.dice.chance(self.world.risk) else f"({test} or not {test})"

    def guard(self, conditions: Sequence[str]) -> str:
        named = [f"{GUARD_NAMES[self.guards + index]}={text}" for index, text in enumerate(conditions)]
        self.guards += len(conditions)
        return f"guard({', '.join(named)})"

    def for_ghosts(self, scope: Scope) -> Scope:
        """The names that an erased expression may mention."""
        kept = tuple(atom for atom in scope.atoms if not atom.parameter or atom.text in self.dice.used)
        return replace(scope, atoms=kept)

    def ghost_step(self, scope: Scope, variable: Variable) -> Lines:
        inner = self.for_ghosts(scope)
        lines: Lines = []
        if self.dice.chance(20):
            name, local, text = self.local(inner, "seen_")
            lines.append(f"{name} = {text}")
            inner = inner.adding(replace(local, ghost=True))
        assignment = f"self.{variable.name} = {self.value(inner, variable.kind)}"
        if self.dice.chance(25):
            return [*lines, f"if {self.write.expr(inner, BOOL, 1)}:", "    " + assignment]
        return [*lines, assignment]

    # ------------------------------------------------------------------------------------------- statements

    def idiom(self, scope: Scope, assigned: set[str]) -> tuple[list[str], Lines, list[Atom]]:
        """A usual way to change a variable: conditions that keep it in its domain, assignments, local names."""
        dice, plain = self.dice, scope.plain()
        variables = [item for item in self.variables if not item.ghost and item.name not in assigned]
        if not variables:
            return [], [], []
        variable = dice.pick(variables)
        assigned.add(variable.name)
        name = f"self.{variable.name}"
        # Now and then the guard is forgotten: then the machine finds it out.
        forgotten = dice.chance(self.world.overflow)

        def kept(*conditions: str) -> list[str]:
            return [] if forgotten else list(conditions)

        match variable.kind:
            case IntKind() as kind:
                if dice.chance(50):
                    return kept(f"{name} < {high_text(kind, 'self.')}"), [f"{name} += 1"], []
                return kept(f"{name} - 1 >= {kind.low}"), [f"{name} = {name} - 1"], []
            case SetKind(element) if writable(element, plain):
                item = self.write.expr(plain, element, 1, tight=True)
                if dice.chance(50):
                    return [f"{item} not in {name}"], [f"{name} |= {{{item}}}"], []
                return [f"{item} in {name}"], [f"{name} -= {{{item}}}"], []
            case SequenceKind(element, shortest, longest) if writable(element, plain):
                if dice.chance(50) or shortest > 0:
                    item = self.write.expr(plain, element, 1, tight=True)
                    return kept(f"len({name}) < {longest}"), [f"{name} += ({item},)"], []
                local = Atom("head", element)
                return [f"{name} != ()"], [f"head = {name}[0]", f"{name} = {name}[1:]"], [local]
            case FunctionKind(key, IntKind() as value) if writable(key, plain):
                at = self.write.expr(plain, key, 1, tight=True)
                if dice.chance(50):
                    return kept(f"{name}[{at}] < {high_text(value, 'self.')}"), [f"{name}[{at}] += 1"], []
                return [], [f"{name}[{at}] = {self.value(plain, value, 1)}"], []
            case FunctionKind(key, value) if writable(key, plain) and writable(value, plain):
                at = self.write.expr(plain, key, 1, tight=True)
                return [], [f"{name}[{at}] = {self.value(plain, value, 1)}"], []
            case kind if writable(kind, plain):
                return [], [f"{name} = {self.value(plain, kind, old=name)}"], []
            case _:
                return [], [], []

    def statement(self, scope: Scope, depth: int) -> tuple[Lines, Scope]:
        """One statement behind the guards."""
        options: list[tuple[int, Callable[[], tuple[Lines, Scope]]]] = [
            (6, lambda: (self.assignment(scope.plain()), scope)),
            (2, lambda: self.assign_local(scope)),
            (2, lambda: (self.several(scope.plain()), scope)),
            (1, lambda: (["pass"], scope)),
        ]
        if depth > 0:
            options.append((4, lambda: self.branch(scope, depth - 1)))
        return self.dice.weighted(options)

    def targets(self, scope: Scope) -> list[Variable]:
        found = [item for item in self.variables if not item.ghost and writable(item.kind, scope)]
        return found or [item for item in self.variables if not item.ghost][:1]

    def assignment(self, scope: Scope) -> Lines:
        """A plain, augmented or subscript assignment to a variable that is not a ghost."""
        dice = self.dice
        variables = [item for item in self.targets(scope) if writable(item.kind, scope)]
        if not variables:
            return ["pass"]
        variable = dice.pick(variables)
        name = f"self.{variable.name}"
        match variable.kind:
            case FunctionKind(key, value) if writable(key, scope) and dice.chance(50):
                return [f"{name}[{self.write.expr(scope, key, 1, True)}] = {self.value(scope, value, 1)}"]
            case SetKind() as kind if dice.chance(40):
                word = dice.pick(("|=", "&=", "-=", "^="))
                return [f"{name} {word} {self.write.expr(scope, kind, 1, True)}"]
            case IntKind() as kind if dice.chance(self.world.overflow):
                word = dice.pick(("+=", "-=", "*=", "//=", "%="))
                return [f"{name} {word} {self.write.expr(scope, IntKind(1, 3), 0, True)}"]
            case kind:
                return [f"{name} = {self.value(scope, kind, old=name)}"]

    def several(self, scope: Scope) -> Lines:
        """A tuple assignment, a swap, or one value for several targets."""
        dice = self.dice
        variables = [item for item in self.targets(scope) if writable(item.kind, scope)]
        functions = [item for item in variables if isinstance(item.kind, FunctionKind)]
        if functions and dice.chance(30):
            # Two entries of one function; where the keys are the same, the last value counts.
            variables = [dice.pick(functions)] * 2
        if len(variables) < 2:
            return self.assignment(scope)
        one, other = dice.some(variables, 2, 2)
        if one.kind == other.kind and dice.chance(30):
            return [f"self.{one.name}, self.{other.name} = self.{other.name}, self.{one.name}"]
        (left, some), (right, more) = self.place(scope, one), self.place(scope, other)
        if some == more:
            return [f"{left} = {right} = {self.value(scope, some)}"]
        return [f"{left}, {right} = {self.value(scope, some, 1)}, {self.value(scope, more, 1)}"]

    def place(self, scope: Scope, variable: Variable) -> tuple[str, Kind]:
        """A target of an assignment, with the kind of its values: a variable, or an entry of one."""
        name = f"self.{variable.name}"
        match variable.kind:
            case FunctionKind(key, value) if writable(key, scope) and self.dice.chance(60):
                return f"{name}[{self.write.expr(scope, key, 1, True)}]", value
            case kind:
                return name, kind

    def assign_local(self, scope: Scope) -> tuple[Lines, Scope]:
        """A local name: a new one, or one that has a value already, or a parameter."""
        dice, plain = self.dice, scope.plain()
        old = [atom for atom in plain.atoms if atom.text.isidentifier() and isinstance(atom.kind, _SIMPLE)]
        if old and dice.chance(40):
            atom = dice.pick(old)
            if isinstance(atom.kind, IntKind) and dice.chance(50):
                self.write.mention(atom)
                lines = [
                    f"{atom.text} {dice.pick(('+=', '-=', '*='))} {self.write.expr(plain, IntKind(1, 2), 0, True)}"
                ]
            else:
                lines = [f"{atom.text} = {self.write.expr(plain, atom.kind, 1)}"]
            return lines, scope.adding(replace(atom, kind=_loosened(atom.kind), parameter=False))
        name, local, text = self.local(plain)
        return [f"{name} = {text}"], scope.adding(local)

    def branch(self, scope: Scope, depth: int) -> tuple[Lines, Scope]:
        """`if`, perhaps with `elif` and `else`; a local name that every path assigns is there afterwards."""
        dice, plain = self.dice, scope.plain()
        lines = [f"if {self.write.expr(plain, BOOL, 2)}:", *_indented(self.block(scope, depth))]
        words = [f"elif {self.write.expr(plain, BOOL, 1)}:"] if dice.chance(30) else []
        words += ["else:"] if dice.chance(60) else []
        for word in words:
            lines += [word, *_indented(self.block(scope, depth))]
        if words and words[-1] == "else:" and dice.chance(40):
            kind = self.local_kind(plain)
            name = self.local_name(kind)
            result: Lines = []
            for line in lines:
                result.append(line)
                if not line.startswith(" "):
                    result.append(f"    {name} = {self.write.expr(plain, kind, 1)}")
            lines, scope = result, scope.adding(Atom(name, _loosened(kind)))
        else:
            # Of what some paths assign anew the type is still known, but not the bounds.
            assigned = {line.split()[0] for line in lines if line.startswith(" ")}
            loosened = [replace(a, kind=_loosened(a.kind)) for a in scope.atoms if a.text in assigned]
            scope = scope.adding(*loosened)
        return lines, scope

    def block(self, scope: Scope, depth: int) -> Lines:
        lines = self.assignment(scope.plain())
        if self.dice.chance(40):
            more, _ = self.statement(scope, depth)
            lines += more
        return lines

    # ------------------------------------------------------------------------------------------------- init

    def init(self, scope: Scope) -> Lines:
        """The body of `@init`: every variable that has no value yet is assigned on every path."""
        dice = self.dice
        lines: Lines = []
        if dice.chance(30):
            name, local, text = self.local(scope.plain())
            lines.append(f"{name} = {text}")
            scope = scope.adding(local)
        if dice.chance(25):
            lines.append(f"assume({self.likely(scope, 2)})")
        for variable in self.variables:
            if variable.given and not dice.chance(25):
                continue
            name = f"self.{variable.name}"
            inner = scope if variable.ghost else scope.plain()
            if not writable(variable.kind, inner):
                continue
            if not variable.given and dice.chance(25):
                test = self.write.expr(inner, BOOL, 1)
                then, orelse = (self.value(inner, variable.kind, 1) for _ in range(2))
                lines += [f"if {test}:", f"    {name} = {then}", "else:", f"    {name} = {orelse}"]
            else:
                lines.append(f"{name} = {self.value(inner, variable.kind)}")
            scope = scope.adding(Atom(name, variable.kind, variable.ghost))
        return lines or ["pass"]


_SIMPLE = (BoolKind, IntKind, LiteralKind, EnumKind, MemberKind)


def _loosened(kind: Kind) -> Kind:
    """What is known of a local name: its type, not its bounds."""
    match kind:
        case IntKind():
            return INT
        case LiteralKind() | MemberKind(symmetric=False):
            return LiteralKind(("a", "b", "z")) if plain_type(kind) == "str" else _by_type(kind)
        case _:
            return kind


def _by_type(kind: Kind) -> Kind:
    return _loosened(kind.item) if isinstance(kind, MemberKind) else kind


def _indented(lines: Sequence[str]) -> Lines:
    return [f"    {line}" for line in lines]


__all__ = ["Bodies", "Variable"]
