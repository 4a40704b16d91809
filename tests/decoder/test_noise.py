"""Philox against published vectors, and what sampling by its numbers is worth."""

from __future__ import annotations

import math

import pytest
import torch

from protocheck.runtime import noise
from protocheck.runtime.noise import CounterNoise, gumbel, philox

from .distributions import chi_square, critical

# The rows "philox4x32 10" of tests/kat_vectors in Random123 1.14: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_known_answers(counter: tuple[int, int, int, int], key: tuple[int, int], result: tuple[int, ...]) -> None:
    assert philox(counter, key) == result


def test_known_answers_on_tensors() -> None:
    """Many at once: products of 64 bits wrap in a tensor, also in those that the processor works on by the vector."""
    for counter, key, result in KNOWN:
        a, b, c, d = (torch.full((1037,), word, dtype=torch.int64) for word in counter)
        words = philox((a, b, c, d), key)
        assert [set(word.tolist()) for word in words] == [{word} for word in result]


def test_a_number_for_each_token_is_the_same_however_it_is_asked_for() -> None:
    noise = CounterNoise(7, 3)
    whole = noise.uniforms(70_001, 12)
    assert torch.equal(noise.uniforms(5, 12), whole[:5])
    chosen = torch.tensor([70_000, 0, 1, 2, 40_000, 40_001])
    assert torch.equal(noise.uniforms_of(chosen, 12), whole[chosen])
    key = noise.key
    for token in (0, 1, 69_999, 70_000):
        words = philox((token // 2, 12, 0, 0), key)[2 * (token % 2) :][:2]
        assert whole[token].item() == ((words[0] << 21) | (words[1] >> 11)) / 2**53


def test_uniform() -> None:
    numbers = CounterNoise(1).uniforms(200_000, 0)
    assert numbers.min() > 0
    assert numbers.max() < 1
    counts = torch.histc(numbers.float(), bins=64, min=0, max=1).tolist()
    assert chi_square(counts, [1 / 64] * 64) < critical(63)
    # All 53 bits are used.
    assert int((numbers * 2**53).remainder(2).sum()) > 90_000


@pytest.mark.parametrize(("word", "number"), [(0, 2.0**-53), (0xFFFFFFFF, 1 - 2.0**-53)])
def test_the_extreme_numbers(word: int, number: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither 0 nor 1 comes out, of which Gumbel noise would be infinite."""
    monkeypatch.setattr(noise, "philox", lambda counter, _: (torch.full_like(counter[0], word),) * 4)
    assert set(CounterNoise(1).uniforms(6, 0).tolist()) == {number}


def test_gumbel_noise_is_finite() -> None:
    extremes = torch.tensor([2.0**-53, 1 - 2.0**-53], dtype=torch.float64)
    low, high = gumbel(extremes).tolist()
    assert (low, high) == (pytest.approx(-3.603, abs=1e-3), pytest.approx(36.737, abs=1e-3))


def test_nothing_is_shared() -> None:
    """Other seeds, requests and positions give other numbers, also where their sums agree."""
    keys = {(seed, request): CounterNoise(seed, request) for seed in range(-2, 12) for request in range(12)}
    seen = {
        (seed, request, position): tuple(noise.uniforms(4, position).tolist())
        for (seed, request), noise in keys.items()
        for position in (0, 1, 2, 10, 2**32, 2**32 + 1)
    }
    assert len(set(seen.values())) == len(seen)
    assert CounterNoise(1, 23).key != CounterNoise(12, 3).key


def test_planted_seed_plus_position() -> None:
    """Keyed by seed + position, two seeds are one run shifted: the next position of one is this one of the other."""

    def planted(seed: int, position: int) -> tuple[int, ...]:
        return philox((0, 0, 0, 0), (seed + position, 0))

    assert planted(1, 5) == planted(2, 4)
    assert not torch.equal(CounterNoise(1).uniforms(4, 5), CounterNoise(2).uniforms(4, 4))


@pytest.mark.parametrize("forbidden", [0, 5], ids=["all possible", "most forbidden"])
def test_distributed_as_the_softmax(forbidden: int) -> None:
    scores = torch.tensor([[0.3, -1.0, 1.4, 0.0, -0.2, 0.9, 2.0, -2.0]])
    scores[0, :forbidden] = -math.inf
    noise = CounterNoise(5)
    counts = [0] * 8
    for position in range(1_500):
        counts[noise.choose(scores, position)] += 1
    assert sum(counts[:forbidden]) == 0
    expected = scores[0].double().softmax(-1).tolist()
    assert chi_square(counts[forbidden:], expected[forbidden:]) < critical(7 - forbidden)


def test_both_ways_to_compute_the_noise_choose_alike() -> None:
    """One more forbidden token takes the short way; where it was not the sampled one, nothing changes."""
    generator = torch.Generator().manual_seed(0)
    compared = 0
    for position in range(200):
        scores = torch.randn((1, 40), generator=generator)
        scores[0, :20] = -math.inf
        noise = CounterNoise(position % 3)
        chosen = noise.choose(scores, position)
        fewer = scores.clone()
        fewer[0, 20] = -math.inf
        if chosen != 20:
            assert noise.choose(fewer, position) == chosen
            compared += 1
    assert compared > 150


def test_independent_of_other_positions() -> None:
    """The same pair of tokens at two positions comes as often as independence says."""
    scores = torch.zeros(1, 3)
    noise = CounterNoise(9)
    chosen = [noise.choose(scores, position) for position in range(3_000)]
    counts = [0] * 9
    for first, second in zip(chosen[::2], chosen[1::2], strict=True):
        counts[3 * first + second] += 1
    assert chi_square(counts, [1 / 9] * 9) < critical(8)


@pytest.mark.parametrize(
    "scores",
    [[-math.inf] * 4, [math.nan, 0.0, 0.0, 0.0], [math.inf, 0.0, 0.0, 0.0], [math.nan, -math.inf, -math.inf, 0.0]],
    ids=str,
)
def test_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="no token to sample"):
        CounterNoise(1).choose(torch.tensor([scores]), 0)


def test_no_global_generator_is_used() -> None:
    before = torch.get_rng_state()
    CounterNoise(1).choose(torch.zeros(1, 100), 0)
    assert torch.equal(torch.get_rng_state(), before)
