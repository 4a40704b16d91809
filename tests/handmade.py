"""Protocols written directly in IR: what the backends are tested on without the frontend.

`MACHINES` has each of them by name; between them every domain, statement and kind of property occurs.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.valuetypes import BOOL, INT, STR

from .build import (
    NONE,
    action,
    add,
    agg,
    all_,
    and_,
    any_,
    apply,
    arith,
    assume,
    bind,
    call,
    cat,
    comp,
    component,
    const,
    constant,
    eq,
    expr,
    extreme,
    fun,
    fun_comp,
    ge,
    gen,
    get,
    gt,
    guard,
    helper,
    if_,
    in_,
    index,
    init,
    ints,
    is_a,
    le,
    let,
    lit,
    local,
    lt,
    make,
    members,
    ne,
    not_,
    not_in,
    oblige,
    or_,
    pair,
    param,
    prop,
    protocol,
    range_,
    record_type,
    records,
    replace_,
    seq,
    seq_comp,
    sequences,
    set_,
    set_of,
    set_op,
    size,
    slice_,
    sub,
    subset,
    unwrap,
    updated,
    var,
    variable,
)

INTS = types.Set(INT)


def rollback(max_len: int = 4) -> ir.Protocol:
    """The example of the language reference."""
    bound = const("max_len")
    position = ints(1, bound)
    length, pending = var("length"), var("pending_reads", INTS)
    i, k = local("i"), local("k")
    return protocol(
        "Rollback",
        constant("max_len", max_len),
        variable("length", ints(0, bound), 0),
        variable("pending_reads", ir.PowerSet(position), set_()),
        action("extend", guard("room_left", lt(length, bound)), length=add(length, 1)),
        action(
            "start_read",
            param("i", position),
            guard("inside_tail", le(i, length)),
            pending_reads=set_op(pending, "|", set_(i)),
        ),
        action(
            "finish_read",
            param("i", position),
            guard("is_pending", in_(i, pending)),
            pending_reads=set_op(pending, "-", set_(i)),
        ),
        action(
            "rollback",
            param("k", ints(0, sub(bound, 1))),
            guard("shrinks", lt(k, length)),
            guard("no_reader_above", all_(le(i, k), gen("i", pending))),
            length=k,
        ),
        prop("no_ghost_reads", "invariant", all_(le(i, length), gen("i", pending))),
        prop("grows_by_one", "transition_invariant", le(var("length", after=True), add(length, 1))),
        doc="Cut a rejected draft off the cache, but never under an attention read in flight.",
        survivors=(("finish_read.is_pending", "finishing a read twice changes nothing"),),
    )


@dataclass(frozen=True)
class Prepared:
    rm: str


@dataclass(frozen=True)
class Commit:
    pass


@dataclass(frozen=True)
class Abort:
    pass


PREPARED = record_type(Prepared, rm=STR)
COMMIT = record_type(Commit)
ABORT = record_type(Abort)


def two_phase_commit(count: int = 3) -> ir.Protocol:
    """Lamport's TwoPhase: functions over a constant set, and messages that are records told apart by class."""
    rms = const("rms", types.Set(STR))
    rm_set = ir.MemberSet(members=rms)
    messages = ir.UnionSet(alternatives=(records(PREPARED, rm_set), records(COMMIT), records(ABORT)))
    working = ir.LiteralSet(members=("working", "prepared", "committed", "aborted"))
    rm_state = var("rm_state", types.Function(STR, STR))
    tm_state, tm_prepared = var("tm_state", STR), var("tm_prepared", types.Set(STR))
    sent = var("messages", types.Set(types.union((PREPARED, COMMIT, ABORT))))
    rm = local("rm", STR)
    some = param("rm", rm_set)

    def send(message: ir.Expr) -> ir.Expr:
        return set_op(sent, "|", set_(message))

    def becomes(state: str) -> ir.Expr:
        return updated(rm_state, (rm, state))

    first, second = local("a", STR), local("b", STR)
    return protocol(
        "TwoPhaseCommit",
        constant("rms", frozenset(f"r{number}" for number in range(1, count + 1)), types.Set(STR)),
        variable("rm_state", ir.FunctionSet(key=rm_set, value=working), fun_comp("rm", rms, "working")),
        variable("tm_state", ir.LiteralSet(members=("init", "committed", "aborted")), "init"),
        variable("tm_prepared", ir.PowerSet(element=rm_set), set_()),
        variable("messages", ir.PowerSet(element=messages), set_()),
        action(
            "receive_prepared",
            some,
            guard("undecided", eq(tm_state, "init")),
            guard("was_sent", in_(make(PREPARED, rm), sent)),
            tm_prepared=set_op(tm_prepared, "|", set_(rm)),
        ),
        action(
            "decide_commit",
            guard("undecided", eq(tm_state, "init")),
            guard("all_prepared", eq(tm_prepared, rms)),
            tm_state="committed",
            messages=send(make(COMMIT)),
        ),
        action(
            "decide_abort", guard("undecided", eq(tm_state, "init")), tm_state="aborted", messages=send(make(ABORT))
        ),
        action(
            "prepare",
            some,
            guard("is_working", eq(apply(rm_state, rm), "working")),
            rm_state=becomes("prepared"),
            messages=send(make(PREPARED, rm)),
        ),
        action(
            "choose_to_abort",
            some,
            guard("is_working", eq(apply(rm_state, rm), "working")),
            rm_state=becomes("aborted"),
        ),
        action("receive_commit", some, guard("was_sent", in_(make(COMMIT), sent)), rm_state=becomes("committed")),
        action("receive_abort", some, guard("was_sent", in_(make(ABORT), sent)), rm_state=becomes("aborted")),
        prop(
            "consistent",
            "invariant",
            all_(
                not_(and_(eq(apply(rm_state, first), "aborted"), eq(apply(rm_state, second), "committed"))),
                gen("a", rms),
                gen("b", rms),
            ),
        ),
        prop("can_commit", "reachable", all_(eq(apply(rm_state, rm), "committed"), gen("rm", rms))),
    )


