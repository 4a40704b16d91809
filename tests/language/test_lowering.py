"""The IR of the shipped protocols, as text; and that it is well formed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocheck import Protocol
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.transpiler import ircheck
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.pretty import pretty

PROTOCOLS = [Rollback, Dispatch, Acceptance, TreeCache, HandOff, Walk]


@pytest.mark.parametrize("cls", PROTOCOLS, ids=lambda cls: cls.__name__)
def test_ir(cls: type[Protocol], golden: Callable[[str, str], None]) -> None:
    protocol = compile_protocol(cls)
    ircheck.check(protocol)
    for guard in protocol.guard_names:
        ircheck.check(drop_guard(protocol, guard))
    golden(f"{cls.__name__}.ir", pretty(protocol))
