"""What random machines have found, each made small and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import pytest

from protocheck import (
    Between,
    GuardRefused,
    MaxLen,
    Protocol,
    action,
    assume,
    const,
    eventually,
    guard,
    helper,
    infinitely_often,
    init,
    invariant,
    leads_to,
    snapshot,
    transition_invariant,
    without,
)
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler.diagnostics import Code, CompileError
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.reference import reference_check
from protocheck.transpiler.tla import build_module

from .agreeing import agrees

Small = Annotated[int, Between(0, 2)]


@dataclass(frozen=True)
class Put:
    at: Small


@dataclass(frozen=True)
class Ack:
    on: bool


class ReadBackOptional(Protocol):
    """An optional that was just given a value was taken for a plain int, and `is None` refused."""

    owner: Small | None = None
    message: Put | Ack = Ack(False)
    seen: bool = False

    @helper
    def is_put(self) -> bool:
        return self.message.at == 1 if isinstance(self.message, Put) else False

    @action
    def take(self, who: Small) -> None:
        self.owner = who
        self.message = Ack(True)
        self.seen = self.owner is None or isinstance(self.message, Put) or self.is_put()

    @action
    def drop(self) -> None:
        guard(held=self.owner is not None)
        self.owner = None
        self.message = Put(1)
        self.seen = self.owner is None and self.is_put()


def test_a_variable_keeps_its_type_when_it_is_read_back() -> None:
    agrees(ReadBackOptional)


class MaybeSome(Protocol):
    """None was no instance of anything, but no value either: `well_defined` was violated where Python says False."""

    box: Put | Ack | None = None
    taken: bool = False

    @action
    def put(self, what: Put | Ack) -> None:
        guard(no_put=not isinstance(self.box, Put))
        self.box = what

    @action
    def take(self) -> None:
        box = self.box
        guard(is_ack=isinstance(box, (Ack, Put)), was_put=isinstance(self.box, Put) and self.box.at > 0)
        self.taken = not isinstance(box, Ack)
        self.box = None

    @invariant
    def told_apart(self) -> bool:
        return not (isinstance(self.box, Ack) and isinstance(self.box, Put))


def test_none_is_an_instance_of_no_record() -> None:
    protocol = agrees(MaybeSome)
    wanted = frozenset({"well_defined", "told_apart"})
    assert reference_check(instantiate(protocol), wanted).violated is None


class Refusing(Protocol):
    """A refusal named the value that the action had assigned to its parameter since."""

    x: Small = 0

    @action
    def step(self, to: Small) -> None:
        to *= 2
        guard(small=to < 2)
        self.x = to


def test_a_refusal_names_the_arguments_that_were_passed() -> None:
    agrees(Refusing)
    with pytest.raises(GuardRefused) as refused:
        Refusing().step(2)
    assert refused.value.arguments == {"to": 2}


class Adding(Protocol):
    """What runs was made in the syntax tree that a variant is compiled from."""

    x: frozenset[Small] = frozenset()

    @action
    def add(self, to: Small) -> None:
        guard(fresh=to not in self.x, other=to not in {1})
        self.x = self.x | {to}


def test_a_variant_compiles_after_its_baseline_has_run() -> None:
    agrees(Adding)
    variant = without(Adding, "add.other")
    agrees(variant)
    running = variant()
    running.add(1)
    assert snapshot(running) == {"x": frozenset({1})}


class DefaultsRead(Protocol):
    """The names bound in a default stood beside those of the `@init` that reads it."""

    table: dict[Small, bool] = {k: False for k in range(3)}
    same: bool = False

    @init
    def begin(self, k: Small) -> None:
        self.same = self.table[k] or self.table == {i: False for i in range(3)}
        self.table = {i: i == k or self.table[i] for i in range(3)}

    @action
    def flip(self, k: Small) -> None:
        self.table[k] = not self.table[k]


def test_init_reads_a_default_that_binds_names() -> None:
    agrees(DefaultsRead)


class Arguments(Protocol):
    """An argument of a helper that was unfolded stood there as often as the helper used it, or not at all."""

    x: Small = 0
    y: Small = 0

    @helper
    def twice(self, n: int) -> int:
        return n + n if self.x > 0 else n

    @helper
    def ignoring(self, n: int) -> int:
        return self.x

    @action
    def step(self, to: Small) -> None:
        self.x = to
        self.y = min(self.twice(sum(i for i in range(to))), 2)

    @action
    def divide(self) -> None:
        guard(zero=self.x == 0)
        self.y = self.x
        self.x = self.ignoring(1 // self.x)


def test_an_argument_is_evaluated_once() -> None:
    agrees(Arguments)
    result = ExplorerEngine().check(CheckJob(instantiate(compile_protocol(Arguments))))
    assert (result.status, result.violated) == ("violated", "well_defined")


class Overwritten(Protocol):
    """A value that was replaced before anything read it was not asked for."""

    queue: Annotated[tuple[Small, ...], MaxLen(1)] = ()

    @action
    def step(self, to: Small) -> None:
        self.queue += (self.queue[0],)
        self.queue = (to,)


def test_a_value_that_is_overwritten_was_evaluated() -> None:
    agrees(Overwritten)
    result = ExplorerEngine().check(CheckJob(instantiate(compile_protocol(Overwritten))))
    assert (result.status, result.violated) == ("violated", "well_defined")


class RaisesLate(Protocol):
    """With a single assignment the state was not put back, though a later statement may raise."""

    queue: Annotated[tuple[Small, ...], MaxLen(1)] = ()
    seen: Small = 0

    @action
    def step(self, at: Small) -> None:
        self.queue = (at,)
        value = self.queue[at]
        if value > 2:
            self.seen = value


def test_what_raises_late_leaves_the_state_as_it_was() -> None:
    agrees(RaisesLate)
    running = RaisesLate()
    with pytest.raises(IndexError):
        running.step(1)
    assert snapshot(running) == {"queue": (), "seen": 0}


class Several(Protocol):
    """Several values at once: displays got their type before their place was known; entries were written in place."""

    sets: frozenset[Annotated[tuple[bool, ...], MaxLen(1)]] = frozenset()
    table: dict[Small, Small | None] = {0: None, 1: None, 2: None}
    flag: bool = False

    @action
    def both(self, to: Small) -> None:
        self.sets, self.flag = frozenset((True,) for i in range(to)), not self.flag
        self.table[0], self.flag = None if to > 1 else None, to == 0  # noqa: RUF034  (None alone has no type of its own)

    @action
    def entries(self, a: Small, b: Small) -> None:
        self.table[a] = self.table[b] = a
        self.table[a], self.table[b] = self.table[b], 2

    @action
    def one_by_one(self, a: Small) -> None:
        self.table[a] = self.table[0 if self.table == {k: a for k in range(3)} else 1] = a


def test_several_targets() -> None:
    agrees(Several)


class Branches(Protocol):
    """A value assigned before an `if` stood once for each path that keeps it."""

    flag: bool = False
    other: bool = False

    @action
    def step(self, a: Small, b: Small) -> None:
        self.flag = all(i > a for i in range(b))
        if a > b:
            self.other = True
        elif a == b:
            self.flag = not self.other
        else:
            self.other = False


def test_a_value_that_some_paths_keep() -> None:
    agrees(Branches)


class Leaking(Protocol):
    """TLC takes a variable named as an operator of a module that FiniteSets is built on for that operator."""

    Tail: frozenset[Small] = frozenset()

    @action
    def add(self, to: Small) -> None:
        guard(few=len(self.Tail) < 2)
        self.Tail |= {to}


def test_operators_of_modules_that_others_are_built_on_are_taken() -> None:
    protocol = compile_protocol(Leaking)
    with pytest.raises(CompileError, match="Tail, an operator of the standard module Sequences"):
        build_module(protocol, instantiate(protocol).constants)


class Constants(Protocol):
    """TLC reports <>TRUE as violated, and an invariant that is FALSE as an error of the configuration."""

    n: int = const(2)
    x: bool = False

    @action
    def flip(self) -> None:
        self.x = not self.x

    @invariant
    def never(self) -> bool:
        return self.n > 2

    @helper
    def goal(self) -> bool:
        return all(False for _ in range(self.n, 0))

    @leads_to(goal)
    def arrives(self) -> bool:
        return self.x

    @eventually
    def always(self) -> bool:
        unused = self.x  # noqa: F841  (it does not raise the level of the property)
        return self.n == 2


def test_properties_that_read_no_variable_are_made_to() -> None:
    protocol = compile_protocol(Constants)
    module = build_module(protocol, instantiate(protocol).constants)
    text = "\n".join(line for operator in (*module.helpers, *module.properties) for line in operator.body)
    assert text.count("x = x") == 3


class Impossible(Protocol):
    """Without an initial state everything was said to hold."""

    x: bool = False

    @init
    def begin(self, c: bool) -> None:
        assume(c != c)
        self.x = c

    @action
    def flip(self) -> None:
        self.x = not self.x


def test_no_initial_state_is_no_pass() -> None:
    result = ExplorerEngine().check(CheckJob(instantiate(compile_protocol(Impossible))))
    assert result.status == "invalid"
    assert "no initial state" in result.reason


class Item(Protocol):
    """A pattern in a generator hid a name of the user's that happened to be `item`."""

    pairs: frozenset[tuple[Small, bool]] = frozenset()
    seen: bool = False

    @action
    def add(self, item: Small, on: bool) -> None:
        self.seen = any(on and number == item for number, on in self.pairs if number <= item)
        self.pairs = frozenset({(item, on)})


