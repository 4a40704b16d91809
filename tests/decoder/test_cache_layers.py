"""One layer's rows against a list: written, gathered, cut and dropped at random, over many growths and moves."""

from __future__ import annotations

import random
from itertools import count

import pytest
import torch

from protocheck.runtime.cache_layers import SMALLEST, TreeLayer


def layer(window: int | None = None, labelled: bool = False) -> TreeLayer:
    made = TreeLayer(3, window, lambda *_: None, lambda *_: None)
    made.labelled = labelled
    return made


def rows(numbers: list[int], heads: int = 2, size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values that say which row they are, in each head and place differently."""
    base = torch.tensor(numbers, dtype=torch.float32).view(1, 1, -1, 1)
    grid = torch.arange(heads * size, dtype=torch.float32).view(1, heads, 1, size) / 100
    return base + grid, -(base + grid)


def held(made: TreeLayer) -> list[int]:
    """Which rows a layer holds; demands that keys and values of a row belong together in all heads."""
    if made.keys is None:
        return []
    assert made.values is not None
    numbers = [round(float(number)) for number in made.keys[0, 0, :, 0]]
    keys, values = rows(numbers)
    assert torch.equal(made.keys, keys)
    assert torch.equal(made.values, values)
    return numbers


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_rows_are_where_a_list_has_them(seed: int, labelled: bool) -> None:
    rng = random.Random(seed)
    made, expected, low, numbers = layer(window=8, labelled=labelled), [], 0, count()
    base = 0
    for _ in range(200):
        new = [next(numbers) for _ in range(rng.choice((1, 2, 5, 17, 40)))]
        if labelled:
            made.labels = torch.tensor(new)
        views = made.update(*rows(new))
        expected += new
        assert views[0].data_ptr() == made.keys.data_ptr() if made.keys is not None else False
        tail = len(expected) - (base - low)
        if rng.random() < 0.8:
            slots = sorted(rng.sample(range(1, tail + 1), rng.randint(0, min(tail, 9))))
            stay = next((place for place, slot in enumerate(slots) if slot != place + 1), len(slots))
            index = torch.tensor(slots[stay:]) - 1 if stay < len(slots) else None
            made.gather(base, slots, index)
            expected = expected[: base - low] + [expected[base - low + slot - 1] for slot in slots]
            base += len(slots)
            dropped = rng.randint(low, max(low, base - rng.randint(0, 20)))
            made.drop(dropped)
            expected, low = expected[dropped - low :], dropped
        assert held(made) == expected
        assert (made.low, made.written, made.held) == (low, low + len(expected), len(expected))
        if labelled:
            assert made.held_labels().tolist() == expected


def test_gather_takes_rows_before_they_are_overwritten() -> None:
    """Row by row in place, slot 3 would be read after slot 1 has become it."""
    made = layer()
    made.update(*rows(list(range(10))))
    slots = [6, 2, 1]
    made.gather(4, slots, torch.tensor(slots) - 1)
    assert held(made) == [0, 1, 2, 3, 9, 5, 4]


def test_writing_happens_in_place() -> None:
    """A view of earlier rows sees what is done to them: that is what the protocol protects."""
    made = layer()
    keys, _ = made.update(*rows(list(range(4))))
    made.update(*rows([4, 5]))
    made.gather(2, [4], torch.tensor([3]))
    assert [round(float(number)) for number in keys[0, 0, :, 0]] == [0, 1, 5, 3]


def test_buffers_grow_geometrically_and_give_back() -> None:
    made = layer(window=8)
    places = set()
    for number in range(1000):
        keys, _ = made.update(*rows([number]))
        places.add(keys.untyped_storage().data_ptr())
    assert len(places) <= 6, "64, 128, … 1024"
    made.drop(993)
    assert held(made) == list(range(993, 1000))
    assert made.keys is not None
    assert made.keys.untyped_storage().nbytes() <= 4 * SMALLEST * 8 * 4
    for number in range(1000, 3000):
        made.update(*rows([number]))
        made.drop(number - 6)
    assert held(made) == list(range(2993, 3000))
    assert made.keys.untyped_storage().nbytes() <= 4 * SMALLEST * 8 * 4, "a window that slides needs no more"


def test_what_the_library_asks() -> None:
    made = layer(window=4)
    assert made.get_mask_sizes(3) == (3, 0)
    assert made.get_seq_length() == 0
    made.update(*rows(list(range(9))))
    made.drop(6)
    assert made.get_mask_sizes(2) == (5, 6)
    assert made.get_mask_sizes(torch.arange(2)) == (5, 6), "4.57 passes the positions of the queries"
    assert made.get_seq_length() == 9
    assert made.get_max_length() == made.get_max_cache_shape() == -1
    made.reset()
    assert (made.low, made.written, made.keys, made.is_initialized) == (0, 0, None, False)


def test_cuts_that_cannot_be() -> None:
    made = layer(window=4)
    made.update(*rows(list(range(9))))
    made.drop(5)
    for length in (4, 10):
        with pytest.raises(ValueError, match=f"layer 3 holds rows 5 to 9 and cannot be cut to {length}"):
            made.cut(length)
    made.cut(5)
    assert held(made) == []


def test_one_sequence_only() -> None:
    made = layer()
    keys, values = rows([1, 2])
    with pytest.raises(ValueError, match="a batch of 2"):
        made.update(keys.repeat(2, 1, 1, 1), values.repeat(2, 1, 1, 1))


def test_in_debug_runs_what_is_gone_is_poison() -> None:
    made = layer(labelled=True)
    made.labels = torch.arange(4)
    keys, _ = made.update(*rows(list(range(4))))
    made.cut(2)
    assert torch.isnan(keys[0, :, 2:]).all()
    assert not torch.isnan(keys[0, :, :2]).any()
