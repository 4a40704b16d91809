"""Text → class: a machine's module is executed under a name of its own, its source where the frontend looks for it."""

from __future__ import annotations

import itertools
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from protocheck import Protocol

from .machine import Machine

_numbers = itertools.count()


@contextmanager
def loaded(machine: Machine) -> Iterator[type[Protocol]]:
    """The protocol class of a machine; its module is forgotten at the end, so that thousands can follow."""
    name = f"machine_{next(_numbers)}"
    file = f"<{name}>"
    module = ModuleType(name)
    module.__file__ = file
    # No time of modification: the text is never looked for on the disk.
    linecache.cache[file] = (len(machine.source), None, machine.source.splitlines(keepends=True), file)
    sys.modules[name] = module
    try:
        exec(compile(machine.source, file, "exec"), module.__dict__)
        yield module.__dict__[machine.class_name]
    finally:
        del sys.modules[name]
        del linecache.cache[file]
