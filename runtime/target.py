"""A causal language model as the verifier uses it: a prompt goes in, then trees, and each node's logits come out.

What a model is asked here rests on facts that were measured on `transformers` 4.57 and 5.x. A model of which they are
not known is refused, with the reason: it would decode something else without being noticed.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from ..protocols.tree_cache import TreeCache
from ..transpiler.questions import enabled
from . import masks
from .cache import LayerWindows, TreeKVCache, protocol_for
from .masks import Extent
from .probe import is_sound
from .provenance import Reading
from .quantization.kv import KV
from .rotary import steady_positions
from .tree import DraftTree

ATTENTION = ("eager", "sdpa")
LAYER_TYPES = ("full_attention", "sliding_attention")


class UnsupportedModel(ValueError):
    """The model keeps a state that cannot be rolled back, or is not known to be computed as this decoder does it."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What a forward said.

    logits: [n, vocabulary], one row a node (after a prompt: of its last token alone), in the model's dtype.
    hidden: [n, layers asked for, hidden size], one row a token; None where no layer was asked for.
    """

    logits: torch.Tensor
    hidden: torch.Tensor | None


class TargetModel:
    """A model that was looked at and found fit, and the forwards of speculative decoding through it.

    It keeps nothing of a request: that is in the cache. Several threads may use it, each with a cache of its own.

    model: a causal language model of `transformers`, in eval mode.
    probe: try it on a small tree, which takes four forwards, once for each model.

    Raises UnsupportedModel.
    """

    def __init__(self, model: Any, *, probe: bool = True) -> None:
        self.model = model
        self.config = text_config(model)
        self.layers = layer_windows(model)
        self._kinds = _mask_kinds(model)
        parameters = inspect.signature(model.forward).parameters
        self._keeps_last = "logits_to_keep" in parameters
        # The model itself would look through its modules for a parameter, at each forward.
        self._weight = model.get_input_embeddings().weight
        if probe:
            self._probe()

    @property
    def device(self) -> torch.device:
        """Where its inputs go."""
        device: torch.device = self._weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Of its activations, and of the masks."""
        dtype: torch.dtype = self._weight.dtype
        return dtype

    @property
    def vocabulary(self) -> int:
        """Tokens that it gives logits for."""
        return int(self.config.vocab_size)

    @property
    def max_positions(self) -> int | None:
        """The longest text that it was made for; None where its configuration does not say."""
        longest = getattr(self.config, "max_position_embeddings", None)
        return None if longest is None else int(longest)

    @property
    def steady_positions(self) -> int | None:
        """How many positions the model turns by the same frequencies in every forward (`rotary.py`); None: all."""
        return steady_positions(self.config)

    def new_cache(
        self,
        max_rows: int,
        max_nodes: int,
        *,
        variant: type[TreeCache] = TreeCache,
        steps: TreeCache | None = None,
        kv: KV | None = None,
        provenance: bool = False,
        after_update: Callable[[int], None] | None = None,
    ) -> TreeKVCache:
        """An empty cache for one sequence.

        max_rows: the longest text, with the longest draft behind it. max_nodes: of a tree, the root among them.
        variant, steps: the protocol, or the instance that is to be asked; the rest as for TreeKVCache.
        """
        if steps is None:
            steps = protocol_for(self.layers, max_rows, max_nodes, variant)
        return TreeKVCache(self.layers, steps, kv=kv, provenance=provenance, after_update=after_update)

    def prefill(
        self,
        cache: TreeKVCache,
        ids: Sequence[int],
        attention_mask: torch.Tensor | None = None,
        *,
        chunk: int | None = None,
        hidden_layers: Sequence[int] = (),
        reader: str = "verifier",
        between: Callable[[], None] | None = None,
    ) -> VerifyResult:
        """Commit the rows of a prompt, or of more of it.

        ids: the tokens. The last one of a text that is to be continued is left out: it is the root of the first tree.
        attention_mask: [1, rows] or [rows], 0 for padding, for all rows from the first of the request on, these
            included; None where there is no padding.
        chunk: how many tokens go through the model at once; None for all.
        hidden_layers: which of the model's hidden states to return, 0 for the embeddings.
        between: called before each chunk; what it raises ends the prompt with the chunks that were computed.

        Raises ValueError for an empty prompt, or a mask of another length; GuardRefused where there is no room. Then
        nothing has changed. When a forward fails, the rows of its chunk are gone, and those before it stay.
        """
        if not ids:
            raise ValueError("no tokens to fill the cache with")
        if chunk is not None and chunk < 1:
            raise ValueError(f"a chunk of {chunk} tokens; give at least 1, or None for all at once")
        if not enabled(cache.steps.prefill, len(ids)):
            # Refused now, with the reason, and not behind forwards over chunks that do fit.
            cache.steps.prefill(len(ids))
        start, total = cache.committed, cache.committed + len(ids)
        attended = _attended(attention_mask, total, self.device)
        if attended is None and cache.attended is not None:
            raise ValueError("the rows so far came with an attention mask: pass one for all rows")
        places = torch.arange(total, device=self.device) if attended is None else attended.long().cumsum(0) - 1
        # As plain generation does; what is read there does not matter.
        places = places.clamp(min=0)
        step = len(ids) if chunk is None else chunk
        logits, hidden = None, []
        for first in range(start, total, step):
            if between is not None:
                between()
            last = min(first + step, total)
            cache.prefill(last - first)
            try:
                with cache.read(reader, last):
                    result = self.forward_prompt(
                        cache,
                        ids[first - start : last - start],
                        places[first:last],
                        attended=None if attended is None else attended[:last],
                        hidden_layers=hidden_layers,
                        reader=reader,
                    )
            except BaseException:
                if enabled(cache.steps.commit):
                    cache.commit()  # nothing was kept: this drops the chunk
                raise
            cache.filled()
            if attended is not None:
                cache.attended = attended[:last]
            logits = result.logits
            hidden.append(result.hidden)
        assert logits is not None
        parts = [part for part in hidden if part is not None]
        return VerifyResult(logits, torch.cat(parts) if parts else None)

    def verify(
        self,
        cache: TreeKVCache,
        tree: DraftTree,
        *,
        hidden_layers: Sequence[int] = (),
        reader: str = "verifier",
    ) -> VerifyResult:
        """The logits behind each node of a draft tree; its rows are tentative from then on.

        Nodes whose rows are there from a call before are not computed again: a tree may grow forward by forward. With
        the root alone this is plain decoding of one token.

        When the forward fails, the rows of this call are gone from every layer, and `cache.commit()` drops the tree.

        Returns logits and hidden states of the new nodes only. Raises GuardRefused where there is no room, ValueError
        where the tree does not go on from the one in the cache.
        """
        first = cache.tentative
        if cache.steps.parents != tuple(parent + 1 for parent in tree.parents[:first]) or first >= len(tree):
            raise ValueError(f"the tree's nodes {tree.parents} do not go on from the cache's: {cache.steps.parents}")
        for parent in tree.parents[first:]:
            cache.extend(parent + 1)
        with cache.read(reader, cache.committed + len(tree)):
            return self.forward_tree(cache, tree, first, hidden_layers=hidden_layers, reader=reader)

    def forward_prompt(
        self,
        cache: TreeKVCache,
        ids: Sequence[int],
        positions: torch.Tensor,
        *,
        attended: torch.Tensor | None = None,
        hidden_layers: Sequence[int] = (),
        reader: str = "verifier",
    ) -> VerifyResult:
        """The forward of one chunk of a prompt, and no step of the protocol: those are the caller's.

        positions: [n] int64, of the tokens in the text. attended: [rows] bool, for all rows, those of the chunk last;
        None where none is padding.
        """
        padding = [False] * len(ids) if attended is None else (~attended[-len(ids) :]).tolist()
        spoken = tuple(positions.tolist())
        reading = Reading(reader, cache.committed + cache.steps.written, spoken, masks=None)
        mask = None if attended is None else attended[None].long()
        with cache.forward(reading, cache.labels_for_prompt(spoken, padding)):
            out = self._run(cache, ids, mask, positions, hidden_layers, last=True)
            hidden = _hidden(out, hidden_layers)
        _wait(out.logits)
        return VerifyResult(out.logits[0, -1:], hidden)

    def forward_tree(
        self,
        cache: TreeKVCache,
        tree: DraftTree,
        first: int,
        *,
        hidden_layers: Sequence[int] = (),
        reader: str = "verifier",
    ) -> VerifyResult:
        """The forward over the nodes from `first` on, and no step of the protocol: those are the caller's."""
        extent = cache.extent
        places = masks.positions(tree, first, extent.root_position)
        made = self._tree_masks(cache, tree, first, extent)
        reading = Reading(reader, extent.committed + first, places, made)
        passed = None if made is None else self._in_its_words(made)
        positions = torch.tensor(places, device=self.device)
        with cache.forward(reading, cache.labels_for_tree(tree, first)):
            out = self._run(cache, tree.tokens[first:], passed, positions, hidden_layers, last=False)
            hidden = _hidden(out, hidden_layers)
        _wait(out.logits)
        return VerifyResult(out.logits[0], hidden)

    def logits_over(self, ids: Sequence[int], tree: DraftTree) -> torch.Tensor:
        """The logits [n, vocabulary] behind each node of a tree behind a text, with a cache of their own."""
        cache = self.new_cache(len(ids) + len(tree), len(tree))
        self.prefill(cache, ids)
        return self.verify(cache, tree).logits

    def _probe(self) -> None:
        name = type(self.model).__name__
        try:
            sound = is_sound(self, self.dtype)
        except Exception as error:
            raise UnsupportedModel(f"{name} fails on a small draft tree: {type(error).__name__}: {error}") from error
        if not sound:
            raise UnsupportedModel(
                f"{name} gives other logits over a draft tree than over each of its paths: it attends in both "
                "directions, or makes masks or positions of its own"
            )

    def _tree_masks(
        self, cache: TreeKVCache, tree: DraftTree, first: int, extent: Extent
    ) -> Mapping[str, torch.Tensor] | None:
        """A mask for each kind of layer; None for a single node that reads all there is, as in plain decoding."""
        window = self.layers.window
        low = cache.steps.low
        # The next one of a chain, such as an assistant drafts, sees all rows before it, as the root does.
        depth = tree.depths[-1]
        whole = window is None or low == max(0, extent.committed + depth - window + 1)
        if len(tree) - first == 1 and depth == first and extent.attended is None and whole:
            return None
        made = {"full": masks.full_mask(tree, first, extent, self.dtype, self.device)}
        if window is not None:
            made["sliding"] = masks.sliding_mask(tree, first, extent, window, self.dtype, self.device, low)
        return made

    def _in_its_words(self, made: Mapping[str, torch.Tensor]) -> Any:
        if self._kinds is None:
            return made["full" if self.layers.window is None else "sliding"]
        return {f"{kind}_attention": mask for kind, mask in made.items() if f"{kind}_attention" in self._kinds}

    def _run(
        self,
        cache: TreeKVCache,
        ids: Sequence[int],
        mask: Any,
        positions: torch.Tensor,
        hidden_layers: Sequence[int],
        *,
        last: bool,
    ) -> Any:
        # It is a thread's own, and this may be any thread. Of a small model's forward no_grad would take a tenth more.
        with torch.inference_mode():
            return self.model(
                input_ids=torch.tensor([ids], device=self.device),
                attention_mask=mask,
                position_ids=positions[None],
                past_key_values=cache,
                use_cache=True,
                return_dict=True,
                **({"output_hidden_states": True} if hidden_layers else {}),
                **({"logits_to_keep": 1} if last and self._keeps_last else {}),
            )


