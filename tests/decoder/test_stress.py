"""Whole requests under everything that can happen to them: delays anywhere, aborts at any step, exceptions anywhere.

However a request ends, what was emitted is what plain decoding emits there; the protocols are at their ends and the
caches empty; no thread is left, and the decoder takes the next text. All invariants are evaluated after each step.
"""

from __future__ import annotations

import faulthandler
import functools
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from protocheck import snapshot
from protocheck.runtime.adoption import Adopted
from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.drafters.base import Context, Drafter, Outcome, TargetFacts
from protocheck.runtime.drafting import Aborted, InlineDrafting
from protocheck.runtime.request import Request
from protocheck.runtime.tree import DraftTree
from protocheck.runtime.workers import ThreadedDrafting

from .drafters import EmptyDrafter, HalfRightDrafter, RandomDrafter, RightDrafter
from .models import tiny

LENGTH = 16
PATIENCE = 120.0
"""Seconds after which a request counts as stuck. It takes a fraction of one."""


class Planted(RuntimeError):
    """Raised by the test, in the drafter or in the target."""


class Chaos:
    """What happens to one request: delays at random, and one thing at one moment.

    at: the thing happens when the moments have been counted down.
    """

    def __init__(self, dice: random.Random, what: str, at: int) -> None:
        self.dice, self.what, self.at = dice, what, at
        self.aborting: list[threading.Thread] = []
        self.abort: Callable[[], None] = lambda: None
        self._left = {"abort": at, "drafter": at, "target": at}
        self._lock = threading.Lock()

    def moment(self, where: str) -> None:
        """A protocol's step ("abort"), a draft ("drafter"), or a layer of the target ("target")."""
        with self._lock:
            self._left[where] -= 1
            due = self._left[where] == 0 and where == self.what
            pause = self.dice.random() * 0.002 if self.dice.random() < 0.1 else 0.0
        if pause:
            time.sleep(pause)
        if due and where == "abort":
            # From another thread, as a user would; it may have to wait for the step that is being taken.
            self.aborting.append(threading.Thread(target=self.abort))
            self.aborting[-1].start()
        elif due:
            raise Planted(where)


class Chaotic:
    """A drafter to which things happen."""

    def __init__(self, drafter: Drafter) -> None:
        self.drafter = drafter
        self.chaos: Chaos | None = None
        self.open = 0

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        return self.drafter.hidden_layers

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        self.open += 1
        self.drafter.start(prompt, target)

    def draft(self, context: Context, budget: int) -> DraftTree:
        assert self.chaos is not None
        self.chaos.moment("drafter")
        tree = self.drafter.draft(context, budget)
        self.chaos.moment("drafter")
        return tree

    def accepted(self, outcome: Outcome) -> None:
        self.drafter.accepted(outcome)

    def close(self) -> None:
        self.open = 0
        self.drafter.close()


class Watched(SpeculativeDecoder):
    """Keeps the request that it had last."""

    last: Request

    @contextmanager
    def _request(self, call: Any) -> Iterator[Any]:
        with super()._request(call) as pair:
            self.last = pair[0]
            yield pair


@functools.cache
def model() -> Any:
    return tiny("gemma3", layers=3)


@functools.cache
def assistant() -> Any:
    return tiny("llama", layers=1, seed=1)


PROMPT = torch.tensor([[5, 17, 3, 44, 17, 3, 9, 80, 23, 61, 7, 12]])


@functools.cache
def plain(seed: int | None) -> tuple[int, ...]:
    """The text of plain generation: greedy, or sampled under a seed."""
    torch.manual_seed(seed or 0)
    found = model().generate(PROMPT, attention_mask=torch.ones_like(PROMPT), **arguments(seed))
    return tuple(found[0].tolist())


def arguments(seed: int | None) -> dict[str, Any]:
    return {"max_new_tokens": LENGTH, "do_sample": seed is not None, "eos_token_id": None}


def drafter(dice: random.Random, text: tuple[int, ...]) -> Drafter:
    match dice.randrange(6):
        case 0:
            return EmptyDrafter()
        case 1:
            return RandomDrafter(dice.randrange(1000))
        case 2:
            return RightDrafter(text, branches=1)
        case 3:
            return AssistantDrafter(assistant(), branches=2, least=0.0)
        case 4:
            # One that sees hidden states drafts when it is asked to, and not ahead.
            seeing = HalfRightDrafter(text, 0.7, seed=dice.randrange(1000))
            seeing.hidden_layers = (1,)
            return seeing
        case _:
            return HalfRightDrafter(text, 0.7, branches=dice.randrange(2), seed=dice.randrange(1000))


def one_request(decoder: Watched, chaos: Chaos, seed: int | None, taken: int | None) -> tuple[str, list[int]]:
    """How it ended, and what had been emitted."""
    torch.manual_seed(seed or 0)
    emitted: list[int] = []
    stream = decoder.stream(PROMPT, attention_mask=torch.ones_like(PROMPT), **arguments(seed))
    try:
        for one in stream:
            emitted.append(one.token)
            if len(emitted) == taken:
                stream.close()  # type: ignore[attr-defined]
                return "closed", emitted
    except Aborted:
        return "aborted", emitted
    except Planted as error:
        return str(error), emitted
    finally:
        for thread in chaos.aborting:
            thread.join()
    return "complete", emitted


