"""The condition under which an expression has a value: exact, safe to evaluate, and no longer than it need be."""

from __future__ import annotations

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.conditions import TRUE
from protocheck.transpiler.definedness import (
    action_obligations,
    defined,
    init_obligations,
    property_obligations,
)
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import Undefined, evaluate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.pretty import pretty_expr
from protocheck.transpiler.valuetypes import BOOL, INT

from ..build import (
    action,
    add,
    agg,
    all_,
    and_,
    apply,
    arith,
    assume,
    bind,
    call,
    cat,
    comp,
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
    local,
    lt,
    members,
    ne,
    neg,
    not_,
    oblige,
    or_,
    param,
    prop,
    protocol,
    range_,
    replace_,
    seq,
    seq_comp,
    set_,
    size,
    sub,
    unwrap,
    updated,
    var,
    variable,
)
from ..handmade import guarded_definedness, philosophers, slots, wire
from ..random_expressions import (
    COLOR,
    EITHER,
    INSTANCE,
    INT_SET,
    INTS,
    MARK,
    OPTIONAL_INT,
    OPTIONAL_RECORD,
    POINT,
    PROTOCOL,
    Color,
    random_expression,
    random_state,
)

BY_INT = types.Function(INT, INT)
BY_COLOR = types.Function(COLOR, OPTIONAL_INT)
i, j, b, s, q = var("i"), var("j"), var("b", BOOL), var("s", INT_SET), var("q", INTS)
o, r, m = var("o", OPTIONAL_INT), var("r", EITHER), var("m", OPTIONAL_RECORD)
f, g = var("f", BY_INT), var("g", BY_COLOR)
x = local("x")
by, nth, held = PROTOCOL.helpers

