"""What the decoder records is a behaviour of its protocols; what it does without a guard that it needs is none."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from protocheck import Protocol
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.runtime import Recorder
from protocheck.runtime.decoder import Protocols, SpeculativeDecoder
from protocheck.toolchain.validation.results import Validation
from protocheck.toolchain.validation.validate import validate

from ..decoder.drafters import HalfRightDrafter
from ..decoder.models import prompt, tiny

PROTOCOLS: tuple[type[Protocol], ...] = (TreeCache, HandOff, Walk)


def recorded(protocols: Protocols, *, threads: bool) -> list[bytes]:
    """Two requests of a decoder whose drafter is right half of the time."""
    model, ids = tiny("gemma3", window=6, layers=3), torch.tensor([prompt(12)])
    arguments: dict[str, Any] = {"max_new_tokens": 24, "do_sample": False, "eos_token_id": None}
    plain = model.generate(ids, attention_mask=torch.ones_like(ids), **arguments)
    drafter = HalfRightDrafter(plain[0].tolist(), 0.6, branches=2)
    file = io.StringIO()
    with Recorder(file) as recorder:
        decoder = SpeculativeDecoder(
            model, drafter, tree_budget=6, adaptive=False, threads=threads, protocols=protocols, recorder=recorder
        )
        for _ in range(2):
            decoder.generate(ids, attention_mask=torch.ones_like(ids), **arguments)
    return file.getvalue().encode().splitlines(keepends=True)


def answers(lines: list[bytes], cls: type[Protocol]) -> tuple[Validation, ...]:
    return validate(lines, cls, name="run.ndjson")


@pytest.mark.parametrize("threads", [False, True])
def test_a_run_is_a_behaviour(threads: bool) -> None:
    lines = recorded(Protocols(), threads=threads)
    for cls in PROTOCOLS:
        found = answers(lines, cls)
        assert len(found) >= 2
        for each in found:
            assert each.verdict == "behaviour", each
            assert each.events > 10
            assert each.with_arguments == each.with_values == each.events


def test_a_step_that_is_missing_is_missed() -> None:
    lines = recorded(Protocols(), threads=False)
    place = next(i for i, line in enumerate(lines) if b'"action": "commit"' in line)
    del lines[place]
    (found,) = answers(lines, TreeCache)
    assert found.verdict == "rejected"
    assert found.rejection is not None
    assert found.rejection.line >= place


def test_a_guard_that_the_decoder_needs() -> None:
    """Where a token goes is the protocol's answer: without the guard the walk goes astray, and the log shows it."""
    lines = recorded(Protocols().without("walk.descend.agrees"), threads=False)
    (found,) = answers(lines, Walk)
    assert found.rejection is not None
    assert "agrees" in found.rejection.reasons[0].text
    assert found.notes[0] == "what ran was a variant, without the guard descend.agrees"
    assert all(each.verdict == "behaviour" for each in answers(lines, TreeCache))
