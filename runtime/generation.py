"""The border to `transformers`' `generate`: what it prepares, what is refused before it has begun, what is returned.

`generate(…, custom_generate=f)` prepares a call as for its own loop and then calls `f(model, input_ids, **prepared)`.
It drops the streamer (after it was given the prompt) and the tokenizer, so that both are passed around it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import GenerationConfig, GenerationMixin, StoppingCriteriaList, StopStringCriteria
from transformers.generation import GenerateDecoderOnlyOutput

from .cache import TreeKVCache
from .choosing import Chooser
from .target import text_config

MODES = ("greedy_search", "sample")

# What a loop is called with: used here, or without influence on which tokens come out.
_LOOP_ARGUMENTS = frozenset(
    ("attention_mask", "past_key_values", "generation_config", "logits_processor", "stopping_criteria", "synced_gpus")
)
_TAKEN = frozenset(
    {"input_ids", "attention_mask", "past_key_values", "use_cache", "cache_position", "return_dict"}
    | {"logits_to_keep", "num_logits_to_keep", "output_attentions", "output_hidden_states"}
    # 4.57 gives every new token the last position that it was handed.
    | ({"position_ids"} if hasattr(GenerationMixin, "_prepare_position_ids_for_generation") else set())
)


@dataclass(frozen=True)
class Prepared:
    """A call of `generate`, ready for a loop.

    input_ids: [1, n] int64. attention_mask: [1, n], 0 for padding; None where there is none. config: as prepared, with
    all defaults filled in. past: a cache that was passed in with rows in it; None otherwise. others: what else the
    model's forward would be given.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    config: GenerationConfig
    processors: Any
    criteria: StoppingCriteriaList
    past: Any = None
    others: Mapping[str, Any] = field(default_factory=dict)

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
            {name: value for name, value in prepared.items() if name not in _LOOP_ARGUMENTS and value is not None},
        )

    @property
    def max_length(self) -> int:
        """Tokens that the text may have in the end: one that is too long already gets one more."""
        # A criterion of the caller's takes the place of the one that the configuration's length is made into.
        longest = self.criteria.max_length
        return max(self.input_ids.shape[1] + 1, int(self.config.max_length if longest is None else longest))

    @property
    def do_sample(self) -> bool:
        return bool(self.config.do_sample)

    def wants(self, name: str) -> bool:
        """Whether the result is to have something, `output_scores` say."""
        return bool(self.config.return_dict_in_generate and getattr(self.config, name, False))

    def check(self, acceptance: str, steady: int | None = None) -> None:
        """Raises ValueError for a call that this decoder cannot do as plain generation does it.

        steady: how many positions the model turns by the same frequencies in every forward; None for all.
        """
        _check_prompt(self.input_ids)
        _check_config(self.config)
        check_inputs(self.others, self.attention_mask, self.input_ids)
        for name in ("output_attentions", "output_hidden_states"):
            if self.wants(name):
                raise ValueError(f"{name} is not supported: a forward over a tree has other ones than plain generation")
        if acceptance == "rejection" and not self.do_sample:
            raise ValueError('acceptance="rejection" accepts sampled drafts for a sampled text: pass do_sample=True')
        if self.attention_mask is not None:
            _check_padding(self.attention_mask, self.input_ids)
        _check_cache(self.past, self.config.cache_implementation, self.input_ids)
        if steady is not None and self.max_length - 1 > steady:
            raise ValueError(
                f"a text of {self.max_length} tokens, but beyond {steady} this model's rotary frequencies depend on "
                f"how far a forward reaches, and drafts reach further: ask for at most {steady + 1} tokens, those of "
                "the prompt included"
            )

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
    if not isinstance(ids, torch.Tensor) or ids.ndim != 2 or ids.is_floating_point():
        raise ValueError(f"input_ids must be a tensor [1, n] of tokens, not {_described(ids)}")
    _check_prompt(ids)
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
    takes = inspect.signature(model.forward).parameters
    check_inputs({name: value for name, value in arguments.items() if name in takes and value is not None}, mask, ids)
    for name in ("assistant_model", "prompt_lookup_num_tokens", "custom_generate"):
        if arguments.get(name) is not None:
            raise ValueError(f"{name} is another way to generate: this decoder has its drafter already")
    config = arguments.get("generation_config") or model.generation_config
    kind = arguments.get("cache_implementation") or config.cache_implementation
    _check_cache(arguments.get("past_key_values"), kind, ids)
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
    for each in (config, model.generation_config):
        # Where the caller's says nothing, the model's holds.
        strings = getattr(each, "stop_strings", None) if strings is None else strings
    if strings is None:
        return changed
    if tokenizer is None:
        raise ValueError("stop_strings are found in the text: pass tokenizer= as well, here or to the decoder")
    criteria = list(changed.get("stopping_criteria") or ())
    changed["stopping_criteria"] = StoppingCriteriaList([*criteria, StopStringCriteria(tokenizer, strings)])
    changed["generation_config"] = _WithoutStopStrings(**(config or model.generation_config).to_dict())
    return changed


class _WithoutStopStrings(GenerationConfig):  # type: ignore[misc]
    """A configuration that stays without, also where the model's own would be filled in: `generate` would ask for the
    tokenizer that it has dropped."""

    @property
    def stop_strings(self) -> None:
        return None

    @stop_strings.setter
    def stop_strings(self, _: Any) -> None:
        pass


def check_inputs(given: Mapping[str, Any], mask: torch.Tensor | None, ids: torch.Tensor) -> None:
    """Raises ValueError for inputs of the model that no forward over a tree is given.

    given: by name, none of them None. mask: [1, rows], None where there is no padding. ids: the prompt, [1, n].
    """
    for name in sorted(set(given) - _TAKEN):
        raise ValueError(
            f"{name} is an input of the model that drafts know nothing of: the text would be continued as if it were "
            "not there. Pass input_ids, and attention_mask where there is padding, and nothing else"
        )
    positions = given.get("position_ids")
    if positions is None:
        return
    attended = torch.ones_like(ids) if mask is None else (mask != 0).long()
    expected = attended.cumsum(-1)[:, -positions.shape[-1] :] - 1
    asked = attended[:, -positions.shape[-1] :] != 0
    if positions.shape[-1] > ids.shape[1] or not bool(((positions == expected.to(positions.device)) | ~asked).all()):
        raise ValueError(
            "position_ids other than 0, 1, 2, … (from the first token that is no padding): a tree's nodes are placed "
            "by their depth; leave them out"
        )


def _check_prompt(ids: torch.Tensor) -> None:
    if ids.shape[0] != 1:
        raise ValueError(f"a batch of {ids.shape[0]}: one text is continued at a time; call once for each")
    if ids.shape[1] == 0:
        raise ValueError("the prompt is empty: give at least one token, the model's beginning of text for instance")


def _check_config(config: GenerationConfig) -> None:
    mode = config.get_generation_mode()
    name = getattr(mode, "value", str(mode))
    if name not in MODES or (config.num_return_sequences or 1) > 1:
        raise ValueError(
            f"{name} with {config.num_return_sequences} sequences: only greedy search and sampling, of one"
        )


def _check_cache(past: Any, kind: str | None, ids: torch.Tensor) -> None:
    rows = 0 if past is None else past.get_seq_length()
    if rows >= ids.shape[1]:
        raise ValueError(
            f"the cache has {rows} rows, but the prompt {ids.shape[1]} tokens: at least the last has to be new"
        )
    if kind == "quantized":
        raise ValueError(
            'cache_implementation="quantized" changes what the target says, and this decoder keeps its rows as they '
            "are: leave it out"
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
