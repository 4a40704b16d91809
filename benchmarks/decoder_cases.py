"""What the decoder's benchmark compares: the models, the prompts, and the ways to generate the same text."""

from __future__ import annotations

import numbers as repetitive_module
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import LogitsProcessorList

from protocheck.runtime import SpeculativeDecoder
from protocheck.runtime.demonstration.shipped import WeightsError, load_block_drafter, load_target, load_tokenizer
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.drafters.base import Context, Outcome, TargetFacts
from protocheck.runtime.drafters.prompt_lookup import PromptLookupDrafter
from protocheck.runtime.request import Emitted
from protocheck.runtime.tree import DraftTree

from .decoder_models import (
    SHAPES,
    Says,
    assistant_of,
    language_model,
    parameters,
    python_source,
    random_prompt,
)

PLAIN = "plain"
THEIRS, OURS = "transformers: ", "ours: "
ASSISTED = (3, 5)
"""Tokens that an assistant drafts, where their number is fixed."""

UNPAID = 0.04
"""The share of time that drafts which do not pay may cost."""


class LeftOut(Exception):
    """A case that cannot be measured here, and why."""


@dataclass(frozen=True)
class Way:
    """One way to generate. run: the text, [1, n] int64. decoder: ours, whose statistics are shown. stream: the tokens
    of the text one by one, by a decoder that has learned nothing yet."""

    name: str
    run: Callable[[], torch.Tensor]
    decoder: SpeculativeDecoder | None = None
    stream: Callable[[], Iterator[Emitted]] | None = None


@dataclass(frozen=True)
class Bound:
    """`one` is expected to be at least `least` times as fast as `other`. in_turns: both stream their text, some tokens
    at a time in turns, which tells a few percent apart on a machine whose speed changes."""

    one: str
    other: str
    least: float
    in_turns: bool = False


@dataclass(frozen=True)
class Case:
    """Ways that must all give one text, the first of them plain generation. prompt: its tokens."""

    name: str
    about: str
    device: torch.device
    target: Any
    prompt: int
    ways: tuple[Way, ...]
    bounds: tuple[Bound, ...]


def cases(quick: bool) -> dict[str, Callable[[torch.device], Case]]:
    """The cases by name; each is made when its turn comes, since models take memory."""
    made: dict[str, Callable[[torch.device], Case]] = {}
    for size in ("1.3M",) if quick else ("1.3M", "68M"):
        length = 48 if quick else 128
        for kind, make in (("assistant", assistant), ("lookup", lookup), ("unpaid", unpaid)):
            # Unpaid drafts are a share of a long text; at its start the decoder finds out that they do not pay.
            made[f"{kind} {size}"] = partial(make, size, 4 * length if kind == "unpaid" else length)
    made["demonstration"] = partial(demonstration, 48 if quick else 128)
    return made


class Generate:
    """Calls of `generate` that differ in nothing but what drafts."""

    def __init__(self, target: Any, prompt: tuple[int, ...], length: int, device: torch.device, **more: Any) -> None:
        self.target = target
        ids = torch.tensor([prompt], device=device)
        self.arguments = {
            "attention_mask": torch.ones_like(ids),
            "max_new_tokens": length,
            "do_sample": False,
            "eos_token_id": None,
            **more,
        }
        self.ids = ids

    def theirs(self, name: str, **arguments: Any) -> Way:
        """By `transformers`."""
        return Way(name, lambda: self.target.generate(self.ids, **self.arguments, **arguments))

    def assisted(self, name: str, assistant: Any, drafted: int) -> Way:
        """By assisted generation of `transformers`, with so many tokens a draft."""

        def run() -> torch.Tensor:
            # It is read from there at each call.
            assistant.generation_config.num_assistant_tokens = drafted
            generated: torch.Tensor = self.target.generate(self.ids, **self.arguments, assistant_model=assistant)
            return generated

        return Way(name, run)

    def ours(self, name: str, drafter: Any, **settings: Any) -> Way:
        """By this decoder."""
        decoder = SpeculativeDecoder(self.target, drafter, **settings)

        def stream() -> Iterator[Emitted]:
            return SpeculativeDecoder(self.target, drafter, **settings).stream(self.ids, **self.arguments)

        return Way(name, lambda: decoder.generate(self.ids, **self.arguments), decoder, stream)


def assistant(size: str, length: int, device: torch.device) -> Case:
    """Assisted generation, theirs and ours, with the same assistant and the same number of tokens a draft."""
    shape = SHAPES[size]
    target = language_model(shape, device)
    small = assistant_of(target, shape)
    small.generation_config.num_assistant_tokens_schedule = "constant"
    small.generation_config.assistant_confidence_threshold = 0.0
    calls = Generate(target, random_prompt(64, shape.vocab), length, device)
    least = 1.0 if size == "68M" else 1.3
    ways = [calls.theirs(PLAIN), calls.ours(f"{OURS}no drafts", None)]
    bounds: list[Bound] = []
    adaptive = f"{OURS}{max(ASSISTED)} at most, adaptive"
    for drafted in ASSISTED:
        theirs, ours = f"{THEIRS}assisted, {drafted} a draft", f"{OURS}{drafted} a draft"
        ways += [
            calls.assisted(theirs, small, drafted),
            calls.ours(ours, AssistantDrafter(small, least=0), tree_budget=drafted, adaptive=False),
        ]
        bounds += [Bound(ours, theirs, least), Bound(adaptive, theirs, least)]
    ways.append(calls.ours(adaptive, AssistantDrafter(small, least=0), tree_budget=max(ASSISTED)))
    return Case(
        f"assistant {size}",
        f"a Llama of {parameters(target) / 1e6:.1f} M with random weights; the assistant is its first "
        f"{shape.shared} of {shape.layers} layers ({parameters(small) / 1e6:.1f} M, embeddings among them)",
        device,
        target,
        64,
        tuple(ways),
        tuple(bounds),
    )


