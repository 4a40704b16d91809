------------------------------- MODULE Rollback__rollback__no_reader_above -------------------------------
\* Cut a rejected draft off the cache, but never under an attention read in flight.
\*
\* Generated from the class Rollback; edit that, not this.
\* A variant: without the guard rollback.no_reader_above.
EXTENDS Integers

CONSTANTS MaxLen

VARIABLES
    length,
    pending_reads

vars == <<length, pending_reads>>

TypeOK ==
    /\ length \in 0..MaxLen
    /\ pending_reads \subseteq 1..MaxLen

--------------------------------------------------------------------------------

Init ==
    /\ length = 0
    /\ pending_reads = {}

ExtendGuards ==
    /\ room_left:: length < MaxLen

Extend ==
    /\ ExtendGuards
    /\ length' = length + 1
    /\ UNCHANGED pending_reads

StartReadGuards(i) ==
    /\ inside_tail:: i <= length

StartRead(i) ==
    /\ StartReadGuards(i)
    /\ pending_reads' = pending_reads \cup {i}
    /\ UNCHANGED length

FinishReadGuards(i) ==
    /\ is_pending:: i \in pending_reads

FinishRead(i) ==
    /\ FinishReadGuards(i)
    /\ pending_reads' = pending_reads \ {i}
    /\ UNCHANGED length

RollbackGuards(k) ==
    /\ shrinks:: k < length

Rollback(k) ==
    /\ RollbackGuards(k)
    /\ length' = k
    /\ UNCHANGED pending_reads

Next ==
    \/ Extend
    \/ \E i \in 1..MaxLen : StartRead(i)
    \/ \E i \in 1..MaxLen : FinishRead(i)
    \/ \E k \in 0..(MaxLen - 1) : Rollback(k)

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

NoGhostReads ==
    \A i \in pending_reads : i <= length

GrowsByOne ==
    [][length' <= length + 1]_vars

================================================================================
