"""`class X(Protocol, refines=Y)` → the claim as IR: an abstraction for each constant and variable of Y, checked to fit.

    @abstraction                                   Abstraction("length", length())
    def length(self) -> int: …           →
    (no method, but a variable `pending`)          Abstraction("pending", self.pending)

What has the same name on both sides stands for itself, as in TLA+.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping

from . import ir, traverse
from .coercion import fit
from .declarations import Declarations, DeclaredMethod
from .diagnostics import Code, CompileError, Diagnostic, Span
from .language import Protocol
from .valuetypes import an

Compile = Callable[[type[Protocol]], ir.Protocol]


def refinement_of(
    declarations: Declarations,
    protocol: ir.Protocol,
    compile_abstract: Compile,
    problems: list[Diagnostic],
) -> ir.Refinement | None:
    """The refinement that a protocol claims; what is wrong with it is appended to `problems`, and None returned.

    `protocol` is the refining protocol without its refinement; its abstractions are helpers there, those that do not
    compile left out.
    """
    wanted = declarations.refines
    if wanted is None:
        problems += _without_refined(declarations)
        return None
    found = list(_unusable(declarations, wanted))
    if found:
        problems += found
        return None
    try:
        abstract = compile_abstract(wanted)
    except CompileError as error:
        first = error.diagnostics[0]
        problems.append(
            Diagnostic(
                Code.REFINEMENT,
                declarations.span,
                f"{wanted.__name__}, which is refined, does not compile",
                f"{first.span}: {first.code.value}: {first.message}",
                f"correct {wanted.__name__} first",
            )
        )
        return None
    return _Claim(declarations, protocol, abstract, problems).refinement()


def _without_refined(declarations: Declarations) -> Iterator[Diagnostic]:
    for method in declarations.methods("abstraction"):
        yield Diagnostic(
            Code.REFINEMENT,
            method.span,
            f"{method.name} is an abstraction, but {declarations.python.__name__} refines nothing",
            "an abstraction says what a variable or constant of the refined protocol is",
            f"write `class {declarations.python.__name__}(Protocol, refines=…)`, or make it a @helper",
        )


def _unusable(declarations: Declarations, wanted: type[Protocol]) -> Iterator[Diagnostic]:
    own, span = declarations.python, declarations.span
    chain = [own.__name__]
    seen = {own}
    at: type[Protocol] | None = wanted
    while at is not None:
        chain.append(at.__name__)
        if at in seen:
            reason = "a protocol that refines itself, directly or through others, claims nothing"
            yield Diagnostic(Code.REFINEMENT, span, f"the refinement goes round: {' → '.join(chain)}", reason)
            return
        seen.add(at)
        at = at.__protocheck_refines__
    if wanted.__name__ == own.__name__:
        yield Diagnostic(
            Code.REFINEMENT,
            span,
            f"{own.__name__} refines a protocol of the same name",
            "both become modules of TLA+, which stand side by side",
            "give the class another name",
        )


class _Claim:
    """The abstractions of one refinement, looked for one by one."""

    def __init__(
        self, declarations: Declarations, protocol: ir.Protocol, abstract: ir.Protocol, problems: list[Diagnostic]
    ) -> None:
        self.declarations = declarations
        self.protocol = protocol
        self.abstract = abstract
        self.problems = problems
        self.methods: Mapping[str, DeclaredMethod] = {item.name: item for item in declarations.methods("abstraction")}

    def refinement(self) -> ir.Refinement | None:
        before = len(self.problems)
        found = [self.abstraction(item, "constant") for item in self.abstract.constants]
        found += [self.abstraction(item, "variable") for item in self.abstract.variables]
        self.superfluous()
        abstractions = tuple(item for item in found if item is not None)
        # One that is missing without a diagnostic of its own does not compile, which has been said.
        if len(self.problems) > before or len(abstractions) < len(found):
            return None
        return ir.Refinement(self.abstract, abstractions, span=self.declarations.span)

    def refuse(self, span: Span, message: str, reason: str = "", remedy: str = "") -> None:
        self.problems.append(Diagnostic(Code.REFINEMENT, span, message, reason, remedy))

    def abstraction(self, item: ir.Constant | ir.Variable, kind: str) -> ir.Abstraction | None:
        what = f"the {kind} {item.name} of {self.abstract.name}"
        value = self.value(item.name)
        if value is None:
            if item.name not in self.methods:
                self.refuse(
                    self.declarations.span,
                    f"there is no abstraction of {what}",
                    f"{self.protocol.name} refines {self.abstract.name}: all of its state must mean something here",
                    f"write `@abstraction` above `def {item.name}(self) -> {item.type}`",
                )
            return None
        if kind == "constant" and (read := traverse.variables_of(value, self.protocol)):
            self.refuse(
                value.span,
                f"the abstraction of {what} reads {', '.join(sorted(read))}",
                "a constant has one value in a whole check",
                "compute it from constants alone",
            )
            return None
        fitted = fit(value, item.type)
        if fitted is None:
            message = f"{an(value.type)} stands for {what}, which is {an(item.type)}"
            self.refuse(value.span, message, "what is compared must be of one type", f"give it the type of {what}")
            return None
        return ir.Abstraction(item.name, fitted, span=value.span)

    def value(self, name: str) -> ir.Expr | None:
        """What stands for a name: the abstraction, or else the variable or constant of that name."""
        method = self.methods.get(name)
        if method is not None:
            helper = next((item for item in self.protocol.helpers if item.name == name), None)
            return None if helper is None else ir.Call(name, (), type=helper.type, span=method.span)
        for variable in self.protocol.variables:
            if variable.name == name:
                return ir.VariableRef(name, type=variable.type, span=variable.span)
        for constant in self.protocol.constants:
            if constant.name == name:
                return ir.ConstantRef(name, type=constant.type, span=constant.span)
        return None

    def superfluous(self) -> None:
        names = [item.name for item in self.abstract.constants] + [item.name for item in self.abstract.variables]
        claimant = next(base for base in self.declarations.python.__mro__ if "__protocheck_refines__" in vars(base))
        for name, method in self.methods.items():
            # What a base declares for a claim of its own is a helper here.
            inherited = method.owner.python is not claimant and issubclass(claimant, method.owner.python)
            if name not in names and not inherited:
                near = difflib.get_close_matches(name, names, 1)
                self.refuse(
                    method.span,
                    f"{self.abstract.name} has no constant or variable {name}",
                    "an abstraction has the name of what it stands for",
                    f"did you mean {near[0]}?" if near else f"it has {', '.join(names)}",
                )


__all__ = ["refinement_of"]
