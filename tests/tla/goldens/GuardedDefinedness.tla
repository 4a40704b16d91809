------------------------------- MODULE GuardedDefinedness -------------------------------
\* Generated from the class GuardedDefinedness; edit that, not this.
EXTENDS Integers, Sequences

VARIABLES
    stack

vars == <<stack>>

\* The smaller of two integers.
Min(m, n) == IF m <= n THEN m ELSE n

\* The larger of two integers.
Max(m, n) == IF m >= n THEN m ELSE n

\* The elements of a sequence.
Elements(s) == {s[n] : n \in DOMAIN s}

\* Python's s[n]: counted from 0, negative from the end.
At(s, n) == IF n < 0 THEN s[Len(s) + n + 1] ELSE s[n + 1]

\* A bound of a slice, Python's way: negative from the end, never outside.
Clip(n, length) == IF n < 0 THEN Max(n + length, 0) ELSE Min(n, length)

\* Python's s[start:stop].
Slice(s, start, stop) == SubSeq(s, Clip(start, Len(s)) + 1, Clip(stop, Len(s)))

TypeOK ==
    /\ stack \in Seq(0..2)
    /\ Len(stack) <= 2

--------------------------------------------------------------------------------

Init ==
    /\ stack = <<>>

PushGuards(x) ==
    /\ room:: Len(stack) < 2

Push(x) ==
    /\ PushGuards(x)
    /\ stack' = Append(stack, x)

PopBigGuards1 ==
    /\ not_empty:: Len(stack) > 0

PopBigGuards2 ==
    /\ is_big:: stack[Len(stack)] > 0

PopBigGuards ==
    /\ PopBigGuards1
    /\ PopBigGuards2

PopBig ==
    LET top == At(stack, Len(stack) - 1)
    IN
    /\ PopBigGuards
    /\ stack' = IF top = 2 THEN <<>> ELSE Slice(stack, 0, Len(stack) - 1)

ClearGuards ==
    /\ has_zero:: 0 \in Elements(stack)

Clear ==
    /\ ClearGuards
    /\ stack' = <<>>

Terminated ==
    /\ Len(stack) = 2
    /\ UNCHANGED vars

Next ==
    \/ \E x \in 0..2 : Push(x)
    \/ PopBig
    \/ Clear
    \/ Terminated

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    /\ PopBigGuards1 => Len(stack) > 0
    /\ PopBigGuards => Len(stack) > 0

================================================================================
