"""Every guard of the decoder's protocols, dropped, with the checker's counter-example acted out on a real model.

The counter-examples come from the explorer, the effects from forwards of a real model over real rows: the tables below
say what was seen, and fail when something else is.
"""

from __future__ import annotations

import functools
import re
import threading
from typing import Any

import pytest
import torch
import transformers

from protocheck import Protocol, action, guard
from protocheck.acted_variants import counter_examples_without
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.runtime.acting import act_out
from protocheck.runtime.acting_cache import act_on_cache
from protocheck.runtime.acting_stage import Scene
from protocheck.runtime.decoder import Protocols, SpeculativeDecoder
from protocheck.runtime.effects import Act, Effect, Kind
from protocheck.runtime.narrowing import narrowed
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.report import Report
from protocheck.toolchain.results import CheckJob
from protocheck.toolchain.traces import Trace
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.naming import snake_case

from ..cache_variants import FailsUnnoticed
from .drafters import HalfRightDrafter, RandomDrafter
from .models import SHARING, prompt, tiny

# Guard → what comes of dropping it, and why.
TREE_CACHE: dict[str, tuple[Kind, str]] = {
    # A root that was drafted behind one text is verified behind another.
    "prefill.no_tree": ("corrupted", "verifier's forward .* a logit .* is off by"),
    "prefill.room_left": ("crashed", "start_read: top = 5 is outside"),
    # What is forgotten is only that rows are written.
    "filled.has_chunk": ("unharmed", "every forward said what a plain one says"),
    # The tokens of the chunk are certain, and have no rows.
    "filled.is_written": ("corrupted", "verifier's forward .* a logit .* is off by"),
    "extend.no_chunk": ("corrupted", "verifier's forward .* a logit .* is off by"),
    "extend.room_left": ("crashed", "start_read: top = 5 is outside"),
    # Where rows are paged or of a fixed number they would be another's.
    "extend.nodes_left": ("unharmed", "4 of them at most, in buffers that grow"),
    "extend.parent_exists": ("unreached", "no draft tree can be made of that"),
    # Of two forwards of one reader the protocol forgets one, and rows are evicted under it.
    "start_read.reader_idle": ("corrupted", "drafter's forward up to row 1: .* is off by"),
    "start_read.not_behind": ("corrupted", "drafter's forward up to row 1: .* is off by"),
    "start_read.inside_tail": ("crashed", "has no rows, but row 1 is to be read"),
    # Each has written a row of its own for the same token.
    "start_read.one_writer": ("corrupted", "verifier's forward .* a logit .* is off by"),
    "keep.is_written": ("crashed", "holds rows 0 to 0 and cannot be cut to 1 rows"),
    "keep.child_of_the_last": ("crashed", "holds rows 0 to 1 and cannot be cut to 2 rows"),
    # The shortest trace drops rows that a forward goes on to write; for one that moves them, see below.
    "commit.no_reader_above": ("crashed", "holds rows 0 to 0 and cannot be cut to 1 rows"),
    # The sliding mask is made for rows that never were; the older version cuts it to the rows that there are.
    "evict.outside_the_window": ("crashed", "shape")
    if transformers.__version__ >= "5"
    else ("unharmed", "every forward"),
    "evict.nobody_reads": ("corrupted", "drafter's forward up to row 1: .* is off by"),
    "release.nobody_reads": ("crashed", "holds rows 0 to 0 and cannot be cut to 1 rows"),
}
HAND_OFF: dict[str, tuple[Kind, str]] = {
    "start_draft.still_open": ("unharmed", "1 forwards were launched after the end"),
    # Two forwards of one drafter over one cache, which has a guard of its own against this.
    "start_draft.drafter_idle": ("crashed", "start_read.* is refused by reader_idle"),
    "start_draft.nothing_waits": ("unharmed", "1 drafts dropped"),
    "finish_draft.is_drafting": ("unreached", "no draft is under way that could be finished"),
    "draft_failed.is_drafting": ("unreached", "no draft is under way that could fail"),
    "start_verification.still_open": ("unharmed", "1 forwards were launched after the end"),
    # The shortest trace has no draft at all; for one that has, see below.
    "start_verification.from_the_committed_prefix": ("unreached", "no draft waits that could be verified"),
    "verdict.is_verifying": ("unreached", "nothing is being verified that there could be a verdict on"),
    "verification_failed.is_verifying": ("unreached", "nothing is being verified that could fail"),
    "drop.is_stale": ("unharmed", "1 drafts dropped"),
    "abort.still_open": ("unharmed", "0 forwards were launched after the end"),
    "close.is_closing": ("corrupted", "the text ends after 0 tokens, though nobody has ended it"),
    # The cache has a guard of its own against these.
    "close.no_draft_in_flight": ("crashed", r"release\(\) is refused by nobody_reads"),
    "close.no_verification_in_flight": ("crashed", r"release\(\) is refused by nobody_reads"),
}
WALK: dict[str, tuple[Kind, str]] = {
    # The rows of the first tree are taken for those of the second.
    "propose.between_blocks": ("corrupted", "token 1 of the text is .* where plain decoding emits"),
    "propose.one_parent_each": ("unreached", "a draft tree of 2 tokens, but 1 parents"),
    "descend.stop_was_asked": ("corrupted", "2 tokens were emitted, but the text ends after 1"),
    "descend.drafted": ("unreached", "parents come before their children"),
    "descend.agrees": ("corrupted", "token 2 of the text is .* where plain decoding emits"),
    "finish.walking": ("unreached", "no tree was verified"),
    "finish.stop_was_asked": ("corrupted", "2 tokens were emitted, but the text ends after 1"),
    # What was verified is computed again.
    "finish.no_child_agrees": ("unharmed", "what was emitted is plain decoding's"),
    # Nobody asks a text that is over whether it goes on.
    "go_on.not_stopped": ("unharmed", "what was emitted is plain decoding's"),
}
TABLES: dict[type[Protocol], dict[str, tuple[Kind, str]]] = {TreeCache: TREE_CACHE, HandOff: HAND_OFF, Walk: WALK}
EVERY = [(cls, guard) for cls, table in TABLES.items() for guard in table]
DECLARED = {"finish_read.is_reading", "fail_read.is_reading"}
"""Guards whose loss changes nothing in the protocol: there is nothing to act out."""


