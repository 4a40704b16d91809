"""A protocol with its constants given values: domains become finite sets, initial values are checked to lie in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import ir
from .domains import Domain


@dataclass(frozen=True, slots=True)
class Instance:
    """What an engine checks.

    `parameters` maps (action name, parameter name) to a domain, with "" as the action name for the choices of init.
    """

    protocol: ir.Protocol
    constants: Mapping[str, Any]
    variables: Mapping[str, Domain]
    parameters: Mapping[tuple[str, str], Domain]


def instantiate(protocol: ir.Protocol, constants: Mapping[str, Any] | None = None) -> Instance:
    """Give the constants their values (defaults where none is named) and evaluate every domain.

    Raises `CompileError` where a constant is unknown or of the wrong type, a domain is empty or unbounded, an initial
    value lies outside its domain, or a function display does not cover its domain.
    """
    raise NotImplementedError