def test_a_pattern_leaves_other_names_alone() -> None:
    agrees(Item)


class Trap(Protocol):
    """In Python a name that any `for` of a comprehension binds is that one in all of it: here `k` has no value."""

    seen: bool = False

    @action
    def step(self, k: bool) -> None:
        self.seen = any(k for i in range(2) if k for k in (k, False))


def test_a_name_that_a_later_for_binds_is_refused() -> None:
    with pytest.raises(CompileError, match="k is bound only by a later `for`") as refused:
        compile_protocol(Trap)
    assert refused.value.diagnostics[0].code is Code.SCOPE


limit = 2


class Later(Protocol):
    """In Python a name that a body assigns anywhere is local to all of it, and not the module's before that."""

    x: Small = 0

    @action
    def step(self) -> None:
        self.x = limit  # type: ignore[used-before-def]  # noqa: F823  (that is the point)
        limit = 1  # noqa: F841


def test_a_name_that_is_assigned_later_is_refused() -> None:
    with pytest.raises(CompileError, match="limit has a value on some paths only"):
        compile_protocol(Later)


class HalfDefined(Protocol):
    """Seed 5875: what is assigned under an `if` has no value otherwise, and a part of it was asked for all the same."""

    queue: dict[Small, Annotated[int, Between(-1, 1)]] = {0: 0, 1: 1, 2: 0}

    @action
    def stir(self, item: Small) -> None:
        self.queue[0] += 1
        if self.queue == {0: 0, 1: 0, 2: 0}:
            self.queue[0] = self.queue[1 + item]
        self.queue[0] = 1