# What is asked, as text; `self.` left out. i and j are in -2..3, f has the keys 0..n, q has up to three elements.
CASES: list[tuple[ir.Expr, str]] = [
    (add(i, 1), "True"),
    (arith(6, "//", i), "i != 0"),
    (arith(6, "%", 3), "True"),
    (arith(6, "//", 0), "False"),
    (arith(6, "//", add(size(q), 1)), "True"),
    (arith(6, "//", extreme("max", i, 1)), "True"),
    (index(q, 0), "len(q) > 0"),
    (index(q, 2), "len(q) > 2"),
    (index(q, -1), "len(q) > 0"),
    (index(q, -3), "len(q) > 2"),
    (index(q, i), "-len(q) <= i and i < len(q)"),
    (index(q, size(s)), "len(s) < len(q)"),
    (index(q, sub(size(q), 1)), "len(q) > 0"),
    (index(q, sub(size(q), 2)), "len(q) > 0"),
    (index(q, sub(size(q), 3)), "len(q) > 1"),
    (index(seq(1, 2), 1), "True"),
    (index(seq(1, 2), 2), "len([1, 2]) > 2"),
    (index(cat(seq(1), q), 0), "True"),
    (index(seq(1, 2), i), "-2 <= i and i < 2"),
    (unwrap(o), "o != None"),
    (get(r, "x"), "True"),
    (get(r, "on"), "isinstance(r, Point)"),
    (get(unwrap(m), "on"), "m != None and isinstance(held(m), Point)"),
    (replace_(r, x=1), "True"),
    (replace_(r, on=True), "isinstance(r, Point)"),
    (apply(f, i), "0 <= i and i <= n"),
    (apply(f, size(s)), "len(s) <= n"),
    (apply(f, 0), "0 <= n"),
    (apply(f, const("n")), "0 <= n"),
    (apply(f, sub(const("n"), 1)), "0 <= n - 1"),
    (apply(g, Color.RED), "True"),
    (updated(f, (i, 1), (i, 2)), "0 <= i and i <= n"),
    (apply(updated(f, (i, 1)), i), "0 <= i and i <= n"),
    (apply(fun((0, 1), (1, 2)), i), "i in {0, 1}"),
    (apply(fun_comp("k", range_(0, 2), 0), i), "i in range(0, 2)"),
    (agg("min", x, gen("x", s)), "s != frozenset[int]()"),
    (agg("max", x, gen("x", q)), "len(q) > 0"),
    (agg("max", x, gen("x", range_(i, 3))), "i < 3"),
    (agg("max", x, gen("x", s, gt(x, 1))), "any(True for x in s if x > 1)"),
    (agg("max", x, gen("x", s), default=0), "True"),
    (agg("max", x, gen("x", s), default=arith(1, "//", i)), "i != 0"),
    (agg("sum", arith(6, "//", x), gen("x", s)), "all(x != 0 for x in s)"),
    # what protects
    (and_(ne(i, 0), gt(arith(6, "//", i), 1)), "True"),
    (and_(gt(arith(6, "//", i), 1), ne(i, 0)), "i != 0"),
    (and_(gt(i, 0), gt(arith(6, "//", i), 1)), "True"),
    (or_(eq(i, 0), gt(arith(6, "//", i), 1)), "True"),
    (or_(eq(j, 0), gt(arith(6, "//", i), 1)), "j == 0 or i != 0"),
    (and_(b, if_(b, True, gt(arith(6, "//", i), 1))), "True"),
    (and_(eq(j, 0), gt(arith(6, "//", i), 1)), "j != 0 or i != 0"),
    (not_(and_(ge(size(q), 1), eq(index(q, 0), 1))), "True"),
    (and_(ne(q, seq()), eq(index(q, -1), 1)), "True"),
    (all_(gt(arith(6, "//", x), 0), gen("x", s, lt(x, 0))), "True"),
    (and_(le(0, i), lt(i, size(q)), eq(index(q, i), 1)), "True"),
    (and_(lt(i, size(q)), le(neg(size(q)), i), eq(index(q, i), 1)), "True"),
    (and_(ne(o, expr(None)), gt(unwrap(o), 1), lt(unwrap(o), 3)), "True"),
    (and_(ne(m, expr(None)), is_a(unwrap(m), POINT), get(unwrap(m), "on")), "True"),
    (and_(is_a(r, MARK, POINT), get(r, "on")), "not isinstance(r, Mark | Point) or isinstance(r, Point)"),
    (if_(ne(i, 0), arith(6, "//", i), 0), "True"),
    (if_(b, arith(6, "//", i), 0), "not b or i != 0"),
    (if_(b, 0, arith(6, "//", i)), "b or i != 0"),
    (if_(b, arith(6, "//", j), arith(6, "//", i)), "j != 0 if b else i != 0"),
    (if_(b, arith(1, "//", i), arith(6, "//", i)), "i != 0"),
    (add(arith(1, "//", i), arith(2, "//", i)), "i != 0"),
    # every element
    (all_(gt(index(q, x), 0), gen("x", range_(0, size(q)))), "True"),
    (all_(gt(index(q, x), 0), gen("x", range_(0, size(s)))), "all(x < len(q) for x in range(0, len(s)))"),
    (all_(gt(arith(6, "//", x), 0), gen("x", s, ne(x, 0))), "True"),
    (all_(gt(arith(6, "//", x), 0), gen("x", s, b)), "all(x != 0 for x in s if b)"),
    (all_(True, gen("x", s, gt(arith(6, "//", x), 0))), "all(x != 0 for x in s)"),
    (
        all_(gt(arith(6, "//", x), 0), gen("x", s, gt(arith(6, "//", i), 0), lt(x, 2))),
        "all(i != 0 and (not 6 // i > 0 or not x < 2 or x != 0) for x in s)",
    ),
    (
        all_(gt(arith(x, "//", local("y")), 0), gen("x", s), gen("y", range_(0, x))),
        "all(y != 0 for x in s for y in range(0, x))",
    ),
    (all_(eq(apply(f, x), 1), gen("x", range_(0, add(const("n"), 1)))), "True"),
    (all_(eq(apply(g, local("c", COLOR)), 1), gen("c", members(Color))), "True"),
    (comp(arith(6, "//", x), gen("x", s)), "all(x != 0 for x in s)"),
    (seq_comp(arith(6, "//", x), gen("x", q)), "all(x != 0 for x in q)"),
    (fun_comp("k", range_(0, 3), arith(6, "//", local("k"))), "all(k != 0 for k in range(0, 3))"),
    # names and helpers
    (let("t", add(i, 1), arith(6, "//", local("t"))), "i + 1 != 0"),
    (let("t", arith(6, "//", i), 1), "i != 0"),
    (
        let("t", add(i, 1), add(arith(6, "//", local("t")), index(q, local("t")))),
        "let t = i + 1 in t != 0 and -len(q) <= t and t < len(q)",
    ),
    (call(by, add(i, 1)), "i + 1 != 0"),
    (call(by, 2), "True"),
    (call(nth, i, j), "-len(q) <= i - j and i - j < len(q)"),
    (call(held, 5, arith(6, "//", j)), "j != 0 and all(k != 0 for k in s)"),
]


