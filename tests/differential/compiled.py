"""The native engine against the explorer: the same answer to the last detail, traces and counts included.

One writes its search in Python and one in C, from the same packed program; the explorer itself is compared with the
reference checker and with TLC.
"""

from __future__ import annotations

from dataclasses import replace

from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.native.compiler import Compiler, find_compiler
from protocheck.toolchain.native.engine import NativeEngine
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.transpiler.instance import Instance
from protocheck.transpiler.packing.c_program import c_program
from protocheck.transpiler.packing.program import compile_program

from .differences import Difference, Tally

STRICT = ("-O0", "-Wall", "-Wextra", "-Werror")
"""Compiles quickly, and lets nothing pass."""

SANITIZED = ("-O0", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
RACES = ("-O1", "-g", "-fsanitize=thread")


def engine_with(options: tuple[str, ...]) -> NativeEngine:
    """The native engine with a compiler's options."""
    found = find_compiler()
    return NativeEngine(Compiler(found.command, found.name, options))


def compare_compiled(
    instance: Instance, tally: Tally, options: tuple[str, ...] = STRICT, threads: tuple[int, ...] = (1, 3)
) -> None:
    """Check an instance with both engines, one thread and several; raises `Difference`."""
    names = (item.name for item in instance.protocol.properties if item.kind == "reachable" or item.is_liveness)
    everything = frozenset((*instance.protocol.safety, *names))
    native = engine_with(options)
    for properties in (everything, frozenset[str]()):
        job = CheckJob(instance, properties)
        expected = ExplorerEngine().check(job)
        for number in threads:
            found = native.check(replace(job, workers=number))
            if found.status == "inconclusive" and "cannot search" in found.reason:
                tally.add(f"not in C: {found.reason.partition(': ')[2]}")
                return
            _compare(expected, found, number)
            tally.add(f"verdict: {expected.status}")
        if properties and (expected.status == "holds" or expected.violated in _liveness(instance)):
            _compare_liveness(native, instance, tally)
    tally.add("instances compared")


def compare_orbits(
    instance: Instance, tally: Tally, options: tuple[str, ...] = STRICT, threads: tuple[int, ...] = (1, 3)
) -> None:
    """The same where one state of each orbit is visited: of safety alone."""
    job = CheckJob(instance, frozenset(instance.protocol.safety), symmetry=True)
    expected, native = ExplorerEngine().check(job), engine_with(options)
    for number in threads:
        found = native.check(replace(job, workers=number))
        if found.status == "inconclusive" and "cannot search" in found.reason:
            tally.add(f"not in C: {found.reason.partition(': ')[2]}")
            return
        _compare(expected, found, number)
        tally.add(f"verdict: {expected.status}")
    tally.add("instances compared")


def _liveness(instance: Instance) -> list[str]:
    return [item.name for item in instance.protocol.properties if item.is_liveness]


def _compare_liveness(native: NativeEngine, instance: Instance, tally: Tally) -> None:
    """Each property on its own, and by the C of the native engine, not by the explorer's code for it."""
    for name in _liveness(instance):
        job = CheckJob(instance, frozenset({name}))
        item = next(item for item in instance.protocol.properties if item.name == name)
        if not c_program(compile_program(instance, job.properties), (), (item,)).liveness:
            tally.add("liveness not in C")
            continue
        expected = ExplorerEngine().check(job)
        _compare(expected, native.check(job), 1)
        tally.add(f"{item.kind}: {expected.status}")


def _compare(expected: EngineResult, found: EngineResult, threads: int) -> None:
    if (found.status, found.violated) != (expected.status, expected.violated):
        raise Difference(f"{threads} threads: {_text(found)}; the explorer: {_text(expected)}")
    if expected.status == "violated" and expected.trace is not None:
        if found.trace is None or (threads == 1 and found.trace != expected.trace):
            raise Difference(f"the native trace is {found.trace}; the explorer's {expected.trace}")
        if len(found.trace.steps) != len(expected.trace.steps) and expected.trace.loop_to is None:
            raise Difference(f"{len(found.trace.steps)} states with {threads} threads, not {len(expected.trace.steps)}")
    if expected.status != "holds":
        return
    if found.evaluated != expected.evaluated or dict(found.coverage) != dict(expected.coverage):
        raise Difference(f"native: {found.evaluated}, {found.coverage}; {expected.evaluated}, {expected.coverage}")
    assert expected.stats is not None
    assert found.stats is not None
    stats = replace(found.stats, seconds=0.0, wall_seconds=0.0)
    if stats != replace(expected.stats, seconds=0.0, wall_seconds=0.0):
        raise Difference(f"the native engine counts {stats}, the explorer {expected.stats}")


def _text(result: EngineResult) -> str:
    return f"{result.status} {result.violated or ''} {result.reason}".strip()
