------------------------------- MODULE Chooser -------------------------------
\* Generated from the class Chooser; edit that, not this.
EXTENDS Integers, FiniteSets

CONSTANTS Top

VARIABLES
    secret,  \* ghost
    budget,
    seen,
    flags

vars == <<secret, budget, seen, flags>>

Phase ==
    {"Phase.FREE", "Phase.FULL"}

TypeOK ==
    /\ secret \subseteq 0..Top
    /\ budget \in 0..Top
    /\ seen \subseteq 0..Top
    /\ flags \in [Phase -> BOOLEAN]

--------------------------------------------------------------------------------

Init ==
    \E chosen \in SUBSET (0..Top) :
    \E n \in 0..Top :
        LET doubled == n * 2
        IN
        /\ Cardinality(chosen) <= n  \* assumed
        /\ secret = chosen
        /\ budget = doubled \div 2
        /\ seen = {}
        /\ flags = [p \in Phase |-> FALSE]

LookGuards(x) ==
    /\ fresh:: x \notin seen

Look(x) ==
    /\ x \in secret  \* assumed
    /\ LookGuards(x)
    /\ seen' = seen \cup {x}
    /\ budget' = budget - 1
    /\ UNCHANGED <<secret, flags>>

RaiseFlag(p) ==
    /\ flags' = [flags EXCEPT ![p] = TRUE]
    /\ UNCHANGED <<secret, budget, seen>>

Terminated ==
    /\ \A p \in Phase : flags[p]
    /\ UNCHANGED vars

Next ==
    \/ \E x \in 0..Top : Look(x)
    \/ \E p \in Phase : RaiseFlag(p)
    \/ Terminated

Spec ==
    /\ Init
    /\ [][Next]_vars
    /\ \A x \in 0..Top : WF_vars(Look(x))

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

Honest ==
    seen \subseteq secret

Counted ==
    Cardinality(secret \ seen) + 0 <= budget

EverythingSeen ==
    <>(seen = secret)

================================================================================