def test_what_a_branch_leaves_undefined_is_not_asked_for() -> None:
    agrees(HalfDefined)


@dataclass(frozen=True)
class Square:
    at: Small
    on: bool


class Shortened(Protocol):
    """Seed 8591: the parts of what is bound under a condition were given one name."""

    x: Annotated[tuple[bool, ...], MaxLen(2)] = ()
    queue: Annotated[tuple[Square, ...], MaxLen(2)] = (Square(2, True),)
    owner: Small = 1
    tail: bool = False

    @action
    def send(self) -> None:
        if len(self.x) == 1 or self.tail:
            self.queue = ()
        if self.owner < 2:
            self.queue = self.queue[self.owner :]
            unused = self.queue  # noqa: F841  (it makes the value worth a name)

    @action
    def stir(self) -> None:
        self.owner = 0


def test_parts_have_names_of_their_own() -> None:
    agrees(Shortened)


class Careless(Protocol):
    """Its second invariant has no value where the queue is empty."""

    queue: Annotated[tuple[bool, ...], MaxLen(2)] = ()

    @action
    def put(self, x: bool) -> None:
        guard(room=len(self.queue) < 2)
        self.queue = self.queue + (x,)

    @action
    def clear(self) -> None:
        self.queue = ()

    @invariant
    def short(self) -> bool:
        return len(self.queue) <= 2

    @invariant
    def starts_with_true(self) -> bool:
        return self.queue[0]


