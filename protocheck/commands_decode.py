"""`protocheck decode`: the speculative decoder at work, on the demonstration pair or on a model of the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .commands_common import Number, OneOf, check_writable, emit, width
from .toolchain.errors import UserError

if TYPE_CHECKING:
    from .runtime.decoder import SpeculativeDecoder
    from .runtime.request import Emitted
    from .toolchain.layout import Block

DRAFTERS = ("block", "lookup", "assistant", "none")
MOST_TOKENS = 1_000_000
COLDEST = 1e-3
"""Logits are divided by the temperature; by a smaller one they become infinite."""
GREEN, RESET = "\x1b[32m", "\x1b[0m"


@click.command()
@click.argument("prompt")
@click.option(
    "--tokens", type=click.IntRange(1, MOST_TOKENS), default=96, show_default=True, help="The most new tokens."
)
@click.option("--drafter", type=OneOf("drafter", DRAFTERS), help="Who drafts; block for the demonstration.")
@click.option("--budget", type=click.IntRange(min=1), default=16, show_default=True, help="Nodes of a draft tree.")
@click.option("--fixed", is_flag=True, help="Use the budget always, so that a run can be repeated step by step.")
@click.option("--threads", is_flag=True, help="Draft in a thread of its own, which runs ahead of the verdict.")
@click.option("--temperature", type=Number(min=0), default=0.0, help="Sample; 0, the default, is greedy.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Of torch's generator, for sampling.",
)
@click.option("--weights", type=OneOf("quantisation of weights", ("w4",)), help="Hold the drafter's weights in 4 bits.")
@click.option("--kv", type=OneOf("quantisation of KV rows", ("q3.5",)), help="Hold the drafter's KV in 3.5 bits.")
@click.option(
    "--model", type=click.Path(path_type=Path), metavar="DIR", help="A model of yours instead, from a folder."
)
@click.option(
    "--assistant", type=click.Path(path_type=Path), metavar="DIR", help="A smaller model from a folder, which drafts."
)
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE", help="Write every protocol step as NDJSON.")
@click.option("--monitors", is_flag=True, help="Evaluate every invariant after every step.")
@click.option(
    "--drop", metavar="GUARD", help="Act out what goes wrong without a guard, tree_cache.keep.is_written say."
)
@click.option("--compare", is_flag=True, help="Generate plainly as well, and fail where the tokens differ.")
@click.pass_context
def decode(ctx: click.Context, /, prompt: str, tokens: int, compare: bool, drop: str | None, **options: Any) -> None:
    """Continue PROMPT with a speculative decoder that executes the checked protocols.

    With --drop it decodes nothing: the checker's counter-example without that guard is acted out on the model, with
    forwards that halt between a layer's cache and its attention, once guarded and once without the guard.

    At a terminal, green is what was drafted and accepted. Ends with the tokens per forward of the target and the time
    by stage. Without --model it uses a small pair of models that comes with protocheck: nothing is downloaded.
    """
    if not prompt:
        raise UserError("the prompt is empty: give the text to go on from")
    if not prompt.isascii() and any("\ud800" <= character <= "\udfff" for character in prompt):
        raise UserError("the prompt is no text in UTF-8")
    if 0 < options["temperature"] < COLDEST:
        raise UserError(f"a temperature below {COLDEST} is greedy but for rounding: give 0")
    if options["record"] is not None:
        check_writable(options["record"])
    _need_torch()
    if drop is not None:
        emit(_dropped(drop, prompt, options))
        return
    decoder, tokenizer, recorder = _decoder(options)
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    try:
        spoken = _stream(decoder, tokenizer, prompt, ids, tokens, options)
    except ValueError as error:
        raise UserError(str(error)) from None
    finally:
        if recorder is not None:
            recorder.close()
    emit(_figures(decoder))
    if recorder is not None:
        click.echo(f"every step is in {options['record']}")
    if compare:
        ctx.exit(0 if _same_as_plain(decoder, ids, tokens, options, spoken) else 1)


def _dropped(guard: str, prompt: str, options: dict[str, Any]) -> list[Block]:
    from .acted_variants import show_dropped

    target, tokenizer = _loaded(options["model"])
    return show_dropped(target, guard, tokenizer(prompt)["input_ids"], width())


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"decoding needs {error.name}: install the extra, `pip install 'protocheck-tla[decoder]'`"
        ) from None


def _decoder(options: dict[str, Any]) -> tuple[SpeculativeDecoder, Any, Any]:
    from .runtime.decoder import SpeculativeDecoder
    from .runtime.recording import Recorder

    target, tokenizer = _loaded(options["model"])
    recorder = None if options["record"] is None else Recorder(options["record"])
    try:
        decoder = SpeculativeDecoder(
            target,
            _drafter(options),
            tree_budget=options["budget"],
            adaptive=not options["fixed"],
            threads=options["threads"],
            tokenizer=tokenizer,
            recorder=recorder,
            monitors=options["monitors"],
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    return decoder, tokenizer, recorder


def _loaded(folder: Path | None) -> tuple[Any, Any]:
    """Target and tokenizer; only from disk."""
    if folder is None:
        from .runtime.demonstration.shipped import WeightsError, load_target, load_tokenizer

        try:
            return load_target(), load_tokenizer()
        except WeightsError as error:
            raise UserError(str(error)) from None
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one with a model of transformers in it (config.json, weights)")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        target = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
        return target, AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} has no model for text generation with its tokenizer: {error}") from None


def _drafter(options: dict[str, Any]) -> Any:
    chosen = options["drafter"] or _usual_drafter(options)
    quantised = [f"--{name}" for name in ("weights", "kv") if options[name] is not None]
    if quantised and chosen not in ("block", "assistant"):
        raise UserError(
            f"{' and '.join(quantised)}: the drafter {chosen} has no network that could be quantised; block and "
            "assistant have one"
        )
    if options["assistant"] is not None and chosen != "assistant":
        raise UserError(f"--assistant names a model that drafts, but the drafter is {chosen}: leave one of them out")
    match chosen:
        case "lookup":
            from .runtime.drafters.prompt_lookup import PromptLookupDrafter

            return PromptLookupDrafter()
        case "assistant":
            return _assistant(options)
        case "none":
            return None
    if options["model"] is not None:
        raise UserError("the block drafter was trained for the demonstration's target: use --drafter lookup")
    from .runtime.demonstration.shipped import load_block_drafter

    return load_block_drafter(weights=options["weights"], kv=options["kv"])


def _usual_drafter(options: dict[str, Any]) -> str:
    if options["assistant"] is not None:
        return "assistant"
    return "lookup" if options["model"] is not None else "block"


def _assistant(options: dict[str, Any]) -> Any:
    from .runtime.drafters.assistant import AssistantDrafter

    if options["assistant"] is None:
        raise UserError("an assistant is a model of yours: name its folder with --assistant DIR")
    model, tokenizer = _loaded(options["assistant"])
    return AssistantDrafter(model, tokenizer, weights=options["weights"], kv=options["kv"])


def _generation(options: dict[str, Any], tokens: int) -> dict[str, Any]:
    sampled = {"do_sample": True, "temperature": options["temperature"]} if options["temperature"] > 0 else {}
    return {"max_new_tokens": tokens, "do_sample": False, **sampled}


def _stream(
    decoder: SpeculativeDecoder, tokenizer: Any, prompt: str, ids: Any, tokens: int, options: dict[str, Any]
) -> list[int]:
    """Write the text as it comes; returns its tokens."""
    import torch

    torch.manual_seed(options["seed"])
    mask = torch.ones_like(ids)
    emitted: list[int] = []

    def noted(stream: Iterator[Emitted]) -> Iterator[Emitted]:
        for one in stream:
            emitted.append(one.token)
            yield one

    colour = sys.stdout.isatty()
    click.echo(prompt, nl=False)
    stream = decoder.stream(ids, attention_mask=mask, **_generation(options, tokens))
    for text, drafted in _texts(noted(stream), tokenizer):
        click.echo(f"{GREEN}{text}{RESET}" if drafted and colour else text, nl=False)
        sys.stdout.flush()
    click.echo("\n")
    return emitted


def _texts(stream: Iterator[Emitted], tokenizer: Any) -> Iterator[tuple[str, bool]]:
    """What each token adds to the text, and whether it was drafted; parts of a character wait for the rest of it."""
    ids: list[int] = []
    shown = ""
    drafted = False
    for one in stream:
        ids.append(one.token)
        drafted = one.drafted
        text = tokenizer.decode(ids, skip_special_tokens=True)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[len(shown) :], drafted
            shown = text
    rest = tokenizer.decode(ids, skip_special_tokens=True)[len(shown) :]
    if rest:
        yield rest, drafted


def _figures(decoder: SpeculativeDecoder) -> list[Block]:
    from .toolchain.layout import BLANK, Column, Table, Text, line, row

    found = decoder.statistics
    total = sum(found.seconds.values())
    rate = f"{found.tokens / total:.0f} tokens/s" if total > 0 else ""
    summary = line(
        Text(f"{found.tokens_per_forward:.2f} tokens per forward", "strong"),
        f" of the target: {found.tokens} tokens in {found.forwards} forwards, "
        f"{found.accepted} of {found.drafted} drafted nodes accepted; {rate}",
    )
    rounds = max(1, found.forwards)
    rows = [
        row(stage, f"{1000 * seconds:.1f}", f"{1000 * seconds / rounds:.2f}", f"{100 * seconds / total:.0f} %")
        for stage, seconds in found.seconds.items()
        if seconds > 0
    ]
    columns = (Column("stage"), *(Column(title, numeric=True) for title in ("ms", "ms a forward", "share")))
    return [summary, BLANK, Table(columns, tuple(rows))]


def _same_as_plain(
    decoder: SpeculativeDecoder, ids: Any, tokens: int, options: dict[str, Any], spoken: list[int]
) -> bool:
    import torch

    torch.manual_seed(options["seed"])
    plain = decoder.model.generate(ids, attention_mask=torch.ones_like(ids), **_generation(options, tokens))
    expected = plain[0, ids.shape[1] :].tolist()
    if expected == spoken:
        click.echo(f"✓ the same {len(spoken)} tokens as plain generation")
        return True
    place = next(i for i in range(max(len(expected), len(spoken))) if expected[i : i + 1] != spoken[i : i + 1])
    click.echo(f"✗ token {place} differs from plain generation")
    return False
