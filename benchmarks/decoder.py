"""The decoder against `transformers`: tokens a second as ratios, tokens a forward, milliseconds a round by stage.

    python -m benchmarks.decoder                    # everything, five rounds
    python -m benchmarks.decoder --quick --only 1.3M
    python -m benchmarks.decoder --require          # fail where a bound is not kept

In one process, all ways to generate the same text take turns, so that a machine whose speed drifts hurts each alike;
plain generation runs twice in each turn, and the ratio of the two (an A/A pair) says what a ratio of 1 looks like here.
A ratio is taken round by round, and its median is shown with the lowest and the highest. Each text must be plain
generation's, token for token, or the benchmark fails. Times are wall times; beside each ratio stands that of processor
times, which other programs disturb less (not for a GPU, whose work they leave out).
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers

from protocheck.runtime.statistics import STAGES, Statistics

from .decoder_cases import PLAIN, Bound, Case, LeftOut, Way, cases
from .decoder_rounds import round_costs

AGAIN = "plain, again"
TURN = 8
"""Tokens of a turn, where two ways stream in turns."""


@dataclass
class Measured:
    """What a way took: one entry a round. forwards: of the target, those of the prompt left out."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    forwards: int = 0
    tokens: int = 0
    statistics: Statistics | None = None


def measure(case: Case, way: Way, expected: torch.Tensor | None, measured: Measured | None) -> torch.Tensor:
    """Generate once. Fails where the text is not the one that was expected."""
    forwards = 0

    def count(*_: Any) -> None:
        nonlocal forwards
        forwards += 1

    hook = case.target.register_forward_pre_hook(count)
    try:
        _wait(case.device)
        wall, processor = time.perf_counter(), time.process_time()
        text = way.run()
        _wait(case.device)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    finally:
        hook.remove()
    if expected is not None and not torch.equal(text, expected):
        same = int((text[0] == expected[0]).long().cumprod(0).sum()) if text.shape == expected.shape else "?"
        raise SystemExit(f"{case.name}: {way.name} differs from plain generation at token {same}")
    if measured is not None:
        found = None if way.decoder is None else way.decoder.statistics
        measured.wall.append(wall)
        measured.processor.append(processor)
        measured.forwards = forwards if found is None else found.forwards
        measured.tokens = text.shape[1] - case.prompt
        measured.statistics = found
    return text


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def run(case: Case, rounds: int) -> dict[str, Measured]:
    """All ways of a case, `rounds` times; once before that nothing is kept."""
    ways = [*case.ways, Way(AGAIN, case.ways[0].run)]
    measured = {way.name: Measured() for way in ways}
    expected = measure(case, case.ways[0], None, None)
    for number in range(rounds + 1):
        # The order turns, so that nobody always comes after the same one.
        turn = number % len(ways)
        for way in ways[turn:] + ways[:turn]:
            measure(case, way, expected, measured[way.name] if number else None)
    return measured


def ratios(measured: dict[str, Measured], one: str, other: str, clock: str = "wall") -> list[float]:
    """How many times as fast as `other` `one` is, round by round, sorted."""
    return sorted(b / a for a, b in zip(getattr(measured[one], clock), getattr(measured[other], clock), strict=True))


def in_turns(one: Way, other: Way, rounds: int) -> list[float]:
    """How many times as fast as `other` `one` is, sorted: `rounds` times both stream the text in turns of a few tokens.

    The prompt is left out. A turn that took more than four times the median one met with another program: it counts as
    that long.
    """
    assert one.stream is not None
    assert other.stream is not None
    found = []
    for number in range(rounds):
        streams = [one.stream(), other.stream()]
        texts = [[next(stream).token] for stream in streams]
        turns: list[list[float]] = [[], []]
        ended = False
        while not ended:
            ended = True
            for place in (0, 1) if (number + len(turns[0])) % 2 else (1, 0):
                started = time.perf_counter()
                turn = [emitted.token for emitted in itertools.islice(streams[place], TURN)]
                turns[place].append(time.perf_counter() - started)
                texts[place] += turn
                ended = ended and not turn
        if texts[0] != texts[1]:
            raise SystemExit(f"{one.name} differs from {other.name}")
        most = 4 * statistics.median(turns[0] + turns[1])
        spent = [sum(min(turn, most) for turn in each) for each in turns]
        found.append(spent[1] / spent[0])
    return sorted(found)