def lookup(size: str, length: int, device: torch.device) -> Case:
    """Prompt lookup, theirs and ours, on Python source."""
    shape = SHAPES[size]
    target = language_model(shape, device)
    prompt = 1024
    source = Path(repetitive_module.__file__ or "")
    text = python_source(source, prompt + length + 64, shape.vocab)
    calls = Generate(
        target, text[:prompt], length, device, logits_processor=LogitsProcessorList([Says(text)]), use_cache=True
    )
    theirs, longer = f"{THEIRS}lookup, 10 tokens", f"{THEIRS}lookup, 16 of 4-grams"
    ours = f"{OURS}lookup, 16 nodes"
    return Case(
        f"lookup {size}",
        f"a Llama of {parameters(target) / 1e6:.1f} M with random weights, made by a processor to say the source of "
        f"{source.name}, cut into words; {prompt} of them are the prompt",
        device,
        target,
        prompt,
        (
            calls.theirs(PLAIN),
            calls.ours(f"{OURS}no drafts", None),
            calls.theirs(theirs, prompt_lookup_num_tokens=10),
            calls.theirs(longer, prompt_lookup_num_tokens=16, max_matching_ngram_size=4),
            calls.ours(ours, PromptLookupDrafter(), adaptive=False),
            calls.ours(f"{ours}, adaptive", PromptLookupDrafter()),
        ),
        (Bound(ours, theirs, 1.4), Bound(ours, longer, 1.4)),
    )


def unpaid(size: str, length: int, device: torch.device) -> Case:
    """What drafts cost that are never right, on a text without repetition."""
    shape = SHAPES[size]
    target = language_model(shape, device)
    calls = Generate(target, random_prompt(64, shape.vocab), length, device)
    none, wrong = f"{OURS}no drafts", f"{OURS}random drafts, adaptive"
    return Case(
        f"unpaid {size}",
        f"a Llama of {parameters(target) / 1e6:.1f} M with random weights, a text of {length} tokens without "
        "repetition; the random drafts are chains that cost nothing and are wrong",
        device,
        target,
        64,
        (
            calls.theirs(PLAIN),
            calls.ours(none, None),
            calls.ours(wrong, RandomChains()),
            calls.ours(f"{OURS}random drafts, always", RandomChains(), adaptive=False),
            calls.ours(f"{OURS}lookup, adaptive", PromptLookupDrafter()),
        ),
        (Bound(wrong, none, 1 - UNPAID, in_turns=True),),
    )


def demonstration(length: int, device: torch.device) -> Case:
    """The demonstration's target and its block drafter, both trained on Python source. Raises LeftOut without them."""
    try:
        target, drafter, tokenizer = load_target().to(device), load_block_drafter(), load_tokenizer()
    except WeightsError as error:
        raise LeftOut(str(error)) from None
    prompt = tuple(tokenizer.encode(_BEGINNING))
    calls = Generate(target, prompt, length, device)
    ours = f"{OURS}lookup, 16 nodes"
    return Case(
        "demonstration",
        f"the demonstration's target of {parameters(target) / 1e6:.1f} M, and its block drafter; a prompt of "
        f"{len(prompt)} tokens",
        device,
        target,
        len(prompt),
        (
            calls.theirs(PLAIN),
            calls.ours(f"{OURS}no drafts", None),
            calls.ours(f"{OURS}block, 16 nodes", drafter, adaptive=False),
            calls.ours(f"{OURS}block, 16 nodes, adaptive", load_block_drafter()),
            calls.theirs(f"{THEIRS}lookup, 10 tokens", prompt_lookup_num_tokens=10),
            calls.ours(ours, PromptLookupDrafter(), adaptive=False),
            calls.ours(f"{ours}, adaptive", PromptLookupDrafter()),
        ),
        (),
    )


class RandomChains:
    """Drafts as many random tokens as it is asked for: nearly free, and never right but by chance."""

    hidden_layers: tuple[int, ...] = ()

    def __init__(self) -> None:
        self._numbers = random.Random(0)
        self._vocabulary = 0

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        self._vocabulary = target.vocab_size

    def draft(self, context: Context, budget: int) -> DraftTree:
        return DraftTree.chain(context.ids[-1], [self._numbers.randrange(self._vocabulary) for _ in range(budget)])

    def accepted(self, outcome: Outcome) -> None:
        pass

    def close(self) -> None:
        pass


_BEGINNING = '''"""Read and write tables of comma separated values."""

import csv
import os


class Table:
    """A table with named columns."""

    def __init__(self, path, columns):
        self.path = path
        self.columns = columns
        self.rows = []

    def read(self):
        with open(self.path) as file:
            for row in csv.reader(file):
                self.rows.append(row)

    def write(self):
'''
