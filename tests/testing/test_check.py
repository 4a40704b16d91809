"""`check`: one line of a test."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Annotated

import pytest

from protocheck import Between, CompileError, Protocol, action, const, guard, invariant, without
from protocheck.protocols.rollback import Rollback
from protocheck.testing import CheckFailed, ProtocolWarning, check
from protocheck.toolchain.errors import UserError

from .protocols import FALSE, UNDECLARED

pytest_plugins = ["pytester"]


class Lease(Protocol):
    """Has a constant that is called as an option is."""

    timeout: int = const(2)

    age: Annotated[int, Between(0, timeout)] = 0

    @action
    def wait(self) -> None:
        guard(valid=self.age < self.timeout)
        self.age += 1

    @action
    def renew(self) -> None:
        self.age = 0

    @invariant
    def never_late(self) -> bool:
        return self.age <= self.timeout


def test_what_holds_returns_its_report() -> None:
    report = check(Rollback, mutate=True, max_len=6)
    assert report.exit_code == 0
    assert report.constants == {"max_len": 6}
    assert report.mutants is not None
    assert [mutant.status for mutant in report.mutants].count("killed") == 4
    assert list(report.engines) == ["explorer"]


def test_a_violation_shows_the_report_and_the_trace() -> None:
    with pytest.raises(CheckFailed) as raised:
        check(without(Rollback, "rollback.no_reader_above"))
    lines = str(raised.value).splitlines()
    assert lines[0] == "✗ rollback violates no_ghost_reads in 4 states within max_len=4"
    assert isinstance(raised.value, AssertionError)
    assert raised.value.report.baseline.violated == "no_ghost_reads"
    table = [line.split() for line in lines if "rollback(k=0)" in line]
    assert len(table) == 1
    assert table[0][:3] == ["4", "rollback(k=0)", "0"]


def test_a_variant_without_a_declared_survivor_can_be_checked_on() -> None:
    """Its other guards are dropped in turn; that the one it lacks is declared is no mistake."""
    report = check(without(Rollback, "finish_read.is_pending"), mutate=True)
    assert [mutant.status for mutant in report.mutants or ()] == ["killed"] * 4


def test_a_survivor_that_is_not_declared_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("counter.py").write_text(UNDECLARED, encoding="utf-8")
    check("counter.py")
    with pytest.raises(CheckFailed, match=r"reset\.full survives and is not declared as a survivor: a property"):
        check("counter.py:Counter", mutate=True)


def test_a_false_declaration_shows_the_trace_that_refutes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("counter.py").write_text(FALSE, encoding="utf-8")
    with pytest.warns(ProtocolWarning), pytest.raises(CheckFailed) as raised:
        check("counter.py", mutate=True)
    assert "without the guard up.room" in str(raised.value)
    assert "value = 4 is outside 0..3" in str(raised.value)


def test_what_is_not_decided_fails() -> None:
    with pytest.raises(CheckFailed, match=r"^\? rollback is undecided within max_len=4: "):
        check(Rollback, max_states=10)


def test_properties_by_name() -> None:
    assert check(Rollback, properties=["no_ghost_reads"]).requested == ("type_ok", "well_defined", "no_ghost_reads")
    with pytest.raises(UserError, match="no property no_ghost_read; did you mean no_ghost_reads"):
        check(Rollback, properties=["no_ghost_read"])
    with pytest.raises(UserError, match=r"\['no_ghost_reads'\]"):
        check(Rollback, properties="no_ghost_reads")


def test_a_wrong_constant_or_engine() -> None:
    with pytest.raises(UserError, match="Rollback has no constant maxlen; did you mean max_len"):
        check(Rollback, maxlen=6)
    with pytest.raises(CompileError, match="is no value for the constant `max_len`"):
        check(Rollback, max_len="six")
    with pytest.raises(UserError, match="there is no engine explore; did you mean explorer"):
        check(Rollback, engine="explore")  # type: ignore[arg-type]


def test_a_mistake_is_shown_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from protocheck.protocols.rollback import Rollback
        from protocheck.testing import check, state_machine

        def test_one():
            check(Rollback, maxlen=6)

        def test_two():
            check("rolback")

        def test_three():
            state_machine(Rollback, object, maxlen=6)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=3)
    lines = [line for line in result.stdout.lines if line.startswith(">")]
    assert [line.split()[1].partition("(")[0] for line in lines] == ["check", "check", "state_machine"]


def test_a_constant_that_is_named_as_an_option_is_never_mistaken_for_it() -> None:
    assert check(Lease).constants == {"timeout": 2}
    assert check(Lease, constants={"timeout": 5}).constants == {"timeout": 5}
    with pytest.raises(UserError, match="timeout is an option here, and a constant of Lease"):
        check(Lease, timeout=5)
    for timeout in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match=f"timeout is a number of seconds above 0, not {timeout}"):
            check(Lease, timeout=timeout, constants={"timeout": 5})
    report = check(Lease, timeout=60, constants={"timeout": 5})
    assert report.constants == {"timeout": 5}
    with pytest.raises(UserError, match="the constant max_len is given twice"):
        check(Rollback, constants={"max_len": 3}, max_len=4)


def test_what_does_not_fail_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Still(Protocol):
        done: bool = False

        @action
        def finish(self) -> None:
            guard(never=self.done)
            self.done = True

        @action
        def wait(self) -> None:
            pass

    with pytest.warns(ProtocolWarning, match="Still: finish never fires within these bounds") as caught:
        check(Still)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(Rollback)


def test_another_engine_says_the_same() -> None:
    """Engines are chosen by name, as on the command line; the note of `auto` stands in the report."""
    report = check(Rollback, engine="auto", max_len=2)
    first, *others = report.engines
    assert first == "explorer"
    assert others == ["tlc"] or any("TLC is not there" in note for note in report.notes)


def test_a_failure_travels_between_processes() -> None:
    with pytest.raises(CheckFailed) as raised:
        check(without(Rollback, "rollback.shrinks"))
    sent = pickle.loads(pickle.dumps(raised.value))
    assert isinstance(sent, AssertionError)
    assert str(sent) == str(raised.value)
    assert str(copy.copy(raised.value)) == str(raised.value)
