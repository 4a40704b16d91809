"""How long a run of TLC may take, guessed from the domains alone: which of Java's compilers pays."""

from __future__ import annotations

import math
from typing import assert_never

from ..transpiler import domains
from ..transpiler.domains import Domain
from ..transpiler.instance import Instance

# Between these a run takes some ten seconds: 2^20 states if every combination of values were reachable, which few are.
_SHORT_RUN_BITS = 20.0


def is_short_run(instance: Instance) -> bool:
    """Whether the states are so few that compiling the hot code well would take longer than it saves."""
    return sum(map(bits, instance.variables.values())) <= _SHORT_RUN_BITS


def bits(domain: Domain) -> float:
    """The logarithm, to base 2, of the number of values in a domain; infinite where it is beyond all use."""
    match domain:
        case domains.BoolDomain():
            return 1.0
        case domains.IntDomain(low, high):
            return math.log2(max(1, high - low + 1))
        case domains.ChoiceDomain(members):
            return math.log2(max(1, len(members)))
        case domains.OptionalDomain(item):
            return _log_of_sum(0.0, bits(item))
        case domains.SetDomain(element):
            return _count(bits(element))
        case domains.TupleDomain(items):
            return sum(map(bits, items))
        case domains.SequenceDomain(element, _, high):
            return _sequences(bits(element), max(0, high))
        case domains.FunctionDomain(key, value):
            each = bits(value)
            return _count(bits(key)) * each if each else 0.0
        case domains.RecordDomain(_, fields):
            return sum(bits(item) for _, item in fields)
        case domains.UnionDomain(records):
            total = bits(records[0])
            for record in records[1:]:
                total = _log_of_sum(total, bits(record))
            return total
        case _:
            assert_never(domain)


def _sequences(each: float, length: int) -> float:
    """Sequences of up to `length` elements: a geometric sum."""
    if each == 0.0:
        return math.log2(length + 1)
    if math.isinf(each):
        return math.inf if length else 0.0
    return length * each - math.log2(1.0 - 2.0**-each)


def _count(exponent: float) -> float:
    return 2.0**exponent if exponent < 1000 else math.inf


def _log_of_sum(left: float, right: float) -> float:
    """log2(2^left + 2^right)."""
    high, low = max(left, right), min(left, right)
    return high if math.isinf(high) else high + math.log2(1.0 + 2.0 ** (low - high))