def text_config(model: Any) -> Any:
    """The configuration of a model's language part."""
    config = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def layer_windows(model: Any) -> LayerWindows:
    """The windows of a model's layers. Raises UnsupportedModel, where it cannot be verified by a tree."""
    name = type(model).__name__
    config = text_config(model)
    if getattr(model.config, "is_encoder_decoder", False):
        raise UnsupportedModel(f"{name} is an encoder-decoder model; only decoders can be targets")
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if head is None or not model.can_generate():
        raise UnsupportedModel(f"{name} has no head for causal language modelling: load it with AutoModelForCausalLM")
    if model.training:
        raise UnsupportedModel(f"{name} is in training mode, in which dropout is drawn anew: call model.eval() first")
    attention = getattr(config, "_attn_implementation", None)
    if attention not in ATTENTION:
        raise UnsupportedModel(
            f"{name} runs with attn_implementation={attention!r}, which takes no mask of a tree; load it with "
            f"attn_implementation={' or '.join(map(repr, ATTENTION))}"
        )
    if getattr(model, "_is_stateful", False):
        raise UnsupportedModel(f"{name} keeps a recurrent state, which cannot be rolled back to the accepted tokens")
    if "position_ids" not in inspect.signature(model.forward).parameters:
        raise UnsupportedModel(f"{name} takes no position_ids: the nodes of a tree could not be placed")
    if "local" in (getattr(config, "attention_layers", None) or ()):
        # GPT-Neo: besides our mask it applies one of its own.
        raise UnsupportedModel(f"{name} has local layers, whose windows count rows of the cache and not positions")
    bidirectional = getattr(config, "use_bidirectional_attention", None)
    if bidirectional is True or bidirectional == "all":
        raise UnsupportedModel(f"{name} attends in both directions (use_bidirectional_attention)")
    layers = _windows(name, config)
    if layers.window is not None and not _makes_windows(model):
        raise UnsupportedModel(
            f"{name} has sliding_window={layers.window} in its configuration, but its code makes no masks of a window"
        )
    return layers


