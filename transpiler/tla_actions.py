"""Init, the actions with their guards, Next, fairness, and what must be defined for the actions to be evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import ir
from .definedness import Obligation, action_obligations, init_obligations
from .tla_domains import domain_set
from .tla_expressions import as_value, branches
from .tla_layout import WIDTH, Lines, hanging, indented, lines
from .tla_names import NEXT, TERMINATED, VARS, identifier
from .tla_operators import (
    Conjunct,
    Operator,
    assignment,
    comments,
    definitions,
    head,
    parameters,
    position,
    step_condition,
)
from .tla_scope import Scope
from .tla_syntax import Text, atom, bounded, infix, joined, parenthesised


@dataclass(frozen=True)
class GuardPlan:
    """How the guards of an action are divided among operators, decided on the baseline for all its variants.

    `calls` are its guard calls in order. They are `split`, an operator each, where something is defined only behind
    some of them: `WellDefined` then refers to just those.
    """

    calls: tuple[int, ...]
    split: bool

    @staticmethod
    def of(action: ir.Action, protocol: ir.Protocol) -> GuardPlan:
        calls = _calls(action.steps)
        behind = [_calls(item.steps_before) for item in action_obligations(action, protocol)]
        return GuardPlan(calls, any(0 < len(some) < len(calls) for some in behind))

    def part(self, action: ir.Action, call_id: int, scope: Scope) -> str:
        """The operator of one guard call."""
        return scope.names["guards", f"{action.name}.{self.calls.index(call_id) + 1}"]


def _calls(steps: Iterable[ir.Step]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(step.call for step in steps if isinstance(step, ir.Guard)))


def actions_of(action: ir.Action, protocol: ir.Protocol, dropped: str | None, scope: Scope) -> list[Operator]:
    """The operators of an action: its guards without the dropped one, and the action itself."""
    plan = GuardPlan.of(action, protocol)
    names, inner = parameters(action.parameters, scope)
    before, guarded, after = _arranged(action.steps)
    result: list[Operator] = []
    own: list[Conjunct] = []
    if plan.calls:
        result += _guard_operators(action, plan, guarded, names, dropped, inner)
        own.append(Conjunct((head(scope.names["guards", action.name], names),)))
    wanted = [*_expressions((*before, *after)), *(update.value for update in action.updates)]
    lets, local = definitions(action.steps, wanted, inner)
    items = [step_condition(step, local) for step in before] + own + [step_condition(step, local) for step in after]
    items += [
        assignment(f"{scope.names.variables[update.variable]}'", update.value, local) for update in action.updates
    ]
    items += _unchanged({update.variable for update in action.updates}, scope)
    name = head(scope.names["action", action.name], names)
    return [*result, Operator(name, comments(action.doc, action.span), lets=lets, items=tuple(items))]


def _guard_operators(
    action: ir.Action,
    plan: GuardPlan,
    guarded: Sequence[ir.Guard | ir.Assume],
    names: tuple[str, ...],
    dropped: str | None,
    scope: Scope,
) -> Iterable[Operator]:
    whole = head(scope.names["guards", action.name], names)
    if not plan.split:
        yield _guard_operator(whole, action, guarded, dropped, scope)
        return
    parts = []
    for call_id in plan.calls:
        # An assumption between two calls goes with the one behind it.
        chosen = [step for place, step in enumerate(guarded) if _call_from(guarded[place:]) == call_id]
        parts.append(head(plan.part(action, call_id, scope), names))
        yield _guard_operator(parts[-1], action, chosen, dropped, scope)
    yield Operator(whole, items=tuple(Conjunct((part,)) for part in parts))


def _call_from(steps: Iterable[ir.Guard | ir.Assume]) -> int | None:
    return next((step.call for step in steps if isinstance(step, ir.Guard)), None)


def _guard_operator(
    operator: str, action: ir.Action, steps: Sequence[ir.Guard | ir.Assume], dropped: str | None, scope: Scope
) -> Operator:
    # The dropped guard is rendered with the others, so that the module defines and extends what its baseline does.
    lets, local = definitions(action.steps, _expressions(steps), scope)
    rendered = [
        (step, step_condition(step, local, identifier(step.name) if isinstance(step, ir.Guard) else ""))
        for step in steps
    ]
    items = tuple(
        item for step, item in rendered if not (isinstance(step, ir.Guard) and _is(action, step.name, dropped))
    )
    return Operator(operator, lets=lets, items=items, body=() if items else ("TRUE",))


def _is(action: ir.Action, guard: str | None, dropped: str | None) -> bool:
    return dropped is not None and f"{action.name}.{guard}" == dropped


def _arranged(
    steps: Iterable[ir.Step],
) -> tuple[list[ir.Assume], list[ir.Guard | ir.Assume], list[ir.Assume]]:
    """Assumptions before the first guard; guards, with assumptions between them; assumptions behind the last guard."""
    conditions = [step for step in steps if isinstance(step, ir.Guard | ir.Assume)]
    places = [place for place, step in enumerate(conditions) if isinstance(step, ir.Guard)]
    first, last = (places[0], places[-1] + 1) if places else (len(conditions), len(conditions))
    before = [step for step in conditions[:first] if isinstance(step, ir.Assume)]
    after = [step for step in conditions[last:] if isinstance(step, ir.Assume)]
    return before, conditions[first:last], after


def _expressions(steps: Iterable[ir.Step]) -> list[ir.Expr]:
    found: list[ir.Expr] = []
    for step in steps:
        if not isinstance(step, ir.Bind):
            found += [step.condition] if step.when is None else [step.when, step.condition]
    return found


def _unchanged(changed: set[str], scope: Scope) -> list[Conjunct]:
    kept = [text for name, text in scope.names.variables.items() if name not in changed]
    if not changed:
        return [Conjunct((f"UNCHANGED {VARS}",))]
    if not kept:
        return []
    return [Conjunct((f"UNCHANGED {kept[0]}" if len(kept) == 1 else f"UNCHANGED <<{', '.join(kept)}>>",))]


# ----------------------------------------------------------------------------------------------- init and next


def init_of(init: ir.Init, scope: Scope) -> Operator:
    """The initial states: choices, assumptions, and a value for every variable."""
    quantifiers, inner = _choices("\\E", init.parameters, scope)
    assumed = [step for step in init.steps if isinstance(step, ir.Assume)]
    wanted = [*_expressions(assumed), *(update.value for update in init.updates)]
    lets, local = definitions(init.steps, wanted, inner)
    items = [step_condition(step, local) for step in assumed]
    items += [assignment(scope.names.variables[update.variable], update.value, local) for update in init.updates]
    return Operator("Init", comments(init.doc, init.span), quantifiers, lets, tuple(items))


def _choices(quantifier: str, items: Iterable[ir.Parameter], scope: Scope) -> tuple[Lines, Scope]:
    """A quantifier for each parameter, the leftmost outermost: TLC then varies it slowest, as everything here does."""
    found = []
    for item in items:
        source = domain_set(item.domain, scope)
        name, scope = scope.parameter(item.name, item.domain)
        found.append(f"{quantifier} {bounded(name, source)} :")
    return tuple(found), scope


def terminated_of(protocol: ir.Protocol, scope: Scope) -> Operator | None:
    """The stuttering step of terminal states, where the protocol has such states."""
    terminal = protocol.of_kind("terminal")
    if not terminal:
        return None
    bodies = [scope.text(item.body) for item in terminal]
    value = joined("\\/", bodies)
    if len(terminal) > 1 or branches(terminal[0].body, protocol):
        value = as_value(value)
    notes = tuple(line for item in terminal for line in comments(item.doc, item.span))
    return Operator(TERMINATED, notes, items=(Conjunct((str(value),)), Conjunct((f"UNCHANGED {VARS}",))))


def next_of(protocol: ir.Protocol, scope: Scope) -> Operator:
    """The disjunction of everything that can happen; every disjunct is a named operator, so that TLC can name it."""
    items = []
    for action in protocol.actions:
        items.append(Conjunct((" ".join((*_choices("\\E", action.parameters, scope)[0], _applied(action, scope))),)))
    if protocol.of_kind("terminal"):
        items.append(Conjunct((TERMINATED,)))
    if not items:
        return Operator(NEXT, body=(f"FALSE /\\ UNCHANGED {VARS}",))
    return Operator(NEXT, items=tuple(items), bullet="\\/")


def _applied(action: ir.Action, scope: Scope) -> str:
    names, _ = parameters(action.parameters, scope)
    return head(scope.names["action", action.name], names)


def fairness_of(protocol: ir.Protocol, scope: Scope) -> list[str]:
    """The fairness conditions, of steps that change something."""
    found = []
    if protocol.fairness is not None:
        found.append(f"{_fair(protocol.fairness)}({NEXT})")
    for action in protocol.actions:
        if action.fairness is None:
            continue
        each = [item for item in action.parameters if item.name in action.each]
        others = [item for item in action.parameters if item.name not in action.each]
        outside, _ = _choices("\\A", each, scope)
        # The names of all parameters, bound in the order of the action, as they stand in its call.
        inside, _ = _choices("\\E", others, parameters(each, scope)[1] if each else scope)
        called = " ".join((*inside, _applied(action, scope)))
        found.append(" ".join((*outside, f"{_fair(action.fairness)}({called})")))
    return found


def _fair(strength: str) -> str:
    return f"{'WF' if strength == 'weak' else 'SF'}_{VARS}"


# ------------------------------------------------------------------------------------------------- well-defined


def well_defined_actions(protocol: ir.Protocol, dropped: str | None, scope: Scope) -> list[Conjunct]:
    """For each action and argument: where the guards and assumptions so far hold, what comes next has a value."""
    found = []
    for action in protocol.actions:
        plan = GuardPlan.of(action, protocol)
        for obligation in action_obligations(action, protocol):
            conjunct = _obligation(action, plan, obligation, scope)
            if not _is(action, obligation.guard, dropped):
                found.append(conjunct)
    return found


def well_defined_init(protocol: ir.Protocol, scope: Scope) -> list[Conjunct]:
    """The same of init's choices: a condition over constants."""
    choices = ir.Action("", protocol.init.parameters, protocol.init.steps, protocol.init.updates)
    return [_obligation(choices, GuardPlan((), False), obligation, scope) for obligation in init_obligations(protocol)]


