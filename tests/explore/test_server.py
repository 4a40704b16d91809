"""The server behind a live page: for this machine and its own page only, and gone when it is told to be."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.exploration import server as module
from protocheck.toolchain.exploration.content import Content
from protocheck.toolchain.exploration.server import LOOPBACK, TOKEN_HEADER, ExploreServer, listening
from protocheck.toolchain.exploration.session import Exploration
from protocheck.toolchain.exploration.walks import read_walks
from protocheck.toolchain.trace_reading import read_trace_file
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

NO_READER = "rollback.no_reader_above"


def content() -> Content:
    return Content(Exploration(instantiate(compile_protocol(Rollback))), "rollback")


@pytest.fixture(scope="module")
def server() -> Iterator[ExploreServer]:
    running = listening(content(), 0)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def get(server: ExploreServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def ask(server: ExploreServer, path: str) -> Any:
    status, _, text = get(server, path, **{TOKEN_HEADER: server.token})
    assert status == 200, text
    return json.loads(text)


def test_it_listens_on_the_loopback_address_alone(server: ExploreServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_the_page_is_served_with_its_policy(server: ExploreServer) -> None:
    status, headers, text = get(server, "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert server.token in text
    assert "Python" not in headers.get("Server", "")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "", "localhost.evil:{port}"])
def test_foreign_names_are_refused(server: ExploreServer, host: str) -> None:
    """A name of somebody else's that is made to point here (DNS rebinding) gets neither page nor answers."""
    for path in ("/", "/api/states?ids=0"):
        status, _, text = get(server, path, Host=host.format(port=server.server_port), **{TOKEN_HEADER: server.token})
        assert status == 421
        assert server.token not in text


