"""What the tests of the page share: its content, its server, and what can be seen in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from protocheck import Protocol
from protocheck.toolchain.exploration.content import Content
from protocheck.toolchain.exploration.server import ExploreServer, listening
from protocheck.toolchain.exploration.session import Exploration
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from .browser import Page, chromium

NO_READER = "rollback.no_reader_above"
SIZES = {"narrow": (360, 740), "middle": (1024, 768), "wide": (1600, 1000)}

needs_chromium = pytest.mark.skipif(
    chromium() is None, reason="there is no Chromium on the PATH (apt install chromium)"
)


def content_of(cls: type[Protocol], guard: str | None = None, **constants: object) -> Content:
    content = Content(Exploration(instantiate(compile_protocol(cls), constants)), cls.__name__, guard=guard)
    content.look_for(guard)
    return content


@contextmanager
def served(content: Content) -> Iterator[ExploreServer]:
    server = listening(content, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def values(page: Page) -> list[list[str]]:
    """The table of the state, row by row: sign, variable, values; what a reader of the screen hears is left out."""
    rows: list[list[str]] = page.run(
        "[...document.querySelectorAll('#state tbody tr')].map((row) => [...row.cells].map((cell) => "
        "[...cell.childNodes].filter((node) => node.nodeType === 3 || !node.matches('.unseen, small'))"
        ".map((node) => node.textContent).join('')))"
    )
    return rows


def at(page: Page) -> int:
    """Which step is shown, from 1."""
    return int(page.text('#timeline [aria-current="step"] .number'))
