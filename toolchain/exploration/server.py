"""The server behind a live page: this machine only, read-only, one exploration.

Other sites' pages must not ask it anything. It listens on the loopback address, answers only to its own names (so that
no foreign name can be made to point here), and only whoever shows the token that stands in its page.
"""

from __future__ import annotations

import errno
import json
import secrets
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..errors import UserError
from .content import Content, live_content
from .page import page, policy
from .saving import saved
from .session import Block, TooManyStates, collect
from .walks import both_ways, walk_json

Json = Any

LOOPBACK = "127.0.0.1"
PORT = 8470
TRIED_PORTS = 50
MOST_AT_ONCE = 2_000
"""States in one answer."""
TOKEN_HEADER = "X-Protocheck-Session"

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Unanswerable(Exception):
    """A question that makes no sense, or asks for too much; the message is for the page."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class ExploreServer(ThreadingHTTPServer):
    """Answers for one exploration. `serve_forever` runs it, `server_close` gives the port back."""

    allow_reuse_address = False

    def __init__(self, port: int, content: Content) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.content = content
        self.token = secrets.token_urlsafe(16)
        # Explorations are not for several threads at once, and a browser asks several things at a time.
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away while it was answered is no error; a bug of ours is said in one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"protocheck explore: {type(error).__name__}: {error}", file=sys.stderr)

    def answers_to(self, host: str | None) -> bool:
        """Whether a request was sent to one of the names of this server."""
        return host in (f"{LOOPBACK}:{self.server_port}", f"localhost:{self.server_port}")


def listening(content: Content, port: int) -> ExploreServer:
    """A server on the port, or on the next one that is free; 0 takes any. Raises `UserError` where none is."""
    last = port if port == 0 else min(port + TRIED_PORTS - 1, 65_535)
    for each in range(port, last + 1):
        try:
            return ExploreServer(each, content)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise UserError(f"{LOOPBACK}:{each} cannot be listened on: {error.strerror or error}") from None
    raise UserError(f"no port from {port} to {last} can be listened on; choose another with --port")


class _Handler(BaseHTTPRequestHandler):
    server: ExploreServer
    server_version = "protocheck"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """The page, or an answer to one of its questions."""
        try:
            self._demand_own_name()
            address = urlsplit(self.path)
            if address.path == "/":
                with self.server.lock:
                    text = page(live_content(self.server.content, self.server.token))
                self._send(HTTPStatus.OK, "text/html", text)
            else:
                self._answer(address.path, {name: each[-1] for name, each in parse_qs(address.query).items()})
        except Unanswerable as error:
            self._send(error.status, "application/json", json.dumps({"error": str(error)}))

    def _demand_own_name(self) -> None:
        if not self.server.answers_to(self.headers.get("Host")):
            raise Unanswerable(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to its own address only")

    def _answer(self, path: str, asked: dict[str, str]) -> None:
        question = _QUESTIONS.get(path)
        if question is None:
            raise Unanswerable(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")
        shown = self.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(shown.encode(), self.server.token.encode()):
            raise Unanswerable(HTTPStatus.CONFLICT, "the server was started anew: load the page again")
        try:
            with self.server.lock:
                answer = question(self.server.content, asked)
        except TooManyStates:
            raise Unanswerable(
                HTTPStatus.INSUFFICIENT_STORAGE, "as many states were met as are kept: start anew, or with less --set"
            ) from None
        self._send(HTTPStatus.OK, "application/json", json.dumps(answer, ensure_ascii=False, separators=(",", ":")))

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", policy(connect=True) + "; frame-ancestors 'none'")
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: the terminal belongs to the user."""


# ------------------------------------------------------------------------------------------------------ questions


def _states(content: Content, asked: dict[str, str]) -> Json:
    """The descriptions of some states, `ids`, for the variant `guard`."""
    guards = _guards(content, asked)
    block = Block(content.session)
    for number in _ids(content, asked, "ids"):
        block.add(number, guards)
    return {"block": block.json()}


def _more(content: Content, asked: dict[str, str]) -> Json:
    """So many states, `most`, breadth-first from the initial ones and those given, `ids`."""
    guards = _guards(content, asked)
    most = asked.get("most", "")
    if not most.isdecimal() or not 1 <= int(most) <= MOST_AT_ONCE:
        raise Unanswerable(HTTPStatus.BAD_REQUEST, f"most is no number from 1 to {MOST_AT_ONCE}")
    block = Block(content.session)
    roots = [*content.session.initial(), *_ids(content, asked, "ids")]
    complete = collect(block, roots, guards, int(most), follow=guards)
    return {"block": block.json(), "complete": complete}


def _variant(content: Content, asked: dict[str, str]) -> Json:
    """The counter-example of the variant `guard` (or, with none, of the baseline), found by a short search."""
    guards = _guards(content, asked)
    guard = guards[0] if guards else None
    walk = content.look_for(guard)
    block = Block(content.session)
    for number in [*content.session.initial(), *(both_ways(content.session, walk) if walk is not None else ())]:
        block.add(number, guards)
    written = None if walk is None else walk_json(content.session, walk)
    return {"block": block.json(), "walk": written, "said": content.said.get(guard or "", "")}


def _trace(content: Content, asked: dict[str, str]) -> Json:
    """The walk that `begin` and `calls` ("action.call", by their places) name, as the object of a trace file."""
    guards = _guards(content, asked)
    first = asked.get("begin", "")
    pairs = [text.split(".") for text in asked.get("calls", "").split(",") if text]
    numbers = [first, *(number for pair in pairs for number in pair)]
    if any(len(pair) != 2 for pair in pairs) or not all(text.isdecimal() and len(text) < 12 for text in numbers):
        raise Unanswerable(HTTPStatus.BAD_REQUEST, "begin and calls are no numbers")
    calls = [(int(row), int(call)) for row, call in pairs]
    try:
        return saved(content.session, content.target, guards[0] if guards else None, int(first), calls)
    except ValueError as error:
        raise Unanswerable(HTTPStatus.BAD_REQUEST, str(error)) from None


def _guards(content: Content, asked: dict[str, str]) -> tuple[str, ...]:
    guard = asked.get("guard", "")
    if guard and guard not in content.session.guards:
        raise Unanswerable(HTTPStatus.BAD_REQUEST, f"there is no guard {guard}")
    return (guard,) if guard else ()


def _ids(content: Content, asked: dict[str, str], name: str) -> list[int]:
    texts = [text for text in asked.get(name, "").split(",") if text]
    if len(texts) > MOST_AT_ONCE or not all(text.isdecimal() and len(text) < 12 for text in texts):
        raise Unanswerable(HTTPStatus.BAD_REQUEST, f"{name} is no list of at most {MOST_AT_ONCE} numbers")
    numbers = [int(text) for text in texts]
    if any(number >= content.session.known for number in numbers):
        raise Unanswerable(HTTPStatus.BAD_REQUEST, f"{name} names a state that was never met")
    return numbers


_QUESTIONS = {"/api/states": _states, "/api/more": _more, "/api/variant": _variant, "/api/trace": _trace}
