"""`protocheck decode`, on the models that come with it: the text, the figures, the recording, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from protocheck.cli import main
from protocheck.runtime.demonstration.shipped import load_target, load_tokenizer


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    torch.set_num_threads(1)

    def start(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(("decode", *arguments))
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return start


@pytest.mark.parametrize("drafter", ["block", "lookup", "none"])
@pytest.mark.parametrize("temperature", ["0", "0.8"])
def test_a_text_and_what_it_cost(run: Run, drafter: str, temperature: str) -> None:
    ran = run("import os\n", "--tokens", "20", "--drafter", drafter, "--temperature", temperature, "--compare")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("import os\n")
    assert "tokens per forward of the target: 20 tokens in " in ran.out
    assert "✓ the same 20 tokens as plain generation" in ran.out
    # No colour in a file or a pipe.
    assert "\x1b" not in ran.out


def test_two_workers_and_quantised_weights_change_nothing(run: Run) -> None:
    plain = run("class A:\n", "--tokens", "12", "--drafter", "none").out.split("\n\n")[0]
    other = run("class A:\n", "--tokens", "12", "--threads", "--fixed", "--weights", "w4", "--kv", "q3.5", "--monitors")
    assert other.code == 0
    assert other.out.split("\n\n")[0] == plain


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that drafts well: the demonstration's target itself."""
    folder = tmp_path_factory.mktemp("assistant")
    load_target().save_pretrained(folder)
    load_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("quantised", [(), ("--weights", "w4"), ("--kv", "q3.5"), ("--weights", "w4", "--kv", "q3.5")])
def test_an_assistant_of_the_users(run: Run, assistant: Path, quantised: tuple[str, ...]) -> None:
    ran = run("import os\n", "--tokens", "16", "--assistant", str(assistant), "--compare", "--fixed", *quantised)
    assert (ran.code, ran.err) == (0, "")
    assert "✓ the same 16 tokens as plain generation" in ran.out
    per_forward = float(ran.out.partition(" tokens per forward")[0].rsplit(maxsplit=1)[-1])
    assert per_forward > 1.5


def test_a_recording(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    ran = run("def f(", "--tokens", "8", "--record", str(file))
    assert ran.code == 0
    assert f"every step is in {file}" in ran.out
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    steps = {(line["of"], line["action"]) for line in lines if line["kind" if "kind" in line else "format"] == "step"}
    assert {("tree_cache", "commit"), ("walk", "finish"), ("hand_off", "verdict"), ("hand_off", "close")} <= steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "the prompt is empty"),
        (("x", "--drafter", "bloc"), "did you mean block"),
        (
            ("x", "--drafter", "lookup", "--kv", "q3.5"),
            "--kv: the drafter lookup has no network that could be quantised",
        ),
        (("x", "--drafter", "none", "--weights", "w4"), "--weights: the drafter none has no network"),
        (("x", "--drafter", "assistant"), "name its folder with --assistant DIR"),
        (("x", "--drafter", "block", "--assistant", "."), "but the drafter is block: leave one of them out"),
        (("x", "--assistant", "nowhere"), "nowhere is no folder"),
        (("x", "--model", "nowhere"), "nowhere is no folder"),
        (("x", "--model", "."), "has no model for text generation"),
        (("x", "--record", "nowhere/run.ndjson"), "there is no folder nowhere"),
        (("x" * 6000,), "the model was made for"),
        (("x", "--tokens", "0"), "0 is not in the range"),
    ],
)
def test_mistakes(
    run: Run, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


TEXT = "def main(argument, options, more):"


@pytest.mark.parametrize(
    "guard", ["tree_cache.commit.no_reader_above", "tree_cache.evict.nobody_reads", "walk.descend.agrees"]
)
def test_a_dropped_guard_is_acted_out(run: Run, guard: str) -> None:
    """The guarded decoder refuses the step that the counter-example needs; without the guard it corrupts."""
    ran = run(TEXT, "--drop", guard)
    assert (ran.code, ran.err) == (0, "")
    refused, corrupted = ran.out.splitlines()[-2:]
    action, name = guard.split(".")[1:]
    assert f"with all guards in place: ✓ refused: {action}(" in refused
    assert f"is refused by {name}" in refused
    assert f"without {guard}: ✗ corrupted: " in corrupted
    assert f"without the guard {action}.{name}" in ran.out
    # What the checker evicts after two rows this model keeps for long: it is told to see as little.
    assert ("the model's window was 3 tokens instead of " in corrupted) is ("evict" in guard)


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        ("tree_cach.commit.no_reader_above", "did you mean tree_cache"),
        ("tree_cache.commit.no_reader", "did you mean commit.no_reader_above"),
        ("tree_cache.finish_read.is_reading", "nothing is violated without finish_read.is_reading"),
    ],
)
def test_guards_that_cannot_be_shown(run: Run, guard: str, message: str) -> None:
    ran = run(TEXT, "--drop", guard)
    assert ran.code == 2
    assert message in ran.err


def test_without_torch_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = run("x")
    assert ran.code == 2
    assert "pip install 'protocheck-tla[decoder]'" in ran.err
