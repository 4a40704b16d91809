"""IR → a TLA+ module, as data that the template `module.tla.j2` lays out.

Every action becomes an operator, its guards a conjunction in an operator of their own, so that a variant differs from
its baseline in that one conjunct (and in the guard's own share of `WellDefined`):

    RollbackGuards(k) ==
        /\\ shrinks:: k < length
        /\\ no_reader_above:: \\A i \\in pending_reads : i <= k

    Rollback(k) ==
        /\\ RollbackGuards(k)
        /\\ length' = k
        /\\ UNCHANGED pending_reads
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from . import ir, traverse
from .definedness import init_obligations, property_obligations
from .diagnostics import Span
from .tla_actions import actions_of, fairness_of, init_of, next_of, terminated_of, well_defined_actions
from .tla_config import substitutions
from .tla_domains import membership
from .tla_expressions import outermost
from .tla_layout import Lines, lines
from .tla_library import LIBRARY, Used, definition
from .tla_names import (
    STEPS_WELL_DEFINED,
    Names,
    check_extended,
    member_string,
    module_name,
    names_of,
)
from .tla_operators import Conjunct, Operator, comments, position
from .tla_scope import Scope
from .tla_syntax import atom, braces, infix, primed, string
