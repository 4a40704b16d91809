"""What the tests of TLC share: where the captured outputs and the small specifications are, and jobs made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protocheck.toolchain.tlc.driver import TlcJob
from protocheck.toolchain.tlc.messages import Transcript, read_messages

HERE = Path(__file__).parent
CAPTURED = HERE / "captured"
SPECS = HERE / "specs"


def captured(version: str, name: str) -> str:
    """A captured output of TLC."""
    return (CAPTURED / version / f"{name}.txt").read_text(encoding="utf-8")


def transcript(text: str) -> Transcript:
    return read_messages(text.split("\n"))


def job(config: str, module: str | None = None, **changes: Any) -> TlcJob:
    """A run of one of the specifications in `specs/`."""
    module = module or config
    files = {name: (SPECS / name).read_text(encoding="utf-8") for name in (f"{module}.tla", f"{config}.cfg")}
    return TlcJob(files, module, f"{config}.cfg", **changes)


def spec(body: str, config: str = "SPECIFICATION Spec\n", **changes: Any) -> TlcJob:
    """A run of a module written in the test."""
    return TlcJob({"M.tla": f"---- MODULE M ----\n{body}\n====\n", "M.cfg": config}, "M", "M.cfg", **changes)