def _obligation(action: ir.Action, plan: GuardPlan, obligation: Obligation, scope: Scope) -> Conjunct:
    quantifiers, inner = _choices("\\A", action.parameters, scope)
    names = [str(inner.locals[item.name]) for item in action.parameters]
    assumed = [step for step in obligation.steps_before if isinstance(step, ir.Assume)]
    lets, local = definitions(action.steps, [obligation.condition, *_expressions(assumed)], inner)
    calls = _calls(obligation.steps_before)
    before: list[Text] = []
    for step in obligation.steps_before:
        if isinstance(step, ir.Assume):
            holds = local.text(step.condition)
            before.append(holds if step.when is None else infix("=>", local.text(step.when), holds))
        elif isinstance(step, ir.Guard):
            every = len(calls) == len(plan.calls)
            operator = scope.names["guards", action.name] if every else plan.part(action, step.call, scope)
            text = atom(head(operator, names))
            before += [text] if text not in before else []
    block = lines(obligation.condition, local, WIDTH - 12)
    if before:
        antecedent = joined("/\\", before)
        whole = str(infix("=>", antecedent, local.text(obligation.condition)))
        shown = antecedent if antecedent.low > 1 else parenthesised(antecedent)
        block = (whole,) if len(whole) <= WIDTH - 12 else (f"{shown} =>", *indented(block))
    if lets:
        block = hanging("IN  ", block)
        for place, definition in reversed(list(enumerate(lets))):
            block = (*hanging("LET " if place == 0 else "    ", definition), *block)
    if len(block) == 1 and len(block[0]) + sum(map(len, quantifiers)) < WIDTH - 8:
        return Conjunct((" ".join((*quantifiers, *block)),), position(obligation.span))
    if quantifiers:
        block = (" ".join(quantifiers), *indented(block))
    return Conjunct(block, position(obligation.span))
