"""How the page looks in a real browser, to everyone: sizes, light and dark, contrast, names, print."""

from __future__ import annotations

import pytest

from .browser import Page
from .pages import SIZES, needs_chromium

pytestmark = needs_chromium


def test_strings_of_a_protocol_are_shown_as_they_are(page: Page, files: dict[str, str]) -> None:
    """None of them becomes an element, a program, or turns the direction of what stands beside it."""
    page.open(files["spin"])
    assert page.text("#doc") == 'Goes round </script> & "quotes" for ever <b>without</b> arriving.'
    assert page.run("document.querySelectorAll('b#x, #doc b, img').length") == 0
    assert page.run("document.scripts.length") == 2
    page.choose("#trace", "begin 0")
    page.press("1")
    labels = page.texts("button.call")
    assert any('text="</script><script>alert(1)</script><!--"' in label for label in labels)
    assert any("\\u202e abc\\u2028\\x00" in label for label in labels)
    assert page.run("[...document.querySelectorAll('.value')].every((each) => each.tagName === 'BDI')") is True


def test_light_and_dark(page: Page, files: dict[str, str]) -> None:
    page.open(files["variant"])
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.run(background)
    page.prefer(color_scheme="dark")
    dark = page.run(background)
    assert light == "rgb(255, 255, 255)"
    assert dark != light
    page.press("t")
    assert page.text("#theme") == "Theme: light"
    assert page.run(background) == light
    page.press("t")
    assert page.text("#theme") == "Theme: dark"
    page.prefer(color_scheme="light")
    assert page.run(background) == dark
    page.press("t")
    assert page.text("#theme") == "Theme: auto"
    assert page.run(background) == light


CONTRAST = """
(() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *:not(script, style, svg, svg *)")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.disabled || element.closest(":disabled")) continue;
    const [one, two] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) found.push([element.tagName, element.className, element.textContent.slice(0, 30), ratio]);
  }
  return found;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(page: Page, files: dict[str, str], scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 at least, in every state of a counter-example."""
    page.prefer(color_scheme=scheme)
    page.open(files["variant"])
    for _ in range(4):
        assert page.run(CONTRAST) == []
        page.press("ArrowRight")


def test_the_current_step_stays_in_sight(page: Page, files: dict[str, str]) -> None:
    """On a narrow screen, and on one that has become narrow."""
    page.open(files["spin"])
    page.press("End")
    page.resize(*SIZES["narrow"])
    seen = (
        "(() => { const [step, strip] = ['#timeline [aria-current]', '#timeline'].map((each) => "
        "document.querySelector(each).getBoundingClientRect()); "
        "return step.left >= strip.left - 1 && step.right <= strip.right + 1; })()"
    )
    page.wait(seen)
    page.press("Home")
    page.wait(seen)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["variant", "spin", "chosen", "many"])
def test_nothing_is_wider_than_the_screen(page: Page, files: dict[str, str], name: str, size: str) -> None:
    page.resize(*SIZES[size])
    page.open(files[name])
    page.press("End")
    assert page.run("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_everything_that_can_be_used_has_a_name(page: Page, files: dict[str, str]) -> None:
    page.open(files["variant"])
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    used = {"button", "combobox", "checkbox", "link"}
    nodes = [node for node in tree if node.get("role", {}).get("value") in used and not node.get("ignored")]
    assert len(nodes) > 20
    assert [node for node in nodes if not node.get("name", {}).get("value")] == []
    headings = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") == "heading"]
    assert headings[:3] == ["rollback", "State #1", "Actions"]


def test_a_printed_page_has_no_controls(page: Page, files: dict[str, str]) -> None:
    page.open(files["variant"])
    page.send("Emulation.setEmulatedMedia", media="print")
    shown = "getComputedStyle(document.querySelector('%s')).display"
    assert [page.run(shown % each) for each in (".controls", ".transport", ".tools")] == ["none"] * 3
    assert page.run(shown % "#state") != "none"
    page.send("Emulation.setEmulatedMedia", media="")


def test_a_place_is_copied_or_at_least_selected(page: Page, files: dict[str, str]) -> None:
    page.open(files["rollback"])
    page.click("#actions .place")
    page.wait(
        "document.querySelector('#announcement').textContent.includes('copied') || "
        "String(getSelection()).includes('protocols/rollback.py')"
    )
