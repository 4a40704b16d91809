------------------------------- MODULE Wire -------------------------------
\* Generated from the class Wire; edit that, not this.
EXTENDS Integers

CONSTANTS None

VARIABLES
    on_wire,
    sender,
    receiver,
    done

vars == <<on_wire, sender, receiver, done>>

\* The larger of two integers.
Max(m, n) == IF m >= n THEN m ELSE n

TypeOK ==
    /\ on_wire # None => on_wire \in [type: {"Data"}, number: 0..1, last: BOOLEAN] \cup [type: {"Ack"}, number: 0..1]
    /\ sender \in 0..1
    /\ receiver \in 0..1
    /\ done \in BOOLEAN

--------------------------------------------------------------------------------

Init ==
    /\ on_wire = None
    /\ sender = 0
    /\ receiver = 0
    /\ done = FALSE

SendGuards ==
    /\ free:: on_wire = None

Send ==
    /\ SendGuards
    /\ on_wire' = [type |-> "Data", number |-> sender, last |-> sender = 1]
    /\ UNCHANGED <<sender, receiver, done>>

ReceiveGuards1 ==
    /\ is_data:: on_wire # None /\ on_wire.type = "Data"

ReceiveGuards2 ==
    LET message == on_wire
    IN
    /\ expected:: (message.number = receiver \/ done) = TRUE

ReceiveGuards ==
    /\ ReceiveGuards1
    /\ ReceiveGuards2

Receive ==
    LET message == on_wire
    IN
    /\ ReceiveGuards
    /\ receiver' = IF message.last THEN receiver ELSE (receiver + 1) % 2
    /\ done' = (done \/ message.last)
    /\ on_wire' = [type |-> "Ack", number |-> message.number]
    /\ UNCHANGED sender

AcknowledgeGuards ==
    /\ is_ack:: on_wire # None /\ on_wire.type = "Ack"

Acknowledge ==
    /\ AcknowledgeGuards
    /\ sender' = Max(on_wire.number, IF done THEN sender ELSE 1)
    /\ on_wire' = None
    /\ UNCHANGED <<receiver, done>>

LoseGuards ==
    /\ is_something:: on_wire # None

Lose ==
    /\ LoseGuards
    /\ on_wire' = None
    /\ UNCHANGED <<sender, receiver, done>>

Next ==
    \/ Send
    \/ Receive
    \/ Acknowledge
    \/ Lose

Spec ==
    /\ Init
    /\ [][Next]_vars
    /\ WF_vars(Send)
    /\ SF_vars(Receive)
    /\ SF_vars(Acknowledge)

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    /\ ReceiveGuards1 => on_wire # None
    /\ LET message == on_wire
       IN  ReceiveGuards => message.type = "Data"
    /\ AcknowledgeGuards => on_wire # None

AllReceived ==
    <>done

StaysDone ==
    <>[]done

Answered ==
    (on_wire # None /\ on_wire.type = "Ack") ~> (on_wire = None)

================================================================================
