------------------------------- MODULE Arithmetic -------------------------------
\* Generated from the class Arithmetic; edit that, not this.
EXTENDS Integers, FiniteSets

CONSTANTS Half

VARIABLES
    n,
    window

vars == <<n, window>>

\* The smaller of two integers.
Min(m, n_2) == IF m <= n_2 THEN m ELSE n_2

\* The larger of two integers.
Max(m, n_2) == IF m >= n_2 THEN m ELSE n_2

\* Python's m % n, with the sign of n; TLA+'s is defined for positive divisors only.
Modulo(m, n_2) == IF n_2 > 0 THEN m % n_2 ELSE -((-m) % (-n_2))

\* The least element of a set that has one.
MinOf(S) == CHOOSE n_2 \in S : \A m \in S : n_2 <= m

\* The sum of a function's values, one for each element of its domain.
RECURSIVE SumOver(_, _)
SumOver(f, S) ==
    IF S = {} THEN 0
    ELSE LET x == CHOOSE x_chosen \in S : TRUE
         IN f[x] + SumOver(f, S \ {x})
SumOf(f_summed) == SumOver(f_summed, DOMAIN f_summed)

TypeOK ==
    /\ n \in (-4)..5
    /\ window \subseteq (-1)..1

Square(v) ==
    v * v

--------------------------------------------------------------------------------

Init ==
    /\ n = -4
    /\ window = {0}

MoveGuards(x) ==
    /\ inside:: n + x >= -4 /\ n + x <= 5

Move(x) ==
    /\ MoveGuards(x)
    /\ n' = LET t == n + x IN IF Modulo(t, -3) = -1 THEN t \div 2 ELSE t
    /\ UNCHANGED window

SpreadGuards ==
    /\ positive:: n > 0

Spread ==
    /\ SpreadGuards
    /\ window' = UNION {{(x + y) % 2 : y \in {y \in 0..(n - 1) : y # x /\ y < 2}} : x \in window}
    /\ UNCHANGED n

ShiftGuards ==
    /\ has_some:: Cardinality(window) > 0

Shift ==
    LET least == MinOf(window)
    IN
    /\ ShiftGuards
    /\ n' = Min(5, Max(-4, n - least))
    /\ window' = (-1)..1 \ (window \cap {least})

Next ==
    \/ \E x \in (-2)..2 : Move(x)
    \/ Spread
    \/ Shift

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    /\ ShiftGuards => window # {}

Squares ==
    SumOf([x \in window |-> Square(x)]) >= 0

Never_Far ==
    ~(n = 5)

================================================================================
