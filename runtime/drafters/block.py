"""The block drafter (DFlash, z-lab/dflash): several next tokens from one forward, as a best-first tree of their
marginals.

Its context is what the target thinks: hidden states of a few layers, of which the decoder hands over those of each
token that has become certain. Its question is the tokens that are not among them yet, the root last, followed by
masks.
"""

from __future__ import annotations

import copy

import torch

from ...protocols.tree_cache import TreeCache
from ..best_first import from_marginals
from ..quantization.kv import KV, KVCodec, check_kv
from ..quantization.weights import Weights, check_weights, quantize_linears
from ..tree import DraftTree
from .base import Context, Outcome, TargetFacts
from .block_cache import ContextRows
from .block_model import BlockModel

UNBOUNDED = 1 << 20
"""Tokens of a text, where the target does not say how many it can take."""

_WAITING = 256
"""So many hidden states at most wait until a draft needs them."""


class BlockDrafter:
    """Drafts with a `BlockModel` that was trained for the target.

    model: it is copied, and the copy moved to the target's device and dtype.
    weights: "w4" holds the drafter's own matrices in four bits (`quantization/weights.py`); embeddings and head are the
        target's and stay.
    kv: "q3.5" holds the context's keys and values in three and a half bits (`quantization/kv.py`).
    tree_cache: the protocol of the context's rows, or a variant of it that has lost a guard.

    The two are independent, and the decoder's output depends on neither.
    """

    def __init__(
        self,
        model: BlockModel,
        *,
        weights: Weights | None = None,
        kv: KV | None = None,
        tree_cache: type[TreeCache] = TreeCache,
    ) -> None:
        check_weights(weights)
        check_kv(kv)
        self.config = model.config
        self.weights, self.kv, self.tree_cache = weights, kv, tree_cache
        self._model = copy.deepcopy(model).eval().requires_grad_(False)
        if weights == "w4":
            quantize_linears(self._model)
        if kv == "q3.5":
            KVCodec(self.config.head_dim)  # refuses a head size that it cannot pack before there is a request
        self._target: TargetFacts | None = None
        self._rows: ContextRows | None = None
        self._longest = 0
        # Hidden states of certain tokens, behind those of the rows. Where nothing is drafted for a while, and at the
        # end of a text, their keys and values are needed by nobody; and many at once cost little more than one.
        self._waiting: list[torch.Tensor] = []

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        """Which of the target's hidden states are the context."""
        return self.config.hidden_layers

    @property
    def rows(self) -> ContextRows | None:
        """What is kept of the context, as of the last draft; None between requests."""
        return self._rows

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        """A new request. Raises ValueError where the target does not have the shape that the drafter was trained
        for."""
        if self._rows is not None:
            raise RuntimeError("this block drafter already has a request: close it first, or use one drafter each")
        if target.hidden_size != self.config.hidden_size:
            raise ValueError(
                f"this block drafter was trained for a target of width {self.config.hidden_size}, but the target's "
                f"hidden states have {target.hidden_size}: it shares the target's embeddings and head, so it fits that "
                "target only"
            )
        if target.embeddings is None or target.head is None:
            raise ValueError(
                "a block drafter needs the target's embeddings and head, and this target does not show them"
            )
        positions = target.max_positions
        self._model.to(device=target.device, dtype=target.dtype)
        codec = KVCodec(self.config.head_dim, device=target.device) if self.kv == "q3.5" else None
        self._longest = positions or UNBOUNDED
        self._rows = ContextRows(self._longest, self.config.block, codec, self.tree_cache)
        self._target = target

    def draft(self, context: Context, budget: int) -> DraftTree:
        """The `budget` most probable prefixes of a block; the root alone where the known tokens fill the block, or the
        text is too long for the target."""
        if self._rows is None or self._target is None:
            raise RuntimeError("this block drafter has no request: call start first")
        root = context.ids[-1]
        certain = self._certain()
        known = context.ids[certain:]
        if not known:
            raise ValueError(
                f"the context has {len(context.ids)} tokens, but hidden states of {certain} were handed over: the last "
                "token is the root, and has none yet"
            )
        masks = self.config.block - len(known)
        if budget < 1 or masks < 1 or not certain:
            return DraftTree.root_only(root)
        # All masks are there whatever the budget, as in training: every place of a block reads the others.
        return from_marginals(root, self._marginals(known, masks)[:budget], budget)

    def accepted(self, outcome: Outcome) -> None:
        """Take the hidden states of the tokens that are certain now, for the context of the next draft."""
        if self._rows is None or self._target is None:
            return  # the verdict of a request that was closed meanwhile
        hidden = outcome.hidden
        if hidden is None and not outcome.path:
            return  # a prompt of one token: it is the root, and there are no rows before it
        expected = (len(self.hidden_layers), self.config.hidden_size)
        if hidden is None or hidden.shape[1:] != expected:
            shape = None if hidden is None else tuple(hidden.shape)
            raise ValueError(
                f"a block drafter is handed hidden states [rows, {expected[0]}, {expected[1]}], not {shape}"
            )
        # Behind the target's last position nothing is drafted.
        self._waiting.append(hidden[: self._longest - self._certain()])
        if sum(map(len, self._waiting)) >= _WAITING:
            self._catch_up()

    def close(self) -> None:
        """Release the context."""
        if self._rows is not None:
            self._rows.release()
        self._rows = None
        self._waiting.clear()
        self._target = None

    def _certain(self) -> int:
        """Tokens whose hidden states were handed over."""
        assert self._rows is not None
        return self._rows.committed + sum(map(len, self._waiting))

    def _catch_up(self) -> None:
        """Rows of the context for the hidden states that wait."""
        if not self._waiting:
            return
        assert self._rows is not None
        assert self._target is not None
        hidden = torch.cat(self._waiting)
        first = self._rows.committed
        positions = torch.arange(first, first + len(hidden), device=hidden.device)[None]
        with torch.no_grad():
            keys, values = self._model.context_rows(hidden[None].to(self._target.dtype), positions)
        self._rows.fill(keys, values)
        self._waiting.clear()

    def _marginals(self, known: tuple[int, ...], masks: int) -> torch.Tensor:
        """Scores of the next `masks` tokens, [masks, vocabulary], each as if the others were not there."""
        assert self._rows is not None
        assert self._target is not None
        assert self._target.embeddings is not None
        assert self._target.head is not None
        self._catch_up()
        first, count = self._rows.committed, len(known) + masks
        device = self._target.device
        with torch.no_grad(), self._rows.block(count) as rows:
            embedded = self._target.embeddings(torch.tensor(known, device=device))
            block = torch.cat((embedded, self._model.mask_embedding.expand(masks, -1)))
            positions = torch.arange(first, first + count, device=device)[None]
            states = self._model(block[None], positions, rows)[0, len(known) :]
            scores: torch.Tensor = self._target.head(states)
            return scores
