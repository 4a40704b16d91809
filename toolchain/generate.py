"""Protocols → files of TLA+: the folder `generated_tla`, and what the TLC engine runs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..transpiler import ir
from ..transpiler.instance import instantiate
from ..transpiler.naming import snake_case
from ..transpiler.tla import Module, build_module
from ..transpiler.tla_config import Config
from ..transpiler.tla_names import SPEC, STEPS_WELL_DEFINED, TYPE_OK, VARS, WELL_DEFINED
from .counterexample import place
from .errors import UserError

if TYPE_CHECKING:
    import jinja2

GENERATED = "\\* Generated from the class "
"""A line in the head of every module."""
TITLES = SAFETY, LIVENESS, REACHED = "Safety", "The liveness property", "Whether"
"""How configurations begin."""


def template(name: str) -> jinja2.Template:
    """One of the templates that lay out generated text."""
    return _environment().get_template(name)


def module_text(module: Module) -> str:
    """The .tla file of a module."""
    return _environment().get_template("module.tla.j2").render(module=module, vars=VARS)


def config_text(config: Config) -> str:
    """A .cfg file."""
    return _environment().get_template("model.cfg.j2").render(config=config)


def safety_config(module: Module) -> Config:
    """The run that checks everything but liveness; the order is that in which a violation is named."""
    steps = (STEPS_WELL_DEFINED,) if module.steps_well_defined else ()
    domains, refined = refinement_properties(module)
    return Config(
        title=f"{SAFETY}; a state in which nothing is enabled is an error as well, unless it is terminal.",
        constants=module.values.assignments,
        specification=SPEC,
        invariants=(TYPE_OK, WELL_DEFINED, *module.invariants.values(), *domains),
        properties=(*steps, *module.transitions.values(), *refined),
        symmetry=module.symmetry,
    )


def refinement_properties(module: Module) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The operators that together say `refines`: invariants, and properties; both empty where nothing is refined."""
    if module.abstract is None:
        return (), ()
    return (module.refinement_operator("domains"),), tuple(map(module.refinement_operator, ("init", "steps")))


def module_files(module: Module) -> dict[str, str]:
    """The .tla files by name: the module's, and those of what it refines."""
    return {f"{item.name}.tla": module_text(item) for item in module.files()}


def liveness_config(module: Module, name: str) -> Config:
    """The run that checks one liveness property: of several, TLC does not say which is violated.

    Never under symmetry, where TLC may miss a violation.
    """
    return Config(
        title=f"{LIVENESS} {name}.",
        constants=module.values.assignments,
        specification=SPEC,
        invariants=(TYPE_OK,),
        properties=(module.liveness[name],),
    )


def reachability_config(module: Module, name: str) -> Config:
    """The run that looks for a state: a violation is the pass."""
    return Config(
        title=f"{REACHED} {name} can be reached: a violation of {module.reachable[name]} is the pass.",
        constants=module.values.assignments,
        specification=SPEC,
        invariants=(TYPE_OK, module.reachable[name]),
        properties=(),
        symmetry=module.symmetry,
    )


def render(protocol: ir.Protocol, constants: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The files of a protocol by name: baseline and variants, a pair each, and the baseline's further runs.

    Raises `CompileError` where the constants do not fit or two names would be one in TLA+.
    """
    values = instantiate(protocol, constants).constants
    files: dict[str, str] = {}
    for guard in (None, *protocol.guard_names):
        module = build_module(protocol, values, guard)
        files |= module_files(module)
        files[f"{module.name}.cfg"] = config_text(safety_config(module))
        if guard is None:
            for name, operator in module.liveness.items():
                files[f"{module.name}__{operator}.cfg"] = config_text(liveness_config(module, name))
            for name, operator in module.reachable.items():
                files[f"{module.name}__{operator}.cfg"] = config_text(reachability_config(module, name))
    return files


def bounded_module(module: Module, depth: int) -> tuple[str, str, str]:
    """A module that extends `module` with a bound on the depth of a search: its name, its text, the constraint.

    The states of the first `depth` levels are all looked at; by some versions of TLC also those of the next.
    """
    name = f"{module.name}__bounded"
    constraint, standard = module.names.fresh("WithinDepth"), module.names.fresh("Standard")
    # Nothing is extended, nor `<=` used: an operator of the protocol may have the name of one of the module's.
    lines = (
        f"---- MODULE {name} ----",
        f"EXTENDS {module.name}",
        f"{standard} == INSTANCE TLC",
        f'{constraint} == {standard}!TLCGet("level") \\in {{{", ".join(map(str, range(depth + 1)))}}}',
        "====",
    )
    return name, "\n".join(lines) + "\n", constraint


@dataclass(frozen=True)
class Generated:
    """What `generate` did, or with `check` would have done; `drift` is a unified diff, empty where nothing differs.

    `foreign` are files of the same kinds beside them that are left alone.
    """

    written: tuple[Path, ...]
    removed: tuple[Path, ...]
    unchanged: int
    drift: str
    foreign: tuple[Path, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.written or self.removed)


def generate(protocols: Iterable[ir.Protocol], folder: Path, check: bool = False) -> Generated:
    """Write the files of each protocol into its folder below `folder`; with `check` only compare.

    Files of the protocol that it no longer has are removed; nothing else is touched, and each file is replaced as a
    whole. Raises `UserError` for two protocols that would be written to one folder.
    """
    protocols = tuple(protocols)
    _demand_homes(protocols, folder)
    written: list[Path] = []
    removed: list[Path] = []
    foreign: list[Path] = []
    diffs: list[str] = []
    unchanged = 0
    for protocol in protocols:
        home = folder / snake_case(protocol.name)
        files = render(protocol)
        for name, text in files.items():
            path = home / name
            old = _read(path)
            if old == text:
                unchanged += 1
                continue
            written.append(path)
            diffs.append(_diff(path, old or "", text))
            if not check:
                _replace(path, text)
        beside = [path for pattern in ("*.tla", "*.cfg") for path in home.glob(pattern) if path.name not in files]
        for path in sorted(beside):
            if not _was_generated(path, protocol.name):
                foreign.append(path)
                continue
            removed.append(path)
            diffs.append(_diff(path, _read(path) or "", ""))
            if not check:
                path.unlink()
    return Generated(tuple(written), tuple(removed), unchanged, "".join(diffs), tuple(foreign))


def _demand_homes(protocols: Iterable[ir.Protocol], folder: Path) -> None:
    homes: dict[str, ir.Protocol] = {}
    for protocol in protocols:
        other = homes.setdefault(snake_case(protocol.name), protocol)
        if other is not protocol:
            both = " and ".join(f"{each.name} ({place(each.span)})" for each in (other, protocol))
            home = folder / snake_case(protocol.name)
            raise UserError(f"{both} would both be written to {home}: generate them into folders of their own (-o)")


def _was_generated(path: Path, module: str) -> bool:
    """Whether a file is one that was written for a module or a variant of it: its name says so, and its first lines."""
    if re.fullmatch(rf"{re.escape(module)}(__\w+)?\.(tla|cfg)", path.name) is None:
        return False
    text = _read(path) or ""
    return GENERATED in text if path.suffix == ".tla" else text.startswith(tuple(f"\\* {title}" for title in TITLES))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is never seen half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def _diff(path: Path, old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"{path} (as it is)", f"{path} (as generated)"
    )
    return "".join(lines)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("protocheck.templates", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the text is TLA+, not HTML
    )
