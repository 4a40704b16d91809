"""Files with traces, whatever wrote them, through the command line: shown, converted, and what is none."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from protocheck.cli import main
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import Recorder, Scheduler
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.trace_reading import read_trace_file

from ..fonts import NEEDS_FONTS

ROOT = Path(__file__).parents[2]
REPORT = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((ROOT / "docs" / "trace.schema.json").read_text(encoding="utf-8"))

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def start(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return start


def recorded(path: Path) -> None:
    with Recorder(path) as recorder:
        scheduler = Scheduler(recorder=recorder)
        cache, buffer = scheduler.adopt(Rollback()), scheduler.adopt(Dispatch())
        cache.extend()
        buffer.start_fill()
        cache.start_read(1)


def valid(data: Any) -> Any:
    assert list(Draft202012Validator(SCHEMA).iter_errors(data)) == []
    return data


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    wrong: list[dict[str, Any]] = [{"format": "other"}, {"version": 2}, {"traces": [{"violated": "p"}]}]
    good: dict[str, Any] = {"format": "protocheck-trace", "version": 1, "protocol": "p", "constants": {}}
    good.update(enumerations=[], records={})
    valid({**good, "traces": []})
    for each in wrong:
        assert list(Draft202012Validator(SCHEMA).iter_errors({**good, "traces": [], **each}))


def test_a_file_goes_round_through_every_format(run: Run, tmp_path: Path) -> None:
    assert run("run", "rollback", "--engine", "explorer", "--mutate", "--trace", "t.json")[0] == 0
    data = valid(json.loads((tmp_path / "t.json").read_text(encoding="utf-8")))
    assert data["target"] == "rollback"
    assert {trace["source"] for trace in data["traces"]} == {"explorer"}
    guard = ("--guard", "rollback.no_reader_above")
    shown = run("trace", "show", "t.json", *guard)
    assert shown[0] == 0
    for kind in ("json", "itf"):
        assert run("trace", "show", "t.json", *guard, "--format", kind, "-o", f"t.{kind}") == (0, "", "")
        assert run("trace", "show", f"t.{kind}") == shown
    valid(json.loads((tmp_path / "t.json").read_text(encoding="utf-8")))
    assert run("trace", "show", "t.itf", "--format", "json", "-o", "again.json")[0] == 0
    printed = run("trace", "show", "t.json", *guard, "--format", "json")[1]
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(printed)


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("svg", b"<svg"),
        pytest.param("png", b"\x89PNG", marks=NEEDS_FONTS),
        ("mermaid", b"---"),
        ("dot", b"digraph"),
        ("itf", b"{"),
        ("text", b"rollback"),
    ],
)
def test_every_format_is_written(run: Run, tmp_path: Path, kind: str, begins: bytes) -> None:
    recorded(tmp_path / "run.ndjson")
    arguments = ("trace", "show", "run.ndjson", "--instance", "rollback", "--format", kind, "-o", "out")
    assert run(*arguments) == (0, "", "")
    assert (tmp_path / "out").read_bytes().startswith(begins)


def test_a_recording_is_shown(run: Run, tmp_path: Path) -> None:
    recorded(tmp_path / "run.ndjson")
    code, out, _ = run("trace", "show", "run.ndjson")
    assert code == 0
    assert "a behaviour of 3 states" in out
    assert "start_read(i=1)" in out
    assert out.index("rollback") < out.index("dispatch")
    code, _, err = run("trace", "show", "run.ndjson", "--format", "svg")
    assert code == 2
    assert "has 2 instances and a picture shows one: add --instance (rollback, dispatch)" in err
    assert "did you mean dispatch" in run("trace", "show", "run.ndjson", "--instance", "dispach")[2]
    code, _, err = run("trace", "show", "run.ndjson", "--format", "json")
    assert "a JSON file holds those of one protocol" in err


def test_a_recording_that_is_still_written(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    recorded(path)
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-2]) + whole[-2][:10])
    steps = [len(example.trace.steps) for example in read_trace_file(path).examples]
    assert steps == [2, 2]


def trace_file(action: Any = "extend", guard: Any = None) -> bytes:
    states = [{"action": None, "args": {}, "state": {"x": 0}}, {"action": action, "args": {}, "state": {"x": 1}}]
    traces = [{"violated": None, "guard": guard, "trace": states}]
    head = {"format": "protocheck-trace", "version": 1, "protocol": "p", "constants": {}}
    return json.dumps({**head, "traces": traces}).encode()


BAD: list[tuple[bytes, str]] = [
    (b"", "this is no JSON"),
    (b"\xff\xfe", "is no text"),
    (b"[1]", "holds no JSON object"),
    (b'{"format": "protocheck-recording", "version": 9}\n', "a recording of version 9"),
    (b'{"format": "protocheck-recording", "version": 1}\n', "without any instance"),
    (
        b'{"format": "protocheck-recording", "version": 1}\n{"kind": "step"}\n',
        "bad:2: the recording is damaged: 'of'",
    ),
    (b'{"format": "protocheck-recording", "version": 1}\n{"kind"\n', "bad:2: this is no JSON"),
    (b'{"x": "protocheck-recording"}\n', "is no recording"),
    (
        b'{"format": "protocheck-recording", "version": 1}\n{"kind": "end"}\n{"kind": "step"}\n',
        "bad:3: the recording has",
    ),
    (
        b'{"format": "protocheck-recording", "version": 1}\n'
        b'{"kind": "instance", "of": "a", "protocol": "P", "dropped": ["x"], "constants": {}, "state": {}}\n',
        "bad:2: the recording is damaged: dropped is no text, but ['x']",
    ),
    (
        b'{"format": "protocheck-recording", "version": 1}\n'
        b'{"kind": "instance", "of": "a", "protocol": "P", "dropped": null, "constants": {}, "state": {"x": '
        + b"[" * 600
        + b"]" * 600
        + b"}}\n",
        "bad:2: the recording is damaged: ",
    ),
    (trace_file(action=["x"]), "bad is damaged: action is no text, but ['x']"),
    (trace_file(action=3), "bad is damaged: action is no text, but 3"),
    (trace_file(guard=["x"]), "bad is damaged: guard is no text, but ['x']"),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=range(len(BAD)))
def test_what_is_no_file_with_traces(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_trace_file(Path("bad"))
    assert message in str(caught.value)


def test_a_damaged_trace_with_a_guard_named_is_damaged(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(trace_file(guard=["x"]))
    code, _, err = run("trace", "show", "bad.json", "--guard", "a.b")
    assert (code, err) == (2, "error: bad.json is damaged: guard is no text, but ['x']\n")


def test_a_picture_is_not_for_a_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path / "run.ndjson")
    monkeypatch.setattr("sys.stdout", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    code, _, err = run("trace", "show", "run.ndjson", "--instance", "rollback", "--format", "png")
    assert code == 2
    assert "add --output FILE" in err


# ------------------------------------------------------------------------------------------------------- validate


def test_validate(run: Run, tmp_path: Path) -> None:
    recorded(tmp_path / "run.ndjson")
    code, out, err = run("validate", "run.ndjson", "--protocol", "rollback")
    assert (code, err) == (0, "")
    assert out.startswith("✓ run.ndjson, rollback, is a behaviour of rollback with max_len=4: 2 events, 2 with values")
    log = [{"protocol": "rollback"}, {"action": "extend"}, {"action": "start_read", "args": {"i": 1}}]
    log.append({"action": "rollback", "args": {"k": 0}})
    (tmp_path / "log").write_text("".join(json.dumps(line) + "\n" for line in log), encoding="utf-8")
    code, out, _ = run("validate", "log", "--protocol", "rollback")
    assert code == 1
    assert "line 4: rollback(k=0) cannot happen in rollback here\n  it is refused by no_reader_above (" in out
    assert "possible instead: extend(), start_read(i=1), finish_read(i=1)" in out
    assert "✗ log is no behaviour of rollback with max_len=4: 2 events before line 4 could happen" in out
    code, out, _ = run("validate", "log", "--protocol", "rollback", "--json")
    (answer,) = json.loads(out)
    assert (code, answer["verdict"], answer["rejection"]["line"]) == (1, "rejected", 4)
    assert answer["rejection"]["possible"] == [{"length": 1, "pending_reads": {"#set": [1]}}]
    code, out, _ = run("validate", "log", "--protocol", "rollback", "--unlogged", "finish_read", "--unlogged", "extend")
    assert code == 0
    code, out, _ = run("validate", "log", "--protocol", "rollback", "--unlogged", "finish_read", "--max-states", "1")
    assert code == 4
    assert "was not decided" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing cannot be read"),
        (["."], "cannot be read"),
        (["log", "--unlogged", "extent"], "no action extent; did you mean extend"),
        (["log", "--set", "max_len=9"], "the log says max_len = 4, and --set 9"),
        (["log", "--instance", "x"], "--instance is for recordings"),
    ],
)
def test_mistakes_in_using_validate(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "log").write_text('{"constants": {"max_len": 4}}\n{"action": "extend"}\n', encoding="utf-8")
    code, out, err = run("validate", *arguments, "--protocol", "rollback")
    assert (code, out) == (2, "")
    assert message in err


def test_validate_reads_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(b'{"action": "extend"}\n{"action": "extend"}\n'))
    monkeypatch.setattr("sys.stdin", text)
    code, out, _ = run("validate", "-", "--protocol", "rollback", "--set", "max_len=1")
    assert code == 1
    assert "standard input is no behaviour of rollback with max_len=1" in out


def test_validate_writes_a_specification(run: Run, tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"action": "extend"}\n', encoding="utf-8")
    code, _, err = run("validate", "log", "--protocol", "rollback", "--tla-trace-spec", "spec")
    assert code == 0
    written = {path.name for path in (tmp_path / "spec").iterdir()}
    assert written == {"Rollback.tla", "Rollback__log.tla", "Rollback__log.cfg"}
    assert "TLC reports that Unexplained is violated" in err