@functools.cache
def campaign(cls: type[Protocol]) -> Report:
    return check_protocol(compile_protocol(cls), {}, engines=[ExplorerEngine()], mutate=True)


@functools.cache
def model() -> Any:
    """Sliding and full layers; the window is the one of the check, and the token itself."""
    return tiny("gemma3", window=3, layers=3)


def acts_of(trace: Trace) -> tuple[list[Act], dict[str, Any]]:
    """The steps of a trace, and what its initial state chose."""
    first, *steps = trace.steps
    return [Act(step.action or "", dict(step.arguments)) for step in steps], dict(first.arguments)


def counter_example(cls: type[Protocol], guard: str) -> Trace:
    (mutant,) = (mutant for mutant in campaign(cls).mutants or () if mutant.guard == guard)
    trace = mutant.verdict.answer.trace
    assert trace is not None
    return trace


def acted(cls: type[Protocol], guard: str, trace: Trace, *, guarded: bool) -> Effect:
    before = threading.active_count()
    acts, chosen = acts_of(trace)
    name = f"{snake_case(cls.__name__)}.{guard}"
    constants = campaign(cls).instance.constants
    effect = act_out(model(), name, acts, constants, prompt=prompt(8), chosen=chosen, guarded=guarded)
    assert threading.active_count() == before
    return effect


@pytest.mark.parametrize("cls", TABLES)
def test_the_tables_have_every_guard(cls: type[Protocol]) -> None:
    survivors = {mutant.guard for mutant in campaign(cls).mutants or () if mutant.status == "survived"}
    assert survivors <= DECLARED
    assert set(TABLES[cls]) | survivors == set(compile_protocol(cls).guard_names)


