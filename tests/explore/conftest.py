"""One browser for each module, and pages by themselves that are written once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.exploration.content import variants_for_a_file, whole_content
from protocheck.toolchain.exploration.page import page as page_of

from .browser import Page, browsing, chromium
from .pages import NO_READER, SIZES, content_of
from .samples import Chosen, Many, Spin, Stay


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    program = chromium()
    assert program is not None
    with browsing(program) as tab:
        yield tab


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """The tab as it comes up; at the end of each test the page must have complained of nothing."""
    browser.resize(*SIZES["wide"])
    browser.prefer(color_scheme="light", reduced_motion="reduce")
    browser.complaints.clear()
    yield browser
    assert browser.complaints == []


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of some pages by themselves."""
    folder: Path = tmp_path_factory.mktemp("pages")
    written = {}
    for name, content, most in (
        ("rollback", content_of(Rollback), 500),
        ("variant", content_of(Rollback, NO_READER), 500),
        ("spin", content_of(Spin), 500),
        ("stay", content_of(Stay), 500),
        ("chosen", content_of(Chosen), 500),
        ("border", content_of(Many), 40),
        ("many", content_of(Many, side=24), 1000),
    ):
        file = folder / f"{name}.html"
        file.write_text(page_of(whole_content(content, variants_for_a_file(content), most)), encoding="utf-8")
        written[name] = file.as_uri()
    return written
