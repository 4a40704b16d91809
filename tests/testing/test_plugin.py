"""The pytest plugin: [tool.protocheck] as test items, in pytest sessions of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import protocheck.testing.collection
from protocheck.protocols.rollback import Rollback
from protocheck.testing import check
from protocheck.testing.plugin import SURVIVES

from .protocols import COUNTER, FALSE, UNDECLARED

pytest_plugins = ["pytester"]

ROLLBACK = '[tool.protocheck]\nprotocols = [{ target = "rollback", mutate = true, constants = { max_len = 3 } }]\n'


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """pytester forgets the modules that an inner session loads: ours are loaded before, or classes would be doubled."""
    assert protocheck.testing.collection
    check(Rollback, mutate=True, max_len=3)


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """An inner session, without the plugins whose work is none of it."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def counter(pytester: pytest.Pytester, more: str = "", text: str = COUNTER) -> None:
    pytester.makepyprojecttoml(f'[tool.protocheck]\nprotocols = [{{ target = "counter.py", {more} }}]\n')
    (pytester.path / "counter.py").write_text(text, encoding="utf-8")


# -------------------------------------------------------------------------------------------------------- what runs


def test_one_item_a_property_and_one_a_guard(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(ROLLBACK)
    items, recorder = pytester.inline_genitems()
    assert [item.nodeid for item in items] == [
        "pyproject.toml::Rollback::type_ok",
        "pyproject.toml::Rollback::well_defined",
        "pyproject.toml::Rollback::no_ghost_reads",
        "pyproject.toml::Rollback::grows_by_one",
        "pyproject.toml::Rollback::deadlock_free",
        "pyproject.toml::Rollback::without extend.room_left",
        "pyproject.toml::Rollback::without start_read.inside_tail",
        "pyproject.toml::Rollback::without finish_read.is_pending",
        "pyproject.toml::Rollback::without rollback.shrinks",
        "pyproject.toml::Rollback::without rollback.no_reader_above",
    ]
    assert not recorder.getfailures()
    assert [bool(item.get_closest_marker("protocheck_mutant")) for item in items] == [False] * 5 + [True] * 5
    path, line, _ = items[2].location
    assert path.endswith("rollback.py")
    assert line is not None


def test_all_pass_and_a_survivor_says_why(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(ROLLBACK)
    result = run(pytester, "-v", "--junitxml=out.xml")
    result.assert_outcomes(passed=10)
    reason = "finishing a read twice changes nothing"
    result.stdout.fnmatch_lines([f"*::without finish_read.is_pending*PASSED ({SURVIVES}: {reason})*"])
    assert f'<property name="{SURVIVES}" value="{reason}" />' in (pytester.path / "out.xml").read_text(encoding="utf-8")


def test_each_protocol_is_checked_once_for_all_its_items(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from protocheck.testing.plans import Plan

    made: list[bool | None] = []
    original = Plan.run

    def counted(self: Plan, *, mutate: bool | None = None) -> object:
        made.append(mutate)
        return original(self, mutate=mutate)

    monkeypatch.setattr(Plan, "run", counted)
    pytester.makepyprojecttoml(ROLLBACK)
    run(pytester).assert_outcomes(passed=10)
    assert made == [True]
    # Guards are dropped only where somebody asks for it.
    made.clear()
    run(pytester, "-m", "not protocheck_mutant").assert_outcomes(passed=5, deselected=5)
    assert made == [False]
    made.clear()
    run(pytester, "-k", "shrinks").assert_outcomes(passed=1, deselected=9)
    assert made == [True]


def test_one_item_by_its_name(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(ROLLBACK)
    result = run(pytester, "pyproject.toml::Rollback::without rollback.shrinks")
    result.assert_outcomes(passed=1)


def test_side_by_side(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyprojecttoml(ROLLBACK)
    result = pytester.runpytest_subprocess("-n", "2", "--dist", "loadgroup", "-v", "--strict-markers")
    result.assert_outcomes(passed=10)


# ----------------------------------------------------------------------------------------------------- what it says


def test_a_violation_shows_the_trace_and_no_frames(pytester: pytest.Pytester) -> None:
    counter(pytester, "constants = { bound = 2 }, mutate = true")
    result = run(pytester, "-rfs")
    result.assert_outcomes(failed=1, skipped=6)
    text = result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "*_ Counter: small _*",
            "small is violated in 4 states (invariant, counter.py:25)",
            "  step  action     value*",
            "*= state 4  3*",
            "? counter violates small in 4 states within limit=3, bound=2",
            "FAILED pyproject.toml::Counter::small - *small is violated*",
            "SKIPPED*natural was not decided, since small is violated",
            "SKIPPED*up.room was not dropped, since the baseline must hold first*",
        ]
    )
    assert "Traceback" not in text
    assert "def runtest" not in text


def test_what_is_not_decided_fails_where_nothing_else_would(pytester: pytest.Pytester) -> None:
    """Deselecting the item that fails must not make the others look well."""
    counter(pytester, "constants = { bound = 2 }, mutate = true")
    result = run(pytester, "-k", "natural or room")
    result.assert_outcomes(failed=2, deselected=5)
    result.stdout.fnmatch_lines(["natural was not decided, since small is violated", "*= state 4  3*"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (UNDECLARED, "reset.full survives and is not declared as a survivor: a property is missing"),
        (FALSE, "up.room is declared as a survivor but type_ok kills it"),
    ],
    ids=["undeclared", "false"],
)
def test_a_mutant_that_is_not_accounted_for(pytester: pytest.Pytester, text: str, message: str) -> None:
    counter(pytester, "mutate = true", text)
    result = run(pytester, "-W", "ignore")
    result.assert_outcomes(failed=1, passed=6)
    result.stdout.fnmatch_lines([message])


def test_a_budget_that_was_reached_fails(pytester: pytest.Pytester) -> None:
    counter(pytester, "max_states = 2")
    result = run(pytester)
    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(["*small was not decided: *"])


def test_an_engine_that_cannot_be_used_fails_every_item(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROTOCHECK_TLA2TOOLS", "nowhere.jar")
    counter(pytester, 'engine = "tlc"')
    result = run(pytester)
    result.assert_outcomes(failed=5)
    assert "nowhere.jar" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_what_does_not_fail_is_a_warning(pytester: pytest.Pytester) -> None:
    counter(pytester, "mutate = true")
    result = run(pytester, "-W", "default", "-m", "protocheck_mutant")
    result.assert_outcomes(passed=2, deselected=5, warnings=1)
    result.stdout.fnmatch_lines(["*ProtocolWarning: Counter: reset.full survives as declared, but its absence*"])
    # Who makes errors of warnings gets one, without our frames.
    result = run(pytester, "-W", "error::protocheck.testing.ProtocolWarning", "-m", "protocheck_mutant")
    result.assert_outcomes(passed=1, failed=1, deselected=5)
    assert "warn_explicit" not in result.stdout.str()


# ------------------------------------------------------------------------------------------- where it is looked for


def test_a_plain_pytest_finds_it_beside_testpaths(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\ntestpaths = ["tests"]\n{ROLLBACK}')
    (pytester.mkdir("tests") / "test_one.py").write_text("def test_one(): pass\n", encoding="utf-8")
    run(pytester).assert_outcomes(passed=11)
    run(pytester, "tests").assert_outcomes(passed=1)
    run(pytester, ".").assert_outcomes(passed=11)


def test_testpaths_that_reach_it_do_not_double_it(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\ntestpaths = ["."]\n{ROLLBACK}')
    run(pytester).assert_outcomes(passed=10)


def test_files_and_modules_are_found_from_where_the_file_is(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = pytester.mkdir("project")
    (project / "pyproject.toml").write_text(
        '[tool.protocheck]\nprotocols = ["counting.py", { target = "counting:Counter", name = "again" }]\n',
        encoding="utf-8",
    )
    (project / "counting.py").write_text(COUNTER, encoding="utf-8")
    run(pytester, "project/pyproject.toml").assert_outcomes(passed=10)


def test_a_project_that_says_nothing_of_it_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[project]\nname = "other"\ndescription = "uses protocheck"\nversion = "1"\n')
    pytester.makepyfile("def test_one(): pass")
    run(pytester, "--strict-markers").assert_outcomes(passed=1)
    run(pytester, "-p", "no:protocheck").assert_outcomes(passed=1)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(ROLLBACK)
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest_subprocess("-p", "no:protocheck", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_loading_the_plugin_loads_nothing_of_ours() -> None:
    """pytest does so in every project of the environment."""
    code = "import sys, pytest; before = set(sys.modules); import protocheck.testing.plugin; "
    code += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("protocheck")}
    assert ours == {
        "protocheck",
        "protocheck.transpiler",
        "protocheck.transpiler.bounds",
        "protocheck.transpiler.language",
        "protocheck.testing",
        "protocheck.testing.plugin",
    }
    assert not {"tomllib", "hypothesis", "jinja2", "click"} & set(done.stdout.split())


# --------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        ('protocol = ["rollback"]', ["*has no key protocol; did you mean protocols?"]),
        ('protocols = "rollback"', ["*is a list, as in protocols = *rollback*"]),
        ("protocols = [1]", ["*entry 1: write a table with a target, or the target alone, not 1"]),
        ("protocols = [{ mutate = true }]", ["*entry 1: it needs a target, as in*"]),
        ('protocols = [{ target = "rollback", mutat = true }]', ["*no key mutat; did you mean mutate?"]),
        ('protocols = [{ target = "rollback", mutate = 1 }]', ["*entry 1: mutate is true or false, not 1"]),
        ('protocols = [{ target = "rollback", max_states = true }]', ["*max_states is a whole number above 0*"]),
        ('protocols = [{ target = "rollback", timeout = 0 }]', ["*timeout is a number of seconds above 0*"]),
        ('protocols = [{ target = "rollback", timeout = nan }]', ["*timeout is a number of seconds above 0, not nan"]),
        ('protocols = [{ target = "rollback", timeout = inf }]', ["*timeout is a number of seconds above 0, not inf"]),
        ('protocols = [{ target = "rollback", properties = [] }]', ["*properties names none*"]),
        ('protocols = [{ target = "rollback", properties = [1] }]', ["*properties is a list of texts*"]),
        ('protocols = [{ target = "rollback", name = "a::b" }]', ["*must not contain `::`*"]),
        ('protocols = [{ target = "rollback", engine = "tcl" }]', ["*no engine tcl; did you mean tlc?"]),
        (
            'protocols = ["rollback", "rollback"]',
            ["*entries 1 and 2 are both named Rollback; give one of them a name*"],
        ),
    ],
)
def test_a_table_that_is_wrong_is_an_error_of_the_file(pytester: pytest.Pytester, table: str, lines: list[str]) -> None:
    pytester.makepyprojecttoml(f"[tool.protocheck]\n{table}\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(lines)
    assert "Traceback" not in result.stdout.str()
    assert "pyproject.toml: " in result.stdout.str()


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ('target = "rolback"', "there is no built-in protocol rolback; did you mean rollback?"),
        ('target = "nowhere.py"', "there is no file *nowhere.py*"),
        ('target = "nowhere:Protocol"', "there is no module nowhere"),
        ('target = "wrong.py"', "*wrong.py:1:1: SyntaxError*"),
        ('target = "refused.py"', "*refused.py:*: PC*"),
        ('target = "rollback", constants = { maxlen = 6 }', "Rollback has no constant maxlen; did you mean max_len?"),
        ('target = "rollback", constants = { max_len = "six" }', "'six' is no value for the constant max_len*int"),
        ('target = "rollback", constants = { max_len = -1 }', "*PC*domain*"),
        ('target = "rollback", properties = ["no_ghosts"]', "*no property no_ghosts*"),
    ],
)
def test_an_entry_that_is_wrong_does_not_keep_the_others_from_running(
    pytester: pytest.Pytester, entry: str, line: str
) -> None:
    pytester.makepyprojecttoml(f'[tool.protocheck]\nprotocols = ["counter.py", {{ {entry} }}]\n')
    (pytester.path / "counter.py").write_text(COUNTER, encoding="utf-8")
    (pytester.path / "wrong.py").write_text("1 = 2 =", encoding="utf-8")
    (pytester.path / "refused.py").write_text(COUNTER.replace("self.value >= 0", "self.value"), encoding="utf-8")
    result = run(pytester, "--continue-on-collection-errors")
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*pyproject.toml: [[]tool.protocheck[]] protocols, entry 2 (target = *", line])
    assert "Traceback" not in result.stdout.str()
