"""A second opinion: TLC, asked through the specification of a log, says what the validation says."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

from protocheck import In, Protocol, action, const, guard
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.tlc import Toolchain, find_toolchain
from protocheck.toolchain.tlc.driver import TlcJob, run_tlc
from protocheck.toolchain.validation import tla_spec
from protocheck.toolchain.validation.following import Follower
from protocheck.toolchain.validation.results import Options
from protocheck.toolchain.validation.validate import follow
from protocheck.transpiler import ir

from .test_logs import Promised, Workshop, step

READ = step("start_read", i=1)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return find_toolchain(archive="build")


def followed(cls: type[Protocol] | ir.Protocol, lines: list[Any], **options: Any) -> tuple[Follower, Options]:
    chosen = Options(**options)
    texts = [json.dumps(line).encode() + b"\n" for line in lines]
    (found,) = follow(texts, cls, options=chosen, keeps=True)
    return found, chosen


def tlc_says(found: Follower, options: Options, toolchain: Toolchain) -> bool:
    """Whether TLC finds the behaviour."""
    written = tla_spec.log_specification(found.model, found.begun, found.journal, options)
    job = TlcJob(written.files, written.module, f"{written.module}.cfg", check_deadlock=False, timeout=120)
    outcome = run_tlc(job, toolchain).outcome
    assert outcome.kind in ("invariant", "no_error"), outcome
    return outcome.kind == "invariant"


TREE = step("propose", tokens=[0, 1], parents=[0, 1])
WORK = step(
    "work",
    {"phase": "Phase.BUSY", "chosen": 2, "counts": {"#map": [[False, 0], [True, 3]]}, "seen": {"#set": [3]}},
    phase="Phase.BUSY",
    chosen=2,
    pair={"#tup": [3, True]},
)
CASES: dict[str, tuple[type[Protocol], list[Any], dict[str, Any], bool]] = {
    "all of it named": (Rollback, [step("extend", {"length": 1}), READ], {}, True),
    "refused by a guard": (Rollback, [step("extend"), READ, step("rollback", k=0)], {}, False),
    "another value": (Rollback, [step("extend", {"length": 2})], {}, False),
    "something else changed": (Rollback, [{"action": "extend", "changes": {}}], {}, False),
    "hidden steps": (Rollback, [step("start_read", i=3), {"state": {"length": 4}}], {"unlogged": {"extend"}}, True),
    "no hidden steps": (Rollback, [step("start_read", i=3)], {"unlogged": {"finish_read"}}, False),
    "seen after hidden steps": (Rollback, [{"state": {"length": 2}}, READ], {"unlogged": {"extend"}}, True),
    "arguments left open": (Rollback, [step("extend"), step("start_read"), step("finish_read", i=1)], {}, True),
    "a beginning": (
        Rollback,
        [{"constants": {"max_len": 3}, "state": {"length": 2, "pending_reads": {"#set": [2]}}}, step("rollback", k=1)],
        {"anywhere": True},
        False,
    ),
    "a walk": (Walk, [TREE, step("descend", {"output": [0]}, verdict=0, child=1)], {}, True),
    "a walk to another child": (Walk, [TREE, step("descend", verdict=1, child=1)], {}, False),
    "values of every kind": (Workshop, [WORK], {}, True),
    "a promise": (Promised, [step("put", value=2), step("put", value=1)], {"assumptions": True}, True),
    "a broken promise": (Promised, [step("put", value=3)], {"assumptions": True}, False),
    "one that nobody asks for": (Promised, [step("put", value=3)], {}, True),
    "tree cache": (TreeCache, [step("extend", parent=0), step("start_read", reader="verifier", top=1)], {}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_tlc_agrees(case: str, toolchain: Toolchain) -> None:
    cls, lines, given, expected = CASES[case]
    options = {name: frozenset(value) if isinstance(value, set) else value for name, value in given.items()}
    found, chosen = followed(cls, lines, **options)
    assert (found.answer().verdict == "behaviour") is expected
    assert tlc_says(found, chosen, toolchain) is expected


class Queueing(Protocol):
    """Workers that nobody can tell apart."""

    workers: frozenset[str] = const(frozenset({"ann", "bob"}), symmetric=True)

    Worker = Annotated[str, In(workers)]

    waiting: frozenset[Worker] = frozenset()
    holder: Worker | None = None
    turns: dict[Worker, bool] = {worker: False for worker in workers}

    @action
    def wait(self, worker: Worker) -> None:
        self.waiting |= {worker}

    @action
    def take(self, worker: Worker) -> None:
        guard(waits=worker in self.waiting, free=self.holder is None)
        self.holder = worker
        self.turns[worker] = True


@pytest.mark.parametrize(("member", "expected"), [("bob", True), ("ann", False)])
def test_members_of_symmetric_constants(member: str, expected: bool, toolchain: Toolchain) -> None:
    """They are model values in TLA+, and strings in a log."""
    seen = {"waiting": {"#set": ["bob"]}, "turns": {"#map": [["ann", member == "ann"], ["bob", member == "bob"]]}}
    lines = [step("wait", worker="bob"), step("take", {**seen, "holder": member}, worker=member)]
    found, chosen = followed(Queueing, lines)
    assert (found.answer().verdict == "behaviour") is expected
    assert tlc_says(found, chosen, toolchain) is expected


def test_values_that_no_state_has_are_not_asked_for() -> None:
    found, chosen = followed(Rollback, [step("extend", {"length": 9})])
    with pytest.raises(UserError, match=r"line 1, extend\(\): length = 9 is outside 0..4"):
        tla_spec.log_specification(found.model, found.begun, found.journal, chosen)


def test_a_log_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tla_spec, "MOST_EVENTS", 2)
    found, chosen = followed(Rollback, [step("extend")] * 3)
    with pytest.raises(UserError, match="3 events are too many"):
        tla_spec.log_specification(found.model, found.begun, found.journal, chosen)
