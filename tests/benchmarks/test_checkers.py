"""The benchmark of checkers: what it makes of measurements, and that it runs. How fast a checker is is not tested."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.checkers_engines import (
    ENGINES,
    EXPLORER,
    NATIVE,
    NATIVE_2,
    SPIN,
    TLC,
    TLC_2,
    Measurement,
    takes_part,
)
from benchmarks.checkers_figures import COMPARED, Expected, Spread, expectations, ratio, startup_expectations
from benchmarks.checkers_page import expected_lines, page, picture, shown, terminal_lines
from benchmarks.checkers_results import Machine, Results, load_results, this_machine
from benchmarks.checkers_rows import ROWS, Row, instance_of, row_named, safety_of, words_of
from benchmarks.checkers_startup import NOTHING, STARTUPS
from protocheck.dev import ROOT
from protocheck.toolchain.native.engine import NativeEngine
from protocheck.toolchain.results import CheckJob

HERE = Machine("2026-01-01", "a processor", 2, 8, "Linux", "3.11", "cc 12", "2.15", "Java 17", "Spin 6")


def measured(engine: str, row: Row, seconds: float, peak_mib: float = 8.0) -> Measurement:
    return Measurement(engine, seconds, peak_mib, row.distinct, row.generated, row.depth)


def a_round(row: Row, **seconds: float) -> dict[str, Measurement]:
    names = {"native": NATIVE, "two": NATIVE_2, "explorer": EXPLORER, "tlc": TLC, "tlc_two": TLC_2, "spin": SPIN}
    return {names[name]: measured(names[name], row, value) for name, value in seconds.items()}


def results_of(*names: str) -> Results:
    """Two rounds of each row, in which native is 200 times as fast as TLC and 10 times as fast as SPIN."""
    results = Results(HERE, words=dict.fromkeys(names, 1))
    for name in names:
        row = row_named(name)
        results.rounds[name] = [
            a_round(row, native=unit, two=unit / 1.7, explorer=50 * unit, tlc_two=200 * unit, spin=10 * unit)
            for unit in (0.1, 0.2)
        ]
    results.startups = {startup.name: [0.1, 0.2, 0.3] for startup in STARTUPS}
    return results


# ------------------------------------------------------------------------------------------------------- arithmetic


def test_a_ratio_is_taken_round_by_round() -> None:
    row = row_named("rollback 18")
    rounds = [a_round(row, native=1.0, spin=4.0), a_round(row, native=2.0, spin=16.0), a_round(row, native=1.0)]
    assert ratio(rounds, NATIVE, SPIN) == Spread(6.0, 4.0, 8.0)
    assert ratio(rounds, SPIN, NATIVE) == Spread(0.1875, 0.125, 0.25)
    assert ratio(rounds, NATIVE, TLC) is None


def test_bytes_a_state_are_of_what_is_resident() -> None:
    row = row_named("rollback 18")
    assert measured(NATIVE, row, 1.0, peak_mib=row.distinct * 12 / 2**20).bytes_a_state == pytest.approx(12)
    assert measured(NATIVE, row, 0.5).rate == 2 * row.generated


def test_large_rows_are_for_who_can() -> None:
    small, large, slow = row_named("rollback 14"), row_named("rollback 22"), row_named("leader election 9")
    assert all(takes_part(engine, small, full=False) for engine in ENGINES)
    assert [engine for engine in ENGINES if takes_part(engine, large, full=False)] == [NATIVE, NATIVE_2, SPIN]
    assert [engine for engine in ENGINES if takes_part(engine, large, full=True)] == [NATIVE, NATIVE_2, TLC_2, SPIN]
    assert TLC not in [engine for engine in ENGINES if takes_part(engine, slow, full=False)]


def test_spin_has_no_model_with_thousands_of_initial_states() -> None:
    assert takes_part(SPIN, row_named("acceptance 10"), full=False)
    assert not takes_part(SPIN, row_named("acceptance 12"), full=True)


# ----------------------------------------------------------------------------------------------------- expectations


def expected_of(results: Results, planned: set[str]) -> list[Expected]:
    rows = [row_named(name) for name in results.rounds]
    return list(expectations(rows, results.words, results.rounds, {row.name: planned for row in rows}))


def test_what_is_expected_of_the_rows_that_the_issue_names() -> None:
    results = results_of(*COMPARED)
    expected = expected_of(results, {NATIVE, NATIVE_2, TLC_2, SPIN})
    assert all(item.kept for item in expected)
    assert sum("against TLC" in item.what for item in expected) == len(COMPARED)
    assert sum("against SPIN" in item.what for item in expected) == len(COMPARED)
    assert [item.what for item in expected if "two threads" in item.what] == [
        "rollback 22: two threads against one",
        "two-phase commit 9: two threads against one",
    ]


@pytest.mark.parametrize(
    ("engine", "times", "what"),
    [
        (TLC_2, 99.0, "native against TLC with two workers"),
        (SPIN, 4.9, "native against SPIN"),
        (NATIVE_2, 1 / 1.59, "two threads against one"),
    ],
)
def test_a_ratio_that_is_not_reached_is_named(engine: str, times: float, what: str) -> None:
    results = results_of("rollback 22")
    for each in results.rounds["rollback 22"]:
        each[engine] = replace(each[engine], seconds=times * each[NATIVE].seconds)
    missed = [item for item in expected_of(results, set()) if not item.kept]
    assert [item.what for item in missed] == [f"rollback 22: {what}"]
    (line,) = expected_lines(missed)
    assert line.startswith(f"MISS rollback 22: {what}")


def test_too_many_bytes_a_state_are_named() -> None:
    results = results_of("rollback 20")
    assert all(item.kept for item in expected_of(results, set()))
    for each in results.rounds["rollback 20"]:
        each[NATIVE] = replace(each[NATIVE], peak_mib=2_097_151 * 16.1 / 2**20)
    (missed,) = [item for item in expected_of(results, set()) if not item.kept]
    assert missed.what == "rollback 20: bytes a state, native"
    results.words["rollback 20"] = 2
    assert all(item.kept for item in expected_of(results, set()))


def test_what_was_to_be_measured_and_was_not_is_no_pass() -> None:
    results = results_of("rollback 18")
    for each in results.rounds["rollback 18"]:
        del each[SPIN]
    assert all(item.kept for item in expected_of(results, {NATIVE, TLC_2}))
    (missed,) = [item for item in expected_of(results, {NATIVE, TLC_2, SPIN}) if not item.kept]
    assert (missed.what, missed.measured) == ("rollback 18: native against SPIN", None)
    assert list(expected_lines([missed])) == ["NONE rollback 18: native against SPIN: not measured (at least 5×)"]


def test_small_protocols_are_answered_in_a_moment() -> None:
    bounded = {startup.name for startup in STARTUPS if startup.bounded}
    measured_seconds = {name: [0.2, 0.31, 0.25] for name in bounded}
    assert {item.what.strip("`") for item in startup_expectations(measured_seconds) if item.kept} == bounded
    assert bounded >= {f"protocheck run rollback --engine {engine}" for engine in ("explorer", "native")}
    assert not any(item.kept for item in startup_expectations({name: [0.2, 0.31, 0.35] for name in bounded}))


# ----------------------------------------------------------------------------------------------------- what is shown


def test_spreads_have_three_digits() -> None:
    assert shown(Spread(141.2, 138.0, 1501.7)) == "141× (138–1,502)"
    assert shown(Spread(1.667, 1.667, 1.667)) == "1.67×"
    assert shown(None) == ""


def test_a_row_at_a_terminal() -> None:
    row = row_named("rollback 18")
    lines = list(terminal_lines(row, results_of(row.name).rounds[row.name]))
    assert [line.split()[2] for line in lines] == ["native", "native,", "explorer", "TLC,", "SPIN"]
    assert lines[-1].endswith("native 10×")
    assert "16.0 B/state" in lines[0]
    assert "- B/state" in lines[3]


def test_the_page_says_what_was_measured() -> None:
    results = results_of(*COMPARED, "leader election 9")
    results.words["leader election 9"] = 6
    text = page(results, [*expected_of(results, set()), *startup_expectations(results.startups)])
    assert "| rollback 22: native against TLC with two workers | at least 100× | 200× | ✓ |" in text
    assert "| 18 | 524,287 | 14,155,759 | native | 0.150 |" in text
    assert "A state is 6 words of 64 bits." in text
    assert f"| `{NOTHING.name}` | 0.200 | 1× |" in text
    assert HERE.processor in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith(("| 18 ", "| | | |"))}
    assert len(widths) == 1


def test_the_plot_is_readable_on_light_and_dark_pages() -> None:
    text = picture(results_of(*COMPARED).rounds)
    tree = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    said = ["".join(item.itertext()) for item in tree.iter(f"{name}text")]
    assert {"rollback", "two-phase commit", "transitions a second", *ENGINES} <= set(said)
    # Five checkers took part, in three sizes of two protocols; and each checker has a point in the legend.
    assert len(list(tree.iter(f"{name}circle"))) == 5 * 3 * 2 + len(ENGINES)
    assert "prefers-color-scheme: dark" in text


# ------------------------------------------------------------------------------------------------------ what is kept


def test_a_run_goes_on_from_what_is_kept(tmp_path: Path) -> None:
    results = results_of("rollback 18")
    results.save(tmp_path / "results.json")
    again = load_results(tmp_path / "results.json", replace(HERE, date="2026-01-02"))
    assert (again.words, again.rounds, again.startups) == (results.words, results.rounds, results.startups)
    assert load_results(tmp_path / "none.json", HERE) == Results(HERE)


def test_figures_of_another_machine_are_refused(tmp_path: Path) -> None:
    results_of("rollback 18").save(tmp_path / "results.json")
    with pytest.raises(ValueError, match="another machine"):
        load_results(tmp_path / "results.json", replace(HERE, compiler="cc 13"))


# ------------------------------------------------------------------------------------------------------- the figures


@pytest.mark.parametrize("row", [row for row in ROWS if row.generated < 10**6], ids=lambda row: row.name)
def test_the_figures_of_small_rows(row: Row) -> None:
    demand_figures(row)


@pytest.mark.soak
@pytest.mark.parametrize("row", [row for row in ROWS if row.generated >= 10**6], ids=lambda row: row.name)
def test_the_figures_of_large_rows(row: Row) -> None:
    demand_figures(row)


def demand_figures(row: Row) -> None:
    instance = instance_of(row)
    result = NativeEngine().check(CheckJob(instance, safety_of(instance)))
    assert result.status == "holds"
    assert result.stats is not None
    assert (result.stats.distinct, result.stats.generated, result.stats.depth) == (
        row.distinct,
        row.generated,
        row.depth,
    )


def test_how_many_words_a_state_has() -> None:
    assert words_of(instance_of(row_named("rollback 22"))) == 1
    assert words_of(instance_of(row_named("two-phase commit 9"))) == 1
    assert words_of(instance_of(row_named("leader election 9"))) == 6


def test_the_benchmark_runs_and_fails_where_a_figure_is_not_reached(tmp_path: Path) -> None:
    """One row, once; what it kept is then made slow by hand, and not measured again."""
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "benchmarks.checkers", "--rounds", "1", "--attempts", "1", "--keep", str(kept)]
    row = row_named("two-phase commit 5")
    done = subprocess.run([*command, "--only", row.name], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"\n{row.name} ") >= 5
    assert "protocheck run rollback --engine native" in done.stdout
    path = kept / "results.json"
    results = replace(results_of("rollback 18"), machine=load_results(path, this_machine()).machine)
    for each in results.rounds["rollback 18"]:
        each[SPIN] = replace(each[SPIN], seconds=each[NATIVE].seconds)
    results.save(path)
    required = [*command, "--only", "rollback 18", "--require"]
    done = subprocess.run(required, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "MISS rollback 18: native against SPIN: 1× (at least 5×)" in done.stdout