class Phase(enum.Enum):
    FREE = "free"
    FULL = "full"


def dispatch() -> ir.Protocol:
    """A producer fills a buffer that a consumer drains: two Enums, liveness under weak fairness of Next."""
    phase = types.Enumeration(Phase)
    buffer, copied = var("buffer", phase), var("copied")
    full = prop("filled", "eventually", eq(buffer, Phase.FULL))
    return protocol(
        "SmallDispatch",
        variable("buffer", ir.EnumSet(enumeration=phase), Phase.FREE),
        variable("copied", ints(0, 2), 0),
        action("fill", guard("is_free", eq(buffer, Phase.FREE)), buffer=Phase.FULL),
        action(
            "drain",
            guard("is_full", eq(buffer, Phase.FULL)),
            buffer=Phase.FREE,
            copied=arith(add(copied, 1), "%", 3),
        ),
        full,
        prop("again", "infinitely_often", eq(buffer, Phase.FREE)),
        prop("drained", "leads_to", eq(buffer, Phase.FULL), eq(buffer, Phase.FREE)),
        fairness="weak",
    )


def bounded_queue(capacity: int = 2) -> ir.Protocol:
    """A bounded sequence: concatenation, slices, indices, comprehensions, `min` and `sum` over generators."""
    room = const("capacity")
    item = ints(0, 1)
    queue, total = var("queue", types.Sequence(INT)), var("total")
    x, i = local("x"), local("i")
    return protocol(
        "BoundedQueue",
        constant("capacity", capacity, domain=ints(1, 4)),
        variable("queue", sequences(item, room), seq()),
        variable("last", ir.OptionalSet(item=item), None),
        variable("total", ints(0, room), 0),
        action(
            "put",
            param("x", item),
            guard("has_room", lt(size(queue), room)),
            queue=cat(queue, seq(x)),
            total=add(total, x),
        ),
        action(
            "take",
            guard("not_empty", gt(size(queue), 0)),
            bind("head", index(queue, 0)),
            queue=slice_(queue, 1, None),
            last=local("head"),
            total=sub(total, local("head")),
        ),
        action(
            "drop_last",
            guard("not_empty", ne(queue, seq())),
            queue=slice_(queue, None, -1),
            total=sub(total, index(queue, -1)),
        ),
        action(
            "flip",
            guard("not_empty", gt(size(queue), 0)),
            queue=seq_comp(sub(1, x), gen("x", queue)),
            total=sub(size(queue), total),
        ),
        prop("total_is_sum", "invariant", eq(total, agg("sum", x, gen("x", queue)))),
        prop("total_by_index", "invariant", eq(total, agg("sum", index(queue, i), gen("i", range_(0, size(queue)))))),
        prop(
            "smallest",
            "invariant",
            le(agg("min", x, gen("x", queue), default=0), agg("max", local("y"), gen("y", queue), default=1)),
        ),
        prop("full_of_ones", "reachable", eq(total, room)),
    )