def at_its_end(decoder: Watched, chaotic: Chaotic) -> None:
    """Nothing is in flight, nothing is held, nobody is left."""
    request = decoder.last
    drafting = request.drafting
    assert isinstance(drafting, InlineDrafting | ThreadedDrafting)
    assert snapshot(drafting.hand_off) == {"phase": "closed", "drafting": None, "waiting": None, "verifying": False}
    assert request.rule.phase == "stopped"
    steps = request.cache.steps
    assert (steps.committed, steps.low, steps.parents, steps.kept) == (0, 0, (), ())
    assert not any(steps.reading.values())
    assert set(request.cache.lengths()) == {0}
    assert chaotic.open == 0
    if isinstance(chaotic.drafter, AssistantDrafter):
        assert chaotic.drafter.cache is None
    assert decoder._running is None


def stress(seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Requests until there were so many rounds; how they ended, counted."""
    dice = random.Random(seed)
    chaos = Chaos(dice, "nothing", 0)
    step, ends = Adopted.take, Counter[str]()
    happenings = itertools.cycle(["abort", "drafter", "close", "target", "abort", "nothing"])

    def delayed(self: Adopted, *given: Any, **named: Any) -> None:
        step(self, *given, **named)
        chaos.moment("abort")

    monkeypatch.setattr(Adopted, "take", delayed)
    hooks = [layer.mlp.register_forward_pre_hook(lambda *_: chaos.moment("target")) for layer in model().model.layers]
    for each in (None, 1, 2):
        plain(each)
    before = threading.active_count()
    try:
        while ends["rounds"] < rounds:
            what = next(happenings)
            seeded = dice.choice([None, 1, 2])
            text = plain(seeded)
            chaotic = Chaotic(drafter(dice, text))
            threads = dice.random() < 0.7
            decoder = Watched(
                model(),
                chaotic,
                tree_budget=dice.choice([1, 3, 8]),
                adaptive=dice.random() < 0.3,
                threads=threads,
                monitors=True,
                provenance=dice.random() < 0.3,
                prefill_chunk=dice.choice([None, 5]),
            )
            for attempt in (what, "nothing"):
                most = {"abort": 120, "drafter": 8, "target": 20}.get(attempt, 1)
                chaos = Chaos(dice, attempt, dice.randrange(most) + 1)
                chaos.abort, chaotic.chaos = decoder.abort, chaos
                taken = dice.randrange(LENGTH) + 1 if attempt == "close" else None
                ended, emitted = one_request(decoder, chaos, seeded, taken)
                ends[ended] += 1
                ends["rounds"] += decoder.statistics.forwards
                ends["in threads"] += threads
                assert emitted == list(text[PROMPT.shape[1] :][: len(emitted)])
                assert (len(emitted) == LENGTH) or ended != "complete"
                assert attempt != "nothing" or ended == "complete"
                at_its_end(decoder, chaotic)
                assert threading.active_count() == before
    finally:
        for hook in hooks:
            hook.remove()
    return ends


def watched(seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The same, with everybody's stack on stderr if it gets stuck, and then the end of the process."""
    faulthandler.dump_traceback_later(PATIENCE + rounds, exit=True)
    try:
        return stress(seed, rounds, monkeypatch)
    finally:
        faulthandler.cancel_dump_traceback_later()


def test_requests_under_stress(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = watched(1, 400, monkeypatch)
    assert all(ends[how] for how in ("complete", "aborted", "drafter", "target", "closed", "in threads")), ends


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 14))
def test_requests_under_stress_for_long(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = watched(seed, 2_000, monkeypatch)
    assert all(ends[how] for how in ("complete", "aborted", "drafter", "target", "closed", "in threads")), ends


def abort_at_each_step(threads: bool, last: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """At the first step, at the second, and so on, until the text is complete before its turn comes; how many."""
    faulthandler.dump_traceback_later(PATIENCE + last, exit=True)
    chaos = Chaos(random.Random(0), "nothing", 0)
    step = Adopted.take

    def counted(self: Adopted, *given: Any, **named: Any) -> None:
        step(self, *given, **named)
        chaos.moment("abort")

    monkeypatch.setattr(Adopted, "take", counted)
    text = plain(None)
    before = threading.active_count()
    try:
        for at in range(1, last + 1):
            chaotic = Chaotic(HalfRightDrafter(text, 0.7, branches=1, seed=at))
            decoder = Watched(model(), chaotic, tree_budget=5, adaptive=False, threads=threads, monitors=True)
            chaos = Chaos(random.Random(at), "abort", at)
            chaos.abort, chaotic.chaos = decoder.abort, chaos
            ended, emitted = one_request(decoder, chaos, None, None)
            assert emitted == list(text[PROMPT.shape[1] :][: len(emitted)])
            at_its_end(decoder, chaotic)
            assert threading.active_count() == before
            if not chaos.aborting:
                assert ended == "complete"
                return at
    finally:
        faulthandler.cancel_dump_traceback_later()
    return last


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
def test_an_abort_at_each_of_the_first_steps(threads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first steps a verifier that waited closed the request, and a drafter that waited was left waiting."""
    assert abort_at_each_step(threads, 24, monkeypatch) == 24


@pytest.mark.soak
@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
def test_an_abort_at_every_step(threads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 50 < abort_at_each_step(threads, 1000, monkeypatch) < 1000