def _makes_windows(model: Any) -> bool:
    """Whether the code of a model, or of the language model in it, uses one of the library's masks for windows."""
    makers = ("create_sliding_window_causal_mask", "create_masks_for_generate")
    modules = {type(part).__module__ for part in model.modules()}
    return any(hasattr(sys.modules.get(module), maker) for module in modules for maker in makers)


def _windows(name: str, config: Any) -> LayerWindows:
    window = getattr(config, "sliding_window", None)
    if getattr(config, "attention_chunk_size", None) is not None:
        raise UnsupportedModel(f"{name} attends in chunks, which no mask of a tree is known for")
    types = getattr(config, "layer_types", None)
    if types is None:
        # As the library's own cache infers it.
        types = ["full_attention" if window is None else "sliding_attention"] * config.num_hidden_layers
    unknown = sorted(set(types) - set(LAYER_TYPES))
    if unknown:
        raise UnsupportedModel(
            f"{name} has layers of type {', '.join(unknown)}; known are {' and '.join(LAYER_TYPES)}. The state of "
            "other layers cannot be rolled back, or is not known to be"
        )
    if "sliding_attention" in types and not (isinstance(window, int) and window >= 2):
        raise UnsupportedModel(f"{name} has sliding layers, but sliding_window={window!r}; it must be at least 2")
    shared = getattr(config, "num_kv_shared_layers", None) or 0
    stored = types[: len(types) - shared]
    return LayerWindows(tuple(window if kind == "sliding_attention" else None for kind in stored), shared)


