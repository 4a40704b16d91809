------------------------------- MODULE Slots -------------------------------
\* Generated from the class Slots; edit that, not this.
EXTENDS Integers, FiniteSets, TLC

CONSTANTS None

VARIABLES
    table,
    log

vars == <<table, log>>

\* What is in one of two sets but not in both.
SymmetricDifference(S, T) == (S \ T) \cup (T \ S)

TypeOK ==
    /\ table \in [BOOLEAN -> [owner: {None} \cup {"a", "b"}, version: 0..2, tags: SUBSET (0..1)]]
    /\ log \in {"a", "b"} \X BOOLEAN

VersionOf(b) ==
    table[b].version

\* version_of, in the state after the step.
VersionOfAfter(b) ==
    table'[b].version

IsOwned(s) ==
    s.owner # None

--------------------------------------------------------------------------------

Init ==
    /\ table =    FALSE :> [owner |-> None, version |-> 0, tags |-> {}]
               @@ TRUE :> [owner |-> None, version |-> 0, tags |-> {}]
    /\ log = <<"a", FALSE>>

ClaimGuards(b, who) ==
    /\ is_free:: ~IsOwned(table[b])
    /\ young:: VersionOf(b) < 2

Claim(b, who) ==
    LET entry == table[b]
    IN
    /\ ClaimGuards(b, who)
    /\ table' = [table EXCEPT
                    ![b] = [entry EXCEPT !.owner = who, !.version = entry.version + 1]]
    /\ log' = <<who, b>>

ReleaseGuards(b) ==
    LET entry == table[b]
    IN
    /\ is_owned:: IsOwned(entry)

Release(b) ==
    LET entry == table[b]
        holder == entry.owner
        bit == IF holder = "a" THEN 0 ELSE 1
    IN
    /\ ReleaseGuards(b)
    /\ table' = [table EXCEPT
                    ![b] = [entry EXCEPT !.owner = None, !.tags = IF entry.version >= 1 THEN SymmetricDifference(entry.tags, {bit}) ELSE entry.tags]]
    /\ UNCHANGED log

Terminated ==
    /\ \A b \in {FALSE, TRUE} : VersionOf(b) = 2
    /\ UNCHANGED vars

Next ==
    \/ \E b \in BOOLEAN : \E who \in {"a", "b"} : Claim(b, who)
    \/ \E b \in BOOLEAN : Release(b)
    \/ Terminated

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    /\ \A b \in BOOLEAN :
           LET entry == table[b]
           IN  ReleaseGuards(b) => entry.owner # None
    /\ \A b \in BOOLEAN :
           LET entry == table[b]
               holder == entry.owner
           IN  ReleaseGuards(b) => holder \in {"a", "b"}

TagsSmall ==
    \A b \in {FALSE, TRUE} : Cardinality(table[b].tags) <= 2

VersionsGrow ==
    [][\A b \in {FALSE, TRUE} : VersionOf(b) <= VersionOfAfter(b)]_vars

LogIsOwner ==
    log[2] \/ log[1] \in {"a", "b"}

Never_TagOne ==
    ~(\E b \in {TRUE}, t \in 1..1 : t \in table[b].tags)

================================================================================
