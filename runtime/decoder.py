"""`SpeculativeDecoder`: lossless speculative generation with a Hugging Face model, scheduled by checked protocols.

    decoder = SpeculativeDecoder(target, PromptLookupDrafter(), tree_budget=16)
    output = decoder.generate(input_ids, max_new_tokens=128)

`transformers` itself prepares everything that does not depend on how tokens are found: the configuration, the
processors, the stopping criteria, the length, the special tokens. Then it calls the decoder in place of its own loop
(`custom_generate`), and the decoder emits what that loop would have emitted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from ..protocols.hand_off import HandOff
from ..protocols.tree_cache import TreeCache
from ..protocols.walk import Walk
from ..transpiler.questions import without
from .budget import AdaptiveBudget, Budget, FixedBudget
from .cache import protocol_for
from .choosing import Chooser
from .drafters.base import Drafter, TargetFacts
from .drafters.none import NoDrafter
from .drafting import Drafting, InlineDrafting
from .draws import TensorDraws
from .generation import Prepared, check_call, takes_stop_strings
from .monitors import invariants
from .noise import CounterNoise
from .recording import Recorder
from .request import Emitted, Prompt, Request
from .scheduler import Scheduler
from .statistics import Statistics
from .target import TargetModel
from .workers import ThreadedDrafting


class DecoderBusy(RuntimeError):
    """A decoder continues one text at a time: its drafter has state."""


@dataclass(frozen=True)
class Protocols:
    """The protocols that a decoder executes, or variants of them that have lost a guard."""

    tree_cache: type[TreeCache] = TreeCache
    hand_off: type[HandOff] = HandOff
    walk: type[Walk] = Walk

    def without(self, guard: str) -> Protocols:
        """Without one guard, named `tree_cache.commit.no_reader_above`. Raises ValueError for a name of none."""
        name, _, rest = guard.partition(".")
        if name not in self.__dict__ or not rest:
            raise ValueError(f"{guard!r} names no guard of the decoder: begin with {', '.join(self.__dict__)}")
        return Protocols(**{**self.__dict__, name: without(self.__dict__[name], rest)})


class SpeculativeDecoder:
    """Continues texts with the target model, several tokens a forward where the drafter is right.

    target: a causal language model of `transformers`, in eval mode, with eager or sdpa attention.
    drafter: proposes tokens; None: nothing is drafted, and every forward gives one token.
    tree_budget: the most nodes of a draft tree besides its root, at least 1.
    adaptive: fit the budget to what was accepted and what verification cost so far, down to no drafting. False uses
        `tree_budget` always, so that a run can be repeated.
    acceptance: "walk" gives token for token what `target.generate` gives under the same torch seed. "rejection" accepts
        drafts that were sampled from the drafter's distribution; the output has the target's distribution, but other
        draws, and other drafts are an error.
    noise: "torch" draws from torch's default generator, as plain generation. "counter" computes the noise of a token
        from `seed`, the number of the request and the position.
    threads: draft in a thread of its own, which runs ahead of the verdict.
    prefill_chunk: tokens of the prompt that go through the model at once; None for all.
    tokenizer: the target's, where drafters compare it with theirs, and for `stop_strings`.
    protocols: what is executed. monitors: evaluate all invariants after each step. recorder: writes each step down.
    provenance: label every row of the cache, and check every read. The last three are for debugging, and cost time.

    Raises UnsupportedModel for a target whose state cannot be rolled back, ValueError for other bad arguments.
    """

    def __init__(
        self,
        target: Any,
        drafter: Drafter | None = None,
        *,
        tree_budget: int = 16,
        adaptive: bool = True,
        acceptance: Literal["walk", "rejection"] = "walk",
        noise: Literal["torch", "counter"] = "torch",
        seed: int = 0,
        threads: bool = False,
        prefill_chunk: int | None = None,
        tokenizer: Any = None,
        protocols: Protocols | None = None,
        monitors: bool = False,
        recorder: Recorder | None = None,
        provenance: bool = False,
    ) -> None:
        if tree_budget < 1:
            raise ValueError(f"tree_budget={tree_budget}: give at least 1; without a drafter nothing is drafted")
        if prefill_chunk is not None and prefill_chunk < 1:
            raise ValueError(f"prefill_chunk={prefill_chunk}: give at least 1, or None")
        _one_of("acceptance", acceptance, ("walk", "rejection"))
        _one_of("noise", noise, ("torch", "counter"))
        if acceptance == "rejection" and noise == "counter":
            raise ValueError('noise="counter" draws a token at its position; acceptance="rejection" draws otherwise')
        self.target = TargetModel(target)
        self.model = target
        self.drafter: Drafter = NoDrafter() if drafter is None else drafter
        self.facts = TargetFacts.of(target, tokenizer)
        self.tree_budget, self.adaptive = tree_budget, adaptive
        self.acceptance, self.noise, self.seed, self.threads = acceptance, noise, seed, threads
        self.prefill_chunk, self.tokenizer = prefill_chunk, tokenizer
        self.protocols = protocols or Protocols()
        self.monitors, self.recorder, self.provenance = monitors, recorder, provenance
        self.statistics = Statistics()
        self.requests = 0
        self._running: Request | None = None
        self._busy = threading.Lock()
        # Of all its requests: what one has taught about the models holds for the next.
        learns = adaptive and drafter is not None
        self._budget: Budget = AdaptiveBudget(tree_budget) if learns else FixedBudget(tree_budget)

    # --- Generating ----------------------------------------------------------------------------------------------

    def generate(self, input_ids: torch.Tensor | None = None, **arguments: Any) -> Any:
        """Continue a text; arguments and result are those of `target.generate`.

        input_ids: [1, n] int64, n > 0. Besides what `generate` takes as it is: `streamer` is fed token by token in
        order, `stop_strings` needs a tokenizer here or of the decoder.

        Raises ValueError, before anything has begun, for what cannot be decoded losslessly: more than one sequence,
        beams, an empty prompt, or one that is longer than the model's positions.
        """
        arguments = self._checked(input_ids, arguments)
        # The library gives it the prompt, and then keeps it from loops that are not its own.
        streamer = arguments.get("streamer")

        def loop(model: Any, input_ids: torch.Tensor, **prepared: Any) -> Any:
            return self.decode(model, input_ids, streamer, prepared)

        return self.model.generate(**arguments, custom_generate=loop)

    def stream(self, input_ids: torch.Tensor | None = None, **arguments: Any) -> Iterator[Emitted]:
        """The tokens of `generate` one by one, each as soon as it is certain, and where it came from.

        The text is prepared when the first token is asked for. Closing the generator ends the request.
        """
        arguments = self._checked(input_ids, arguments)
        if arguments.pop("streamer", None) is not None:
            raise ValueError("stream() is a streamer itself; give a streamer to generate()")
        prepared: list[Prepared] = []

        def capture(_: Any, input_ids: torch.Tensor, **rest: Any) -> torch.Tensor:
            prepared.append(Prepared.of(input_ids, rest))
            return input_ids

        self.model.generate(**arguments, custom_generate=capture)
        with self._request(prepared[0]) as (request, _), closing(request.run()) as tokens:
            while True:
                # As in `generate`; not across the yield, where it would be the caller's.
                with torch.no_grad():
                    emitted = next(tokens, None)
                if emitted is None:
                    return
                yield emitted

    def __call__(self, model: Any, input_ids: torch.Tensor, **prepared: Any) -> Any:
        """For `model.generate(…, custom_generate=decoder)`; there a streamer gets the prompt only: use `generate`."""
        return self.decode(model, input_ids, None, prepared)

    def decode(self, model: Any, input_ids: torch.Tensor, streamer: Any, prepared: dict[str, Any]) -> Any:
        """What stands in for the library's own loop, with what it has prepared."""
        if model is not self.model:
            raise ValueError(
                f"this decoder was made for another {type(self.model).__name__}: its cache and its masks are for that"
            )
        call = Prepared.of(input_ids, prepared)
        with self._request(call) as (request, chooser):
            for emitted in request.run():
                if streamer is not None:
                    streamer.put(torch.tensor([emitted.token]))
            if streamer is not None:
                streamer.end()
            return call.result(request.ids.clone(), chooser)

    def abort(self) -> None:
        """End the request that is running, from any thread: `generate` and `stream` raise Aborted. Else nothing."""
        running = self._running
        if running is not None:
            running.abort()

    # --- A request -----------------------------------------------------------------------------------------------

    def _checked(self, input_ids: torch.Tensor | None, arguments: dict[str, Any]) -> dict[str, Any]:
        if input_ids is not None:
            if "inputs" in arguments:
                raise ValueError("input_ids was given twice, as inputs too")
            arguments = {**arguments, "inputs": input_ids}
        check_call(self.model, self.target.max_positions, arguments)
        return takes_stop_strings(self.model, self.tokenizer, arguments)

    @contextmanager
    def _request(self, call: Prepared) -> Iterator[tuple[Request, Chooser]]:
        """A request that is ready to run, and is over at the end of the block."""
        call.check(self.acceptance, self.target.steady_positions)
        if not self._busy.acquire(blocking=False):
            raise DecoderBusy("this decoder is generating already; it continues one text at a time: make another")
        try:
            scheduler = Scheduler(recorder=self.recorder)
            nodes = self.tree_budget + 1
            longest = call.max_length
            steps = self._adopted(
                scheduler, protocol_for(self.target.layers, longest + nodes, nodes, self.protocols.tree_cache)
            )
            cache = self.target.new_cache(longest + nodes, nodes, steps=steps, provenance=self.provenance)
            prompt = Prompt(call.input_ids, call.attention_mask, longest)
            noise = CounterNoise(self.seed, self.requests) if self.noise == "counter" and call.do_sample else None
            chooser = self._chooser(call, noise)
            request = Request(
                prompt,
                self.target,
                cache,
                self._drafting(scheduler, replace(self.facts, noise=noise, padding=prompt.padding)),
                self._adopted(
                    scheduler,
                    self.protocols.walk(vocabulary=self.target.vocabulary, max_output=longest, max_nodes=nodes),
                ),
                chooser,
                call.stop,
                self._budget,
                draws=TensorDraws() if self.acceptance == "rejection" else None,
                prefill_chunk=self.prefill_chunk,
                at_end=call.keep_rows(self.model),
                past=call.past,
            )
            self._running, self.statistics = request, request.statistics
            try:
                yield request, chooser
            finally:
                # One that was refused by the cache or the drafter has drawn nothing.
                self.requests += request.statistics.tokens > 0
                self._running = None
                request.close()
        finally:
            self._busy.release()

    def _chooser(self, call: Prepared, noise: CounterNoise | None) -> Chooser:
        return Chooser(
            call.processors,
            sample=call.do_sample,
            noise=noise,
            keep_scores=call.wants("output_scores"),
            keep_logits=call.wants("output_logits"),
        )

    def _drafting(self, scheduler: Scheduler, facts: TargetFacts) -> Drafting:
        hand_off = self._adopted(scheduler, self.protocols.hand_off())
        if self.threads:
            return ThreadedDrafting(self.drafter, facts, hand_off, scheduler)
        return InlineDrafting(self.drafter, facts, hand_off)

    def _adopted(self, scheduler: Scheduler, instance: Any) -> Any:
        if self.monitors or self.recorder is not None or self.threads:
            scheduler.adopt(instance, monitors=invariants(type(instance)) if self.monitors else None)
        return instance


def _one_of(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"{name}={given!r}: give {' or '.join(map(repr, known))}")
