"""The page as one file of HTML: layout, style, program and data, and nothing that is loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

Json = Any

SCRIPTS = ("dom.js", "states.js", "walk.js", "panels.js", "actions.js", "layout.js", "graph.js", "main.js")
"""In this order; together they are one program, in which nothing is global to the browser."""


def page(data: dict[str, Json]) -> str:
    """The HTML of a page with its data."""
    style, script = _style(), _script()
    return _template().render(
        title=data["protocol"]["name"],
        style=style,
        script=script,
        data=embedded_json(data),
        policy=policy(connect=data["live"] is not None),
    )


def policy(*, connect: bool) -> str:
    """The content security policy of the page: its own style and its own program, and with `connect` its own server."""
    rules = {
        "default-src": "'none'",
        "style-src": f"'{_hash(_style())}'",
        "script-src": f"'{_hash(_script())}'",
        "img-src": "data:",
        "connect-src": "'self'" if connect else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def embedded_json(data: Json) -> str:
    """JSON that can stand in a script element: no `<` ends it or begins a comment, whatever a protocol's texts are."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _style() -> str:
    return _part("page.css")


@cache
def _script() -> str:
    return '"use strict";\n(() => {\n' + "\n".join(map(_part, SCRIPTS)) + "\n})();\n"


def _part(name: str) -> str:
    return files("protocheck.templates").joinpath("explore", name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("protocheck.templates", "explore"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2")