@pytest.mark.parametrize(("tree", "wanted"), CASES, ids=lambda item: item if isinstance(item, str) else "-")
def test_condition(tree: ir.Expr, wanted: str) -> None:
    assert pretty_expr(defined(tree, PROTOCOL)).replace("self.", "") == wanted


def test_domains_of_local_names_settle_keys() -> None:
    tree = apply(f, x)
    assert pretty_expr(defined(tree, PROTOCOL)) == "0 <= x and x <= n"
    assert defined(tree, PROTOCOL, {"x": ints(0, const("n"))}) == TRUE
    assert defined(tree, PROTOCOL, {"x": ints(1, sub(const("n"), 1))}) == TRUE
    assert pretty_expr(defined(tree, PROTOCOL, {"x": ints(0, 3)})) == "x <= n"


def test_a_ring_index_is_inside_where_an_interval_shows_that_the_ring_is_not_empty() -> None:
    machine = philosophers()
    assert [obligation for act in machine.actions for obligation in action_obligations(act, machine)] == []
    forks = var("forks", types.Function(INT, OPTIONAL_INT))
    wrapped = apply(forks, arith(add(local("i"), 1), "%", const("count")))
    assert pretty_expr(defined(wrapped, machine, {"i": ints(0, 5)})) == (
        "count != 0 and 0 <= (i + 1) % count and (i + 1) % count <= count - 1"
    )


def test_helpers_after_the_step_are_asked_of_the_state_after() -> None:
    ratio = helper("ratio", arith(6, "//", add(var("n"), local("v"))), v=INT)
    machine = protocol(
        "M",
        variable("n", ints(0, 3), 0),
        ratio,
        prop("same", "transition_invariant", eq(call(ratio, var("n")), call(ratio, var("n"), after=True))),
    )
    (obligation,) = property_obligations(machine)
    assert pretty_expr(obligation.condition) == "self.n + self.n != 0 and after.n + self.n != 0"
    assert obligation.property.name == "same"


def test_arguments_do_not_mix_with_parameters_of_the_same_name() -> None:
    inner = helper("inner", arith(local("x"), "//", local("y")), x=INT, y=INT)
    machine = protocol("M", variable("n", ints(0, 3), 0), inner)
    tree = let("y", add(var("n"), 1), call(inner, local("y"), sub(local("y"), 2)))
    assert pretty_expr(defined(tree, machine)) == "self.n + 1 - 2 != 0"
    swapped = let("x", var("n"), let("y", add(var("n"), 1), call(inner, local("y"), local("x"))))
    assert pretty_expr(defined(swapped, machine)) == "self.n != 0"