@dataclass(frozen=True)
class Slot:
    owner: str | None
    version: int
    tags: frozenset[int]


SLOT = record_type(Slot, owner=types.Optional(STR), version=INT, tags=INTS)


def slots() -> ir.Protocol:
    """Records in a function: `replace`, fields, optionals narrowed by `assert`, helpers, a local under a branch."""
    owner = ir.LiteralSet(members=("a", "b"))
    slot = records(SLOT, ir.OptionalSet(item=owner), ints(0, 2), ir.PowerSet(element=ints(0, 1)))
    table = var("table", types.Function(BOOL, SLOT))
    b, who, t = local("b", BOOL), local("who", STR), local("t")
    version_of = helper("version_of", get(apply(table, b), "version"), b=BOOL)
    is_owned = helper("is_owned", ne(get(local("s", SLOT), "owner"), NONE), s=SLOT)
    entry = local("entry", SLOT)
    held = unwrap(get(entry, "owner"))
    return protocol(
        "Slots",
        variable(
            "table",
            ir.FunctionSet(key=ir.BoolSet(), value=slot),
            fun((False, make(SLOT, NONE, 0, set_())), (True, make(SLOT, NONE, 0, set_()))),
        ),
        variable("log", ir.TupleSet(items=(owner, ir.BoolSet())), pair("a", False)),
        version_of,
        is_owned,
        action(
            "claim",
            param("b", ir.BoolSet()),
            param("who", owner),
            guard("is_free", not_(call(is_owned, apply(table, b)))),
            guard("young", lt(call(version_of, b), 2)),
            bind("entry", apply(table, b)),
            table=updated(table, (b, replace_(entry, owner=who, version=add(get(entry, "version"), 1)))),
            log=pair(who, b),
        ),
        action(
            "release",
            param("b", ir.BoolSet()),
            bind("entry", apply(table, b)),
            guard("is_owned", call(is_owned, entry), 0),
            bind("holder", held),
            oblige(in_(local("holder", STR), set_("a", "b"))),
            bind("bit", if_(eq(local("holder", STR), "a"), 0, 1), when=ge(get(entry, "version"), 1)),
            table=updated(
                table,
                (
                    b,
                    replace_(
                        entry,
                        owner=NONE,
                        tags=if_(
                            ge(get(entry, "version"), 1),
                            set_op(get(entry, "tags"), "^", set_(local("bit"))),
                            get(entry, "tags"),
                        ),
                    ),
                ),
            ),
        ),
        prop("tags_small", "invariant", all_(le(size(get(apply(table, b), "tags")), 2), gen("b", set_(False, True)))),
        prop(
            "versions_grow",
            "transition_invariant",
            all_(
                le(call(version_of, b), call(version_of, b, after=True)),
                gen("b", set_(False, True)),
            ),
        ),
        prop(
            "log_is_owner",
            "invariant",
            or_(
                component(var("log", types.Tuple((STR, BOOL))), 1),
                in_(component(var("log", types.Tuple((STR, BOOL))), 0), set_("a", "b")),
            ),
        ),
        prop("spent", "terminal", all_(eq(call(version_of, b), 2), gen("b", set_(False, True)))),
        prop(
            "tag_one",
            "reachable",
            any_(in_(t, get(apply(table, b), "tags")), gen("b", set_(True)), gen("t", range_(1, 2))),
        ),
    )


