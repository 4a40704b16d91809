------------------------------- MODULE Rollback -------------------------------
\* KV-cache rollback: cut a rejected draft off the cache, but never under an attention read in flight.
\*
\* A cache of `length` rows grows by one row a token. Attention reads are in flight while further steps are scheduled;
\* `pending_reads` holds the position of each. When the target rejects a draft, the cache is cut back to `k` rows.
\*
\* Generated from the class Rollback (rollback.py:12); edit that, not this.
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

\* rollback.py:12
Init ==
    /\ length = 0
    /\ pending_reads = {}

ExtendGuards ==
    /\ room_left:: length < MaxLen  \* rollback.py:23

\* One more row is written behind the last.
\* rollback.py:21
Extend ==
    /\ ExtendGuards
    /\ length' = length + 1
    /\ UNCHANGED pending_reads

StartReadGuards(i) ==
    /\ inside_tail:: i <= length  \* rollback.py:29

\* An attention read of the rows up to i is launched.
\* rollback.py:27
StartRead(i) ==
    /\ StartReadGuards(i)
    /\ pending_reads' = pending_reads \cup {i}
    /\ UNCHANGED length

FinishReadGuards(i) ==
    /\ is_pending:: i \in pending_reads  \* rollback.py:35

\* The read has returned.
\* rollback.py:33
FinishRead(i) ==
    /\ FinishReadGuards(i)
    /\ pending_reads' = pending_reads \ {i}
    /\ UNCHANGED length

RollbackGuards(k) ==
    /\ shrinks:: k < length  \* rollback.py:42
    /\ no_reader_above:: \A i \in pending_reads : i <= k  \* rollback.py:43

\* Rows above k are cut off.
\* rollback.py:39
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

\* No read is in flight beyond the last row.
\* rollback.py:48
NoGhostReads ==
    \A i \in pending_reads : i <= length

\* A row appears only behind the last one, one at a time.
\* rollback.py:53
GrowsByOne ==
    [][length' <= length + 1]_vars

================================================================================
