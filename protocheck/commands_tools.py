"""The commands around the checks: `list`, `generate`, `toolchain` and `completion`."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .commands_common import NearestGroup, OneOf, compile_target, complete_targets, emit
from .toolchain.errors import UserError

if TYPE_CHECKING:
    from .toolchain.layout import Text
    from .toolchain.tlc.jars import TlcJar
    from .toolchain.tlc.java import Java


@click.command("list")
def list_protocols() -> None:
    """List the built-in protocols."""
    from .toolchain.layout import Column, Table, Text, row
    from .toolchain.loading import built_in_names
    from .transpiler.domains import show

    rows = []
    for name in built_in_names():
        protocol = compile_target(name)
        constants = ", ".join(f"{constant.name}={show(constant.default)}" for constant in protocol.constants)
        summary = (protocol.doc.strip().splitlines() or [""])[0]
        numbers = (len(protocol.actions), len(protocol.guard_names), len(protocol.properties))
        rows.append(row(Text(name, "strong"), constants, *numbers, summary))
    numeric = [Column(title, numeric=True) for title in ("actions", "guards", "properties")]
    emit([Table((Column("protocol"), Column("constants"), *numeric, Column("")), tuple(rows))])


@click.command()
@click.argument("targets", nargs=-1, shell_complete=complete_targets)
@click.option("--check", is_flag=True, help="Write nothing; fail where a file differs from what would be written.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("generated_tla"),
    show_default=True,
    metavar="DIR",
    help="The folder with one folder a protocol.",
)
@click.pass_context
def generate(ctx: click.Context, targets: tuple[str, ...], check: bool, output: Path) -> None:
    """Write the TLA+ of TARGETS (of all built-in protocols where none is named), baseline and variants.

    With --check the exit code is 1 where a file differs, is missing, or is left over.
    """
    from .toolchain.generate import generate as generate_files
    from .toolchain.loading import built_in_names

    protocols = [compile_target(target) for target in targets or built_in_names()]
    try:
        done = generate_files(protocols, output, check)
    except OSError as error:
        raise UserError(f"{error.filename or output} cannot be written: {error.strerror}") from None
    for path in done.foreign:
        click.echo(f"{path} stays: protocheck did not write it for a protocol that is there", err=True)
    changed, stale = len(done.written), len(done.removed)
    if check:
        click.echo(done.drift, nl=False)
        if done.differs:
            click.echo(
                f"{changed} differ, {stale} left over, {done.unchanged} as generated: run `protocheck generate`",
                err=True,
            )
        else:
            click.echo(f"{done.unchanged} files in {output} are as generated")
        ctx.exit(1 if done.differs else 0)
    for path in done.written:
        click.echo(f"wrote {path}")
    for path in done.removed:
        click.echo(f"removed {path}")
    click.echo(f"{changed} written, {stale} removed, {done.unchanged} unchanged in {output}")


@click.group(cls=NearestGroup)
def toolchain() -> None:
    """Look for Java and TLC, or install TLC."""


@toolchain.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Say what was found, its version, and what it lacks. Exit code 3 where TLC cannot run."""
    from .toolchain.layout import BLANK, Block, Column, Table, Text, line
    from .toolchain.tlc.doctor import examine

    found = examine()
    dot = shutil.which("dot")
    instead = "the wheel pygraphviz draws graphs" if find_spec("pygraphviz") else "graphs as DOT text only"
    rows = [
        *(_place("java", each.origin, each.java, each.path, each.problem, found.chosen_java) for each in found.java),
        *(_place("tlc", each.origin, each.jar, each.path, each.problem, found.chosen_jar) for each in found.jars),
        _place("dot", "PATH", dot, Path(dot) if dot else None, "" if dot else f"not found: {instead}", dot),
    ]
    blocks: list[Block] = [Table(tuple(map(Column, ("tool", "place", "version", "", "file"))), tuple(rows))]
    jar = found.chosen_jar
    if jar is not None and jar.lacks:
        blocks += [BLANK, line(f"what TLC {_version(jar)} lacks (protocheck does without):")]
        blocks += [line(f"  {sentence}") for sentence in jar.lacks]
    if found.archive_path is not None:
        blocks += [
            BLANK,
            line(f"class-data archive, which halves the start-up: {found.archive} ({found.archive_path})"),
        ]
    blocks.append(BLANK)
    if found.ready:
        blocks.append(line(Text("✓ TLC can run", "good")))
    else:
        blocks.append(line(Text("✗ TLC cannot run; the explorer needs neither Java nor TLC", "bad")))
    emit([*blocks, *(line(f"  {sentence}") for sentence in found.advice)])
    ctx.exit(0 if found.ready else 3)


def _place(
    tool: str, origin: str, what: Java | TlcJar | str | None, path: Path | None, problem: str, chosen: object
) -> tuple[Text, ...]:
    """A row of the doctor's table: one place that was looked at."""
    from .toolchain.layout import Text, row

    if what is None:
        state = Text(problem, "warn" if path is not None else "dim")
    else:
        state = Text("used", "good") if what is chosen else Text("usable", "dim")
    return row(tool, origin, _version(what), state, Text(str(path) if path is not None else "", "dim"))


def _version(what: Java | TlcJar | str | None) -> str:
    from .toolchain.tlc.jars import TlcJar
    from .toolchain.tlc.java import Java

    if isinstance(what, Java):
        return what.version_text
    return what.version.short if isinstance(what, TlcJar) and what.version is not None else ""


@toolchain.command()
@click.option(
    "--from",
    "from_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take this tla2tools.jar in place of downloading the pinned official release.",
)
@click.option("--sha256", metavar="HASH", help="What the file must have; the pinned release is always verified.")
def install(from_file: Path | None, sha256: str | None) -> None:
    """Put TLC (tla2tools.jar) into the user's cache, verified."""
    from .toolchain.tlc.install import PINNED
    from .toolchain.tlc.install import install as install_jar

    if from_file is None:
        if sha256 is not None:
            raise UserError("--sha256 goes with --from FILE; the pinned release has a hash of its own")
        click.echo(f"downloading TLA+ tools {PINNED.tag} (TLC {PINNED.tlc}) from {PINNED.url}", err=True)
    done = install_jar(from_file, sha256=sha256, progress=_show_download if sys.stderr.isatty() else None)
    click.echo(f"installed {done.path}")
    click.echo(f"sha256 {done.sha256}")
    if done.known is not None:
        click.echo(f"this is {done.known}")
    else:
        what = f"TLC {done.version.short}" if done.version is not None else "of an unknown version"
        click.echo(f"it is {what}, and no release that protocheck knows: make sure that you trust its source")


def _show_download(so_far: int, whole: int | None) -> None:
    """One line at a terminal that counts up."""
    of = f" of {whole / 1e6:.1f}" if whole else ""
    click.echo(f"\r{so_far / 1e6:.1f}{of} MB", err=True, nl=bool(whole and so_far >= whole))


@click.command()
@click.argument("shell", type=OneOf("shell", ("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: bash, zsh or fish.

    For bash: eval "$(protocheck completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc; for fish:
    protocheck completion fish > ~/.config/fish/completions/protocheck.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - click knows all three
        raise UserError(f"click has no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "protocheck", "_PROTOCHECK_COMPLETE").source())