@dataclass(frozen=True)
class Data:
    number: int
    last: bool


@dataclass(frozen=True)
class Ack:
    number: int


DATA = record_type(Data, number=INT, last=BOOL)
ACK = record_type(Ack, number=INT)
WIRE = types.union((DATA, ACK))


def wire() -> ir.Protocol:
    """A lossy one-place wire that carries a union or nothing: `isinstance`, narrowing, strong fairness, leads-to."""
    number = ints(0, 1)
    message = ir.UnionSet(alternatives=(records(DATA, number, ir.BoolSet()), records(ACK, number)))
    on_wire, sender, receiver = var("on_wire", types.Optional(WIRE)), var("sender"), var("receiver")
    done = var("done", BOOL)
    m = unwrap(on_wire)
    is_data = and_(ne(on_wire, NONE), is_a(m, DATA))
    is_ack = and_(ne(on_wire, NONE), is_a(m, ACK))
    return protocol(
        "Wire",
        variable("on_wire", ir.OptionalSet(item=message), None),
        variable("sender", number, 0),
        variable("receiver", number, 0),
        variable("done", ir.BoolSet(), False),
        action(
            "send",
            guard("free", eq(on_wire, NONE)),
            on_wire=make(DATA, sender, eq(sender, 1)),
            fairness="weak",
        ),
        action(
            "receive",
            guard("is_data", is_data),
            bind("message", m),
            guard("expected", or_(eq(get(local("message", WIRE), "number"), receiver), done), 1),
            receiver=if_(get(local("message", WIRE), "last"), receiver, arith(add(receiver, 1), "%", 2)),
            done=or_(done, get(local("message", WIRE), "last")),
            on_wire=make(ACK, get(local("message", WIRE), "number")),
            fairness="strong",
        ),
        action(
            "acknowledge",
            guard("is_ack", is_ack),
            sender=extreme("max", get(m, "number"), if_(done, sender, 1)),
            on_wire=None,
            fairness="strong",
        ),
        action("lose", guard("is_something", ne(on_wire, NONE)), on_wire=None),
        prop("all_received", "eventually", done),
        prop("stays_done", "eventually_always", done),
        prop("answered", "leads_to", is_ack, eq(on_wire, NONE)),
    )


def chooser() -> ir.Protocol:
    """Initial choices with an assumption, a ghost, assumptions in actions, an Enum iterated, per-instance fairness."""
    phase = types.Enumeration(Phase)
    secret, budget, seen = var("secret", INTS), var("budget"), var("seen", INTS)
    flags = var("flags", types.Function(phase, BOOL))
    n, x, p = local("n"), local("x"), local("p", phase)
    return protocol(
        "Chooser",
        constant("top", 2),
        variable("secret", ir.PowerSet(element=ints(0, const("top"))), ghost=True),
        variable("budget", ints(0, const("top"))),
        variable("seen", ir.PowerSet(element=ints(0, const("top"))), set_()),
        variable(
            "flags",
            ir.FunctionSet(key=ir.EnumSet(enumeration=phase), value=ir.BoolSet()),
            fun_comp("p", members(Phase), False),
        ),
        init(
            param("chosen", ir.PowerSet(element=ints(0, const("top")))),
            param("n", ints(0, const("top"))),
            assume(le(size(local("chosen", INTS)), n)),
            bind("doubled", arith(n, "*", 2)),
            secret=local("chosen", INTS),
            budget=arith(local("doubled"), "//", 2),
        ),
        action(
            "look",
            param("x", ints(0, const("top"))),
            assume(in_(x, secret)),
            guard("fresh", not_in(x, seen)),
            seen=set_op(seen, "|", set_(x)),
            budget=sub(budget, 1),
            fairness="weak",
            each=("x",),
        ),
        action(
            "raise_flag",
            param("p", ir.EnumSet(enumeration=phase)),
            flags=updated(flags, (p, True)),
        ),
        prop("honest", "invariant", subset(seen, secret)),
        prop("counted", "invariant", le(add(size(set_op(secret, "-", seen)), 0), budget)),
        prop("everything_seen", "eventually", eq(seen, secret)),
        prop("all_flags", "terminal", all_(apply(flags, p), gen("p", members(Phase)))),
    )


