"""The page as a file: complete, loading nothing, with whatever a protocol's texts are."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck import Protocol
from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.exploration.content import Content, live_content, variants_for_a_file, whole_content
from protocheck.toolchain.exploration.page import embedded_json, page
from protocheck.toolchain.exploration.session import Exploration
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from .samples import MARKUP, Many, Spin

LOADING = {"src", "href", "srcset", "action", "formaction", "poster", "background", "ping", "cite", "manifest"}


class Parts(HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inside: list[tuple[str, str]] = []
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.elements.append((tag, named))
        self._open = f"{tag} {named.get('type', '')}".strip()

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._open.partition(" ")[0] in ("script", "style"):
            self.inside.append((self._open, data))


def content_of(cls: type[Protocol], guard: str | None = None) -> Content:
    content = Content(Exploration(instantiate(compile_protocol(cls))), cls.__name__, guard=guard)
    content.look_for(guard)
    return content


def file_of(cls: type[Protocol], most: int = 200) -> tuple[dict[str, Any], str]:
    content = content_of(cls)
    data = whole_content(content, variants_for_a_file(content), most)
    return data, page(data)


@pytest.mark.parametrize("cls", [Rollback, Spin])
def test_a_file_holds_its_data_and_loads_nothing(cls: type[Protocol]) -> None:
    data, text = file_of(cls)
    parts = Parts(text)
    (embedded,) = [content for kind, content in parts.inside if kind == "script application/json"]
    assert json.loads(embedded) == json.loads(json.dumps(data))
    for tag, attributes in parts.elements:
        assert tag not in {"img", "iframe", "object", "embed", "audio", "video", "base", "frame"}
        loaded = {name: value for name, value in attributes.items() if name in LOADING}
        assert all(value == "data:," or value.startswith("#") for value in loaded.values()), (tag, loaded)
        assert not any(name.startswith("on") for name in attributes)
    program = next(content for kind, content in parts.inside if kind == "script")
    style = next(content for kind, content in parts.inside if kind == "style")
    assert set(re.findall(r"https?://[^\s\"'`]+", program)) == {"http://www.w3.org/2000/svg"}  # a name, never asked
    assert "url(" not in style
    assert "@import" not in style


def test_only_the_program_of_the_page_may_run() -> None:
    """The policy has the hashes of exactly the style and the program that are there, and no connection is allowed."""
    _, text = file_of(Rollback)
    parts = Parts(text)
    policy = next(
        attributes["content"]
        for tag, attributes in parts.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for kind, rule in (("script", "script-src"), ("style", "style-src")):
        (content,) = [each for name, each in parts.inside if name == kind]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == rules["form-action"] == "'none'"


def test_texts_of_a_protocol_are_no_markup() -> None:
    data, text = file_of(Spin)
    assert MARKUP in json.dumps(data)
    assert MARKUP not in text
    # Three script elements would be one too many.
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    # Right-to-left characters are kept, what turns the direction is written out.
    assert "שלום" in text
    assert "\u202e" not in text
    assert "\u2028" not in text


@given(st.text() | st.sampled_from([MARKUP, "<!--", "]]>", "&lt;", "\u2028", "\ud800"]))
def test_any_text_survives_being_embedded(text: str) -> None:
    written = embedded_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not re.search("[<>&\u2028\u2029]", written)


def test_a_file_says_what_it_lacks() -> None:
    data, _ = file_of(Many, most=40)
    assert data["embedded"] == {
        "states": 40,
        "border": data["embedded"]["border"],
        "baseline": False,
        "variants": False,
    }
    assert data["embedded"]["border"] > 0
    assert data["complete"] == []
    values, views = data["block"]["values"], data["block"]["views"]
    assert len(views) == 40
    assert len(values) == 40 + data["embedded"]["border"]


def test_a_small_file_is_complete() -> None:
    data, _ = file_of(Rollback)
    assert data["embedded"]["baseline"]
    assert data["embedded"]["variants"]
    assert data["complete"] == ["", *data["guards"]]
    assert data["live"] is None


def test_every_target_of_a_described_state_has_its_values() -> None:
    data, _ = file_of(Many, most=40)
    block = data["block"]
    for view in block["views"].values():
        for code in (code for row in view["steps"] for code in row):
            outcome = {"to": code} if code >= 0 else block["results"][-code - 1]
            assert "to" not in outcome or str(outcome["to"]) in block["values"]


def test_the_walks_of_a_file_can_be_walked_in_it() -> None:
    """Every state that a counter-example passes through is described, for the variant, within the smallest bound."""
    content = content_of(Rollback)
    data = whole_content(content, variants_for_a_file(content), 1)
    assert len(data["walks"]) == 4
    for walk in data["walks"]:
        for number in walk["states"]:
            view = data["block"]["views"][str(number)]
            assert "outside" in view or walk["guard"] in view["variants"]


def test_a_live_page_starts_small_and_knows_whom_to_ask() -> None:
    data = live_content(content_of(Many), "secret")
    assert data["live"] == "secret"
    assert len(data["block"]["views"]) == 120
    assert data["complete"] == []
    small = live_content(content_of(Rollback, "rollback.no_reader_above"), "secret")
    assert small["complete"] == ["", "rollback.no_reader_above"]
    assert small["start"] == {"guard": "rollback.no_reader_above", "walk": 0}
