------------------------------- MODULE TwoPhaseCommit -------------------------------
\* Generated from the class TwoPhaseCommit; edit that, not this.

CONSTANTS Rms

VARIABLES
    rm_state,
    tm_state,
    tm_prepared,
    messages

vars == <<rm_state, tm_state, tm_prepared, messages>>

TypeOK ==
    /\ rm_state \in [Rms -> {"working", "prepared", "committed", "aborted"}]
    /\ tm_state \in {"init", "committed", "aborted"}
    /\ tm_prepared \subseteq Rms
    /\ messages \subseteq [type: {"Prepared"}, rm: Rms] \cup [type: {"Commit"}] \cup [type: {"Abort"}]

--------------------------------------------------------------------------------

Init ==
    /\ rm_state = [rm \in Rms |-> "working"]
    /\ tm_state = "init"
    /\ tm_prepared = {}
    /\ messages = {}

ReceivePreparedGuards(rm) ==
    /\ undecided:: tm_state = "init"
    /\ was_sent:: [type |-> "Prepared", rm |-> rm] \in messages

ReceivePrepared(rm) ==
    /\ ReceivePreparedGuards(rm)
    /\ tm_prepared' = tm_prepared \cup {rm}
    /\ UNCHANGED <<rm_state, tm_state, messages>>

DecideCommitGuards ==
    /\ undecided:: tm_state = "init"
    /\ all_prepared:: tm_prepared = Rms

DecideCommit ==
    /\ DecideCommitGuards
    /\ tm_state' = "committed"
    /\ messages' = messages \cup {[type |-> "Commit"]}
    /\ UNCHANGED <<rm_state, tm_prepared>>

DecideAbortGuards ==
    /\ undecided:: tm_state = "init"

DecideAbort ==
    /\ DecideAbortGuards
    /\ tm_state' = "aborted"
    /\ messages' = messages \cup {[type |-> "Abort"]}
    /\ UNCHANGED <<rm_state, tm_prepared>>

PrepareGuards(rm) ==
    /\ is_working:: rm_state[rm] = "working"

Prepare(rm) ==
    /\ PrepareGuards(rm)
    /\ rm_state' = [rm_state EXCEPT ![rm] = "prepared"]
    /\ messages' = messages \cup {[type |-> "Prepared", rm |-> rm]}
    /\ UNCHANGED <<tm_state, tm_prepared>>

ChooseToAbortGuards(rm) ==
    /\ is_working:: rm_state[rm] = "working"

ChooseToAbort(rm) ==
    /\ ChooseToAbortGuards(rm)
    /\ rm_state' = [rm_state EXCEPT ![rm] = "aborted"]
    /\ UNCHANGED <<tm_state, tm_prepared, messages>>

ReceiveCommitGuards(rm) ==
    /\ was_sent:: [type |-> "Commit"] \in messages

ReceiveCommit(rm) ==
    /\ ReceiveCommitGuards(rm)
    /\ rm_state' = [rm_state EXCEPT ![rm] = "committed"]
    /\ UNCHANGED <<tm_state, tm_prepared, messages>>

ReceiveAbortGuards(rm) ==
    /\ was_sent:: [type |-> "Abort"] \in messages

ReceiveAbort(rm) ==
    /\ ReceiveAbortGuards(rm)
    /\ rm_state' = [rm_state EXCEPT ![rm] = "aborted"]
    /\ UNCHANGED <<tm_state, tm_prepared, messages>>

Next ==
    \/ \E rm \in Rms : ReceivePrepared(rm)
    \/ DecideCommit
    \/ DecideAbort
    \/ \E rm \in Rms : Prepare(rm)
    \/ \E rm \in Rms : ChooseToAbort(rm)
    \/ \E rm \in Rms : ReceiveCommit(rm)
    \/ \E rm \in Rms : ReceiveAbort(rm)

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

Consistent ==
    \A a \in Rms, b \in Rms : ~(rm_state[a] = "aborted" /\ rm_state[b] = "committed")

Never_CanCommit ==
    ~(\A rm \in Rms : rm_state[rm] = "committed")

================================================================================