def philosophers(count: int = 2) -> ir.Protocol:
    """Each takes the left fork, then the right one: the classic deadlock."""
    n = const("count")
    seat = ints(0, sub(n, 1))
    forks = var("forks", types.Function(INT, types.Optional(INT)))
    i = local("i")
    right = arith(add(i, 1), "%", n)
    return protocol(
        "Philosophers",
        constant("count", count),
        variable(
            "forks", ir.FunctionSet(key=seat, value=ir.OptionalSet(item=seat)), fun_comp("f", range_(0, n), NONE_INT)
        ),
        action("take_left", param("i", seat), guard("free", eq(apply(forks, i), NONE)), forks=updated(forks, (i, i))),
        action(
            "take_right",
            param("i", seat),
            guard("has_left", eq(apply(forks, i), i)),
            guard("free", eq(apply(forks, right), NONE)),
            forks=updated(forks, (right, i)),
        ),
        action(
            "put_down",
            param("i", seat),
            guard("has_both", and_(eq(apply(forks, i), i), eq(apply(forks, right), i))),
            forks=updated(forks, (i, NONE), (right, NONE)),
        ),
    )


NONE_INT = ir.Literal(value=None, type=types.Optional(INT))


def overflow() -> ir.Protocol:
    """A counter without a bound: `type_ok` after three steps, before an invariant of the same length."""
    n = var("n")
    return protocol(
        "Overflow",
        variable("n", ints(0, 2), 0),
        action("increase", n=add(n, 1)),
        prop("small", "invariant", le(n, 2)),
    )


def out_of_bounds() -> ir.Protocol:
    """An index that leaves its sequence: `well_defined` in the third state."""
    at = var("at")
    values = seq(5, 6)
    return protocol(
        "OutOfBounds",
        variable("at", ints(0, 3), 0),
        variable("read", ints(0, 9), 0),
        action("read_on", guard("inside", lt(at, 3)), read=index(values, at), at=add(at, 1)),
        prop("sensible", "invariant", or_(eq(var("read"), 0), ge(var("read"), 5))),
    )


def undefined_property() -> ir.Protocol:
    """An invariant that divides by the counter: undefined, in the second state."""
    n = var("n")
    return protocol(
        "UndefinedProperty",
        variable("n", ints(0, 3), 3),
        action("decrease", guard("positive", gt(n, 0)), n=sub(n, 1)),
        prop("divides", "invariant", ge(arith(6, "//", sub(n, 2)), -9)),
    )


def false_assertion() -> ir.Protocol:
    """`assert` behind a guard and an assumption, which protect it until they do not."""
    n, d = var("n"), local("d")
    return protocol(
        "FalseAssertion",
        variable("n", ints(0, 4), 0),
        action(
            "jump",
            param("d", ints(1, 3)),
            assume(le(d, 2)),
            guard("inside", le(add(n, d), 4)),
            oblige(ne(add(n, d), 3), when=ne(d, 1)),
            n=add(n, d),
        ),
        prop("at_the_end", "terminal", eq(n, 4)),
    )


