"""Many expressions in one run of TLC: each printed with its number, and read back as a plain value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocheck.toolchain.generate import config_text, module_text
from protocheck.toolchain.tlc.driver import TlcJob, Toolchain, run_tlc
from protocheck.toolchain.tlc.values import TlaTuple, parse_value
from protocheck.toolchain.tlc_decode import Decoder
from protocheck.transpiler import ir
from protocheck.transpiler.instance import Instance
from protocheck.transpiler.tla import Module, Variable, build_module, enumerations_of
from protocheck.transpiler.tla_config import Config, constants_of
from protocheck.transpiler.tla_expressions import outermost
from protocheck.transpiler.tla_library import LIBRARY, Used, definition
from protocheck.transpiler.tla_names import SPEC
from protocheck.transpiler.tla_operators import Conjunct, Operator
from protocheck.transpiler.tla_values import value_text

_PRINTED = re.compile(r"^<<\s*\d+,", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """An expression and the state in which it is evaluated."""

    expr: ir.Expr
    state: Mapping[str, Any]


def evaluate_all(instance: Instance, cases: Sequence[Case], toolchain: Toolchain | None = None) -> list[Any]:
    """The values that TLC gives the expressions, in order; fails where TLC gives one none."""
    module = evaluation_module(instance, cases)
    text = module_text(module)
    config = Config("", module.values.assignments, SPEC, ("Evaluated",), ())
    files = {"Evaluation.tla": text, "Evaluation.cfg": config_text(config)}
    run = run_tlc(TlcJob(files, "Evaluation", "Evaluation.cfg", timeout=120), toolchain)
    assert run.outcome.kind == "no_error", run.outcome.message + "\n" + _context(text, run.outcome.message)
    decoder = Decoder.of(module, {item.name: item.type for item in instance.protocol.variables})
    found: dict[int, Any] = {}
    for chunk in _chunks(run.outcome.output):
        pair = parse_value(chunk)
        assert isinstance(pair, TlaTuple)
        number, value = pair.items
        assert isinstance(number, int)
        found[number] = decoder.value(value, cases[number].expr.type)
    return [found[number] for number in range(len(cases))]


def evaluation_module(instance: Instance, cases: Sequence[Case]) -> Module:
    """The module of the protocol with one initial state a case, whose expression an invariant prints."""
    protocol = instance.protocol
    module = build_module(protocol, instance.constants)
    used = Used(module.names)
    used.null()
    scope = outermost(protocol, module.names, used)
    starts, values = [], []
    for number, case in enumerate(cases):
        parts = [f"case = {number}"]
        parts += [f"{module.names.variables[name]} = ({value_text(value, used)})" for name, value in case.state.items()]
        starts.append(Conjunct((" /\\ ".join(parts),)))
        values.append(f"case = {number} -> PrintT(<<{number}, {scope.text(case.expr)}>>)")
    library = [name for name in LIBRARY if name in used.operators]
    known = {comment for comment, _ in module.library}
    return replace(
        module,
        name="Evaluation",
        extends=("Integers", "Sequences", "FiniteSets", "TLC"),
        constants=tuple(dict.fromkeys((*module.constants, module.names.none))),
        values=constants_of(protocol, instance.constants, module.names, used),
        variables=(Variable("case", ""), *module.variables),
        library=(
            *module.library,
            *((LIBRARY[n].comment, definition(module.names, n)) for n in library if LIBRARY[n].comment not in known),
        ),
        enumerations=tuple(
            {operator.head: operator for operator in (*module.enumerations, *enumerations_of(used))}.values()
        ),
        init=Operator("Init", items=tuple(starts), bullet="\\/"),
        actions=(),
        next=Operator("Next", body=("UNCHANGED vars",)),
        spec=Operator("Spec", body=("Init /\\ [][Next]_vars",)),
        well_defined=(),
        properties=(Operator("Evaluated", body=(f"CASE {values[0]}", *(f"  [] {value}" for value in values[1:]))),),
    )


def _chunks(output: str) -> Iterable[str]:
    starts = [found.start() for found in _PRINTED.finditer(output)]
    for place, start in enumerate(starts):
        end = starts[place + 1] if place + 1 < len(starts) else len(output)
        yield output[start:end].strip()


def _context(text: str, message: str) -> str:
    """The lines of the module that an error message speaks of."""
    lines = text.splitlines()
    numbers = dict.fromkeys(int(found) for found in re.findall(r"line (\d+)", message))
    return "\n".join(f"{number}: {lines[number - 1]}" for number in numbers if number <= len(lines))
