"""A folder in which runs of TLC save their progress, and from which they go on.

TLC goes on from any checkpoint that it can read, of whatever model, and then counts wrongly without a word: so beside
its files stands a record of what was run, and a run that differs from it is refused. Three things more can go wrong:

- TLC chooses its fingerprint function at random, unless told; recovered states would be taken for new ones;
- it replaces a checkpoint file by file; one that was being replaced when the run was ended is a mixture. The record
  has the files as they were when TLC said that they are complete;
- steps taken before the checkpoint are no longer counted: `generated` is then a lower bound.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from .cache import exclusive, remove_tree
from .command import Saving
from .errors import ToolError

RECORD = "protocheck-checkpoint.json"
_LOCK = f".{RECORD}.lock"  # that of `exclusive`
_FORMAT, _VERSION = "protocheck-checkpoint", 1


class CheckpointError(ToolError):
    """A folder that is not the checkpoint of this run; nothing in it was touched."""


@dataclass(frozen=True)
class Identity:
    """What a run is. Two runs may share a checkpoint only if these are equal.

    Attributes:
        subject: what a user knows the run by: name → value, in words.
        files: name → text of all that TLC reads.
        options: what else decides how it searches, name → value.
        jar: the SHA-256 of the TLC.
        tlc: its version, in words.
    """

    subject: Mapping[str, str]
    files: Mapping[str, str]
    options: Mapping[str, str]
    jar: str
    tlc: str

    def record(self) -> dict[str, Any]:
        """As it is written down: a hash for each text."""
        return {
            "subject": dict(self.subject),
            "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(self.files.items())},
            "options": dict(self.options),
            "jar": self.jar,
            "tlc": self.tlc,
        }


@dataclass
class RunRecord:
    """What is written down of one run.

    Attributes:
        identity: of the run, see `Identity.record`.
        state: begun; saved at least once; or finished, with what TLC printed in `output`.
        folder: TLC's own folder with the checkpoint, relative to the run's.
        sealed: the files of the checkpoint, name → size and time of modification in nanoseconds.
        saved_at: when, in ISO 8601.
        states: how many had been found when it was saved, as far as TLC had said.
        exit_status: of a finished run.
        output: of a finished run.
        resumed: whether the run, or an earlier part of it, went on from a checkpoint.
    """

    identity: dict[str, Any]
    state: Literal["begun", "saved", "finished"] = "begun"
    folder: str = ""
    sealed: dict[str, list[int]] = field(default_factory=dict)
    saved_at: str = ""
    states: int | None = None
    exit_status: int | None = None
    output: str = ""
    resumed: bool = False


class CheckpointFolder:
    """The checkpoints of the runs of one check, by the name of the run.

    Args:
        path: the folder; made where it is not there.
        minutes: between two checkpoints, at least.

    Raises:
        CheckpointError: the folder holds something else, or cannot be written to.
    """

    def __init__(self, path: Path, minutes: float) -> None:
        self.path = path.absolute()
        self.minutes = minutes
        self._runs = self._read()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes away from the folder.

        Raises:
            CheckpointError: one is there already.
        """
        with exclusive(self.path / RECORD, timeout=0.0) as held:
            if not held:
                raise CheckpointError(
                    f"Another check saves its progress in {self.path}.", remedy="Wait for it, or name another folder."
                )
            self._runs = self._read()
            yield

    def resumed(self, name: str) -> bool:
        """Whether a part of a run was done before."""
        return name in self._runs and self._runs[name].resumed

    def begin(self, name: str, identity: Identity) -> RunRecord:
        """The record of a run, as it is or new.

        Raises:
            CheckpointError: the folder has a checkpoint of another run under this name, or one that is damaged.
        """
        known = self._runs.get(name)
        if known is not None:
            self._demand_same(name, known.identity, identity.record())
            if known.state == "saved":
                self._demand_intact(name, known)
            if known.state != "begun":
                return known
        remove_tree(self._place(name))  # of a run that never came to its first checkpoint
        self._runs[name] = fresh = RunRecord(identity.record())
        self._write()
        return fresh

    def saving(self, name: str) -> Saving:
        """What to tell TLC about a run that was begun; from here on it goes on from its checkpoint, if it has one."""
        run = self._runs[name]
        place = self._place(name)
        place.mkdir(parents=True, exist_ok=True)
        recover = place / run.folder if run.state == "saved" else None
        if recover is not None:
            run.resumed = True
            self._write()
        return Saving(place, max(1, round(self.minutes * 60_000)), recover)

    def sealer(self, name: str, states: Callable[[], int | None]) -> Callable[[], None]:
        """What to call whenever TLC says that a checkpoint is complete; `states` tells how many it had found."""

        def seal() -> None:
            run, place = self._runs[name], self._place(name)
            folder = max((path.parent for path in place.glob("*/queue.chkpt")), default=None)
            if folder is None:
                return
            run.state, run.folder = "saved", folder.name
            run.sealed = _seal(folder)
            run.saved_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            run.states = states() or run.states
            self._write()

        return seal

    def finish(self, name: str, output: str, exit_status: int | None) -> None:
        """Keep what a finished run printed, so that it need not be run again while others are not finished."""
        run = self._runs[name]
        run.state, run.output, run.exit_status = "finished", output, exit_status
        self._write()
        remove_tree(self._place(name))

    def summary(self) -> str:
        """What is saved, in a sentence; "" where nothing is."""
        saved = [(name, run) for name, run in self._runs.items() if run.state == "saved"]
        if not saved:
            return ""
        name, run = saved[-1]
        states = "" if run.states is None else f", with {run.states:,} states or more,"
        return f"the {name} run{states} was saved at {run.saved_at} in {self.path}; the same command goes on from there"

    def clear(self) -> None:
        """Remove all that was saved, since there is an answer; the folder too, unless something else is in it."""
        for name in self._runs:
            remove_tree(self._place(name))
        self._runs.clear()
        for name in (RECORD, _LOCK):
            (self.path / name).unlink(missing_ok=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            remove_tree(self.path)

    # ------------------------------------------------------------------------------------------------- in the folder

    def _place(self, name: str) -> Path:
        return self.path / name.replace(" ", "-")

    def _read(self) -> dict[str, RunRecord]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            text = (self.path / RECORD).read_text(encoding="utf-8")
        except FileNotFoundError:
            if any(each.name != _LOCK for each in self.path.iterdir()):
                raise CheckpointError(
                    f"{self.path} holds files, and no checkpoint.", remedy="Name a folder that is empty, or none yet."
                ) from None
            return {}
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be used for checkpoints.", reason=str(error)) from error
        try:
            data = json.loads(text)
            if (data["format"], data["version"]) != (_FORMAT, _VERSION):
                raise ValueError(f"format {data['format']}, version {data['version']}")
            return {name: RunRecord(**run) for name, run in data["runs"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._unusable(f"{RECORD} cannot be read ({error})") from error

    def _write(self) -> None:
        data = {"format": _FORMAT, "version": _VERSION, "runs": {name: asdict(run) for name, run in self._runs.items()}}
        fresh = self.path / f".{RECORD}.new"
        try:
            fresh.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            fresh.replace(self.path / RECORD)
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be written to.", reason=str(error)) from error

    def _demand_same(self, name: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
        differing = _differences(there, here)
        if differing:
            raise CheckpointError(
                f"{self.path} has the checkpoint of another {name} run.",
                reason="\n".join(f"  {line}" for line in differing),
                remedy="Name another folder, or remove this one.",
            )

    def _demand_intact(self, name: str, run: RunRecord) -> None:
        folder = self._place(name) / run.folder
        if not run.sealed or _seal(folder) != run.sealed:
            raise self._unusable(
                f"the files of the {name} run are not those that were complete at {run.saved_at}: "
                "it was ended while they were replaced, or it still runs"
            )

    def _unusable(self, reason: str) -> CheckpointError:
        return CheckpointError(
            f"Nothing can go on from the checkpoint in {self.path}.",
            reason=reason,
            remedy="Remove the folder to begin anew.",
        )


def _seal(folder: Path) -> dict[str, list[int]]:
    try:
        stats = {path.name: path.stat() for path in sorted(folder.glob("*.chkpt"))}
    except OSError:
        return {}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two identities, each in a line that a user understands."""
    found = []
    for part in ("subject", "options"):
        names = [*there[part], *(name for name in here[part] if name not in there[part])]
        for name in names:
            old, new = there[part].get(name, "none"), here[part].get(name, "none")
            if old != new:
                found.append(f"{name}: {old} there, {new} here")
    if there["jar"] != here["jar"]:
        found.append(f"TLC: {there['tlc']} ({there['jar'][:12]}) there, {here['tlc']} ({here['jar'][:12]}) here")
    if not found and there["files"] != here["files"]:
        found.append("the protocol, or the version of protocheck, was changed since")
    return found
