"""Make the demonstration's weights: ``python -m protocheck.runtime.demonstration.train --help``.

In order: ``tokenizer``, ``target``, ``publish``, ``drafter``, ``publish``, ``report``. Training is resumable:
checkpoints go to a working folder and ``--resume`` goes on from there; ``--from-shipped`` begins a new schedule on the
weights of this package.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .checkpoint import load_checkpoint
from .corpus import library_folder, source_files
from .drafter_training import DrafterRun, train_drafter
from .model import new_drafter_model, new_target
from .reporting import measure_drafter, measure_target, sample_texts
from .shipped import load_drafter_model, load_target, load_tokenizer, publish
from .target_training import TargetRun, train_target
from .tokenizer import train_tokenizer
from .windows import Corpus, encode_corpus

_WEIGHTS = Path(__file__).parent / "weights"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    commands = {
        "tokenizer": _tokenizer,
        "target": _target,
        "drafter": _drafter,
        "publish": _publish,
        "report": _report,
    }
    commands[options.command](options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m protocheck.runtime.demonstration.train", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("build/demonstration"), help="working folder for checkpoints (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("tokenizer", help="learn the tokenizer; everything trained before it is worthless then")
    for name, what in (("target", "train the target"), ("drafter", "distil the drafter on the published target")):
        command = commands.add_parser(name, help=what)
        command.add_argument("--hours", type=float, required=True, help="for the whole schedule, resumptions included")
        command.add_argument("--seed", type=int, default=0, help="of first weights and windows (%(default)s)")
        start = command.add_mutually_exclusive_group()
        start.add_argument("--resume", action="store_true", help="go on from the checkpoint")
        start.add_argument("--from-shipped", action="store_true", help="a new schedule on the published weights")
        if name == "target":
            command.add_argument("--compile", action="store_true", help="use torch.compile; needs a C++ compiler")
    command = commands.add_parser("publish", help="put checkpoints into the package, measured")
    command.add_argument("parts", nargs="+", choices=("target", "drafter"))
    commands.add_parser("report", help="measure what is published: bits per byte, loops, acceptance at T=0.8")
    return parser


def _tokenizer(options: argparse.Namespace) -> None:
    texts = (file.text for file in source_files(library_folder()) if not file.is_test and not file.is_held_out)
    publish(_WEIGHTS, tokenizer=train_tokenizer(texts).to_str())


def _target(options: argparse.Namespace) -> None:
    run = TargetRun(_checkpoint(options, "target"), options.hours * 3600, options.seed, options.compile, _say)
    start = load_target().state_dict() if options.from_shipped else None
    train_target(run, _corpus(), options.resume, start)


def _drafter(options: argparse.Namespace) -> None:
    run = DrafterRun(_checkpoint(options, "drafter"), options.hours * 3600, options.seed, _say)
    start = load_drafter_model().state_dict() if options.from_shipped else None
    train_drafter(run, load_target(), _corpus(), options.resume, start)


def _publish(options: argparse.Namespace) -> None:
    corpus = _corpus()
    if "target" in options.parts:
        weights, _, progress = load_checkpoint(_checkpoint(options, "target"))
        target = new_target(0)
        target.load_state_dict(weights)
        publish(_WEIGHTS, target=target)
        publish(_WEIGHTS, measured={"target": measure_target(load_target(), load_tokenizer(), corpus, progress)})
    if "drafter" in options.parts:
        weights, _, progress = load_checkpoint(_checkpoint(options, "drafter"))
        model = new_drafter_model(0)
        model.load_state_dict(weights)
        publish(_WEIGHTS, drafter=model)
        publish(_WEIGHTS, measured={"drafter": measure_drafter(load_target(), load_drafter_model(), corpus, progress)})
    _say("published; commit the folder weights")


def _report(options: argparse.Namespace) -> None:
    target, tokenizer, corpus = load_target(), load_tokenizer(), _corpus()
    for text in sample_texts(target, tokenizer):
        print(text)
    for name, value in measure_target(target, tokenizer, corpus, None).items():
        print(f"target  {name}: {value}")
    for name, value in measure_drafter(target, load_drafter_model(), corpus, None).items():
        print(f"drafter  {name}: {value}")


def _corpus() -> Corpus:
    tokenizer = load_tokenizer().backend_tokenizer
    assert isinstance(tokenizer, Tokenizer)
    return encode_corpus(source_files(library_folder()), tokenizer)


def _checkpoint(options: argparse.Namespace, name: str) -> Path:
    folder: Path = options.folder
    return folder / f"{name}.pt"


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
