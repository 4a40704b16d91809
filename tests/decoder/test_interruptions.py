"""Whatever ends a generation early leaves nothing behind: exceptions, aborts, closed streams, refused requests."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from protocheck.runtime.decoder import DecoderBusy, SpeculativeDecoder
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.drafters.base import TargetFacts
from protocheck.runtime.drafting import Aborted
from protocheck.runtime.tree import DraftTree

from .calls import LENGTH, THREADS, Heard, oracle, ours, plain
from .conftest import no_thread_is_left
from .drafters import Drafts, EmptyDrafter, FailingDrafter
from .models import tiny

ROOT = Path(__file__).resolve().parents[2]


class RefusingDrafter(EmptyDrafter):
    """Refuses so many requests."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        if self.started < self.refusals:
            self.started += 1
            raise ValueError("not this one")
        super().start(prompt, target)


# -------------------------------------------------------------------------------------------------------- exceptions


class Broken(RuntimeError):
    pass


@THREADS
@pytest.mark.parametrize("at", [1, 2, 4])
def test_an_exception_in_the_drafter(model: Any, prompt: torch.Tensor, at: int, threads: bool) -> None:
    drafter = FailingDrafter(at, Broken("out of ideas"))
    decoder = SpeculativeDecoder(model, drafter, adaptive=False, threads=threads, monitors=True)
    with pytest.raises(Broken, match="out of ideas"):
        ours(decoder, prompt)
    assert no_thread_is_left()
    # The drafter counts on, and does not fail a second time.
    assert torch.equal(ours(decoder, prompt), plain(model, prompt))


