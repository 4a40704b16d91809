"""`benchmarks` is not installed: it is loaded from its folder, without the project's root on the path."""

from __future__ import annotations

import importlib.util
import sys

from protocheck.dev import ROOT

if "benchmarks" not in sys.modules:
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location(
        "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)