@pytest.mark.parametrize(("cls", "guard"), EVERY)
def test_the_guarded_protocol_refuses_the_step(cls: type[Protocol], guard: str) -> None:
    trace = counter_example(cls, guard)
    effect = acted(cls, guard, trace, guarded=True)
    action, name = guard.split(".")
    assert (effect.kind, effect.guards) == ("refused", (name,))
    assert effect.step is not None
    assert acts_of(trace)[0][effect.step].action == action


@pytest.mark.parametrize(("cls", "guard"), EVERY)
def test_what_comes_without_it(cls: type[Protocol], guard: str) -> None:
    kind, why = TABLES[cls][guard]
    effect = acted(cls, guard, counter_example(cls, guard), guarded=False)
    assert effect.kind == kind, effect
    assert re.search(why, effect.why), effect


# ------------------------------------------------------------------------------------ drafts from another text


class OneAtATime(HandOff):
    """As the decoder is built: its verifier verifies one draft after the other, and none that is not there."""

    @action(fairness="weak")
    def start_verification(self) -> None:
        """The waiting draft goes to the target."""
        guard(
            still_open=self.phase == "open",
            from_the_committed_prefix=self.waiting == "true",
            something_waits=self.waiting is not None,
            verifier_idle=not self.verifying,
        )
        self.waiting = None
        self.verifying = True
        self.verifying_from, self.waiting_from = self.waiting_from, None


def test_a_stale_draft_that_is_verified() -> None:
    guard = "start_verification.from_the_committed_prefix"
    instance = instantiate(drop_guard(compile_protocol(OneAtATime), guard))
    found = ExplorerEngine().check(CheckJob(instance))
    assert (found.status, found.violated) == ("violated", "verifies_what_is_committed")
    assert found.trace is not None
    refused = acted(HandOff, guard, found.trace, guarded=True)
    assert (refused.kind, refused.guards) == ("refused", ("from_the_committed_prefix",))
    effect = acted(HandOff, guard, found.trace, guarded=False)
    assert effect.kind == "corrupted", (effect, [str(act) for act in acts_of(found.trace)[0]])
    assert re.search("where plain decoding emits", effect.why), effect


# ------------------------------------------------------------------------------------- not the shortest, but the worst


def test_rows_that_move_under_a_reader() -> None:
    """One guard prevents several things: that a forward writes rows which are gone, and that it reads others than it
    should. The second takes longer to show."""
    guard = "commit.no_reader_above"
    examples = counter_examples_without(compile_protocol(TreeCache), guard)
    assert [example.violated for _, example in examples] == ["no_ghost_reads", "one_writes", "rows_stay_put"]
    gathered = examples[-1][1].trace
    assert acted(TreeCache, guard, gathered, guarded=True).guards == ("no_reader_above",)
    effect = acted(TreeCache, guard, gathered, guarded=False)
    assert (effect.kind, effect.layer) == ("corrupted", 2), effect
    assert re.search("drafter's forward up to row 1: a logit .* is off by", effect.why)


# ------------------------------------------------------------------------------------------- forwards that have failed


@pytest.mark.parametrize(
    ("violated", "actions", "kind", "why"),
    [
        ("kept_is_written", "extend start_read fail_read keep", "crashed", "cannot be cut to 1 rows"),
        ("certain_is_there", "prefill start_read fail_read filled", "corrupted", "verifier's forward .* is off by"),
    ],
)
def test_a_forward_that_fails_unnoticed(violated: str, actions: str, kind: Kind, why: str) -> None:
    """What it has not written is taken for written, of a tree or of a prompt."""
    instance = instantiate(compile_protocol(FailsUnnoticed))
    found = ExplorerEngine().check(CheckJob(instance, frozenset({violated})))
    assert (found.status, found.violated) == ("violated", violated)
    assert found.trace is not None
    acts, _ = acts_of(found.trace)
    assert [act.action for act in acts] == actions.split()
    constants = campaign(TreeCache).instance.constants
    scene = Scene(model(), acts, constants, prompt(8))
    refused = act_on_cache(scene)
    assert (refused.kind, refused.step, refused.guards) == ("refused", 3, ("is_written",))
    effect = act_on_cache(scene, FailsUnnoticed)
    assert effect.kind == kind, effect
    assert re.search(why, effect.why), effect


