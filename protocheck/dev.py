"""Everything that CI runs, in one command: `python -m protocheck.dev check`. Only in a checkout.

The top-level folders are sub-packages of `protocheck` by a mapping of setuptools, which neither mypy nor import-linter
follows: over the bare folders both would look at a handful of files and be content. So the tree that users install is
laid out first as links, under build/, and the number of files that were looked at is compared with the files there are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
MAPPED = BUILD / "typecheck"
"""Holds `protocheck/`, laid out as it is installed."""
CACHE = BUILD / "cache"
SURFACE = ("protocols", "examples")
"""What users write: clean under both type checkers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step found; `output` is shown where it failed, and `summary` beside its name in any case."""

    passed: bool
    summary: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    what: str
    run: Callable[[], Outcome]
    slow: bool = False


class NoCheckout(Exception):
    """There is nothing to check here."""


# --------------------------------------------------------------------------------------------------- the mapped tree


def mapped_packages(root: Path = ROOT) -> dict[str, Path]:
    """Package name → folder, as pyproject.toml tells setuptools."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    return {name: root / settings["package-dir"][name] for name in settings["packages"]}


def source_files(root: Path = ROOT) -> tuple[Path, ...]:
    """Every Python file of the packages, once."""
    return tuple(sorted(file for folder in mapped_packages(root).values() for file in folder.glob("*.py")))


def lay_out(root: Path = ROOT, target: Path = MAPPED) -> Path:
    """Link the packages into `target/protocheck` as they are installed; returns `target`."""
    package = target / "protocheck"
    if package.exists():
        shutil.rmtree(package)
    package.mkdir(parents=True)
    for item in (root / "protocheck").iterdir():
        if item.name != "__pycache__":
            (package / item.name).symlink_to(item)
    for name, folder in mapped_packages(root).items():
        # Packages further down are reached through the link of their parent, and so is what lies in protocheck/ itself.
        if name.count(".") == 1 and folder.parent != root / "protocheck":
            (package / name.partition(".")[2]).symlink_to(folder)
    return target


# ------------------------------------------------------------------------------------------------------------- steps


def _python_tool(*command: str, cwd: Path = ROOT, **environment: str) -> tuple[int, str]:
    """Run a tool that is installed beside this Python; returns its exit code and everything it printed."""
    found = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return found.returncode, found.stdout.strip()


def _by_exit_code(code: int, output: str) -> Outcome:
    lines = [line for line in output.splitlines() if line.strip()]
    return Outcome(code == 0, lines[-1] if lines else "", output)


def _counted(outcome: Outcome, pattern: str, expected: int) -> Outcome:
    """The same outcome, failed where the tool did not look at as many files as there are."""
    if not outcome.passed:
        return outcome
    match = re.search(pattern, outcome.output)
    if match is None:
        return Outcome(False, "did not say how many files it looked at", outcome.output)
    if int(match[1]) != expected:
        return Outcome(False, f"looked at {match[1]} files, but there are {expected}", outcome.output)
    return outcome


def ruff_lint() -> Outcome:
    return _by_exit_code(
        *_python_tool("-m", "ruff", "check", "--output-format=concise", "--cache-dir", str(CACHE / "ruff"), ".")
    )


def ruff_format() -> Outcome:
    command = ("-m", "ruff", "format", "--check", "--cache-dir", str(CACHE / "ruff"), ".")
    return _by_exit_code(*_python_tool(*command))


def mypy_packages() -> Outcome:
    command = (
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(CACHE / "mypy"),
        "--no-namespace-packages",
        "-p",
        "protocheck",
    )
    outcome = _by_exit_code(*_python_tool(*command, MYPYPATH=str(lay_out())))
    return _counted(outcome, r"in (\d+) source files?", len(source_files()))


def _surface() -> tuple[str, ...]:
    return tuple(str(file.relative_to(ROOT)) for folder in SURFACE for file in sorted((ROOT / folder).rglob("*.py")))


def mypy_surface() -> Outcome:
    files = _surface()
    cache = str(CACHE / "mypy-surface")
    command = ("-m", "mypy", "--strict", "--explicit-package-bases", "--cache-dir", cache, *files)
    outcome = _by_exit_code(*_python_tool(*command, MYPYPATH=str(lay_out())))
    return _counted(outcome, r"in (\d+) source files?", len(files))


