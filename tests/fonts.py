"""Whether text can be drawn as PNG here: a bare machine may have no font at all, and then PNG is refused."""

from __future__ import annotations

import pytest

from protocheck.toolchain.drawing import png_of
from protocheck.toolchain.tlc.errors import ToolError


def _has_fonts() -> bool:
    try:
        png_of('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    except ToolError:
        return False
    return True


NEEDS_FONTS = pytest.mark.skipif(not _has_fonts(), reason="this machine has no font that a PNG could be drawn with")