@THREADS
@pytest.mark.parametrize("forward", [0, 1, 2, 3])
def test_an_exception_in_the_target(model: Any, prompt: torch.Tensor, forward: int, threads: bool) -> None:
    """In the second layer, so that the layers are left unequal."""
    decoder = oracle(model, prompt, threads=threads)
    calls = 0

    def fail(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == forward + 1:
            raise Broken("out of memory")

    hook = model.model.layers[1].mlp.register_forward_pre_hook(fail)
    try:
        with pytest.raises(Broken, match="out of memory"):
            ours(decoder, prompt)
    finally:
        hook.remove()
    assert no_thread_is_left()
    assert torch.equal(ours(decoder, prompt), plain(model, prompt))


# ------------------------------------------------------------------------------------------------------------ aborts


@THREADS
def test_an_abort_from_another_thread(model: Any, prompt: torch.Tensor, threads: bool) -> None:
    decoder = oracle(model, prompt, threads=threads)
    heard: list[int] = []

    class Aborting(Heard):
        def put(self, tokens: torch.Tensor) -> None:
            heard.append(1)
            if len(heard) == 6:
                other = threading.Thread(target=decoder.abort)
                other.start()
                other.join()

    with pytest.raises(Aborted, match="after"):
        ours(decoder, prompt, streamer=Aborting())
    assert no_thread_is_left()
    assert 6 <= len(heard) < LENGTH
    assert torch.equal(ours(decoder, prompt), plain(model, prompt))


def test_an_abort_reaches_a_verifier_that_waits_for_a_draft(model: Any, prompt: torch.Tensor) -> None:
    """The draft in flight returns, and then nothing goes on."""
    drafting, go_on = threading.Event(), threading.Event()

    def slow(ids: tuple[int, ...], budget: int) -> DraftTree:
        drafting.set()
        assert go_on.wait(30)
        return DraftTree.root_only(ids[-1])

    decoder = SpeculativeDecoder(model, Drafts(slow), adaptive=False, threads=True)
    ended: list[BaseException] = []

    def generate() -> None:
        try:
            ours(decoder, prompt)
        except BaseException as error:
            ended.append(error)

    verifier = threading.Thread(target=generate)
    verifier.start()
    assert drafting.wait(30)
    decoder.abort()
    go_on.set()
    verifier.join(30)
    assert [type(error) for error in ended] == [Aborted]
    assert decoder.statistics.forwards == 0
    assert no_thread_is_left()


def test_a_stream_that_is_read_on_in_another_thread_can_be_aborted(model: Any, prompt: torch.Tensor) -> None:
    """As servers do, which take each token in whatever thread is free."""
    drafting, go_on = threading.Event(), threading.Event()

    def slow(ids: tuple[int, ...], budget: int) -> DraftTree:
        if len(ids) > prompt.shape[1] + 2:
            drafting.set()
            assert go_on.wait(30)
        return DraftTree.root_only(ids[-1])

    decoder = SpeculativeDecoder(model, Drafts(slow), adaptive=False, threads=True)
    stream = decoder.stream(prompt, max_new_tokens=LENGTH, do_sample=False, eos_token_id=None)
    next(stream)
    ended: list[BaseException] = []

    def read_on() -> None:
        try:
            list(stream)
        except BaseException as error:
            ended.append(error)

    reader = threading.Thread(target=read_on)
    reader.start()
    assert drafting.wait(30)
    decoder.abort()
    go_on.set()
    reader.join(30)
    assert not reader.is_alive()
    assert [type(error) for error in ended] == [Aborted]
    assert no_thread_is_left()


def test_a_stream_that_was_never_closed_does_not_keep_a_process_from_ending() -> None:
    script = """
import torch
from tests.decoder.models import tiny
from protocheck.runtime import PromptLookupDrafter, SpeculativeDecoder
decoder = SpeculativeDecoder(tiny("llama"), PromptLookupDrafter(), threads=True)
stream = decoder.stream(torch.tensor([[5, 6, 7, 5, 6]]), max_new_tokens=20, do_sample=False, eos_token_id=None)
print(next(stream).token >= 0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "True"), ended.stderr


# ----------------------------------------------------------------------------------------------------------- streams


@THREADS
@pytest.mark.parametrize("taken", [0, 1, 3, 10])
def test_a_closed_generator_leaves_nothing_behind(model: Any, prompt: torch.Tensor, taken: int, threads: bool) -> None:
    before = threading.active_count()
    decoder = oracle(model, prompt, threads=threads)
    stream = decoder.stream(prompt, max_new_tokens=LENGTH, do_sample=False, eos_token_id=None)
    got = [next(stream).token for _ in range(taken)]
    stream.close()
    assert threading.active_count() == before
    assert got == plain(model, prompt)[0, prompt.shape[1] : prompt.shape[1] + taken].tolist()
    # The decoder is free for the next text.
    assert torch.equal(ours(decoder, prompt), plain(model, prompt))


# --------------------------------------------------------------------------------------------------- refused requests


def test_a_drafter_that_refuses_a_request_stays_with_the_one_that_it_has(model: Any, prompt: torch.Tensor) -> None:
    drafter = AssistantDrafter(tiny("gemma3"))
    first, second = SpeculativeDecoder(model, drafter), SpeculativeDecoder(model, drafter)
    call = {"max_new_tokens": LENGTH, "do_sample": False, "eos_token_id": None}
    stream = first.stream(prompt, **call)
    began = next(stream).token
    with pytest.raises(RuntimeError, match="already has a request"):
        second.generate(prompt, **call)
    rest = [one.token for one in stream]
    assert [began, *rest] == plain(model, prompt)[0, prompt.shape[1] :].tolist()
    assert torch.equal(ours(second, prompt), plain(model, prompt))


def test_a_call_that_was_refused_does_not_change_the_noise_of_the_next(model: Any, prompt: torch.Tensor) -> None:
    texts = []
    for refusals in (0, 2):
        decoder = SpeculativeDecoder(model, RefusingDrafter(refusals), noise="counter", seed=7)
        for _ in range(refusals):
            with pytest.raises(ValueError, match="not this one"):
                ours(decoder, prompt, do_sample=True)
        texts.append([ours(decoder, prompt, do_sample=True).tolist() for _ in range(2)])
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[0][1], "each request has noise of its own"


def test_one_text_at_a_time(model: Any, prompt: torch.Tensor) -> None:
    decoder = oracle(model, prompt)
    stream = decoder.stream(prompt, max_new_tokens=LENGTH, do_sample=False, eos_token_id=None)
    next(stream)
    with pytest.raises(DecoderBusy, match="one text at a time"):
        ours(decoder, prompt)
    stream.close()
    assert torch.equal(ours(decoder, prompt), plain(model, prompt))
