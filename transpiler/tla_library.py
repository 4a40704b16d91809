"""Small operators that make up the difference between Python's meaning rules and TLA+'s, defined only where used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING

from .traverse import fresh_name

if TYPE_CHECKING:
    from .tla_names import Names  # which keeps the names of these operators free


@dataclass(frozen=True)
class Operator:
    """A definition whose bound names and operators are filled in, so that they collide with nothing of the user's.

    `bound` are the names that it binds, `uses` the operators of this library and `modules` the standard modules that
    it needs.
    """

    text: str
    comment: str
    bound: tuple[str, ...]
    uses: tuple[str, ...] = ()
    modules: tuple[str, ...] = ("Integers",)


LIBRARY: Mapping[str, Operator] = {
    "Abs": Operator("$Abs($n) == IF $n < 0 THEN -$n ELSE $n", "The absolute value.", ("n",)),
    "Min": Operator("$Min($m, $n) == IF $m <= $n THEN $m ELSE $n", "The smaller of two integers.", ("m", "n")),
    "Max": Operator("$Max($m, $n) == IF $m >= $n THEN $m ELSE $n", "The larger of two integers.", ("m", "n")),
    "FloorDiv": Operator(
        r"$FloorDiv($m, $n) == IF $n > 0 THEN $m \div $n ELSE (-$m) \div (-$n)",
        r"Python's m // n, rounded down; \div is defined for positive divisors only.",
        ("m", "n"),
    ),
    "Modulo": Operator(
        "$Modulo($m, $n) == IF $n > 0 THEN $m % $n ELSE -((-$m) % (-$n))",
        "Python's m % n, with the sign of n; TLA+'s is defined for positive divisors only.",
        ("m", "n"),
    ),
    "MinOf": Operator(
        r"$MinOf($S) == CHOOSE $n \in $S : \A $m \in $S : $n <= $m",
        "The least element of a set that has one.",
        ("S", "n", "m"),
    ),
    "MaxOf": Operator(
        r"$MaxOf($S) == CHOOSE $n \in $S : \A $m \in $S : $n >= $m",
        "The greatest element of a set that has one.",
        ("S", "n", "m"),
    ),
    "MinOr": Operator(
        "$MinOr($S, $default) == IF $S = {} THEN $default ELSE $MinOf($S)",
        "The least element of a set, or a default for the empty one.",
        ("S", "default"),
        ("MinOf",),
    ),
    "MaxOr": Operator(
        "$MaxOr($S, $default) == IF $S = {} THEN $default ELSE $MaxOf($S)",
        "The greatest element of a set, or a default for the empty one.",
        ("S", "default"),
        ("MaxOf",),
    ),
    "SumOf": Operator(
        "RECURSIVE $SumOver(_, _)\n"
        "$SumOver($f, $S) ==\n"
        "    IF $S = {} THEN 0\n"
        "    ELSE LET $x == CHOOSE $x_chosen \\in $S : TRUE\n"
        "         IN $f[$x] + $SumOver($f, $S \\ {$x})\n"
        "$SumOf($f_summed) == $SumOver($f_summed, DOMAIN $f_summed)",
        "The sum of a function's values, one for each element of its domain.",
        ("f", "S", "x", "x_chosen", "f_summed", "SumOver"),
    ),
    "Elements": Operator(
        r"$Elements($s) == {$s[$n] : $n \in DOMAIN $s}", "The elements of a sequence.", ("s", "n"), modules=()
    ),
    "At": Operator(
        "$At($s, $n) == IF $n < 0 THEN $s[Len($s) + $n + 1] ELSE $s[$n + 1]",
        "Python's s[n]: counted from 0, negative from the end.",
        ("s", "n"),
        modules=("Integers", "Sequences"),
    ),
    "Clip": Operator(
        "$Clip($n, $length) == IF $n < 0 THEN $Max($n + $length, 0) ELSE $Min($n, $length)",
        "A bound of a slice, Python's way: negative from the end, never outside.",
        ("n", "length"),
        ("Min", "Max"),
    ),
    "Take": Operator(
        "$Take($s, $n) == SubSeq($s, 1, $Min($n, Len($s)))",
        "Python's s[:n], for an n that is not negative.",
        ("s", "n"),
        ("Min",),
        modules=("Integers", "Sequences"),
    ),
    "Slice": Operator(
        "$Slice($s, $start, $stop) == SubSeq($s, $Clip($start, Len($s)) + 1, $Clip($stop, Len($s)))",
        "Python's s[start:stop].",
        ("s", "start", "stop"),
        ("Clip",),
        modules=("Integers", "Sequences"),
    ),
    "BoundedSeq": Operator(
        r"$BoundedSeq($S, $low, $high) == UNION {[1..$n -> $S] : $n \in $low..$high}",
        "The sequences over S of the given lengths.",
        ("S", "low", "high", "n"),
    ),
    "SymmetricDifference": Operator(
        r"$SymmetricDifference($S, $T) == ($S \ $T) \cup ($T \ $S)",
        "What is in one of two sets but not in both.",
        ("S", "T"),
        modules=(),
    ),
}


@dataclass
class Used:
    """What the text rendered so far needs: the one thing that rendering collects on its way."""

    names: Names
    operators: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    none: bool = False
    enumerations: dict[type, None] = field(default_factory=dict)

    def operator(self, name: str) -> str:
        """Use an operator of the library; returns what it is called in this module."""
        self.operators.add(name)
        operator = LIBRARY[name]
        self.modules.update(operator.modules)
        for other in operator.uses:
            self.operator(other)
        return self.names.library[name]

    def standard(self, operator: str, module: str) -> str:
        """Use an operator of a standard module."""
        self.modules.add(module)
        return operator

    def null(self) -> str:
        """Use the model value that stands for None."""
        self.none = True
        return self.names.none

    def enumeration(self, python: type) -> str:
        """Use the set of an Enum's members."""
        self.enumerations[python] = None
        return self.names.enumerations[python]


def definition(names: Names, name: str) -> str:
    """The text of a library operator's definition."""
    operator = LIBRARY[name]
    bound = {word: fresh_name(word, names.taken) for word in operator.bound}
    return Template(operator.text).substitute({**names.library, **bound})
