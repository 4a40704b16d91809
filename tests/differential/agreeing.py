"""One protocol through everything that runs it."""

from __future__ import annotations

import random

from protocheck import Protocol
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.ircheck import check

from .differences import Tally
from .explorer import compare_explorer
from .native import compare_native


def agrees(cls: type[Protocol]) -> ir.Protocol:
    """The IR is well formed, the class runs as it says, and the explorer sees what the reference sees."""
    protocol = check(compile_protocol(cls))
    compare_native(cls, random.Random(0), Tally(), walks=3)
    compare_explorer(instantiate(protocol), Tally())
    return protocol
