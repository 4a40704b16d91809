------------------------------- MODULE Starver -------------------------------
\* Generated from the class Starver; edit that, not this.
EXTENDS Integers

CONSTANTS None

VARIABLES
    holder,
    served

vars == <<holder, served>>

TypeOK ==
    /\ holder \in {None} \cup 0..1
    /\ served \subseteq 0..1

--------------------------------------------------------------------------------

Init ==
    /\ holder = None
    /\ served = {}

AcquireGuards(p) ==
    /\ free:: holder = None

Acquire(p) ==
    /\ AcquireGuards(p)
    /\ holder' = p
    /\ served' = served \cup {p}

ReleaseGuards(p) ==
    /\ held:: holder = p

Release(p) ==
    /\ ReleaseGuards(p)
    /\ holder' = None
    /\ UNCHANGED served

Next ==
    \/ \E p \in 0..1 : Acquire(p)
    \/ \E p \in 0..1 : Release(p)

Spec ==
    /\ Init
    /\ [][Next]_vars
    /\ \A p \in 0..1 : SF_vars(Acquire(p))
    /\ WF_vars(\E p \in 0..1 : Release(p))

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

BothServed ==
    <>(served = {0, 1})

EachAgain ==
    []<>(holder = 1)

================================================================================
