"""`protocheck decode --drop GUARD`: the checker's counter-example, acted out on the decoder's own model and cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .toolchain.errors import UserError, nearest

if TYPE_CHECKING:
    from .runtime.effects import Effect
    from .toolchain.layout import Block
    from .toolchain.traces import DescribedTrace, Trace
    from .transpiler import ir
    from .transpiler.instance import Instance

PROTOCOLS = ("tree_cache", "hand_off", "walk")


def show_dropped(model: Any, guard: str, prompt: Sequence[int], width: int) -> list[Block]:
    """What a counter-example needs, what the guarded decoder says to it, and what comes of it without the guard.

    It is the one of which the worst comes, of those that violate one property each; of equals the shortest.

    model: of transformers, fp32. guard: as in `tree_cache.commit.no_reader_above`. prompt: tokens, a dozen or so.

    Raises UserError for a guard that there is not, that may be dropped without anything being violated, or whose
    counter-example needs another model.
    """
    from .runtime.effects import worst
    from .toolchain.layout import BLANK, Text, line
    from .toolchain.trace_text import trace_blocks

    protocol, rest = _guard(guard)
    examples = counter_examples_without(protocol, rest)
    if not examples:
        raise UserError(f"nothing is violated without {rest}: there is nothing to show")
    effects = [_acted(model, guard, instance, example.trace, prompt, guarded=False) for instance, example in examples]
    dropped = worst(effects)
    instance, example = examples[effects.index(dropped)]
    guarded = _acted(model, guard, instance, example.trace, prompt, guarded=True)
    return [
        *trace_blocks(example, width),
        BLANK,
        line("acted out on this model with all guards in place: ", Text(*_shown(guarded))),
        line(f"acted out on this model without {guard}: ", Text(*_shown(dropped))),
    ]


def _guard(guard: str) -> tuple[ir.Protocol, str]:
    """The protocol that a guard belongs to, and its name there."""
    from .toolchain.loading import load_protocol
    from .transpiler.frontend import compile_protocol

    name, _, rest = guard.partition(".")
    if name not in PROTOCOLS:
        raise UserError(
            f"{guard} names no guard of the decoder: begin with {', '.join(PROTOCOLS)}{nearest(name, PROTOCOLS)}"
        )
    protocol = compile_protocol(load_protocol(name))
    if rest not in protocol.guard_names:
        raise UserError(f"{name} has no guard {rest}{nearest(rest, protocol.guard_names)}")
    return protocol, rest


def counter_examples_without(protocol: ir.Protocol, guard: str) -> list[tuple[Instance, DescribedTrace]]:
    """The shortest counter-example of the variant, then the shortest that violates each of its invariants, once each.

    A guard may prevent several things, of which the first that goes wrong need not be the worst.
    """
    from .toolchain.check import check_protocol
    from .toolchain.counterexample import counter_examples
    from .toolchain.engines import select_engines
    from .transpiler.mutation import drop_guard

    variant = drop_guard(protocol, guard)
    asked = [None, *((p.name,) for p in variant.properties if p.kind in ("invariant", "transition_invariant"))]
    found: list[tuple[Instance, DescribedTrace]] = []
    for properties in asked:
        report = check_protocol(variant, engines=select_engines("explorer").engines, properties=properties)
        for example in counter_examples(report):
            if all(example.trace != known.trace for _, known in found):
                found.append((report.instance, example))
    return sorted(found, key=lambda each: len(each[1].trace.steps))


def _acted(model: Any, guard: str, instance: Instance, trace: Trace, prompt: Sequence[int], *, guarded: bool) -> Effect:
    from .runtime.acting import act_out
    from .runtime.effects import Act

    first, *steps = trace.steps
    acts = [Act(step.action or "", dict(step.arguments)) for step in steps]
    try:
        return act_out(
            model, guard, acts, instance.constants, prompt=prompt, chosen=dict(first.arguments), guarded=guarded
        )
    except ValueError as error:
        raise UserError(str(error)) from None


def _shown(effect: Effect) -> tuple[str, Any]:
    styles = {"refused": "good", "corrupted": "bad", "crashed": "bad", "unharmed": "warn", "unreached": "warn"}
    marks = {"refused": "✓", "corrupted": "✗", "crashed": "✗"}
    return f"{marks.get(effect.kind, '·')} {effect}", styles[effect.kind]
