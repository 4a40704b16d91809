"""What the checkers are compared on: protocols at bounds, with the figures that every one of them must find."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocheck.transpiler import ir
    from protocheck.transpiler.instance import Instance

ROOT = Path(__file__).resolve().parent.parent
MILLION = 1_000_000


@dataclass(frozen=True)
class Row:
    """One protocol at one bound.

    `source` is its file and its class, `size` the bound as a number. `spin` is what SPIN's model is rendered with; None
    leaves SPIN out. `chosen` says that there are several initial states: SPIN has one before them, of its own.
    `tlc_cost` is about how many times as long TLC takes for a transition as on two-phase commit.
    """

    protocol: str
    size: int
    source: tuple[str, str]
    constants: Mapping[str, Any]
    spin: Mapping[str, int] | None
    distinct: int
    generated: int
    depth: int
    chosen: bool = False
    tlc_cost: int = 1

    @property
    def name(self) -> str:
        return f"{self.protocol} {self.size}"


def _rollback(max_len: int, distinct: int, generated: int, depth: int) -> Row:
    constants = {"max_len": max_len}
    source = ("protocols/rollback.py", "Rollback")
    return Row("rollback", max_len, source, constants, constants, distinct, generated, depth)


def _acceptance(max_trace: int, distinct: int, generated: int, depth: int) -> Row:
    constants = {"max_trace": max_trace, "max_draft": 2}
    # Promela has a transition for each initial state, and a C compiler takes minutes over thousands of them.
    spin = constants if max_trace <= 10 else None
    source = ("protocols/acceptance.py", "Acceptance")
    return Row("acceptance", max_trace, source, constants, spin, distinct, generated, depth, chosen=True, tlc_cost=8)


def _two_phase_commit(managers: int, distinct: int, generated: int, depth: int) -> Row:
    constants = {"managers": frozenset(f"rm{number}" for number in range(1, managers + 1))}
    source = ("examples/two_phase_commit.py", "TwoPhaseCommit")
    given = {"managers": managers}
    return Row("two-phase commit", managers, source, constants, given, distinct, generated, depth)


def _leader_election(size: int, distinct: int, generated: int, depth: int) -> Row:
    source = ("examples/leader_election.py", "LeaderElection")
    return Row("leader election", size, source, {"size": size}, {"size": size}, distinct, generated, depth, tlc_cost=10)


ROWS = (
    _rollback(14, 32_767, 688_115, 29),
    _rollback(16, 131_071, 3_145_713, 33),
    _rollback(18, 524_287, 14_155_759, 37),
    _rollback(20, 2_097_151, 62_914_541, 41),
    _rollback(22, 8_388_607, 276_824_043, 45),
    _acceptance(10, 131_084, 516_152, 9),
    _acceptance(12, 638_988, 2_523_192, 10),
    _two_phase_commit(5, 8_832, 58_146, 17),
    _two_phase_commit(7, 296_448, 2_744_706, 23),
    _two_phase_commit(8, 1_745_408, 18_507_778, 26),
    _two_phase_commit(9, 10_340_352, 123_558_402, 29),
    _leader_election(8, 55_583, 233_909, 37),
    _leader_election(9, 273_916, 1_269_490, 46),
)
"""Without symmetry. The smallest row of a protocol is there for `--quick`."""

QUICK = ("rollback 14", "two-phase commit 5", "leader election 8")


def row_named(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def instance_of(row: Row) -> Instance:
    """The protocol with its constants."""
    from protocheck.transpiler.instance import instantiate

    return instantiate(_compiled(row.source), row.constants)


def safety_of(instance: Instance) -> frozenset[str]:
    """What is checked: every property that a search of the states can decide, but no fair cycles."""
    return frozenset(instance.protocol.safety)


def words_of(instance: Instance) -> int:
    """How many words of 64 bits a packed state has."""
    from protocheck.transpiler.packing.program import compile_program

    return -(-compile_program(instance).frame.width // 64)


@cache
def _compiled(source: tuple[str, str]) -> ir.Protocol:
    from protocheck.transpiler.frontend import compile_protocol

    file, name = source
    path = ROOT / file
    module_name = f"protocheck_benchmarks_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up here.
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return compile_protocol(getattr(module, name))