def pyright_surface() -> Outcome:
    files = _surface()
    # A settings file is the only way to ask for the strict mode; paths in it are relative to it.
    settings = lay_out() / "pyrightconfig.json"
    names = [os.path.relpath(ROOT / file, settings.parent) for file in files]
    content = {
        "include": names,
        "extraPaths": ["."],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "exclude": [],
    }
    settings.write_text(json.dumps(content, indent=2), encoding="utf-8")
    command = ("-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(settings))
    _, output = _python_tool(*command, PYRIGHT_PYTHON_IGNORE_WARNINGS="1")
    try:
        report = json.loads(output[output.index("{") :])
    except ValueError:
        return Outcome(False, "pyright did not answer", output)
    problems = [
        f"{item['file']}:{item['range']['start']['line'] + 1}: {item['severity']}: {item['message']}"
        for item in report["generalDiagnostics"]
    ]
    analyzed = report["summary"]["filesAnalyzed"]
    if not problems and analyzed != len(files):
        return Outcome(False, f"looked at {analyzed} files, but there are {len(files)}", output)
    return Outcome(not problems, f"{len(problems)} problems in {analyzed} files", "\n".join(problems))


def import_contracts() -> Outcome:
    # Both look for the package from where they stand, so they stand in the mapped tree. The linter counts the modules
    # of others too; its graph does not. No cache: it takes no notice of a module that appears beside an old one.
    count = "import grimp; print(len(grimp.build_graph('protocheck', cache_dir=None).modules))"
    code, seen = _python_tool("-c", count, cwd=lay_out())
    expected = len(source_files())
    if code != 0 or seen != str(expected):
        return Outcome(False, f"sees {seen if code == 0 else 'no'} modules, but there are {expected}", seen)
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    settings = str(ROOT / "pyproject.toml")
    return _by_exit_code(*_python_tool("-c", lint, "--config", settings, "--no-cache", "--no-logo", cwd=lay_out()))


def generated_modules() -> Outcome:
    return _by_exit_code(*_python_tool("-m", "protocheck", "generate", "--check"))


def tests() -> Outcome:
    """pytest, its output shown as it comes."""
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={CACHE / 'pytest'}"]
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis")}
    code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    return Outcome(code == 0, "" if code == 0 else f"pytest exited with {code}")


STEPS = (
    Step("lint", "ruff check", ruff_lint),
    Step("format", "ruff format --check", ruff_format),
    Step("imports", "import-linter: imports run one way", import_contracts),
    Step("types", "mypy --strict over all packages", mypy_packages),
    Step("surface-mypy", "mypy --strict over protocols and examples", mypy_surface),
    Step("surface-pyright", "pyright, strict, over protocols and examples", pyright_surface, slow=True),
    Step("generated", "protocheck generate --check", generated_modules),
    Step("tests", "pytest", tests, slow=True),
)


# ------------------------------------------------------------------------------------------------------- the command


def run_steps(steps: Sequence[Step]) -> Iterator[tuple[Step, Outcome, float]]:
    """Run the steps in order; one that fails does not keep the others from running."""
    for step in steps:
        start = time.monotonic()
        try:
            outcome = step.run()
        except (OSError, KeyError, ValueError) as error:
            outcome = Outcome(False, f"{type(error).__name__}: {error}")
        yield step, outcome, time.monotonic() - start


def check(steps: Sequence[Step]) -> int:
    """Run the steps and print a row for each, with the output of those that failed; 0 where all passed."""
    if not (ROOT / "pyproject.toml").is_file():
        raise NoCheckout(f"{ROOT} is no checkout of protocheck: there is no pyproject.toml")
    width = max(len(step.name) for step in steps)
    failed: list[str] = []
    for step, outcome, seconds in run_steps(steps):
        if not outcome.passed:
            failed.append(step.name)
            print(f"\n{outcome.output}\n")
        mark = "ok  " if outcome.passed else "FAIL"
        summary = f": {outcome.summary}" if outcome.summary else ""
        print(f"{mark}  {step.name:<{width}}  {seconds:6.1f} s  {step.what}{summary}", flush=True)
    print(f"\n{len(failed)} of {len(steps)} failed: {', '.join(failed)}" if failed else f"\nall {len(steps)} passed")
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `python -m protocheck.dev`."""
    names = [step.name for step in STEPS]
    parser = argparse.ArgumentParser(prog="python -m protocheck.dev", description="What CI runs; writes to build/.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="lint, types, imports, generated modules, tests")
    command.add_argument("steps", nargs="*", metavar="STEP", help=f"only these: {', '.join(names)}")
    command.add_argument("--fast", action="store_true", help="leave out the slow ones")
    command.add_argument("--skip", action="append", default=[], choices=names, help="leave out this one")
    chosen = parser.parse_args(arguments)
    for name in chosen.steps:
        if name not in names:
            parser.error(f"there is no step {name} (there are {', '.join(names)})")
    steps = [
        step
        for step in STEPS
        if (step.name in chosen.steps if chosen.steps else not (chosen.fast and step.slow))
        and step.name not in chosen.skip
    ]
    if not steps:
        parser.error("nothing is left to run")
    try:
        return check(steps)
    except NoCheckout as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
