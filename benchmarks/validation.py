"""What it costs to hold a log against its protocol, as a multiple of what `json.loads` of the same lines costs.

    python -m benchmarks.validation
    python -m benchmarks.validation --rounds 15 --steps 60000 --require

Three logs, made by running the protocols at the size of a real run: `rollback` with 4,096 rows as a plain log that
names actions and arguments; the same as the scheduler records it, with time, thread and changes; and `tree_cache`
recorded, whose states hold sequences and a function. In each round every log is read once by `json.loads` and held
against its protocol once, in turns; shown are medians, and of the ratio, taken round by round, the lowest and the
highest too. The reference is there twice (A/A): what it differs from itself is noise. Times are processor time.

`--require` fails where the plain log takes more than 10 times the reference, or fewer than 100,000 of its events are
read in a second of processor time.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocheck import Protocol
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime import Recorder, Scheduler
from protocheck.toolchain.validation.validate import validate

MOST, LEAST = 10.0, 100_000


@dataclass(frozen=True)
class Log:
    """Lines with the protocol whose they are, and how many events they hold."""

    name: str
    protocol: type[Protocol]
    lines: list[bytes]
    events: int


def recorded(protocol: type[Protocol], instance: Protocol, run: Callable[[Protocol], None]) -> list[bytes]:
    file = io.StringIO()
    with Recorder(file) as recorder:
        run(Scheduler(recorder=recorder).adopt(instance))
    return file.getvalue().encode().splitlines(keepends=True)


def logs(steps: int) -> list[Log]:
    """The logs, of about so many steps each."""

    def roll(cache: Rollback) -> None:
        for _ in range(steps // 4):
            cache.extend()
            cache.start_read(cache.length)
            cache.finish_read(cache.length)
            if cache.length >= 4_000:
                cache.rollback(0)
            else:
                cache.extend()

    def grow(cache: TreeCache) -> None:
        for _ in range(steps // 8):
            for parent in (0, 1, 1):
                cache.extend(parent)
            cache.start_read("verifier", cache.committed + 3)
            cache.finish_read("verifier")
            cache.keep(1)
            cache.commit()
            if cache.committed >= 4_000:
                cache.release()

    rolled = recorded(Rollback, Rollback(max_len=4_096), roll)  # type: ignore[arg-type]
    grown = recorded(TreeCache, TreeCache(max_rows=4_096, max_nodes=64), grow)  # type: ignore[arg-type]
    taken = [line for line in map(json.loads, rolled) if line.get("kind") == "step"]
    plain = [b'{"protocol": "rollback", "constants": {"max_len": 4096}}\n']
    plain += [json.dumps({"action": each["action"], "args": each["args"]}).encode() + b"\n" for each in taken]
    return [
        Log("rollback, plain", Rollback, plain, len(taken)),
        Log("rollback, recorded", Rollback, rolled, len(taken)),
        Log("tree_cache, recorded", TreeCache, grown, sum(b'"kind": "step"' in line for line in grown)),
    ]


def parsed(lines: Sequence[bytes]) -> None:
    for line in lines:
        json.loads(line)


def held(log: Log) -> None:
    (answer,) = validate(log.lines, log.protocol)
    assert (answer.verdict, answer.events) == ("behaviour", log.events), answer


def seconds(act: Callable[[], None]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def measured(log: Log, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of the reference, of the reference again, and of the validation; a round each."""
    first, again, found = [], [], []
    for _ in range(rounds):
        first.append(seconds(lambda: parsed(log.lines)))
        found.append(seconds(lambda: held(log)))
        again.append(seconds(lambda: parsed(log.lines)))
    return first, again, found


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> str:
    each = [a / b for a, b in zip(numerators, denominators, strict=True)]
    return f"{statistics.median(each):.2f} [{min(each):.2f}-{max(each):.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--require", action="store_true")
    given = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {given.rounds} rounds")
    failed = False
    for log in logs(given.steps):
        held(log)  # compiled once
        first, again, found = measured(log, given.rounds)
        rate = log.events / statistics.median(found)
        print(
            f"{log.name:22} {log.events:7,} events  {rate:9,.0f} a second  "
            f"{ratio(found, first)} of json.loads  (A/A {ratio(again, first)})"
        )
        if log.name.endswith("plain"):
            failed = rate < LEAST or statistics.median(a / b for a, b in zip(found, first, strict=True)) > MOST
    if given.require and failed:
        raise SystemExit("the plain log is held against its protocol too slowly")


if __name__ == "__main__":
    main()