def starver() -> ir.Protocol:
    """Two processes and one lock; strong fairness of every instance of `acquire` is what makes each get it."""
    holder = var("holder", types.Optional(INT))
    served = var("served", INTS)
    p = local("p")
    who = ints(0, 1)
    return protocol(
        "Starver",
        variable("holder", ir.OptionalSet(item=who), None),
        variable("served", ir.PowerSet(element=who), set_()),
        action(
            "acquire",
            param("p", who),
            guard("free", eq(holder, NONE)),
            holder=p,
            served=set_op(served, "|", set_(p)),
            fairness="strong",
            each=("p",),
        ),
        action("release", param("p", who), guard("held", eq(holder, p)), holder=None, fairness="weak"),
        prop("both_served", "eventually", eq(served, set_(0, 1))),
        prop("each_again", "infinitely_often", eq(holder, 1)),
    )


def arithmetic() -> ir.Protocol:
    """Integers of both signs, a symmetric difference of comprehensions, `let`, nested generators, `if` in updates."""
    n, x, y = var("n"), local("x"), local("y")
    window = var("window", INTS)
    square = helper("square", arith(local("v"), "*", local("v")), v=INT)
    return protocol(
        "Arithmetic",
        constant("half", 3),
        variable("n", ints(-4, 5), -4),
        variable("window", ir.PowerSet(element=ints(-1, 1)), set_(0)),
        square,
        action(
            "move",
            param("x", ints(-2, 2)),
            guard("inside", and_(ge(add(n, x), -4), le(add(n, x), 5))),
            n=let("t", add(n, x), if_(eq(arith(local("t"), "%", -3), -1), arith(local("t"), "//", 2), local("t"))),
        ),
        action(
            "spread",
            guard("positive", gt(n, 0)),
            window=comp(arith(add(x, y), "%", 2), gen("x", window), gen("y", range_(0, n), ne(y, x), lt(y, 2))),
        ),
        action(
            "shift",
            guard("has_some", gt(size(window), 0)),
            bind("least", agg("min", x, gen("x", window))),
            n=extreme("min", 5, extreme("max", -4, sub(n, local("least")))),
            window=set_op(set_of(range_(-1, 2)), "-", set_op(window, "&", set_(local("least")))),
        ),
        prop("squares", "invariant", ge(agg("sum", call(square, x), gen("x", window)), 0)),
        prop("far", "reachable", eq(n, 5)),
    )


def guarded_definedness() -> ir.Protocol:
    """A second guard call that only the first one makes defined: dropping it is a kill by `well_defined`."""
    stack, top = var("stack", types.Sequence(INT)), local("top")
    return protocol(
        "GuardedDefinedness",
        variable("stack", sequences(ints(0, 2), 2), seq()),
        action("push", param("x", ints(0, 2)), guard("room", lt(size(stack), 2)), stack=cat(stack, seq(local("x")))),
        action(
            "pop_big",
            guard("not_empty", gt(size(stack), 0), 0),
            guard("is_big", gt(index(stack, -1), 0), 1),
            bind("top", index(stack, sub(size(stack), 1))),
            stack=if_(eq(top, 2), seq(), slice_(stack, 0, sub(size(stack), 1))),
        ),
        action("clear", guard("has_zero", in_(0, stack)), stack=seq()),
        prop("full", "terminal", eq(size(stack), expr(2))),
    )


def empty_choice() -> ir.Protocol:
    """A parameter whose domain is empty: the action never fires, which is allowed; a literal-typed variable."""
    return protocol(
        "EmptyChoice",
        variable("light", ir.LiteralSet(members=("red", "green")), "red"),
        action("never", param("n", ints(1, 0)), light="green"),
        action("switch", light=if_(eq(var("light", STR), "red"), "green", "red")),
        prop("goes_green", "leads_to", eq(var("light", STR), "red"), eq(var("light", STR), lit("green"))),
        fairness="weak",
    )


MACHINES: dict[str, Callable[[], ir.Protocol]] = {
    machine.__name__: machine
    for machine in (
        rollback,
        two_phase_commit,
        dispatch,
        bounded_queue,
        slots,
        wire,
        chooser,
        philosophers,
        overflow,
        out_of_bounds,
        undefined_property,
        false_assertion,
        starver,
        arithmetic,
        guarded_definedness,
        empty_choice,
    )
}
