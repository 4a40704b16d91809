"""Comparing the explorer with the reference checker, which is written straight from the definitions."""

from __future__ import annotations

from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.transpiler import ir
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.reference import ReferenceResult, reference_check
from protocheck.transpiler.reference_liveness import reference_liveness


def check(protocol: ir.Protocol | Instance, *properties: str) -> EngineResult:
    """What the explorer says, of all properties or of the named ones."""
    instance = protocol if isinstance(protocol, Instance) else instantiate(protocol)
    return ExplorerEngine().check(CheckJob(instance, frozenset(properties) or None))


def assert_agreement(protocol: ir.Protocol) -> EngineResult:
    """The explorer and the reference agree about every property; the explorer's answer."""
    instance = instantiate(protocol)
    expected = reference_check(instance)
    found = check(instance)
    if expected.status == "violated":
        _assert_same_violation(expected, found)
        return found
    if not expected.distinct:
        # Without an initial state everything holds of nothing, which the engine does not pass off as an answer.
        assert (found.status, found.evaluated) == ("invalid", ())
        return found
    assert found.stats is not None
    assert (found.stats.distinct, found.stats.generated, found.stats.depth) == (
        expected.distinct,
        expected.generated,
        expected.depth,
    )
    assert dict(found.coverage) == dict(expected.coverage)
    assert found.stats.changing == expected.changing
    live = [item.name for item in protocol.properties if item.is_liveness]
    broken = [name for name in live if not reference_liveness(instance, name)]
    if broken:
        assert (found.status, found.violated) == ("violated", broken[0])
    else:
        assert (found.status, found.violated, found.trace) == ("holds", None, None)
        assert set(found.evaluated) == {*expected.evaluated, *live}
    wanted = [item.name for item in protocol.of_kind("reachable")]
    if wanted:
        missing = [name for name in wanted if name not in expected.reached]
        answer = check(instance, *wanted)
        assert answer.violated == (missing[0] if missing else None)
        assert answer.status == ("violated" if missing else "holds")
    return found


def _assert_same_violation(expected: ReferenceResult, found: EngineResult) -> None:
    assert (found.status, found.violated) == ("violated", expected.violated)
    assert found.trace is not None
    steps = [(step.action, step.arguments, dict(step.state)) for step in found.trace.steps]
    assert steps == [(step.action, step.arguments, dict(step.state)) for step in expected.trace]
