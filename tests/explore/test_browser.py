"""The page by itself in a real browser: walked along by keyboard and mouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.exploration.content import whole_content
from protocheck.toolchain.exploration.page import page as page_of
from protocheck.toolchain.explorer import state_graph
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from ..machines.loading import loaded
from ..machines.machine import machine_of
from .browser import Page
from .pages import NO_READER, at, content_of, needs_chromium, values

pytestmark = needs_chromium


# ------------------------------------------------------------------------------------------------------ the keyboard


def test_a_counter_example_is_walked_along_by_keyboard(page: Page, files: dict[str, str]) -> None:
    page.open(files["variant"])
    assert page.texts("#timeline .label") == ["init", "extend()", "start_read(i=1)", "rollback(k=0)"]
    assert at(page) == 1
    assert values(page) == [["", "length", "0", "0"], ["", "pending_reads", "{}", "{}"]]
    page.press("ArrowRight")
    assert values(page)[0] == ["▸", "length", "1", "1"]
    page.press("ArrowRight")
    assert values(page)[1] == ["▸", "pending_reads", "{1}", "{1}"]
    # Of the new value only what is new is marked, and the old one is told.
    assert page.texts("#state mark") == ["1", "1"]
    assert page.texts("#state .was") == ["was {}", "was {}"]
    # Before the last step the page says who will refuse it, and where that guard stands.
    assert page.text("#banner") == "Step 3 of 4 · ≠ they part at rollback(k=0)"
    parted = page.text(".group.parted")
    assert "they part here" in parted
    assert "refused by no_reader_above" in parted
    assert "all(i <= k for i in self.pending_reads)" in parted
    assert "protocols/rollback.py:43" in parted
    assert "i = 1: 1 <= 0" in parted
    page.press("End")
    assert at(page) == 4
    assert values(page) == [["▸≠", "length", "1", "0"], ["", "pending_reads", "{1}", "{1}"]]
    banner = page.text("#banner")
    assert "no_ghost_reads is violated" in banner
    assert "refused by no_reader_above" in banner
    page.press("ArrowRight")
    assert at(page) == 4
    page.press("ArrowLeft")
    assert at(page) == 3
    page.press("Home")
    assert at(page) == 1


def test_a_lasso_goes_round(page: Page, files: dict[str, str]) -> None:
    page.open(files["spin"])
    labels = page.texts("#timeline .label")
    ending = page.text("#timeline .ending")
    page.press("End")
    assert at(page) == len(labels)
    back = int(ending.split("back to ")[1].split(" ")[0])
    assert "for ever" in ending
    page.press("ArrowRight")
    assert at(page) == back
    page.click("#timeline .ending button")
    assert at(page) == back


def test_stuttering_is_shown(page: Page, files: dict[str, str]) -> None:
    page.open(files["stay"])
    assert page.text("#timeline .ending") == "∞ may stay here for ever"
    page.press("End")
    assert "may stay here for ever" in page.text("#banner")
    assert "∞" in page.text("#graph svg .edge.walked .label") or page.run(
        "[...document.querySelectorAll('#graph .edge.walked .label')].some((each) => each.textContent.includes('∞'))"
    )


def test_steps_are_taken_by_number_and_by_mouse(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    page.press("1")
    assert page.texts("#timeline .label") == ["init", "extend()"]
    page.click('button[data-call="1.0"]')
    assert page.texts("#timeline .label")[-1] == "start_read(i=1)"
    assert values(page) == [["", "length", "1"], ["▸", "pending_reads", "{1}"]]
    refused = page.run(
        "[...document.querySelectorAll('.action')].find((each) => each.innerText.startsWith('rollback')).innerText"
    )
    for told in (
        "refused by no_reader_above",
        "refused by shrinks",
        "k < self.length",
        "k=1",
        "1 < 1",
        "rollback.py:42",
    ):
        assert told in refused
    # A step by hand from the middle replaces what came after; the same step again goes on along the walk.
    page.press("ArrowLeft", "1")
    assert page.texts("#timeline .label") == ["init", "extend()", "extend()"]
    page.press("Home", "1")
    assert len(page.texts("#timeline .label")) == 3
    assert at(page) == 2


def test_the_focus_stays_where_it_was(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    page.run("document.querySelector('button[data-call=\"0.0\"]').focus()")
    page.press("Enter")
    page.press("Enter")
    assert page.texts("#timeline .label") == ["init", "extend()", "extend()"]
    assert page.run("document.activeElement.dataset.call") == "0.0"


def test_keys_leave_the_browser_and_its_controls_alone(page: Page, files: dict[str, str]) -> None:
    page.open(files["variant"])
    page.run("document.querySelector('#trace').focus()")
    page.press("ArrowRight", "End", "1", "?")
    assert at(page) == 1
    assert page.run("document.querySelector('#help').open") is False


def test_help_opens_and_closes(page: Page, files: dict[str, str]) -> None:
    page.open(files["variant"])
    page.press("?")
    assert page.run("document.querySelector('#help').open") is True
    assert "expand the current state" in page.text("#help")
    page.press("ArrowRight")
    assert at(page) == 1
    page.press("Escape")
    assert page.run("document.querySelector('#help').open") is False
    page.press("ArrowRight")
    assert at(page) == 2


# ----------------------------------------------------------------------------------------------- side by side


def test_every_variant_can_be_laid_beside_the_baseline(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    page.choose("#variant", "start_read.inside_tail")
    assert "counter-example: no_ghost_reads" in page.text("#trace option:checked")
    page.press("End")
    assert "no_ghost_reads is violated" in page.text("#banner")
    assert page.texts("#state thead th") == ["variable", "baseline", "variant"]
    page.choose("#variant", "")
    assert page.texts("#state thead th") == []
    # The declared survivor has no counter-example, and parts nowhere that changes anything.
    page.choose("#variant", "finish_read.is_pending")
    page.choose("#trace", "begin 0")
    assert "they part here" in page.text(".group.parted")
    assert page.text(".group.parted").count("enabled, changes nothing") == 1


def test_steps_by_hand_are_tried_in_the_variant_too(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    page.press("1")
    page.click('button[data-call="1.0"]')
    page.choose("#variant", NO_READER)
    assert page.texts("#timeline .label") == ["init", "extend()", "start_read(i=1)"]
    page.click('button[data-call="3.0"]')
    assert page.texts("#state-heading")[0].startswith("States #")
    # They have parted: the baseline is where it was, and what follows is tried in both.
    assert values(page)[0][2:] == ["1", "0"]
    page.click('button[data-call="0.0"]')
    assert values(page)[0][2:] == ["2", "1"]


# ------------------------------------------------------------------------------------------------------ the graph


def test_the_graph_has_the_walk_in_it(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    assert page.run("document.querySelectorAll('#graph .node').length") == 31
    # Steps that change nothing are none of the graph's, and those between the same two states share an edge.
    graph = state_graph(instantiate(compile_protocol(Rollback)), 31)
    assert graph is not None
    edges = {(edge.source, edge.target) for edge in graph.edges if edge.source != edge.target}
    assert page.run("document.querySelectorAll('#graph .edge').length") == len(edges)
    page.press("1", "1")
    assert page.run("document.querySelectorAll('#graph .edge.walked').length") == 2
    assert page.run("document.querySelector('#graph .node.here').getAttribute('aria-label')").startswith("state #")
    assert "length = 2" in page.run("document.querySelector('#graph .node.here').getAttribute('aria-label')")
    page.choose("#variant", NO_READER)
    page.choose(
        "#trace",
        page.run(
            "[...document.querySelectorAll('#trace option')]"
            ".find((each) => each.textContent.includes('no_reader_above')).value"
        ),
    )
    page.press("End")
    # Only the variant takes the last step.
    assert page.run("document.querySelectorAll('#graph .edge.walked.own').length") == 1
    assert page.run("document.querySelector('#graph .node.here').classList.contains('bad')") is True


def test_a_click_on_a_state_goes_there(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    far = page.run(
        "[...document.querySelectorAll('#graph .node')].find((each) => "
        "each.getAttribute('aria-label').endsWith('length = 4, pending_reads = {4}')).dataset.number"
    )
    page.run(
        f"document.querySelector('[data-number=\"{far}\"]').dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"
    )
    page.wait("document.querySelectorAll('#timeline .label').length === 6")
    assert [row[2] for row in values(page)] == ["4", "{4}"]
    assert page.texts("#timeline .label")[-1] == "start_read(i=4)"
    # To a state of the walk it goes along the walk.
    first = page.run("document.querySelector('#graph .node.initial').dataset.number")
    page.run(
        f"document.querySelector('[data-number=\"{first}\"]').dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"
    )
    page.wait("document.querySelector('#timeline [aria-current] .number').textContent === '1'")
    assert len(page.texts("#timeline .label")) == 6


def test_the_graph_is_walked_by_keyboard(page: Page, files: dict[str, str]) -> None:
    page.open(files["stay"])
    page.choose("#trace", "begin 0")
    page.run("document.querySelector('#graph .node.here').focus()")
    page.press("ArrowRight", "ArrowRight")
    assert at(page) == 1
    assert page.run("document.activeElement.getAttribute('aria-label')").endswith("at = 2")
    page.press("Enter")
    assert values(page) == [["▸", "at", "2"]]
    assert page.run("document.activeElement.getAttribute('aria-label')").endswith("at = 2")
    page.press("ArrowLeft", "ArrowUp")
    assert page.run("document.activeElement.getAttribute('aria-label')").endswith("at = 1")


def test_a_large_graph_is_expanded_on_demand(page: Page, files: dict[str, str]) -> None:
    page.open(files["many"])
    nodes = "document.querySelectorAll('#graph .node').length"
    assert page.run(nodes) == 3
    assert "of 625" in page.text("#graph .note")
    page.press("1")
    assert page.run(nodes) == 4
    page.press("e")
    assert page.run(nodes) == 4
    page.press("ArrowLeft")
    assert page.run(nodes) == 5
    # A click on "+2" draws the two successors of that state.
    page.run("document.querySelector('#graph .more').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    page.settle()
    assert page.run(nodes) > 5
    assert at(page) == 1
    page.run(
        "[...document.querySelectorAll('.tools button')].find((each) => each.textContent === 'Whole graph').click()"
    )
    page.settle()
    assert page.run(nodes) == 400
    assert "no more are drawn at once" in page.text("#graph .note")
    page.run(
        "[...document.querySelectorAll('.tools button')].find((each) => each.textContent === 'Only the walk').click()"
    )
    page.settle()
    assert page.run(nodes) < 10


def test_no_two_states_are_drawn_on_each_other(page: Page, files: dict[str, str]) -> None:
    for name in ("rollback", "variant", "spin", "chosen"):
        page.open(files[name])
        overlapping = page.run(
            "(() => { const boxes = [...document.querySelectorAll('#graph .node')].map((each) => "
            "each.querySelector('rect:not(.ring)').getBoundingClientRect()); let found = 0; "
            "boxes.forEach((one, i) => boxes.slice(i + 1).forEach((two) => { found += one.left < two.right && "
            "two.left < one.right && one.top < two.bottom && two.top < one.bottom; })); return found; })()"
        )
        assert overlapping == 0


def test_zooming_changes_the_drawing_alone(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    width = "Number(document.querySelector('#graph svg').getAttribute('width'))"
    before = page.run(width)
    page.press("+")
    assert page.run(width) == pytest.approx(before * 1.25)
    page.press("-")
    assert page.run(width) == pytest.approx(before)
    page.press("0")
    frame = page.run("document.querySelector('.frame').clientWidth")
    assert page.run(width) <= frame
    assert page.run("document.documentElement.scrollLeft + document.documentElement.scrollTop") == 0


# ------------------------------------------------------------------------------------------- what is at the border


def test_a_file_that_lacks_states_says_so(page: Page, files: dict[str, str]) -> None:
    page.open(files["border"])
    assert "The protocol has more" in page.text("#footer")
    assert "there are more" in page.text("#graph .note")
    for _ in range(60):
        if page.run("document.querySelector('button[data-key]') === null"):
            break
        page.press("1")
    assert "at the border of what the file holds" in page.text("#actions")
    assert "protocheck explore Many" in page.text("#actions")


def test_initial_states_are_chosen(page: Page, files: dict[str, str]) -> None:
    page.open(files["chosen"])
    assert [text for text in page.texts("#trace option") if "by hand" in text] == [
        f"by hand from init(first={first})" for first in (0, 1, 2, 4)
    ]
    page.choose("#trace", "begin 4")
    assert values(page)[0] == ["", "at", "4"]
    assert page.texts("#timeline .label") == ["init(first=4)"]
    actions = page.text("#actions")
    assert "ruled out by an assumption" in actions
    assert "i != 1" in actions
    assert "no value: index 0 of a sequence of length 0" in actions
    assert "violated" in page.text("#properties")


def test_a_walk_is_in_the_address(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    page.press("1", "1", "ArrowLeft")
    address = page.run("location.href")
    page.open(address)
    assert page.texts("#timeline .label") == ["init", "extend()", "extend()"]
    assert at(page) == 2
    for nonsense in ("#begin=7", "#begin=0&calls=9.9", "#begin=0&calls=x", "#guard=a.b&begin=0", "#nothing"):
        page.open(files["rollback"] + nonsense)
        assert page.texts("#timeline .label") == ["init"]


@pytest.mark.parametrize("seed", range(2_000, 2_004))
def test_pages_of_random_machines_are_walked(page: Page, tmp_path: Path, seed: int) -> None:
    """Whatever a protocol is made of, its page opens, is walked, and complains of nothing."""
    with loaded(machine_of(seed)) as cls:
        content = content_of(cls)
        data = whole_content(content, content.session.guards, 60)
    file = tmp_path / "page.html"
    file.write_text(page_of(data), encoding="utf-8")
    page.open(file.as_uri())
    page.choose("#variant", content.session.guards[0])
    page.press("Home", "1", "2", "1", "e", "3", "ArrowLeft", "End")
    assert page.texts("#timeline .label")[0].startswith("init")
    step = at(page)
    shown = [row[-1] for row in values(page)]
    number = int(page.text("#state-heading").split("#")[-1]) - 1
    assert shown == content.session.texts(number), step
