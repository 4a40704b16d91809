"""The page behind its server, in a real browser: it asks for what it needs, and for nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.trace_reading import read_trace_file

from .browser import Page
from .pages import NO_READER, content_of, needs_chromium, served, values
from .samples import Many

pytestmark = needs_chromium


def requested(page: Page, question: str) -> list[str]:
    return [address for address in page.requests if f"/api/{question}?" in address]


def test_states_are_asked_for_as_they_are_needed(page: Page) -> None:
    with served(content_of(Many)) as server:
        page.open(server.url)
        assert "Served from this machine" in page.text("#footer")
        assert "there are more" in page.text("#graph .note")
        for _ in range(20):
            page.press("1")
        page.wait("document.querySelectorAll('#timeline .label').length === 21")
        assert values(page)[0] == ["▸", "x", "20"]
        assert requested(page, "states")
        # Straight to the other end of what is drawn, and on from there.
        page.run(
            "[...document.querySelectorAll('.tools button')].find((each) => each.textContent === 'Whole graph').click()"
        )
        page.wait("document.querySelectorAll('#graph .node').length === 400")
        assert len(requested(page, "more")) == 1
        assert {address.split("/api/")[0].rstrip("/") for address in page.requests} == {server.url.rstrip("/")}


def test_variants_are_searched_on_demand(page: Page) -> None:
    with served(content_of(Rollback)) as server:
        page.open(server.url)
        page.choose("#variant", NO_READER)
        page.wait("document.querySelectorAll('#timeline .label').length === 4")
        page.press("End")
        assert "no_ghost_reads is violated" in page.text("#banner")
        assert len(requested(page, "variant")) == 1
        page.choose("#variant", "rollback.shrinks")
        page.wait("document.querySelector('#trace option:checked').textContent.includes('grows_by_one')")
        page.press("End")
        assert "grows_by_one is violated" in page.text("#banner")
        page.choose("#variant", NO_READER)
        assert len(requested(page, "variant")) == 2


def test_steps_are_saved_to_a_file(page: Page, tmp_path: Path) -> None:
    """Of the variant, up to the step that is shown; `protocheck trace show` reads it."""
    content = content_of(Rollback, NO_READER)
    with served(content) as server:
        page.open(server.url)
        page.press("End")
        page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        page.click("#save")
        file = tmp_path / "rollback.trace.json"
        page.until(file.exists, "the file that was saved")
    (example,) = read_trace_file(file).examples
    assert example.violated == "no_ghost_reads"
    assert example.trace == content.walks[0].trace


def test_a_server_that_is_gone_is_said_to_be(page: Page) -> None:
    with served(content_of(Many)) as server:
        page.open(server.url)
    page.run("location.hash")
    for _ in range(30):
        page.press("1")
    page.wait("document.querySelector('#banner').textContent.includes('no longer runs')")
    # The browser itself notes the failed request; nothing else may be complained of.
    assert all("ERR_CONNECTION_REFUSED" in complaint for complaint in page.complaints), page.complaints
    page.complaints.clear()


def test_a_page_of_an_earlier_server_is_told_to_load_anew(page: Page) -> None:
    with served(content_of(Many)) as server:
        page.open(server.url)
        server.token = "another"
        for _ in range(30):
            page.press("1")
        page.wait("document.querySelector('#banner').textContent.includes('load the page again')")
    assert all("409" in complaint for complaint in page.complaints), page.complaints
    page.complaints.clear()


def test_what_a_user_sees_and_an_answer_agree(page: Page) -> None:
    """The numbers of a hundred states, walked at random by number key, are those of the interpreter."""
    content = content_of(Rollback)
    with served(content) as server:
        page.open(server.url)
        seen: list[Any] = []
        for key in "1112132423121":
            page.press(key)
            seen.append([row[2] for row in values(page)])
        numbers = page.run("location.hash")
        calls = [tuple(map(int, each.split("."))) for each in numbers.split("calls=")[1].split("&")[0].split("%2C")]
    session = content.session
    state = next(session.initial())
    expected = []
    for action, call in calls:
        result = session.view(state, ()).results[action][call]
        state = session.number(result.state)  # type: ignore[union-attr]
        expected.append(session.texts(state))
    assert seen[: len(expected)] == expected or seen[-1] == expected[-1]
    assert len(expected) > 5