def _mask_kinds(model: Any) -> frozenset[str] | None:
    """The keys of the mapping of masks that a model takes; None where it takes one mask for all layers."""
    create = getattr(model, "create_masks_for_generate", transformers.masking_utils.create_masks_for_generate)
    embeddings = torch.empty((1, 2, 0), dtype=model.dtype, device=model.device)
    positions = torch.arange(2, device=model.device)
    # 4.57 says input_embeds and wants cache_position; 5.x says inputs_embeds.
    asked = {
        "config": model.config,
        "inputs_embeds": embeddings,
        "input_embeds": embeddings,
        "attention_mask": None,
        "past_key_values": None,
        "cache_position": positions,
        "position_ids": positions[None],
    }
    parameters = inspect.signature(create).parameters
    made = create(**{name: value for name, value in asked.items() if name in parameters})
    kinds = frozenset(made) if isinstance(made, Mapping) else None
    if kinds is not None and not kinds <= set(LAYER_TYPES):
        raise UnsupportedModel(f"{type(model).__name__} takes masks for {', '.join(sorted(kinds))}")
    return kinds


def _attended(attention_mask: torch.Tensor | None, rows: int, device: torch.device) -> torch.Tensor | None:
    """Which rows may be read, [rows] bool; None for all."""
    if attention_mask is None:
        return None
    flat = attention_mask.reshape(-1).to(device)
    if flat.shape[0] != rows or attention_mask.ndim > 2:
        raise ValueError(
            f"an attention mask {tuple(attention_mask.shape)} for {rows} rows; one sequence, 0 for padding"
        )
    return None if bool(flat.all()) else flat.bool()


def _hidden(out: Any, layers: Sequence[int]) -> torch.Tensor | None:
    if not layers:
        return None
    chosen = [out.hidden_states[layer] for layer in layers]
    if any(states.ndim != 3 for states in chosen):
        raise UnsupportedModel(
            f"hidden states of shape {tuple(chosen[0].shape)} are several streams, not one row a token: a drafter that "
            "reads them cannot be used with this model"
        )
    return torch.stack([states[0] for states in chosen], dim=1)


def _wait(logits: torch.Tensor) -> None:
    """Until the device has computed them: before, the rows are still being read."""
    if logits.device.type == "cuda":
        torch.cuda.current_stream(logits.device).synchronize()
