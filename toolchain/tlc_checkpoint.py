"""The runs of one check of TLC that save their progress: begun, gone on with, or read again where they had finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..transpiler.domains import show
from ..transpiler.instance import Instance
from ..transpiler.naming import snake_case
from .errors import UserError
from .tlc.checkpoint import CheckpointError, CheckpointFolder, Identity
from .tlc.driver import TlcJob, TlcRun, Toolchain
from .tlc.messages import read_messages
from .tlc.outcome import read_outcome
from .tlc.process import room_mb
from .tlc.stats import TlcProgress

Execute = Callable[[TlcJob, Callable[[], None]], TlcRun]


class SavedRuns:
    """What a check saves, and goes on from, in a folder."""

    def __init__(self, folder: CheckpointFolder, instance: Instance, toolchain: Toolchain) -> None:
        self._folder = folder
        self._toolchain = toolchain
        self._subject = {"protocol": snake_case(instance.protocol.name)}
        self._subject |= {item.name: show(instance.constants[item.name]) for item in instance.protocol.constants}
        self._states: int | None = None
        self.notes: list[str] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others away from the folder for as long as the check takes.

        Raises `UserError` where the folder is not that of this check, or others use it.
        """
        try:
            with self._folder.locked():
                yield
        except CheckpointError as error:
            raise UserError(str(error)) from None

    def run(self, name: str, job: TlcJob, execute: Execute) -> TlcRun:
        """What comes of a run, whichever part of it was done before.

        Raises `CheckpointError` where the folder has the checkpoint of another run.
        """
        jar = self._toolchain.jar
        tlc = jar.version.short if jar.version else "of an unknown version"
        options = {"--workers": str(job.workers), "deadlock check": "yes" if job.check_deadlock else "no"}
        record = self._folder.begin(name, Identity(self._subject, job.files, options, jar.sha256, tlc))
        if record.state == "finished":
            self.notes.append(f"the {name} run had finished before; what TLC printed was read again")
            outcome = read_outcome(read_messages(record.output.split("\n")), record.exit_status)
            return TlcRun(outcome, "itself", record.exit_status, 0.0, None, None, (), "")
        if record.state == "saved":
            self.notes.append(f"the {name} run went on from its checkpoint of {record.saved_at}")
        self._states = record.states
        saving = self._folder.saving(name)
        room = room_mb(saving.directory, job.disk_limit_mb or 0)
        found = execute(
            replace(job, saving=saving, coverage=False, disk_limit_mb=room),
            self._folder.sealer(name, lambda: self._states),
        )
        if found.outcome.kind == "no_error":
            self._folder.finish(name, found.output, found.exit_status)
        return found

    def noticed(self, shown: TlcProgress) -> None:
        """Remember how many states there are, for what is said of the next checkpoint."""
        self._states = shown.distinct if shown.distinct is not None else self._states

    def resumed(self, name: str) -> bool:
        """Whether a part of a run was done before, so that its steps were not counted."""
        return self._folder.resumed(name)

    def end(self, conclusive: bool) -> tuple[str, ...]:
        """Remove what was saved, where there is an answer; what is worth knowing, in sentences."""
        if conclusive:
            self._folder.clear()
            return tuple(self.notes)
        summary = self._folder.summary()
        return (*self.notes, summary) if summary else (*self.notes, "nothing was saved before the run ended")
