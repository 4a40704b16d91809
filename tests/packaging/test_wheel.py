"""What users install: the wheel is built out of the sdist, put into a fresh environment, and runs from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocheck.dev import ROOT, mapped_packages

NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)
DATA = {".j2", ".c", ".js", ".css", ".html", ".tla", ".cfg", ".lark", ".json", ".safetensors", ".typed"}


@dataclass(frozen=True)
class Distribution:
    wheel: Path
    sdist: Path


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the wheel in it."""

    bin: Path
    elsewhere: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        program = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(program, cwd=self.elsewhere, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """Built in a copy: setuptools would take leftovers of an earlier build along, and leave its own."""
    folder = tmp_path_factory.mktemp("distribution")
    clone = shutil.copytree(ROOT, folder / "clone", ignore=NOT_SOURCE)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(clone)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return Distribution(*folder.glob("*.whl"), *folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, str(distribution.wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # The dependencies come from this environment. Its own .pth files are not read from there, so the editable
    # installation of the checkout stays out.
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    yield Installed(python.parent, elsewhere)
    # Hundreds of megabytes in a folder that pytest keeps would add up.
    shutil.rmtree(folder)


def package_files() -> set[Path]:
    """Every file of the packages that belongs into a distribution."""
    folders = mapped_packages().values()
    data = {file for folder in folders for file in folder.rglob("*") if file.suffix in DATA}
    return {file for folder in folders for file in folder.glob("*.py")} | data


def installed_name(file: Path) -> str:
    """Where a file of the checkout is installed."""
    place = file.relative_to(ROOT)
    return (place if place.parts[0] == "protocheck" else "protocheck" / place).as_posix()


def test_the_wheel_holds_every_file_of_the_packages(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {installed_name(file) for file in package_files()}


def test_the_wheel_installs_one_top_level_module(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"protocheck"}


def test_templates_and_generated_modules_are_in_the_wheel(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        names = set(archive.namelist())
    assert {f"protocheck/templates/{name}" for name in ("module.tla.j2", "model.cfg.j2", "explorer.py.j2")} <= names
    for protocol in ("rollback", "dispatch", "acceptance"):
        folder = f"protocheck/generated_tla/{protocol}/"
        kinds = {Path(name).suffix for name in names if name.startswith(folder)}
        assert kinds == {".tla", ".cfg"}, f"{folder} is not in the wheel"


def test_the_sdist_holds_every_file_of_the_packages(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {file.relative_to(ROOT).as_posix() for file in package_files()}
    assert expected <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_the_wheel_carries_the_licence_and_its_name(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        names = archive.namelist()
    assert "\nName: protocheck-tla\n" in text
    assert "\nLicense-Expression: Apache-2.0\n" in text
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_wheel_tells_pytest_of_its_plugin(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        entries = next(name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        text = archive.read(entries).decode()
    assert "[pytest11]\nprotocheck = protocheck.testing.plugin\n" in text


def test_the_wheel_is_what_runs(installed: Installed) -> None:
    done = installed.run("python", "-c", "import protocheck, protocheck.transpiler.ir as ir; print(ir.__file__)")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.bin.parent)


def test_the_main_command_runs_from_the_wheel(installed: Installed) -> None:
    done = installed.run("protocheck", "run", "rollback", "--mutate", "--engine", "explorer")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no_ghost_reads" in done.stdout
    assert list(installed.elsewhere.iterdir()) == []


def test_modules_are_generated_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("protocheck", "generate", "rollback", "--output", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    written = {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "rollback").iterdir()}
    checked_in = {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "generated_tla/rollback").iterdir()}
    assert written == checked_in


def test_the_development_command_needs_a_checkout(installed: Installed) -> None:
    done = installed.run("python", "-m", "protocheck.dev", "check")
    assert done.returncode == 2
    assert "is no checkout of protocheck" in done.stderr
