"""The border to `transformers`' `generate`: what it prepares, what is refused before it has begun, what is returned.

`generate(…, custom_generate=f)` prepares a call as for its own loop and then calls `f(model, input_ids, **prepared)`.
It drops the streamer (after it was given the prompt) and the tokenizer, so that both are passed around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteriaList, StopStringCriteria
from transformers.generation import GenerateDecoderOnlyOutput

from .cache import TreeKVCache
from .choosing import Chooser
from .target import text_config

MODES = ("greedy_search", "sample")


@dataclass(frozen=True)
class Prepared:
    """A call of `generate`, ready for a loop.

    input_ids: [1, n] int64. attention_mask: [1, n], 0 for padding; None where there is none. config: as prepared, with
    all defaults filled in. past: a cache that was passed in with rows in it; None otherwise.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    config: GenerationConfig
    processors: Any
    criteria: StoppingCriteriaList
    past: Any = None

    @classmethod
    def of(cls, input_ids: torch.Tensor, prepared: Mapping[str, Any]) -> Prepared:
        """From the keyword arguments that `generate` calls its loop with."""
        mask = prepared.get("attention_mask")
        past = prepared.get("past_key_values")
        if past is not None and past.get_seq_length() == 0:
            past = None
        return cls(
            input_ids,
            None if mask is None or bool((mask != 0).all()) else mask,
            prepared["generation_config"],
            prepared["logits_processor"],
            prepared["stopping_criteria"],
            past,
        )

    @property
    def max_length(self) -> int:
        """Tokens that the text may have in the end."""
        return int(self.config.max_length)

    @property
    def do_sample(self) -> bool:
        return bool(self.config.do_sample)

    def wants(self, name: str) -> bool:
        """Whether the result is to have something, `output_scores` say."""
        return bool(self.config.return_dict_in_generate and getattr(self.config, name, False))

    def check(self, acceptance: str) -> None:
        """Raises ValueError for a call that this decoder cannot do as plain generation does it."""
        _check_batch(self.input_ids)
        _check_config(self.config)
        for name in ("output_attentions", "output_hidden_states"):
            if self.wants(name):
                raise ValueError(f"{name} is not supported: a forward over a tree has other ones than plain generation")
        if acceptance == "rejection" and not self.do_sample:
            raise ValueError('acceptance="rejection" accepts sampled drafts for a sampled text: pass do_sample=True')
        if self.attention_mask is not None:
            _check_padding(self.attention_mask, self.input_ids)

    def stop(self, ids: torch.Tensor, scores: tuple[torch.Tensor, ...] | None) -> bool:
        """Whether the criteria say that the last token was the last of all."""
        return bool(self.criteria(ids, scores).all())

    def keep_rows(self, model: Any) -> Callable[[TreeKVCache], None] | None:
        """What to do with the cache of a complete text: copy it, where the result is to have it."""
        if not (self.config.return_dict_in_generate and self.config.use_cache):
            return None
        return lambda cache: self._kept.append(cache.to_library(text_config(model)))

    @property
    def _kept(self) -> list[Any]:
        kept: list[Any] = self.__dict__.setdefault("_rows", [])
        return kept

    def result(self, ids: torch.Tensor, chooser: Chooser) -> Any:
        """What `generate` returns: the ids [1, m], or the dictionary that was asked for."""
        if not self.config.return_dict_in_generate:
            return ids
        return GenerateDecoderOnlyOutput(
            sequences=ids,
            scores=None if chooser.scores is None else tuple(chooser.scores),
            logits=None if chooser.logits is None else tuple(chooser.logits),
            past_key_values=self._kept[0] if self._kept else None,
        )


