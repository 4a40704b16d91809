"""`[tool.protocheck]` of a pyproject.toml: which protocols are checked by pytest. The schema is in docs/testing.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import float_info
from typing import Any

from ..toolchain.engines import CHOICES
from ..toolchain.errors import UserError, nearest
from ..toolchain.loading import load_protocol
from ..toolchain.settings import read_values
from ..transpiler import ir
from ..transpiler.diagnostics import CompileError
from ..transpiler.frontend import compile_protocol
from .plans import Plan, plan


@dataclass(frozen=True, slots=True)
class Entry:
    """One protocol of the list, as it is written; `name` is "" where none is given."""

    target: str
    name: str = ""
    constants: Mapping[str, Any] | None = None
    mutate: bool = False
    engine: str = "explorer"
    properties: tuple[str, ...] | None = None
    max_states: int | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """An entry made ready, or the problem with it; `name` is what its test items are found under."""

    name: str
    plan: Plan | None
    problem: str = ""


def read_entries(file: Path) -> tuple[Entry, ...]:
    """The protocols that a pyproject.toml names; raises `UserError` for a table that is not as it should be."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["protocheck"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: {error}") from None
    if not isinstance(table, dict):
        raise UserError(f"{file}: [tool.protocheck] is a table, not {table!r}")
    for key in table:
        if key != "protocols":
            raise UserError(f"{file}: [tool.protocheck] has no key {key}{nearest(key, ['protocols'])}")
    listed = table.get("protocols", [])
    if not isinstance(listed, list):
        raise UserError(f'{file}: protocols in [tool.protocheck] is a list, as in protocols = ["rollback"]')
    return tuple(_entry(file, number, written) for number, written in enumerate(listed, 1))


def prepare(file: Path, entries: tuple[Entry, ...]) -> tuple[Planned, ...]:
    """Every entry with its protocol loaded and its names looked at. Raises `UserError` for two of the same name."""
    planned = [_planned(file, number, entry) for number, entry in enumerate(entries, 1)]
    numbers: dict[str, int] = {}
    for number, each in enumerate(planned, 1):
        if each.name in numbers:
            raise UserError(
                f"{file}: [tool.protocheck] protocols: entries {numbers[each.name]} and {number} are both named "
                f'{each.name}; give one of them a name, as in name = "{each.name} of another size"'
            )
        numbers[each.name] = number
    return tuple(planned)


# ------------------------------------------------------------------------------------------------- reading entries

_KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "target": (str, "a text"),
    "name": (str, "a text"),
    "constants": (dict, "a table, as in { max_len = 6 }"),
    "mutate": (bool, "true or false"),
    "engine": (str, "a text"),
    "properties": (list, "a list of texts"),
    "max_states": (int, "a whole number above 0"),
    "timeout": ((int, float), "a number of seconds above 0"),
}


def _entry(file: Path, number: int, written: Any) -> Entry:
    where = f"{file}: [tool.protocheck] protocols, entry {number}"
    if isinstance(written, str):
        written = {"target": written}
    if not isinstance(written, dict):
        raise UserError(f"{where}: write a table with a target, or the target alone, not {written!r}")
    for key, value in written.items():
        if key not in _KINDS:
            raise UserError(f"{where}: there is no key {key}{nearest(key, _KINDS)}")
        kind, described = _KINDS[key]
        # In Python true is a number, too.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or value == "":
            raise UserError(f"{where}: {key} is {described}, not {value!r}")
        if isinstance(value, int | float) and not isinstance(value, bool) and not 0 < value <= float_info.max:
            raise UserError(f"{where}: {key} is {described}, not {value!r}")
    if "target" not in written:
        raise UserError(f'{where}: it needs a target, as in target = "package.module:MyProtocol"')
    properties = written.get("properties")
    if properties is not None:
        if not all(isinstance(name, str) for name in properties):
            raise UserError(f"{where}: properties is a list of texts, not {properties!r}")
        if not properties:
            raise UserError(f"{where}: properties names none; leave it out to check them all")
        properties = tuple(properties)
    name = written.get("name", "")
    if "::" in name:
        raise UserError(f"{where}: a name must not contain `::`, which separates the parts of a test's name")
    if written.get("engine", "explorer") not in CHOICES:
        raise UserError(f"{where}: there is no engine {written['engine']}{nearest(written['engine'], CHOICES)}")
    return Entry(**{**written, "properties": properties})


# ----------------------------------------------------------------------------------------------- preparing entries


def _planned(file: Path, number: int, entry: Entry) -> Planned:
    name = entry.name or entry.target
    try:
        protocol = compile_protocol(load_protocol(entry.target, file.parent))
        name = entry.name or protocol.name
        return Planned(name, _plan(protocol, entry))
    except (UserError, CompileError) as error:
        where = f'{file}: [tool.protocheck] protocols, entry {number} (target = "{entry.target}")'
        return Planned(name, None, f"{where}\n{error}")


def _plan(protocol: ir.Protocol, entry: Entry) -> Plan:
    return plan(
        protocol,
        read_values(protocol, entry.constants or {}),
        engine=entry.engine,
        properties=entry.properties,
        mutate=entry.mutate,
        max_states=entry.max_states,
        timeout=entry.timeout,
    )
