"""A protocol that has everything which is awkward in TLA+: values, names, constants. It says nothing about anything."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.valuetypes import BOOL, INT, STR, FrozenDict

from ..build import (
    action,
    add,
    all_,
    any_,
    apply,
    bind,
    const,
    constant,
    eq,
    fun,
    fun_comp,
    gen,
    get,
    guard,
    helper,
    if_,
    init,
    ints,
    is_a,
    le,
    lit,
    local,
    lt,
    make,
    members,
    ne,
    or_,
    pair,
    param,
    prop,
    protocol,
    record_type,
    records,
    seq,
    sequences,
    set_,
    set_op,
    size,
    updated,
    var,
    variable,
)


class Phase(enum.Enum):
    IDLE = "idle"
    BUSY = "busy"


@dataclass(frozen=True)
class Note:
    """Its `what` is a string, that of `Count` a number: TLC would fail to compare them."""

    what: str


@dataclass(frozen=True)
class Count:
    what: int


@dataclass(frozen=True)
class Stop:
    pass


@dataclass(frozen=True)
class Plain:
    IF: int
    type: bool


PHASE, MODEL = types.Enumeration(Phase), types.Model("workers")
NOTE, COUNT, STOP = record_type(Note, what=STR), record_type(Count, what=INT), record_type(Stop)
PLAIN = record_type(Plain, IF=INT, type=BOOL)
MESSAGE = types.union((NOTE, COUNT, STOP))
WORKERS = frozenset({"None", "w 1", "x_1", "Len"})


def kitchen() -> ir.Protocol:
    workers = const("workers", types.Set(MODEL))
    worker = ir.MemberSet(members=workers)
    words = ir.LiteralSet(members=("a b", 'say "hi"', "é\\"))
    message = ir.UnionSet(alternatives=(records(NOTE, words), records(COUNT, ints(-1, 1)), records(STOP)))
    sent, picked = var("sent", types.Set(MESSAGE)), var("picked", types.Optional(types.Set(INT)))
    owner = types.Function(MODEL, types.Optional(MODEL))
    grid, pairs = types.Function(BOOL, INT), types.Function(types.Tuple((INT, BOOL)), PHASE)
    nested = types.Sequence(types.Sequence(INT))
    w, m = local("w", MODEL), local("m", MESSAGE)
    step, unwrapped = local("Len"), local("c", COUNT)
    busy = helper(
        "busy_with",
        eq(apply(var("owner", owner), local("who", MODEL)), local("whom", types.Optional(MODEL))),
        who=MODEL,
        whom=types.Optional(MODEL),
    )
    return protocol(
        "Kitchen",
        constant("workers", WORKERS, types.Set(MODEL), symmetric=True),
        constant("low", -1),
        constant("limits", (1, 2), types.Tuple((INT, INT))),
        constant("weights", FrozenDict({"a": 1, "b": -1}), types.Function(STR, INT)),
        constant("odd_words", frozenset({'q"', "é"}), types.Set(STR)),
        constant("start", Phase.IDLE, PHASE),
        constant("absent", None, types.Optional(INT)),
        constant("on", True, BOOL),
        variable("sent", ir.PowerSet(element=message), set_(make(STOP))),
        variable("picked", ir.OptionalSet(item=ir.PowerSet(element=ints(const("low"), 1))), None),
        variable(
            "owner",
            ir.FunctionSet(key=worker, value=ir.OptionalSet(item=worker)),
            fun_comp("k", workers, ir.Literal(None, type=types.Optional(MODEL))),
        ),
        variable("grid", ir.FunctionSet(key=ir.BoolSet(), value=ints(0, 1)), fun((lit(False), 0), (lit(True), 1))),
        variable(
            "pairs",
            ir.FunctionSet(key=ir.TupleSet(items=(ints(0, 1), ir.BoolSet())), value=ir.EnumSet(enumeration=PHASE)),
            fun(*((pair(a, b), Phase.IDLE) for a in (0, 1) for b in (False, True))),
        ),
        variable("nested", sequences(sequences(ints(0, 1), 2), 2), seq()),
        variable("S", records(PLAIN, ints(0, 1), ir.BoolSet()), make(PLAIN, 0, True)),
        variable("n", ir.TupleSet(items=(ints(0, 1),)), pair(0)),
        variable("chosen", ir.OptionalSet(item=worker)),
        variable("phases", ir.PowerSet(element=ir.PowerSet(element=ir.EnumSet(enumeration=PHASE))), set_()),
        init(param("who", ir.OptionalSet(item=worker)), chosen=local("who", types.Optional(MODEL))),
        busy,
        action(
            "take",
            param("w", worker),
            param("Len", ints(0, 1)),
            guard("free", eq(var("chosen", types.Optional(MODEL)), w)),
            guard("fresh", or_(ne(apply(var("owner", owner), w), w), lt(step, 1))),
            bind("x", add(step, 0)),
            owner=updated(var("owner", owner), (w, w)),
            n=pair(local("x")),
            nested=if_(
                lt(size(var("nested", nested)), 2),
                ir.Concatenate(left=var("nested", nested), right=seq(seq(step)), type=nested),
                var("nested", nested),
            ),
        ),
        action("post", param("m", message), guard("few", le(size(sent), 1)), sent=set_op(sent, "|", set_(m))),
        action(
            "pick",
            param("what", ir.PowerSet(element=ints(-1, 1))),
            guard("none_yet", eq(picked, lit(None))),
            guard("stopped", any_(is_a(m, STOP), gen("m", sent))),
            picked=local("what", types.Set(INT)),
            grid=updated(var("grid", grid), (lit(True), 0)),
            pairs=updated(var("pairs", pairs), (pair(0, True), Phase.BUSY)),
            phases=set_(set_(), ir.SetOf(collection=members(Phase), type=types.Set(PHASE))),
        ),
        prop("counted", "invariant", all_(le(get(unwrapped, "what"), 1), gen("c", set_(make(COUNT, 1))))),
        prop(
            "never_two",
            "transition_invariant",
            or_(eq(picked, lit(None)), eq(var("picked", picked.type, after=True), picked)),
        ),
        prop(
            "somebody", "reachable", any_(ir.Call(helper="busy_with", arguments=(w, w), type=BOOL), gen("w", workers))
        ),
        prop("over", "terminal", ne(picked, lit(None))),
    )
