"""Every forward is a read, those over the prompt too: whatever arrives during one waits until it has returned."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from protocheck import GuardRefused, without
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafting import Aborted
from protocheck.runtime.target import TargetModel

from .conftest import no_thread_is_left
from .drafters import RandomDrafter
from .models import prompt, shared, tiny

IDS = torch.tensor([prompt(24)])
CHUNK = 6


@pytest.mark.parametrize("chunk", [0, 1, 3])
@pytest.mark.parametrize("layer", [0, 3])
def test_nothing_moves_during_a_chunk(chunk: int, layer: int) -> None:
    """In the first one as well, before which there is no row that could be read."""
    target = TargetModel(shared("gemma3"))
    refused: list[tuple[str, ...]] = []

    def during(at: int) -> None:
        if at == layer and cache.committed == chunk * CHUNK:
            for step in (cache.release, cache.commit, cache.filled, lambda: cache.extend(0)):
                with pytest.raises(GuardRefused) as refusal:
                    step()
                refused.append(refusal.value.guards)

    cache = target.new_cache(50, 8, provenance=True, after_update=during)
    target.prefill(cache, IDS[0].tolist(), chunk=CHUNK)
    assert refused == [("nobody_reads",), ("no_reader_above",), ("is_written",), ("no_chunk",)]
    assert cache.committed == IDS.shape[1]
    assert not any(cache.steps.reading.values())


def test_without_its_guard_a_release_during_the_first_chunk_goes_through() -> None:
    target = TargetModel(shared("llama"))
    variant = without(TreeCache, "release.nobody_reads")

    def during(at: int) -> None:
        if at == 1:
            cache.release()

    cache = target.new_cache(50, 8, variant=variant, after_update=during)
    with pytest.raises(GuardRefused, match="has_chunk"):
        target.prefill(cache, IDS[0].tolist())


@contextmanager
def held_up(model: Any, forward: int) -> Iterator[tuple[threading.Event, threading.Event, list[int]]]:
    """The model's n-th forward, counted from 0, says in the middle of it that it is there, and waits to be let go."""
    inside, go_on = threading.Event(), threading.Event()
    forwards: list[int] = []

    def during(*_: Any) -> None:
        forwards.append(len(forwards))
        if forwards[-1] == forward:
            inside.set()
            assert go_on.wait(60)

    hook = model.model.layers[1].mlp.register_forward_pre_hook(during)
    try:
        yield inside, go_on, forwards
    finally:
        go_on.set()
        hook.remove()


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
@pytest.mark.parametrize(("chunk", "forward"), [(None, 0), (CHUNK, 0), (CHUNK, 2)])
def test_an_abort_during_the_prompt(threads: bool, chunk: int | None, forward: int) -> None:
    """The forward returns, no other begins, the caches are given back; the next request is as if nothing had been."""
    model = tiny("gemma3")
    decoder = SpeculativeDecoder(
        model, RandomDrafter(), threads=threads, prefill_chunk=chunk, monitors=True, provenance=True
    )
    arguments = {"attention_mask": torch.ones_like(IDS), "max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
    ended: list[BaseException] = []

    def generate() -> None:
        try:
            decoder.generate(IDS, **arguments)
        except Aborted as error:
            ended.append(error)

    with held_up(model, forward) as (inside, go_on, forwards):
        worker = threading.Thread(target=generate)
        worker.start()
        assert inside.wait(60)
        request = decoder._running
        assert request is not None
        with pytest.raises(GuardRefused, match="nobody_reads"):
            request.cache.release()
        decoder.abort()
        go_on.set()
        worker.join(60)
        assert not worker.is_alive()
        assert len(forwards) == forward + 1
    assert [str(error) for error in ended] == ["aborted after 0 tokens"]
    steps = request.cache.steps
    assert (steps.committed, steps.chunk, steps.parents, steps.written) == (0, 0, (), 0)
    assert not any(steps.reading.values())
    assert set(request.cache.lengths()) == {0}
    assert no_thread_is_left()
    assert torch.equal(decoder.generate(IDS, **arguments), model.generate(IDS, **arguments))


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
def test_a_forward_over_the_prompt_that_fails(threads: bool) -> None:
    """The chunks before it are as they were, its own rows are gone."""
    model = tiny("gemma3")
    seen: list[tuple[int, int, tuple[int, ...]]] = []

    class Watched(SpeculativeDecoder):
        """Looks at the cache before it is released."""

        def look(self) -> None:
            assert self._running is not None
            cache = self._running.cache
            seen.append((cache.committed, cache.steps.chunk, cache.lengths()))

    decoder = Watched(model, RandomDrafter(), threads=threads, prefill_chunk=CHUNK, monitors=True)
    calls = iter(range(100))

    def fail(*_: Any) -> None:
        if next(calls) == 2:
            raise MemoryError("no room for this chunk")

    hook = model.model.layers[2].mlp.register_forward_pre_hook(fail)
    stream = decoder.stream(IDS, attention_mask=torch.ones_like(IDS), max_new_tokens=4, do_sample=False)
    released = TargetModel.prefill

    def prefill(*given: Any, **named: Any) -> Any:
        try:
            return released(*given, **named)
        finally:
            decoder.look()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TargetModel, "prefill", prefill)
        with pytest.raises(MemoryError, match="no room"):
            next(stream)
    hook.remove()
    assert seen == [(2 * CHUNK, 0, (2 * CHUNK,) * 4)]
    assert no_thread_is_left()