def check_call(model: Any, longest: int | None, arguments: Mapping[str, Any]) -> None:
    """Raises ValueError for what `generate` would begin and could not end as plain generation does."""
    ids = arguments.get("inputs")
    if ids is None:
        raise ValueError("no prompt: pass input_ids, a tensor [1, n] of tokens")
    if arguments.get("inputs_embeds") is not None:
        raise ValueError("inputs_embeds: drafts need tokens; pass input_ids")
    if not isinstance(ids, torch.Tensor) or ids.ndim != 2 or ids.is_floating_point():
        raise ValueError(f"input_ids must be a tensor [1, n] of tokens, not {_described(ids)}")
    _check_batch(ids)
    if ids.shape[1] == 0:
        raise ValueError("the prompt is empty: give at least one token, the model's beginning of text for instance")
    if longest is not None and ids.shape[1] > longest:
        raise ValueError(f"a prompt of {ids.shape[1]} tokens, but the model was made for {longest} positions")
    vocabulary = int(text_config(model).vocab_size)
    if int(ids.min()) < 0 or int(ids.max()) >= vocabulary:
        raise ValueError(f"the prompt has tokens outside the model's vocabulary of {vocabulary}: another tokenizer's?")
    mask = arguments.get("attention_mask")
    if mask is not None:
        if not isinstance(mask, torch.Tensor) or mask.shape != ids.shape:
            raise ValueError(f"an attention mask {_described(mask)} for a prompt of shape {tuple(ids.shape)}")
        _check_padding(mask, ids)
    for name in ("assistant_model", "prompt_lookup_num_tokens", "custom_generate"):
        if arguments.get(name) is not None:
            raise ValueError(f"{name} is another way to generate: this decoder has its drafter already")
    config = arguments.get("generation_config") or model.generation_config
    for name, plain in (("num_beams", 1), ("num_return_sequences", 1)):
        given = arguments.get(name, getattr(config, name, None))
        if given not in (None, plain):
            raise ValueError(f"{name}={given}: one text is continued at a time, without beams; leave it at {plain}")


def takes_stop_strings(model: Any, tokenizer: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with `stop_strings` turned into a criterion: `generate` keeps the tokenizer from its loops.

    Raises ValueError where there is no tokenizer.
    """
    changed = dict(arguments)
    tokenizer = changed.pop("tokenizer", None) or tokenizer
    config = changed.get("generation_config")
    strings = changed.pop("stop_strings", None)
    if strings is None:
        strings = getattr(config or model.generation_config, "stop_strings", None)
    if strings is None:
        return changed
    if tokenizer is None:
        raise ValueError("stop_strings are found in the text: pass tokenizer= as well, here or to the decoder")
    criteria = list(changed.get("stopping_criteria") or ())
    changed["stopping_criteria"] = StoppingCriteriaList([*criteria, StopStringCriteria(tokenizer, strings)])
    # Also where it stands in a configuration: generate would ask for the tokenizer that it then drops.
    without = GenerationConfig(**(config or model.generation_config).to_dict())
    without.stop_strings = None
    changed["generation_config"] = without
    return changed


def _check_batch(ids: torch.Tensor) -> None:
    if ids.shape[0] != 1:
        raise ValueError(f"a batch of {ids.shape[0]}: one text is continued at a time; call once for each")


def _check_config(config: GenerationConfig) -> None:
    mode = config.get_generation_mode()
    name = getattr(mode, "value", str(mode))
    if name not in MODES or (config.num_return_sequences or 1) > 1:
        raise ValueError(
            f"{name} with {config.num_return_sequences} sequences: only greedy search and sampling, of one"
        )


def _check_padding(mask: torch.Tensor, ids: torch.Tensor) -> None:
    flat = mask[0] != 0
    if mask.shape[-1] != ids.shape[1] or not bool(flat[-1]) or bool((flat[1:] < flat[:-1]).any()):
        raise ValueError(
            "the attention mask has zeros behind tokens: padding stands on the left "
            "(tokenizer.padding_side = 'left'), and covers the whole prompt"
        )


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    return f"a {type(value).__name__}"