def test_own_names_are_answered(server: ExploreServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        status, _, _ = get(server, "/", Host=f"{host}:{server.server_port}")
        assert status == 200


def test_answers_need_the_token_of_the_page(server: ExploreServer) -> None:
    for shown in ({}, {TOKEN_HEADER: "guessed"}, {TOKEN_HEADER: "é".encode().decode("latin-1")}):
        status, _, text = get(server, "/api/states?ids=0", **shown)
        assert status == 409
        assert "load the page again" in json.loads(text)["error"]


def test_states_are_described_as_they_are_asked_for(server: ExploreServer) -> None:
    get(server, "/")
    answer = ask(server, f"/api/states?ids=0,1&guard={NO_READER}")
    block = answer["block"]
    assert block["values"]["0"] == ["0", "{}"]
    assert set(block["views"]) == {"0", "1"}
    assert set(block["views"]["1"]["variants"]) == {NO_READER}


def test_more_states_are_found_up_to_what_is_asked(server: ExploreServer) -> None:
    some = ask(server, "/api/more?most=10&ids=")
    assert len(some["block"]["views"]) == 10
    assert not some["complete"]
    every = ask(server, "/api/more?most=100&ids=0")
    assert len(every["block"]["views"]) == 31
    assert every["complete"]


def test_the_counter_example_of_a_variant_is_looked_for(server: ExploreServer) -> None:
    answer = ask(server, f"/api/variant?guard={NO_READER}")
    assert answer["walk"]["violated"] == "no_ghost_reads"
    assert set(map(str, answer["walk"]["states"])) <= set(answer["block"]["views"])
    survivor = ask(server, "/api/variant?guard=finish_read.is_pending")
    assert survivor["walk"] is None
    assert survivor["said"] == "no property is violated in 31 states"
    assert ask(server, "/api/variant?guard=")["walk"] is None


def test_a_walk_can_be_saved(server: ExploreServer, tmp_path: Path) -> None:
    """What is saved is read like any trace file, says what is violated, and is a walk of the protocol again."""
    for guard, violated in ((NO_READER, "no_ghost_reads"), ("", None)):
        calls = "0.0,1.0,3.0" if guard else "0.0,1.0"
        answer = ask(server, f"/api/trace?guard={guard}&begin=0&calls={calls}")
        file = tmp_path / "trace.json"
        file.write_text(json.dumps(answer), encoding="utf-8")
        (example,) = read_trace_file(file).examples
        assert (example.violated, example.dropped or "", example.target) == (violated, guard, "rollback")
        assert [step.label for step in example.trace.steps[:3]] == ["init", "extend()", "start_read(i=1)"]
        (walk,) = read_walks(compile_protocol(Rollback), {}, [example], str(file)).walks
        assert len(walk.trace.steps) == len(calls.split(",")) + 1


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/states?ids=99999", 400, "a state that was never met"),
        ("/api/states?ids=-1", 400, "no list of"),
        ("/api/states?ids=1,x", 400, "no list of"),
        ("/api/states?ids=" + "1" * 400, 400, "no list of"),
        ("/api/states?ids=0&guard=no.such", 400, "there is no guard no.such"),
        ("/api/more?most=0", 400, "most is no number"),
        ("/api/more?most=1000000", 400, "most is no number"),
        ("/api/more?most=²", 400, "most is no number"),
        ("/api/trace?begin=0&calls=3.0", 400, "a step of the walk is not possible"),
        ("/api/trace?begin=7&calls=", 400, "there is no such call"),
        ("/api/trace?begin=0&calls=99.0", 400, "there is no such call"),
        ("/api/trace?begin=0&calls=0", 400, "no numbers"),
        ("/api/trace?begin=x&calls=", 400, "no numbers"),
        ("/api/nothing", 404, "there is nothing at /api/nothing"),
        ("/../etc/passwd", 404, "there is nothing at"),
    ],
)
def test_senseless_questions_are_answered_so(server: ExploreServer, path: str, status: int, said: str) -> None:
    from urllib.parse import quote

    found, _, text = get(server, quote(path, safe="/?=&,.-"), **{TOKEN_HEADER: server.token})
    assert found == status
    assert said in json.loads(text)["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server: ExploreServer, method: str) -> None:
    status, headers, _ = get(server, "/", method)
    assert status == 501
    assert "Access-Control-Allow-Origin" not in headers


def test_a_session_that_is_full_says_so(server: ExploreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from protocheck.toolchain.exploration import session

    fresh = listening(content(), 0)
    thread = threading.Thread(target=fresh.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        get(fresh, "/")
        monkeypatch.setattr(session, "MOST_STATES", 3)
        fresh.content.session._states[3:] = []
        fresh.content.session._numbers = {key: at for key, at in fresh.content.session._numbers.items() if at < 3}
        status, _, text = get(fresh, "/api/more?most=100&ids=0", **{TOKEN_HEADER: fresh.token})
        assert status == 507
        assert "as many states were met as are kept" in json.loads(text)["error"]
    finally:
        fresh.shutdown()
        thread.join()
        fresh.server_close()


def test_many_at_once_are_answered_alike(server: ExploreServer) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(server, "/api/more?most=40&ids=0"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)


# ---------------------------------------------------------------------------------------------------------- ports


def test_a_port_in_use_gets_the_next_one() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = listening(content(), port)
        try:
            assert port < found.server_port < port + module.TRIED_PORTS
        finally:
            found.server_close()


def test_where_no_port_is_free_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIED_PORTS", 1)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"no port from {port} to {port} can be listened on; choose another"):
            listening(content(), port)


# ----------------------------------------------------------------------------------------------- from beginning to end


@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 0, "ended"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_it_and_gives_the_port_back(number: signal.Signals, code: int, said: str) -> None:
    command = [sys.executable, "-m", "protocheck", "explore", "rollback", "--port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        found = re.match(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found is not None
        port = int(found[1])
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        assert process.returncode == code
        assert error.strip() == said
    with socket.socket() as again, pytest.raises(ConnectionRefusedError):
        again.connect((LOOPBACK, port))
