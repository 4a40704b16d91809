"""The network of the block drafter (DFlash, z-lab/dflash): one forward guesses the next tokens of a block side by side.

Each layer's attention reads the context and the block. The context's keys and values are linear images of the target's
hidden states, one row a token, the same for every block to come: they are computed once and kept. The block's own are
computed anew for each block; within the block attention is not causal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class BlockConfig:
    """The shape of a block drafter.

    hidden_size: the target's, whose embeddings and head are shared. hidden_layers: which of the target's hidden states
    are the context (0: the embeddings). block: tokens of a block, the known one at its beginning among them: at most
    block − 1 are drafted. head_dim is even. base: of the rotary positions (Su et al., arXiv 2104.09864).
    """

    hidden_size: int
    hidden_layers: tuple[int, ...]
    block: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    base: float = 10_000.0
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        if not self.hidden_layers:
            raise ValueError("a block drafter without hidden_layers: its context is the target's hidden states")
        if self.block < 2:
            raise ValueError(f"a block of {self.block}: it takes 2 tokens at least, a known one and a drafted one")
        if self.head_dim % 2 or self.heads % self.kv_heads:
            raise ValueError(
                f"head_dim is {self.head_dim} and {self.heads} heads share {self.kv_heads}: head_dim must be even, and "
                "every key head must serve the same number of query heads"
            )

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BlockConfig:
        """Back from JSON."""
        return cls(**{**values, "hidden_layers": tuple(values["hidden_layers"])})


class _Norm(nn.RMSNorm):
    """With the weights in the dtype of what is normed, so that mixed precision stays with it."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        weight = None if self.weight is None else self.weight.to(states.dtype)
        return functional.rms_norm(states, self.normalized_shape, weight, self.eps)


class _Attention(nn.Module):
    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        inner, shared = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, inner, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, shared, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, shared, bias=False)
        self.o_proj = nn.Linear(inner, config.hidden_size, bias=False)
        self.q_norm = _Norm(config.head_dim, eps=config.epsilon)
        self.k_norm = _Norm(config.head_dim, eps=config.epsilon)

    def keys_values(self, states: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """states [batch, n, hidden], positions [batch or 1, n] → keys and values, each [batch, kv_heads, n,
        head_dim]."""
        keys = self.k_norm(self._split(self.k_proj(states), self.config.kv_heads))
        return _rotate(keys, positions, self.config.base), self._split(self.v_proj(states), self.config.kv_heads)

    def forward(
        self,
        states: torch.Tensor,
        positions: torch.Tensor,
        context: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """The block's states [batch, q, hidden] over the context's rows and the block's own."""
        queries = self.q_norm(self._split(self.q_proj(states), self.config.heads))
        queries = _rotate(queries, positions, self.config.base)
        keys, values = self.keys_values(states, positions)
        attended = functional.scaled_dot_product_attention(
            queries,
            torch.cat((context[0], keys), dim=2),
            torch.cat((context[1], values), dim=2),
            attn_mask=mask,
            enable_gqa=True,
        )
        mixed: torch.Tensor = self.o_proj(attended.transpose(1, 2).flatten(2))
        return mixed

    def _split(self, states: torch.Tensor, heads: int) -> torch.Tensor:
        return states.view(*states.shape[:-1], heads, self.config.head_dim).transpose(1, 2)


class _Layer(nn.Module):
    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.attention_norm = _Norm(config.hidden_size, eps=config.epsilon)
        self.feed_forward_norm = _Norm(config.hidden_size, eps=config.epsilon)
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(
        self,
        states: torch.Tensor,
        positions: torch.Tensor,
        context: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        states = states + self.attention(self.attention_norm(states), positions, context, mask)
        inner = self.feed_forward_norm(states)
        gated: torch.Tensor = self.down_proj(functional.silu(self.gate_proj(inner)) * self.up_proj(inner))
        return states + gated


class BlockModel(nn.Module):
    """Without embeddings and head: those are the target's."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        self.context_proj = nn.Linear(len(config.hidden_layers) * config.hidden_size, config.hidden_size, bias=False)
        self.context_norm = _Norm(config.hidden_size, eps=config.epsilon)
        # What stands in the block for a token that is not known yet, in the place of an embedding.
        self.mask_embedding = nn.Parameter(torch.randn(config.hidden_size) * 0.5)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = _Norm(config.hidden_size, eps=config.epsilon)

    def context_rows(self, hidden: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The keys and values of context rows, for all layers.

        hidden: the target's hidden states, [batch, n, len(hidden_layers), hidden_size]. positions: int64 [batch or 1,
        n]. Returns keys and values, each [layers, batch, kv_heads, n, head_dim].
        """
        states = self.context_norm(self.context_proj(hidden.flatten(2)))
        rows = [layer.attention.keys_values(states, positions) for layer in self._layers()]
        return torch.stack([keys for keys, _ in rows]), torch.stack([values for _, values in rows])

    def forward(
        self,
        embedded: torch.Tensor,
        positions: torch.Tensor,
        context: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What the target's head is to score, for every place of the block.

        embedded: the block's tokens as the target embeds them, masks as `mask_embedding`, [batch, q, hidden_size].
        positions: int64 [batch or 1, q]. context: of `context_rows`. mask: which of the context's rows and then of the
        block's own each place sees, boolean, broadcast to [batch, heads, q, n + q]; None for all of them. Returns
        [batch, q, hidden_size]; place i speaks of the token *at* its position, so that the known ones say nothing new.
        """
        states = embedded
        for index, layer in enumerate(self._layers()):
            states = layer(states, positions, (context[0][index], context[1][index]), mask)
        normed: torch.Tensor = self.norm(states)
        return normed

    def _layers(self) -> list[_Layer]:
        return [layer for layer in self.layers if isinstance(layer, _Layer)]


def _rotate(states: torch.Tensor, positions: torch.Tensor, base: float) -> torch.Tensor:
    """Rotary positions: states [batch, heads, n, d], positions [batch or 1, n]."""
    half = states.shape[-1] // 2
    rates = base ** (-torch.arange(half, device=states.device, dtype=torch.float32) / half)
    angles = positions[:, None, :, None].to(torch.float32) * rates
    cosine, sine = angles.cos().to(states.dtype), angles.sin().to(states.dtype)
    first, second = states.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)