class Idle(Protocol):
    """Seed 101: TLC evaluated a transition invariant for steps that change nothing, and there it had no value."""

    queue: Annotated[tuple[bool, ...], MaxLen(1)] = (True,)

    @action
    def take(self) -> None:
        guard(something=self.queue != ())
        self.queue = self.queue[1:]

    @action
    def wait(self) -> None:
        pass

    @transition_invariant
    def takes_the_first(self, after: Self) -> bool:
        return min(y for y in range(len(self.queue))) == len(after.queue)


def test_nothing_is_asked_of_steps_that_change_nothing() -> None:
    instance = instantiate(compile_protocol(Idle))
    results = [engine.check(CheckJob(instance)) for engine in (ExplorerEngine(), TlcEngine())]
    assert [result.status for result in results] == ["holds", "holds"]
    agrees(Idle)


class Counted(Protocol, fairness="weak"):
    """Seed 123: TLC lost the state where a temporal formula had a local name."""

    x: Small = 0

    @action
    def step(self) -> None:
        self.x = (self.x + 1) % 3

    @infinitely_often
    def comes_round(self) -> bool:
        twice = self.x + self.x
        return False if twice > 2 else twice == self.x


class Hasty(Protocol):
    """Where TLC looked for an earlier violation it stepped over what has no value."""

    queue: Annotated[tuple[bool, ...], MaxLen(1)] = (True,)
    seen: bool = False

    @action
    def take(self) -> None:
        self.queue = ()

    @action
    def look(self) -> None:
        guard(right=self.queue[0])
        self.seen = not self.seen

    @transition_invariant
    def first_seen(self, after: Self) -> bool:
        return self.seen == after.seen or self.queue[0]


class Stateless(Protocol):
    """Seed 147: whether something has a value depended on no variable, and TLC refused its configuration."""

    x: bool = False

    @action
    def step(self, given: Annotated[tuple[bool, ...], MaxLen(1)]) -> None:
        self.x = given[0]


@pytest.mark.parametrize("protocol", [Counted, Hasty, Stateless])
def test_both_engines_say_the_same(protocol: type[Protocol]) -> None:
    instance = instantiate(compile_protocol(protocol))
    found, confirmed = (engine.check(CheckJob(instance)) for engine in (ExplorerEngine(), TlcEngine()))
    assert (found.status, found.violated) == (confirmed.status, confirmed.violated)
    assert found.violated == (None if protocol is Counted else "well_defined")
    agrees(protocol)


def test_what_is_not_selected_must_be_defined_too() -> None:
    """The explorer looked at the selected property only, and TLC at all of them: they disagreed."""
    instance = instantiate(compile_protocol(Careless))
    wanted = frozenset({"short"})
    expected = reference_check(instance, wanted)
    found = ExplorerEngine().check(CheckJob(instance, wanted))
    confirmed = TlcEngine().check(CheckJob(instance, wanted))
    assert expected.violated == found.violated == confirmed.violated == "well_defined"
    assert {"type_ok", "well_defined", "short"} <= set(found.evaluated) & set(confirmed.evaluated)