def test_a_helpers_binders_do_not_capture() -> None:
    divides = helper("divides", all_(gt(arith(local("v"), "//", sub(local("k"), local("v"))), 0), gen("k", s)), v=INT)
    tree = all_(call(divides, local("k")), gen("k", range_(0, 3)))
    machine = protocol("M", variable("s", ir.PowerSet(element=ints(0, 3)), set_()), divides)
    text = pretty_expr(defined(tree, machine))
    assert text == "all(k_2 - k != 0 for k in range(0, 3) for k_2 in self.s)"


def test_exact_and_safe_on_random_expressions() -> None:
    settled = 0
    for seed in range(3000):
        tree = random_expression(seed, 1 + seed % 4)
        condition = defined(tree, PROTOCOL)
        settled += condition == TRUE
        for state in (random_state(seed), random_state(seed + 100_000)):
            try:
                evaluate(tree, state, {}, INSTANCE)
                has_value = True
            except Undefined:
                has_value = False
            assert evaluate(condition, state, {}, INSTANCE) is has_value, seed
    # Both kinds occur: what is settled without asking, and what has to be asked.
    assert 500 < settled < 2500


def _texts(act: ir.Action, machine: ir.Protocol) -> list[tuple[int, str | None, str]]:
    found = action_obligations(act, machine)
    return [(len(item.steps_before), item.guard, pretty_expr(item.condition)) for item in found]


def test_obligations_of_guards_name_them_and_leave_with_them() -> None:
    machine = guarded_definedness()
    act = machine.action("pop_big")
    assert _texts(act, machine) == [(1, "is_big", "len(self.stack) > 0"), (2, None, "len(self.stack) > 0")]
    variant = drop_guard(machine, "pop_big.is_big")
    assert _texts(variant.action("pop_big"), variant) == [(1, None, "len(self.stack) > 0")]
    # Without the first guard the obligations are the same and hold no longer.
    variant = drop_guard(machine, "pop_big.not_empty")
    assert _texts(variant.action("pop_big"), variant) == [
        (0, "is_big", "len(self.stack) > 0"),
        (1, None, "len(self.stack) > 0"),
    ]


def test_guards_of_the_same_call_are_not_among_the_steps_before() -> None:
    n = var("n")
    act = action("act", guard("a", gt(arith(4, "//", n), 0)), guard("b", ne(n, 0)), guard("c", ne(arith(4, "%", n), 1)))
    machine = protocol("M", variable("n", ints(0, 3), 0), act)
    assert _texts(act, machine) == [(0, "a", "self.n != 0"), (0, "c", "self.n != 0")]


def test_when_guards_its_step_and_is_asked_itself() -> None:
    n = var("n")
    act = action(
        "act",
        guard("a", gt(arith(4, "//", n), 0), when=ne(n, 0)),
        guard("b", True, 1, when=gt(arith(4, "//", sub(n, 1)), 0)),
        bind("t", arith(4, "//", sub(n, 2)), when=eq(n, 3)),
    )
    machine = protocol("M", variable("n", ints(0, 3), 0), act)
    assert _texts(act, machine) == [(1, "b", "self.n - 1 != 0"), (2, None, "self.n != 3 or self.n - 2 != 0")]


def test_assertions_are_obligations_and_facts_for_what_follows() -> None:
    n, d = var("n"), var("o", types.Optional(INT))
    act = action("act", oblige(ne(d, expr(None))), bind("t", unwrap(d)), n=add(unwrap(d), local("t")))
    machine = protocol("M", variable("n", ints(0, 9), 0), variable("o", ir.OptionalSet(item=ints(0, 3)), None), act)
    assert _texts(act, machine) == [(0, None, "self.o != None")]
    careful = action("act", assume(ne(n, 0)), bind("t", arith(6, "//", n)))
    assert _texts(careful, protocol("M", variable("n", ints(0, 9), 0), careful)) == []