# --------------------------------------------------------------------------------------------- without a schedule


def test_what_the_decoder_asks_of_its_protocols() -> None:
    """Inline its steps come in an order in which no guard refuses any, so that the loss of one changes nothing; but
    where a token goes is the protocol's answer, and nobody else's."""
    ids = torch.tensor([prompt(12)])
    arguments = {"max_new_tokens": 16, "do_sample": False, "eos_token_id": None}
    plain = model().generate(ids, attention_mask=torch.ones_like(ids), **arguments)
    different = set()
    for cls in TABLES:
        for lost in compile_protocol(cls).guard_names:
            name = f"{snake_case(cls.__name__)}.{lost}"
            drafter = HalfRightDrafter(plain[0].tolist(), 0.6, branches=1)
            decoder = SpeculativeDecoder(
                model(), drafter, tree_budget=6, adaptive=False, protocols=Protocols().without(name)
            )
            output = decoder.generate(ids, attention_mask=torch.ones_like(ids), **arguments)
            if not torch.equal(output, plain):
                different.add(name)
    assert different == {"walk.descend.agrees"}


# ----------------------------------------------------------------------------------------- traces that do not fit


@pytest.mark.parametrize("family", ["gemma3", "mistral", "qwen3_windows", *SHARING])
def test_a_model_of_another_window(family: str) -> None:
    """It is narrowed to the trace's as long as that lasts, and computes as before afterwards."""
    guard = "tree_cache.evict.nobody_reads"
    acts, _ = acts_of(counter_example(TreeCache, "evict.nobody_reads"))
    constants = campaign(TreeCache).instance.constants
    other = tiny(family, window=8, layers=3)
    ids = torch.tensor([prompt(20)])
    before = other(input_ids=ids).logits
    refused = act_out(other, guard, acts, constants, prompt=prompt(8), guarded=True)
    assert (refused.kind, refused.guards) == ("refused", ("nobody_reads",))
    effect = act_out(other, guard, acts, constants, prompt=prompt(8))
    assert effect.kind == "corrupted", effect
    assert effect.note == "the model's window was 3 tokens instead of 8, as in the trace"
    assert other.config.sliding_window == 8
    assert torch.equal(other(input_ids=ids).logits, before)


def test_a_narrowed_model_sees_less() -> None:
    """And decodes as plainly as before: what is acted out on it is compared with what it says itself."""
    other = tiny("gemma3", window=8)
    ids = torch.tensor([prompt(20)])
    arguments = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 12, "do_sample": False}
    before = other.generate(ids, **arguments)
    with narrowed(other, 3):
        plain = other.generate(ids, **arguments)
        decoder = SpeculativeDecoder(other, RandomDrafter(), tree_budget=5, provenance=True)
        assert torch.equal(decoder.generate(ids, **arguments), plain)
        assert decoder.target.layers.window == 3
    assert not torch.equal(before, plain)
    assert torch.equal(other.generate(ids, **arguments), before)


def test_a_model_without_a_window_evicts_nothing() -> None:
    acts, _ = acts_of(counter_example(TreeCache, "evict.nobody_reads"))
    constants = campaign(TreeCache).instance.constants
    effect = act_out(tiny("llama"), "tree_cache.evict.nobody_reads", acts, constants, prompt=prompt(8))
    assert effect.kind == "unreached"
    assert "no sliding layers" in effect.why


def test_a_prompt_that_is_too_short() -> None:
    acts, _ = acts_of(counter_example(TreeCache, "commit.no_reader_above"))
    constants = campaign(TreeCache).instance.constants
    with pytest.raises(ValueError, match="a prompt of 3 tokens; the trace may fill 4 rows"):
        act_out(model(), "tree_cache.commit.no_reader_above", acts, constants, prompt=prompt(3))


@pytest.mark.parametrize("guard", ["rollback.rollback.shrinks", "tree_cache", "tree_cache.commit.no_reader"])
def test_guards_that_there_are_not(guard: str) -> None:
    with pytest.raises(ValueError, match="guard"):
        act_out(model(), guard, [], {"max_rows": 4, "max_nodes": 3}, prompt=prompt(8))
