"""The random machines themselves: all of the language occurs, and a failing one is made small."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings

from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.ircheck import check

from .features import WANTED_FORMS, forms_of, nodes_of, wanted_nodes
from .loading import loaded
from .machine import Machine, machine_of
from .reduce import reduced
from .strategies import machines

COUNT = 250


def test_all_of_the_language_occurs() -> None:
    """Every class of IR node, every operator, every kind of property, every form of source; `-s` shows how often."""
    nodes: Counter[str] = Counter()
    forms: Counter[str] = Counter()
    for seed in range(COUNT):
        machine = machine_of(seed)
        forms.update(set(forms_of(machine.source)))
        with loaded(machine) as cls:
            nodes.update(set(nodes_of(check(compile_protocol(cls)))))
    for what, count in sorted((nodes + forms).items()):
        print(f"{count:>5} of {COUNT}  {what}")
    assert not wanted_nodes() - set(nodes)
    assert not WANTED_FORMS - set(forms)
    assert set(forms) <= WANTED_FORMS


def test_a_seed_always_gives_the_same_machine() -> None:
    assert machine_of(7) == machine_of(7)
    assert machine_of(7).source != machine_of(8).source


@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(machines())
def test_hypothesis_draws_machines_that_compile(machine: Machine) -> None:
    with loaded(machine) as cls:
        check(compile_protocol(cls))


def test_a_failing_machine_is_made_small() -> None:
    machine = next(machine_of(seed) for seed in range(50) if "self.x += 1" in machine_of(seed).source)

    def fails(smaller: Machine) -> bool:
        return "self.x += 1" in smaller.source and "class Machine" in smaller.source

    small = reduced(machine, fails, most_tries=400)
    assert fails(small)
    assert len(small.source) < len(machine.source) / 4
