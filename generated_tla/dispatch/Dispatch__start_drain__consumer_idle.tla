------------------------------- MODULE Dispatch__start_drain__consumer_idle -------------------------------
\* Hand-over between two engines: a producer fills a buffer, a consumer drains it, and never both at once.
\*
\* The producer (a drafter, a prefill engine) writes into the one buffer between them; the consumer (the verifier, a
\* decode engine) reads it when it is full. Each engine reports start and end of its work on its own.
\*
\* Generated from the class Dispatch (dispatch.py:12); edit that, not this.
\* A variant: without the guard start_drain.consumer_idle.

VARIABLES
    producer,
    consumer,
    buffer

vars == <<producer, consumer, buffer>>

TypeOK ==
    /\ producer \in {"idle", "writing"}
    /\ consumer \in {"idle", "reading"}
    /\ buffer \in {"empty", "full"}

--------------------------------------------------------------------------------

\* dispatch.py:12
Init ==
    /\ producer = "idle"
    /\ consumer = "idle"
    /\ buffer = "empty"

StartFillGuards ==
    /\ producer_idle:: producer = "idle"  \* dispatch.py:27
    /\ buffer_empty:: buffer = "empty"  \* dispatch.py:27

\* The producer begins to write.
\* dispatch.py:25
StartFill ==
    /\ StartFillGuards
    /\ producer' = "writing"
    /\ UNCHANGED <<consumer, buffer>>

FinishFillGuards ==
    /\ is_writing:: producer = "writing"  \* dispatch.py:33

\* The last byte is written: the buffer is handed over.
\* dispatch.py:31
FinishFill ==
    /\ FinishFillGuards
    /\ producer' = "idle"
    /\ buffer' = "full"
    /\ UNCHANGED consumer

StartDrainGuards ==
    /\ buffer_full:: buffer = "full"  \* dispatch.py:40

\* The consumer begins to read.
\* dispatch.py:38
StartDrain ==
    /\ StartDrainGuards
    /\ consumer' = "reading"
    /\ UNCHANGED <<producer, buffer>>

FinishDrainGuards ==
    /\ is_reading:: consumer = "reading"  \* dispatch.py:46

\* The last byte is read: the buffer is free again.
\* dispatch.py:44
FinishDrain ==
    /\ FinishDrainGuards
    /\ consumer' = "idle"
    /\ buffer' = "empty"
    /\ UNCHANGED producer

Next ==
    \/ StartFill
    \/ FinishFill
    \/ StartDrain
    \/ FinishDrain

Spec ==
    /\ Init
    /\ [][Next]_vars
    /\ WF_vars(Next)

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

\* What is read was written whole, and what was written is not overwritten before it is read.
\* dispatch.py:51
DataIntegrity ==
    LET read_is_whole == consumer # "reading" \/ buffer = "full"
        nothing_overwritten == producer # "writing" \/ buffer = "empty"
    IN  read_is_whole /\ nothing_overwritten

\* The engines are never in the buffer at once.
\* dispatch.py:58
NoCollision ==
    ~(producer = "writing" /\ consumer = "reading")

\* The buffer turns full only by a finished write, and empty only by a finished read.
\* dispatch.py:63
ChangedByItsEngine ==
    [][IF   buffer = buffer'
       THEN TRUE
       ELSE IF buffer' = "full" THEN producer = "writing" ELSE consumer = "reading"]_vars

\* The producer gets its turn.
\* dispatch.py:72
FilledInTheEnd ==
    <>(buffer = "full")

================================================================================
