"""IR → IR: the variant of a protocol with exactly one guard dropped."""

from __future__ import annotations

from dataclasses import replace

from . import ir


def drop_guard(protocol: ir.Protocol, guard: str) -> ir.Protocol:
    """The variant without `guard`, written "action.guard".

    Raises `KeyError` where the protocol has no such guard, `AssertionError` if the result were not exactly one guard
    shorter: a mutant that was not applied must never be counted as a survivor.
    """
    action_name, _, guard_name = guard.partition(".")
    if guard not in protocol.guard_names:
        raise KeyError(guard)
    actions = tuple(
        replace(action, steps=tuple(step for step in action.steps if not _is_guard(step, guard_name)))
        if action.name == action_name
        else action
        for action in protocol.actions
    )
    variant = replace(protocol, actions=actions, dropped=guard)
    expected = tuple(name for name in protocol.guard_names if name != guard)
    if variant.guard_names != expected or len(expected) + 1 != len(protocol.guard_names):
        raise AssertionError(f"the variant without {guard} does not differ from its baseline in that one guard")
    return variant


def _is_guard(step: ir.Step, name: str) -> bool:
    return isinstance(step, ir.Guard) and step.name == name
