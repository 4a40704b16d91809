"""What a round may cost besides its forwards, and a benchmark that does not pass over a text that differs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch

from protocheck.dev import ROOT

from .models import FAMILIES, Attention, prompt, tiny

ATTEMPTS = 3
"""A busy machine may disturb a short measurement; it does not do so each time."""


def test_protocol_heap_and_walk_cost_what_they_may() -> None:
    command = [sys.executable, "-m", "benchmarks.decoder", "--only", "round", "--require"]
    output = ""
    for _ in range(ATTEMPTS):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        output = done.stdout + done.stderr
        # Anything but a missed bound is no matter of luck.
        assert done.returncode == 0 or "MISS" in done.stdout, output
        if done.returncode == 0:
            break
    assert done.returncode == 0, output
    assert "ok   round: protocol, heap and walk take" in output


def test_the_benchmark_stops_at_a_text_that_differs() -> None:
    program = (
        "import torch\n"
        "from benchmarks import decoder\n"
        "from benchmarks.decoder_cases import Case, Way\n"
        "texts = iter([torch.tensor([[1, 2, 3]])] * 4 + [torch.tensor([[1, 2, 4]])] * 9)\n"
        "case = Case('case', '', torch.device('cpu'), torch.nn.Linear(1, 1), 1,\n"
        "    (Way('plain', lambda: torch.tensor([[1, 2, 3]])), Way('other', lambda: next(texts))), ())\n"
        "decoder.run(case, 6)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "case: other differs from plain generation at token 2" in done.stderr


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_chain_that_grows_node_by_node_needs_no_mask(family: str, attention: Attention) -> None:
    """As an assistant drafts: from before the window is full to where rows leave it, with commits in between."""
    from protocheck.runtime.target import TargetModel
    from protocheck.runtime.tree import DraftTree

    model = tiny(family, attention=attention)
    text = prompt(30, seed=3)
    with torch.no_grad():
        expected = model(torch.tensor([text])).logits[0]
    target = TargetModel(model)
    cache = target.new_cache(64, 8, provenance=True)
    target.prefill(cache, text[:3])
    for first in range(3, 27, 4):
        for count in range(1, 6):
            tree = DraftTree.chain(text[first], text[first + 1 : first + count])
            found = target.verify(cache, tree).logits
            assert found.shape[0] == 1
            torch.testing.assert_close(found[0], expected[first + count - 1], atol=2e-5, rtol=1e-5)
        for slot in range(1, 5):
            cache.keep(slot)
        cache.commit()
        assert cache.committed == first + 4


def test_ways_that_stream_in_turns_are_compared() -> None:
    """One of them takes three times as long for a token; both give the same text, or it is an error."""
    from benchmarks.decoder import in_turns
    from benchmarks.decoder_cases import Way
    from protocheck.runtime.request import Emitted

    def way(seconds: float, last: int) -> Way:
        def stream() -> Iterator[Emitted]:
            for token in (*range(40), last):
                time.sleep(seconds)
                yield Emitted(token, False, token, 0)

        return Way(str(seconds), lambda: torch.empty(0), None, stream)

    found = in_turns(way(0.002, 7), way(0.006, 7), 3)
    assert len(found) == 3
    assert 1.5 < found[1] < 5
    with pytest.raises(SystemExit, match=r"0\.001 differs from 0\.002"):
        in_turns(way(0.001, 7), way(0.002, 8), 1)


def test_a_case_without_weights_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are measured all the same."""
    from benchmarks import decoder, decoder_cases
    from protocheck.runtime.demonstration.shipped import WeightsError

    def missing() -> None:
        raise WeightsError("no weights here")

    monkeypatch.setattr(decoder_cases, "load_target", missing)
    monkeypatch.setattr(sys, "argv", ["decoder", "--only", "demonstration", "--require"])
    decoder.main()
    assert "demonstration is left out: no weights here" in capsys.readouterr().out