def compared(case: Case, measured: dict[str, Measured], rounds: int) -> dict[Bound, list[float]]:
    """For each of the case's bounds how many times as fast, sorted."""
    ways = {way.name: way for way in case.ways}
    return {
        bound: in_turns(ways[bound.one], ways[bound.other], rounds)
        if bound.in_turns
        else ratios(measured, bound.one, bound.other)
        for bound in case.bounds
    }


def _spread(found: list[float]) -> str:
    return f"{statistics.median(found):5.2f}x ({found[0]:.2f}-{found[-1]:.2f})"


def _ratio(measured: dict[str, Measured], one: str, other: str, cuda: bool) -> str:
    text = _spread(ratios(measured, one, other))
    return text if cuda else f"{text} [{statistics.median(ratios(measured, one, other, 'processor')):.2f}]"


def table(case: Case, measured: dict[str, Measured]) -> Iterator[str]:
    """A line a way, and of ours one more with its stages."""
    cuda = case.device.type == "cuda"
    yield f"{case.name}: {case.about}"
    yield f"  {'':<34} {'tokens/s':>9} {'tokens/forward':>15}   times plain (lowest-highest) [processor time]"
    for name, one in measured.items():
        speed = one.tokens / statistics.median(one.wall)
        line = f"  {name:<34} {speed:>9.1f} {one.tokens / one.forwards:>15.2f}   "
        yield line + _ratio(measured, name, PLAIN, cuda)
        if one.statistics is not None:
            yield f"      {_stages(one.statistics, one.wall[-1])}"


def _stages(found: Statistics, wall: float) -> str:
    """Milliseconds a forward by stage, of the last round."""
    each = {name: found.seconds[name] for name in STAGES if name != "prefill"}
    each["other"] = wall - sum(found.seconds.values())
    parts = ", ".join(f"{name} {1000 * seconds / found.forwards:.2f}" for name, seconds in each.items())
    drafts = f"{found.drafted} drafted, {found.accepted} accepted, {found.plain} of {found.forwards} forwards plain"
    return f"ms a forward: {parts}; prompt {1000 * found.seconds['prefill']:.1f} ms; {drafts}"


def verdicts(case: Case, found: dict[Bound, list[float]]) -> Iterator[tuple[str, bool]]:
    """The case's bounds, and whether they are kept by the medians of wall time."""
    for bound, ratios_of_rounds in found.items():
        how = ", in turns" if bound.in_turns else ""
        spread = _spread(ratios_of_rounds).strip()
        text = f"{case.name}: {bound.one} / {bound.other}: {spread}{how} (at least {bound.least:.2f})"
        yield text, statistics.median(ratios_of_rounds) >= bound.least


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds; every way generates once in each")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--quick", action="store_true", help="short texts, and only the small models")
    parser.add_argument("--threads", type=int, help="threads of torch; its own number otherwise")
    parser.add_argument("--require", action="store_true", help="fail where a bound is not kept")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(
        f"{platform.python_implementation()} {platform.python_version()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, {_machine(device)}"
    )
    print(f"medians of {options.rounds} rounds; load {_load()} at the start\n")
    kept: list[tuple[str, bool]] = []
    for name, make in _selected(options.only, options.quick):
        try:
            case = make(device)
        except LeftOut as why:
            print(f"{name} is left out: {why}\n", flush=True)
            continue
        measured = run(case, options.rounds)
        print("\n".join(table(case, measured)), end="\n\n", flush=True)
        kept += verdicts(case, compared(case, measured, options.rounds))
    if options.only in "round":
        lines, bounds = round_costs(device)
        print("\n".join(lines), end="\n\n")
        kept += bounds
    for text, good in kept:
        print(f"{'ok  ' if good else 'MISS'} {text}")
    print(f"\nload {_load()} at the end")
    if options.require and not all(good for _, good in kept):
        raise SystemExit(1)


def _selected(only: str, quick: bool) -> Iterator[tuple[str, Callable[[torch.device], Case]]]:
    for name, make in cases(quick).items():
        if only in name:
            yield name, make


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads of torch"


def _load() -> str:
    """How many programs want a processor: of these more than there are cores make times long and uneven."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
