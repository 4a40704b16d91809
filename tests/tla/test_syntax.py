"""Parentheses: where the parser of TLA+ needs them, and nowhere else."""

from __future__ import annotations

import pytest

from protocheck.transpiler.tla_syntax import (
    Text,
    applied,
    atom,
    braces,
    field,
    if_then_else,
    infix,
    joined,
    let,
    negated,
    negative,
    number,
    prefix,
    primed,
    quantified,
    string,
)

A, B, C = atom("a"), atom("b"), atom("c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (infix("-", A, infix("%", B, C)), "a - (b % c)"),
        (infix("+", infix("%", A, B), C), "(a % b) + c"),
        (infix("-", infix("-", A, B), C), "a - b - c"),
        (infix("-", A, infix("-", B, C)), "a - (b - c)"),
        (infix("+", infix("-", A, B), C), "a - b + c"),
        (infix("-", infix("+", A, B), C), "(a + b) - c"),
        (infix("*", infix("*", A, B), C), "a * b * c"),
        (infix("\\div", infix("*", A, B), C), "(a * b) \\div c"),
        (infix("+", A, infix("*", B, C)), "a + b * c"),
        (infix("*", A, infix("+", B, C)), "a * (b + c)"),
        (infix("*", A, number(-2)), "a * (-2)"),
        (infix("-", A, number(-2)), "a - (-2)"),
        (infix("+", number(-2), A), "-2 + a"),
        (infix("*", negative(A), B), "(-a) * b"),
        (infix("=", A, number(-1)), "a = -1"),
        (negative(infix("+", A, B)), "-(a + b)"),
        (negative(negative(A)), "-(-a)"),
        (infix("..", number(0), infix("-", A, number(1))), "0..(a - 1)"),
        (infix("..", number(-3), A), "(-3)..a"),
        (joined("/\\", (A, B, C)), "a /\\ b /\\ c"),
        (infix("\\/", infix("/\\", A, B), C), "(a /\\ b) \\/ c"),
        (infix("=>", infix("/\\", A, B), C), "a /\\ b => c"),
        (infix("=>", A, infix("=>", B, C)), "a => (b => c)"),
        (infix("/\\", infix("=>", A, B), C), "(a => b) /\\ c"),
        (infix("/\\", infix("=", A, B), infix("\\in", B, C)), "a = b /\\ b \\in c"),
        (infix("=", infix("=", A, B), C), "(a = b) = c"),
        (infix("\\in", A, infix("\\cup", B, C)), "a \\in b \\cup c"),
        (infix("\\cup", infix("\\cup", A, B), C), "a \\cup b \\cup c"),
        (infix("\\cup", A, infix("\\cap", B, C)), "a \\cup (b \\cap c)"),
        (infix("\\", A, infix("\\", B, C)), "a \\ (b \\ c)"),
        (infix("\\cup", infix("\\", A, B), C), "(a \\ b) \\cup c"),
        (infix("\\o", A, infix("\\o", B, C)), "a \\o (b \\o c)"),
        (infix("@@", infix(":>", A, B), infix(":>", B, C)), "a :> b @@ b :> c"),
        (infix(":>", A, infix("+", B, C)), "a :> b + c"),
        (negated(infix("=", A, B)), "~(a = b)"),
        (infix("/\\", negated(A), B), "~a /\\ b"),
        (infix("=", negated(A), B), "(~a) = b"),
        (prefix("SUBSET", infix("..", A, B)), "SUBSET (a..b)"),
        (infix("\\cup", prefix("UNION", A), B), "(UNION a) \\cup b"),
        (infix("\\subseteq", prefix("DOMAIN", A), B), "DOMAIN a \\subseteq b"),
        (applied(infix("+", A, B), C), "(a + b)[c]"),
        (field(applied(A, B), "c"), "a[b].c"),
        (field(primed(A), "c"), "a'.c"),
        (quantified("\\A x \\in S", infix("=>", A, B)), "\\A x \\in S : a => b"),
        (infix("/\\", quantified("\\E x \\in S", A), B), "(\\E x \\in S : a) /\\ b"),
        (infix("/\\", B, quantified("\\E x \\in S", A)), "b /\\ (\\E x \\in S : a)"),
        (infix("+", if_then_else(A, B, C), A), "(IF a THEN b ELSE c) + a"),
        (infix("=", A, let("x", B, C)), "a = (LET x == b IN c)"),
        (braces(if_then_else(A, B, C)), "{IF a THEN b ELSE c}"),
        (string('a"b\\c\n'), '"a\\"b\\\\c\\n"'),
    ],
)
def test_text(text: Text, expected: str) -> None:
    assert str(text) == expected
