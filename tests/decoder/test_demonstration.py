"""The demonstration pair: what is shipped is whole, loads without a network, and does what its manifest says."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.demonstration import drafter_training, target_training
from protocheck.runtime.demonstration.checkpoint import Progress, load_checkpoint, save_checkpoint, stop_requests
from protocheck.runtime.demonstration.continuations import Continuations, continue_prompts, target_scores
from protocheck.runtime.demonstration.corpus import SourceFile, is_held_out, library_folder, source_files
from protocheck.runtime.demonstration.drafter_training import DrafterRun, train_drafter
from protocheck.runtime.demonstration.files import write_atomically
from protocheck.runtime.demonstration.measures import greedy_text, looping_share, repeats, tokens_a_forward
from protocheck.runtime.demonstration.model import new_drafter_model, new_target
from protocheck.runtime.demonstration.reporting import NEW_TOKENS, PROMPTS, looping_prompts
from protocheck.runtime.demonstration.schedule import learning_rate_factor, optimisers
from protocheck.runtime.demonstration.shipped import (
    LARGEST,
    WeightsError,
    load_block_drafter,
    load_drafter_model,
    load_target,
    load_tokenizer,
    publish,
    read_manifest,
    shipped_folder,
)
from protocheck.runtime.demonstration.target_training import TargetRun, bits_per_byte, train_target
from protocheck.runtime.demonstration.tokenizer import BEGINNING_ID, END_ID, VOCABULARY, train_tokenizer, wrap_tokenizer
from protocheck.runtime.demonstration.unlikelihood import LONGEST_PERIOD, goes_on_looping, unlikelihood_loss
from protocheck.runtime.demonstration.windows import (
    Corpus,
    encode_corpus,
    held_out_batches,
    held_out_prompts,
    training_batch,
)
from protocheck.runtime.drafters.base import Context, Outcome, TargetFacts
from protocheck.runtime.drafters.block import BlockDrafter
from protocheck.runtime.tree import DraftTree


@pytest.fixture(scope="module")
def target() -> Any:
    return load_target()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer()


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return read_manifest()


@pytest.fixture(scope="module")
def corpus(tokenizer: Any) -> Corpus:
    """Three packages of the standard library, one file of them held out whatever its name."""
    files = [file for folder in ("json", "email", "logging") for file in source_files(library_folder() / folder)]
    split = [
        SourceFile(file.name, file.text, is_test=index % 5 == 0, is_held_out=index == 1)
        for index, file in enumerate(files)
    ]
    return encode_corpus(split, tokenizer.backend_tokenizer)


# --- What is shipped -------------------------------------------------------------------------------------------------


def test_the_target_is_small_and_has_sliding_and_full_layers(target: Any) -> None:
    assert 2_000_000 < sum(parameter.numel() for parameter in target.parameters()) < 3_000_000
    assert set(target.config.layer_types) == {"sliding_attention", "full_attention"}
    assert target.config.sliding_window < 128, "short texts do not cross the window"
    assert target.get_output_embeddings().weight is target.get_input_embeddings().weight
    assert all(parameter.dtype == torch.float32 for parameter in target.parameters())


def test_all_files_together_are_small_and_named_in_the_manifest(manifest: dict[str, Any]) -> None:
    files = {file.name: len(file.read_bytes()) for file in shipped_folder().iterdir() if file.is_file()}
    assert set(files) == {"target.safetensors", "drafter.safetensors", "tokenizer.json", "manifest.json"}
    assert sum(files.values()) <= LARGEST == 8_000_000
    assert set(manifest["files"]) == set(files) - {"manifest.json"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for file in shipped_folder().iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


LOADERS = {
    "target.safetensors": load_target,
    "drafter.safetensors": load_drafter_model,
    "tokenizer.json": load_tokenizer,
}


@pytest.mark.parametrize("name", LOADERS)
def test_a_changed_byte_is_noticed(copy: Path, name: str) -> None:
    LOADERS[name](copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(WeightsError, match=rf"{name} in .* has the checksum [0-9a-f]{{64}}, but [0-9a-f]{{64}} was"):
        LOADERS[name](copy)


@pytest.mark.parametrize("name", LOADERS)
def test_what_is_missing_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name} is missing from .*train the demonstration"):
        LOADERS[name](copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"][name]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="were never published"):
        LOADERS[name](copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(WeightsError, match=r"manifest\.json is missing"):
        LOADERS[name](copy)


def test_the_target_is_one_that_transformers_loads_itself(target: Any, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    target.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again: Any = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    ids = tokenizer("import os\n", return_tensors="pt")["input_ids"]
    assert AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)("import os\n")["input_ids"] == ids[0].tolist()
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, target(input_ids=ids).logits)


@given(st.text())
def test_text_survives_the_tokenizer(text: str) -> None:
    tokenizer = _tokenizer_once()
    ids = tokenizer.encode(text)
    assert ids[0] == BEGINNING_ID
    assert all(0 <= token < VOCABULARY for token in ids)
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


_kept: list[Any] = []


def _tokenizer_once() -> Any:
    if not _kept:
        _kept.append(load_tokenizer())
    return _kept[0]


def test_indentation_is_one_token(tokenizer: Any) -> None:
    pieces = [
        tokenizer.decode([token])
        for token in tokenizer.encode("if x:\n        return\n    y", add_special_tokens=False)
    ]
    assert "\n        " in pieces
    assert "\n    " in pieces


def test_held_out_text_takes_the_bits_that_the_manifest_says(
    target: Any, tokenizer: Any, manifest: dict[str, Any]
) -> None:
    """A sample of what this Python ships; the manifest speaks of the Python that trained."""
    files = [file for file in source_files(library_folder()) if file.is_held_out and not file.is_test]
    if not files:
        pytest.skip("this Python ships without the source of its library")
    held_out = encode_corpus(files[::4], tokenizer.backend_tokenizer).held_out
    said = manifest["measured"]["target"]["held_out_bits_per_byte"]
    assert bits_per_byte(target, held_out, sample=24) == pytest.approx(said, abs=0.25)
    assert not target.training, "measuring left the target in another mode"
    target.train()
    bits_per_byte(target, held_out, sample=1)
    assert target.training
    target.eval()


def test_the_target_says_more_than_frequent_tokens(target: Any, tokenizer: Any) -> None:
    texts = {prompt: greedy_text(target, tokenizer.encode(prompt), 48) for prompt in PROMPTS[:4]}
    assert len({tuple(ids) for ids in texts.values()}) == 4
    assert all(len(set(ids)) > 4 for ids in texts.values()), texts


def test_greedy_text_does_not_loop(target: Any, tokenizer: Any, manifest: dict[str, Any]) -> None:
    measured = manifest["measured"]["target"]
    assert measured["looping_prompts"] == []
    assert measured["looping_share_of_held_out_prompts"] <= 0.1
    # Another machine rounds differently, and a greedy text that differs in one token differs in all that follow.
    assert len(looping_prompts(target, tokenizer)) <= 1


def test_the_drafter_helps_and_an_untrained_one_does_not(target: Any, tokenizer: Any) -> None:
    prompts = torch.tensor(
        [tokenizer.encode(prompt)[:6] for prompt in PROMPTS if len(tokenizer.encode(prompt)) >= 6][:4]
    )
    said = continue_prompts(target, prompts, 64, [0.8] * len(prompts), seed=1)
    trained = tokens_a_forward(target, load_block_drafter(), said, 8)
    untrained = tokens_a_forward(target, BlockDrafter(new_drafter_model(3)), said, 8)
    assert trained.tokens_a_forward > max(1.25, untrained.tokens_a_forward + 0.2)


# --- Measures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "loops"),
    [
        ([1] * 12, True),
        ([9, 1, 2] * 4, True),
        ([5, *range(40), *range(40), *range(40)], True),
        ([1] * 11, False),
        ([1] * 12 + [2], False),
        (list(range(200)), False),
        ([*range(30), *range(30)], False),
        ([*range(41), *range(41), *range(41)], False),
        ([], False),
    ],
)
def test_loops_are_recognised(ids: list[int], loops: bool) -> None:
    assert repeats(ids) is loops


def test_a_continuation_is_what_generate_gives(target: Any, tokenizer: Any) -> None:
    prompt = tokenizer.encode("def read(path):\n")
    said = continue_prompts(target, torch.tensor([prompt]), 24, [0.0], seed=0)
    output = target.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False, eos_token_id=None)
    assert said.ids.tolist() == output.tolist()


def test_continuations_are_drawn_by_their_seed_and_nothing_else(target: Any) -> None:
    prompts = torch.tensor([[BEGINNING_ID, 300, 301]] * 3)
    before = torch.random.get_rng_state()
    first = continue_prompts(target, prompts, 16, [1.0] * 3, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(continue_prompts(target, prompts, 16, [1.0] * 3, seed=1).ids, first.ids)
    assert not torch.equal(continue_prompts(target, prompts, 16, [1.0] * 3, seed=2).ids, first.ids)
    assert len({tuple(row) for row in first.ids.tolist()}) == 3
    with pytest.raises(ValueError, match="3 prompts, but 1 temperatures"):
        continue_prompts(target, prompts, 1, [1.0], seed=0)


class _Oracle:
    """Knows what was drawn, and drafts a share of it: True for all, False for nothing right."""

    hidden_layers = (0,)

    def __init__(self, ids: list[int], right: bool) -> None:
        self.ids, self.right = ids, right
        self.rows = 0

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        self.rows = 0

    def draft(self, context: Context, budget: int) -> DraftTree:
        assert self.rows == len(context.ids) - 1, "hidden states of all tokens but the root were handed over"
        following = self.ids[len(context.ids) : len(context.ids) + budget]
        tokens = following if self.right else [(token + 1) % VOCABULARY for token in following]
        return DraftTree.chain(context.ids[-1], tokens)

    def accepted(self, outcome: Outcome) -> None:
        assert outcome.hidden is not None
        self.rows += len(outcome.hidden)

    def close(self) -> None:
        self.rows = -1


@pytest.mark.parametrize(("right", "expected"), [(True, 5.0), (False, 1.0)])
def test_acceptance_is_counted_on_drawn_text(target: Any, right: bool, expected: float) -> None:
    ids = torch.randint(3, VOCABULARY, (1, 60), generator=torch.Generator().manual_seed(0))
    oracle = _Oracle(ids[0].tolist(), right)
    acceptance = tokens_a_forward(target, oracle, Continuations(ids, 10, torch.ones(1)), budget=4)
    assert acceptance.tokens_a_forward == expected
    assert acceptance.reached == ((acceptance.rounds,) * 4 if right else ())
    assert oracle.rows == -1


def test_the_share_of_prompts_after_which_text_loops() -> None:
    """A target that says the token after the last one, and 20 after 29; or stands still from 90 on."""
    config = new_target(0).config

    class Counting(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
            follows = torch.where(input_ids == 29, 20, (input_ids + 1).clamp(max=90))
            return SimpleNamespace(logits=torch.nn.functional.one_hot(follows, 4096).float())

    counting = Counting()
    counting.config = config
    prompts = torch.tensor([[BEGINNING_ID, first] for first in (20, 29, 30, 85)])
    assert looping_share(counting, prompts, 40) == 0.75
    assert looping_share(counting, prompts, 16) == 0.25
    assert looping_share(counting, prompts, 8) == 0


# --- Corpus ----------------------------------------------------------------------------------------------------------


def test_the_corpus_is_the_source_that_can_be_learnt_from(tmp_path: Path) -> None:
    def put(name: str, content: bytes) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    put("a.py", b"x = 1\r\n\ty = 2\n")
    put("copy_of_a.py", b"x = 1\r\n\ty = 2\n")
    put("test/b.py", b"assert True\n")
    for name in ("site-packages/c.py", "encodings/d.py", "__pycache__/e.py", "notes.txt"):
        put(name, b"z = 3\n")
    put("latin.py", "# café\n".encode("latin-1"))
    put("null.py", b"\0")
    put("empty.py", b"\n")
    put("table.py", b"1\n" * 150_001)
    assert list(source_files(tmp_path)) == [
        SourceFile("a.py", "x = 1\n        y = 2\n", is_test=False, is_held_out=is_held_out("a.py")),
        SourceFile("test/b.py", "assert True\n", is_test=True, is_held_out=is_held_out("test/b.py")),
    ]


def test_one_file_in_sixteen_is_held_out_by_its_name() -> None:
    held_out = sum(is_held_out(f"package/module_{number}.py") for number in range(4000))
    assert 4000 / 16 * 0.8 < held_out < 4000 / 16 * 1.2


def test_windows_begin_where_lines_do_and_follow_from_seed_and_step(corpus: Corpus, tokenizer: Any) -> None:
    windows = training_batch(corpus, 32, 20, seed=1, step=2)
    assert windows.shape == (32, 21)
    assert (windows[:, 0] == BEGINNING_ID).all()
    assert torch.equal(windows, training_batch(corpus, 32, 20, seed=1, step=2))
    assert not torch.equal(windows, training_batch(corpus, 32, 20, seed=1, step=3))
    assert not torch.equal(windows, training_batch(corpus, 32, 20, seed=2, step=2))
    texts = [tokenizer.decode(row.tokens) for row in (corpus.library, corpus.tests)]
    unindented = 0
    for window in windows.tolist():
        text = tokenizer.decode(window[1:])
        places = [whole.find(text) for whole in texts if text in whole]
        assert places
        line = max(whole[: whole.find(text)].rpartition("\n")[2] for whole in texts if text in whole)
        assert not line.strip()
        unindented += not line and not text.startswith(" ")
    assert unindented >= 8


def test_held_out_text_is_in_no_training_row(corpus: Corpus, tokenizer: Any) -> None:
    held_out = tokenizer.decode(corpus.held_out.tokens)
    assert corpus.held_out.bytes == len(held_out.replace("<eos>", "").encode())
    for row in (corpus.library, corpus.tests):
        assert held_out[:2000] not in tokenizer.decode(row.tokens)
    windows = torch.cat(list(held_out_batches(corpus.held_out, 3, 16)))
    assert windows[:, 1:].flatten().tolist() == corpus.held_out.tokens[: windows[:, 1:].numel()].tolist()
    assert END_ID in corpus.held_out.tokens


def test_held_out_prompts_begin_as_training_windows_do(corpus: Corpus, tokenizer: Any) -> None:
    prompts = held_out_prompts(corpus.held_out, 5, length=9)
    assert prompts.shape == (5, 9)
    assert (prompts[:, 0] == BEGINNING_ID).all()
    held_out = tokenizer.decode(corpus.held_out.tokens)
    for prompt in prompts.tolist():
        text = tokenizer.decode(prompt[1:])
        assert f"\n{text}" in held_out
        assert not text.startswith(" ")
    assert len({tuple(prompt) for prompt in prompts.tolist()}) > 1


# --- Training --------------------------------------------------------------------------------------------------------


def test_the_learning_rate_warms_up_and_cools_down() -> None:
    assert learning_rate_factor(0, 0.0) == 1 / 50
    assert learning_rate_factor(49, 0.1) == learning_rate_factor(5000, 0.65) == 1
    assert learning_rate_factor(5000, 0.825) == pytest.approx(0.5)
    assert learning_rate_factor(5000, 1.0) == learning_rate_factor(5000, 1.5) == 0


def test_tokens_that_end_a_loop_are_found() -> None:
    def found(*ids: int) -> list[int]:
        return [place for place, is_end in enumerate(goes_on_looping(torch.tensor([ids]))[0].tolist()) if is_end]

    block = range(10, 22)
    assert found(*block, *block, *block, 5) == [*range(23, 36)]
    assert found(*block, *block) == [23]
    assert found(*block, *block[:-1], 5) == []
    assert found(*block, 5, *block, 6, *block) == [], "a repeated span is no loop"
    assert found(*[3] * 12) == [8, 9, 10, 11]
    assert found(*[3, 4] * 6) == [9, 10, 11]
    longest = range(100, 100 + LONGEST_PERIOD)
    assert found(*longest, *longest) == [2 * LONGEST_PERIOD - 1]
    assert found(*longest, 5, *longest, 5) == []
    assert found(7, 7) == []


def test_unlikelihood_is_of_repetitions_in_what_was_said(target: Any) -> None:
    loop = torch.tensor([[BEGINNING_ID, *([40, 41, 42, 43] * 8)]])
    assert unlikelihood_loss(target, Continuations(torch.arange(3, 36)[None], 5, torch.zeros(1))).item() == 0
    with torch.no_grad():
        probabilities = torch.softmax(target(input_ids=loop[:, :-1]).logits[0], dim=-1)
    positions = range(20, 33)
    by_hand = -sum(torch.log1p(-probabilities[place - 1, loop[0, place]]).item() for place in positions) / 13
    assert unlikelihood_loss(target, Continuations(loop, 20, torch.zeros(1))).item() == pytest.approx(by_hand, rel=1e-4)


def test_a_step_on_unlikelihood_makes_a_repetition_less_probable() -> None:
    target = new_target(seed=1)
    said = Continuations(torch.tensor([[BEGINNING_ID, *([40, 41] * 12)]]), 3, torch.zeros(1))
    before = unlikelihood_loss(target, said)
    before.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in target.parameters():
            if parameter.grad is not None:
                parameter -= 0.05 * parameter.grad
        assert unlikelihood_loss(target, said) < before


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_training, "_TOKENS_A_STEP", 512)
    monkeypatch.setattr(target_training, "_UNLIKELY_FROM", 1e-6)
    monkeypatch.setattr(target_training, "_UNLIKELY_SEQUENCES", 4)
    monkeypatch.setattr(target_training, "_UNLIKELY_NEW", 12)
    small = {"_SEQUENCES": 2, "_NEW": 24, "_BATCH": 2, "_BLOCKS": 2, "_MEASURED": 1, "_MEASURED_NEW": 2}
    for name, value in small.items():
        monkeypatch.setattr(drafter_training, name, value)


@pytest.mark.usefixtures("small_steps")
def test_target_training_stops_when_asked_and_goes_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    checkpoint = tmp_path / "target.pt"
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    lines: list[str] = []
    # An hour of training that is asked to end at once, as by a signal from outside.
    real = target_training.training_batch

    def asked(*arguments: Any) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target_training, "training_batch", asked)
        train_target(TargetRun(checkpoint, 3600.0, 0, False, lines.append), corpus, resume=False, start=None)
    weights, _, progress = load_checkpoint(checkpoint)
    assert (progress.step, progress.tokens) == (1, 512)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert [path.name for path in tmp_path.iterdir()] == ["target.pt"]

    spoken: list[float] = []

    def unlikelihood(*arguments: Any) -> torch.Tensor:
        loss = unlikelihood_loss(*arguments)
        spoken.append(loss.item())
        return loss

    run = TargetRun(checkpoint, progress.seconds + 1.5, 0, False, lines.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target_training, "unlikelihood_loss", unlikelihood)
        trained = train_target(run, corpus, resume=True, start=None)
    later, _, after = load_checkpoint(checkpoint)
    assert after.step == 1 + len(spoken) > 1, "in the last part of the time every step has its share of unlikelihood"
    assert after.tokens == after.step * 512
    assert not torch.equal(later["model.embed_tokens.weight"], weights["model.embed_tokens.weight"])
    assert torch.equal(later["model.embed_tokens.weight"], trained.model.embed_tokens.weight)


@pytest.mark.usefixtures("small_steps")
def test_a_new_schedule_begins_on_given_weights(target: Any, corpus: Corpus, tmp_path: Path) -> None:
    run = TargetRun(tmp_path / "target.pt", 0.0, 0, False, lambda _: None)
    same = train_target(run, corpus, resume=False, start=target.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), target.parameters(), strict=True))


@pytest.mark.usefixtures("small_steps")
def test_drafter_training_goes_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    checkpoint, lines = tmp_path / "drafter.pt", list[str]()
    target = load_target()
    train_drafter(DrafterRun(checkpoint, 0.5, 0, lines.append), target, corpus, resume=False, start=None)
    weights, _, progress = load_checkpoint(checkpoint)
    assert progress.step == 3 * len(lines) > 0
    run = DrafterRun(checkpoint, progress.seconds + 0.5, 0, lines.append)
    trained = train_drafter(run, target, corpus, resume=True, start=None)
    later, _, after = load_checkpoint(checkpoint)
    assert after.step == 3 * len(lines) > progress.step
    assert not torch.equal(later["context_proj.weight"], weights["context_proj.weight"])
    assert torch.equal(later["context_proj.weight"], trained.context_proj.weight)


def test_distillation_teaches_a_drafter_what_the_target_says(target: Any, tokenizer: Any) -> None:
    """A new drafter learns a text by heart."""
    text = "class Stack:\n    def __init__(self):\n        self.items = []\n" * 3
    ids = torch.tensor([tokenizer.encode(text)[:48]] * 2)
    hidden, _ = target_scores(target, ids, (2, 4, 6))
    wanted = torch.nn.functional.one_hot(ids.roll(-1, dims=1), VOCABULARY).float()
    model = new_drafter_model(0)
    optimiser = optimisers(model.named_parameters(), scale=0.5)
    losses: list[float] = []
    for step in range(24):
        generator = torch.Generator().manual_seed(step)
        loss = drafter_training.block_loss(model, target, ids, hidden, wanted, 4, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step(0.5)
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    learnt = tokens_a_forward(target, BlockDrafter(model), Continuations(ids[:1], 8, torch.ones(1)), 7)
    assert learnt.tokens_a_forward > 1.5


# --- The pair in the decoder -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("axes", [{}, {"weights": "w4", "kv": "q3.5"}])
def test_the_pair_decodes_what_the_target_generates(
    target: Any, tokenizer: Any, threads: bool, axes: dict[str, Any]
) -> None:
    decoder = SpeculativeDecoder(target, load_block_drafter(**axes), tree_budget=8, adaptive=False, threads=threads)
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("class Stack:\n", {"do_sample": False}),
        ("def main(", {"do_sample": True, "temperature": 0.8, "top_k": 0}),
    )
    for prompt, sampling in calls:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        outputs = []
        for generate in (target.generate, decoder.generate):
            torch.manual_seed(5)
            outputs.append(generate(ids, max_new_tokens=72, **sampling).tolist())
        assert outputs[0] == outputs[1]
    assert decoder.drafter.hidden_layers == (2, 4, 6)


def test_a_prompt_of_one_token_is_continued(target: Any) -> None:
    ids = torch.tensor([[BEGINNING_ID]])
    decoder = SpeculativeDecoder(target, load_block_drafter(), tree_budget=8, adaptive=False)
    expected = target.generate(ids, max_new_tokens=20, do_sample=False)
    assert decoder.generate(ids, max_new_tokens=20, do_sample=False).tolist() == expected.tolist()


def test_a_checkpoint_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deeper" / "checkpoint.pt"
    save_checkpoint(path, {"weight": torch.ones(2)}, {}, Progress(step=1, measured=[(1.0, 2, 3.0)]))

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"weight": torch.zeros(2)}, {}, Progress(step=2))
    weights, _, progress = load_checkpoint(path)
    assert weights["weight"].tolist() == [1, 1]
    assert progress == Progress(step=1, measured=[(1.0, 2, 3.0)])
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.pt"]


def test_a_stop_request_ends_nothing_by_itself() -> None:
    with stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)


def test_files_that_are_written_can_be_read_by_everyone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_publishing_keeps_what_is_not_given_and_refuses_too_much(
    copy: Path, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_manifest(copy)
    total = publish(copy, drafter=new_drafter_model(5), measured={"note": 1})
    after = read_manifest(copy)
    assert after["files"]["target.safetensors"] == before["files"]["target.safetensors"]
    assert after["files"]["drafter.safetensors"] != before["files"]["drafter.safetensors"]
    assert after["measured"]["note"] == 1
    assert total == sum((copy / name).stat().st_size for name in after["files"])
    loaded = load_drafter_model(copy)
    for mine, other in zip(loaded.parameters(), new_drafter_model(5).parameters(), strict=True):
        assert torch.equal(mine, other.half().float())
    monkeypatch.setattr("protocheck.runtime.demonstration.shipped.LARGEST", 7_000_000)
    with pytest.raises(WeightsError, match="7000000 are allowed"):
        publish(copy, target=target)
    shutil.rmtree(copy)


def test_a_tokenizer_is_trained_from_text() -> None:
    tokenizer = wrap_tokenizer(train_tokenizer(["def main(argument):\n    return argument\n"] * 3))
    assert len(tokenizer) <= VOCABULARY
    assert tokenizer.decode(tokenizer.encode("def main", add_special_tokens=False)) == "def main"
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (BEGINNING_ID, END_ID, 0)


def test_prompts_leave_room_for_what_is_measured(target: Any, tokenizer: Any) -> None:
    longest = max(len(tokenizer.encode(prompt)) for prompt in PROMPTS)
    assert longest + NEW_TOKENS < target.config.max_position_embeddings