def test_an_earlier_guard_proves_nothing_since_variants_lack_it() -> None:
    n = var("n")
    act = action("act", guard("g", ne(n, 0), 0), guard("h", gt(arith(4, "//", n), 0), 1), n=arith(4, "//", n))
    machine = protocol("M", variable("n", ints(0, 9), 0), act)
    assert _texts(act, machine) == [(1, "h", "self.n != 0"), (2, None, "self.n != 0")]


def test_a_name_bound_under_a_branch_proves_no_domain_inhabited() -> None:
    # With n = 0 the branch is never taken; `k % n` is undefined all the same.
    held = var("held", types.Optional(INT))
    act = action(
        "act",
        bind("t", unwrap(held), when=ne(held, expr(None))),
        guard("g", eq(arith(3, "%", const("n")), 0)),
    )
    spot = ir.OptionalSet(item=ints(0, sub(const("n"), 1)))
    machine = protocol("M", constant("n", 0), variable("held", spot, None), act)
    assert _texts(act, machine) == [(1, "g", "n != 0")]


def test_parameters_and_init() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 9)),
        init(param("k", ints(0, 2)), assume(ne(local("k"), 1)), n=arith(4, "//", local("k"))),
    )
    (obligation,) = init_obligations(machine)
    assert pretty_expr(obligation.condition) == "k != 0"
    assert len(obligation.steps_before) == 1


def test_obligations_of_the_handmade_machines() -> None:
    assert _texts(wire().action("receive"), wire()) == [
        (1, None, "self.on_wire != None"),
        (3, None, "isinstance(message, Data)"),
    ]
    assert _texts(slots().action("claim"), slots()) == []
    assert property_obligations(slots()) == ()


def test_obligations_agree_with_the_interpreter() -> None:
    """In every state and for every argument: the first obligation that fails is where the action is ill-defined."""
    from protocheck.transpiler.interpreter import IllDefined, attempt, choices
    from protocheck.transpiler.reference import reachable_states

    from ..handmade import MACHINES

    seen = {True: 0, False: 0}
    for make_machine in MACHINES.values():
        machine = make_machine()
        for protocol_ in (machine, *(drop_guard(machine, name) for name in machine.guard_names)):
            instance = instantiate(protocol_)
            for state in reachable_states(instance, 60):
                for act in protocol_.actions:
                    obligations = action_obligations(act, protocol_)
                    for arguments in choices(instance, act.name):
                        ill = isinstance(attempt(instance, state, act, arguments), IllDefined)
                        assert _fails(obligations, state, dict(arguments), instance) is ill
                        seen[ill] += 1
    assert seen[True] > 20
    assert seen[False] > 2000


def _fails(obligations: tuple, state: dict, locals_: dict, instance: object) -> bool:  # type: ignore[type-arg]
    """Evaluate the obligations as they are documented: in order, each where the steps before it hold."""
    for obligation in obligations:
        names = dict(locals_)
        if _premises(obligation.steps_before, state, names, instance) and not evaluate(
            obligation.condition,
            state,
            names,
            instance,  # type: ignore[arg-type]
        ):
            return True
    return False


def _premises(before: tuple[ir.Step, ...], state: dict, names: dict, instance: object) -> bool:  # type: ignore[type-arg]
    for step in before:
        if step.when is not None and not evaluate(step.when, state, names, instance):  # type: ignore[arg-type]
            continue
        match step:
            case ir.Bind():
                names[step.name] = evaluate(step.value, state, names, instance)  # type: ignore[arg-type]
            case ir.Guard() | ir.Assume():
                if not evaluate(step.condition, state, names, instance):  # type: ignore[arg-type]
                    return False
            case ir.Oblige():
                pass
    return True


def test_membership_in_a_function_is_asked_of_its_keys_where_no_domain_is_known() -> None:
    table = constant("table", {1: 2}, BY_INT)
    machine = protocol("M", table, variable("n", ints(0, 3), 0))
    tree = apply(const("table", BY_INT), var("n"))
    assert pretty_expr(defined(tree, machine)) == "self.n in table"
    assert in_(1, s) != tree
