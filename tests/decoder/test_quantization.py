"""Quantisation of a drafter: what rounding changes stays within the documented bounds, on both axes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from protocheck.runtime.demonstration.model import new_target
from protocheck.runtime.quantization.kv import CodedRows, KVCodec
from protocheck.runtime.quantization.weights import QuantizedLinear, quantize_linears

HEAD_DIMS = (16, 32, 48, 64, 80, 128, 256)
SLACK = 1 + 1e-5  # of the float32 arithmetic that rotates and expands


def rows_of_all_kinds(head_dim: int) -> torch.Tensor:
    """Rows that a bound could fail on, [n, head_dim]: spread out, in one coordinate, constant, huge, tiny, zero."""
    generator = torch.Generator().manual_seed(head_dim)
    spread = torch.randn(400, head_dim, generator=generator) * torch.logspace(-6, 6, 400)[:, None]
    heavy = torch.randn(200, head_dim, generator=generator) ** 5
    single = torch.eye(head_dim) * 3
    constant = torch.full((1, head_dim), -0.7)
    return torch.cat((spread, heavy, single, constant, torch.zeros(1, head_dim), constant * 1e30, constant * 1e-28))


@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_rounding_of_keys_and_values_stays_within_its_bound(head_dim: int) -> None:
    codec = KVCodec(head_dim, seed=3)
    rows = rows_of_all_kinds(head_dim)
    coded = codec.encode(rows)
    changed = (codec.decode(coded) - rows).double().norm(dim=-1)
    bound = codec.error_bound(coded).double()
    assert (changed <= bound * SLACK).all()
    # The bound says something: some row comes near it, and it is far below the row itself.
    assert (changed / bound.clamp(min=1e-300)).max() > 0.6
    assert (bound[:400] < 0.45 * rows[:400].double().norm(dim=-1)).all()


@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_coordinates_take_four_and_three_bits_in_turn(head_dim: int) -> None:
    codec = KVCodec(head_dim)
    rows = rows_of_all_kinds(head_dim)[:400]
    coded = codec.encode(rows)
    error = ((codec.decode(coded) - rows) @ codec.rotation.T).abs() / coded.scales.float()
    assert error[:, 0::2].max() <= 1 / 16 * SLACK + 1e-6
    assert error[:, 1::2].max() <= 1 / 8 * SLACK + 1e-6
    assert error[:, 1::2].max() > 1 / 10, "three bits would have fitted in four"


def test_a_row_takes_three_and_a_half_bits_a_number_and_one_scale() -> None:
    coded = KVCodec(64).encode(torch.randn(2, 3, 5, 64))
    assert coded.codes.shape == (2, 3, 5, 64 * 7 // 16)
    assert coded.codes.dtype == torch.uint8
    assert coded.scales.shape == (2, 3, 5, 1)
    assert coded.scales.dtype == torch.bfloat16


@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_the_rotation_keeps_lengths_and_spreads_single_coordinates(head_dim: int) -> None:
    rotation = KVCodec(head_dim, seed=1).rotation
    assert torch.allclose(rotation @ rotation.T, torch.eye(head_dim), atol=1e-5)
    block = head_dim & -head_dim
    assert torch.allclose(rotation.abs().amax(dim=0), torch.full((head_dim,), 1 / math.sqrt(block)))


def test_each_seed_has_its_signs_and_no_other_expands_the_rows() -> None:
    rows = torch.randn(50, 32)
    coded = KVCodec(32, seed=1).encode(rows)
    same, other = KVCodec(32, seed=1), KVCodec(32, seed=2)
    assert torch.equal(same.decode(coded), KVCodec(32, seed=1).decode(coded))
    assert ((other.decode(coded) - rows).norm(dim=-1) > other.error_bound(coded)).any()


def test_codecs_leave_the_default_generator_alone() -> None:
    before = torch.random.get_rng_state()
    codec = KVCodec(32, seed=5)
    codec.decode(codec.encode(torch.ones(2, 32)))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_zeros_and_what_is_nearly_zero_come_back_as_zeros() -> None:
    codec = KVCodec(16)
    rows = torch.stack((torch.zeros(16), torch.full((16,), 1e-33)))
    coded = codec.encode(rows)
    assert codec.decode(coded).abs().max() == 0
    assert codec.error_bound(coded).abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rows_of_half_precision_are_expanded_in_it(dtype: torch.dtype) -> None:
    codec = KVCodec(32)
    rows = torch.randn(20, 32, generator=torch.Generator().manual_seed(0)).to(dtype)
    coded = codec.encode(rows)
    expanded = codec.decode(coded, dtype)
    assert expanded.dtype == dtype
    rounding = torch.finfo(dtype).eps * rows.float().norm(dim=-1) * 2
    assert ((expanded.float() - rows.float()).norm(dim=-1) <= codec.error_bound(coded) + rounding).all()


def test_parts_of_coded_rows_can_be_cut_out() -> None:
    codec = KVCodec(32)
    coded = codec.encode(torch.randn(1, 2, 10, 32))
    part = CodedRows(coded.codes[:, :, 3:6], coded.scales[:, :, 3:6])
    assert torch.equal(codec.decode(part), codec.decode(coded)[:, :, 3:6])


@pytest.mark.parametrize("head_dim", [0, 8, 24, 100])
def test_head_sizes_that_do_not_fill_bytes_are_refused(head_dim: int) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        KVCodec(head_dim)


# --- weights="w4" ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("out", "into", "group"), [(5, 64, 64), (7, 100, 32), (3, 10, 64), (4, 6, 2)])
def test_a_weight_changes_by_half_a_step_at_most(out: int, into: int, group: int) -> None:
    linear = nn.Linear(into, out)
    with torch.no_grad():
        linear.weight *= torch.logspace(-3, 3, out)[:, None]
        linear.weight[0, :2] = 0
    quantized = QuantizedLinear(linear, group)
    steps = quantized.scales.repeat_interleave(group, dim=1)[:, :into]
    changed = (quantized.weight - linear.weight).abs()
    assert (changed <= steps / 2 * SLACK).all()
    assert quantized.weight.unique().numel() > 2
    assert quantized.codes.numel() == out * math.ceil(into / group) * group // 2


def test_the_largest_weight_of_a_group_is_kept_and_signs_are_symmetric() -> None:
    linear = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[7.0, -7.0, 3.0, -3.0], [0.0, 0.0, 0.0, 0.0]]))
    assert torch.equal(QuantizedLinear(linear, 4).weight, linear.weight)


def test_a_quantised_layer_multiplies_what_it_says() -> None:
    linear = nn.Linear(96, 20)
    quantized = QuantizedLinear(linear)
    states = torch.randn(3, 96)
    assert torch.allclose(quantized(states), states @ quantized.weight.T + linear.bias)
    assert not torch.equal(quantized(states), linear(states))


def test_a_quantised_layer_follows_its_module_to_another_dtype() -> None:
    module = nn.Sequential(nn.Linear(64, 8))
    quantize_linears(module)
    assert module.to(torch.bfloat16)(torch.randn(1, 64).to(torch.bfloat16)).dtype == torch.bfloat16
    assert module[0].codes.dtype == torch.uint8


def test_a_head_that_is_tied_to_the_embeddings_stays() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings = nn.Embedding(10, 64)
            self.inner = nn.Linear(64, 64)
            self.head = nn.Linear(64, 10, bias=False)
            self.head.weight = self.embeddings.weight

    module = Tied()
    assert quantize_linears(module) == ("inner",)
    assert type(module.head) is nn.Linear
    assert isinstance(module.inner, QuantizedLinear)


def test_what_cannot_be_quantised_is_refused() -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        quantize_linears(nn.Embedding(3, 4))
    with pytest.raises(ValueError, match="even"):
        QuantizedLinear(nn.Linear(4, 4), 3)
    broken = nn.Linear(4, 4)
    with torch.no_grad():
        broken.weight[0, 0] = math.inf
    with pytest.raises(ValueError, match="finite"):
        QuantizedLinear(broken)


def test_a_model_of_transformers_is_quantised_but_for_its_tied_head() -> None:
    target = new_target(seed=0)
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        before = target(input_ids=ids).logits
        names = quantize_linears(target)
        after = target(input_ids=ids).logits
    assert len(names) == 7 * target.config.num_hidden_layers
    assert type(target.lm_head) is nn.Linear
    assert 0.001 < (after - before).norm() / before.norm() < 0.5
