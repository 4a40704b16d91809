------------------------------- MODULE HandOff__verdict__is_verifying -------------------------------
\* Hand-off between two workers of a speculative decoder: a drafter that may run ahead, and a verifier.
\*
\* While the target verifies one draft, the drafter may prepare the next: on the optimistic path, the one on which all of
\* the draft is accepted. Such a draft is a `guess` until the verdict on the draft before it is there; then it is `true`,
\* or `stale` and dropped. Only a true draft is verified. When the request ends (its last token is out, it is aborted, a
\* worker has failed) nothing new is started, and it is closed when the forwards in flight have returned: only then may
\* the caches be released.
\*
\* Inline it is the same protocol: start_draft, finish_draft, start_verification, verdict, one after the other. An
\* instance lives for one request, which is the epoch that real engines have to attach to each output.
\*
\* Generated from the class HandOff (hand_off.py:31); edit that, not this.
\* A variant: without the guard verdict.is_verifying.
EXTENDS Integers

CONSTANTS None

VARIABLES
    phase,
    drafting,
    waiting,
    verifying,
    prefix,  \* ghost
    drafting_from,  \* ghost
    waiting_from,  \* ghost
    verifying_from,  \* ghost
    drafter_forwards  \* ghost

vars == <<phase, drafting, waiting, verifying, prefix, drafting_from, waiting_from, verifying_from, drafter_forwards>>

TypeOK ==
    /\ phase \in {"open", "closing", "closed"}
    /\ drafting \in {None} \cup {"true", "guess", "stale"}
    /\ waiting \in {None} \cup {"true", "guess", "stale"}
    /\ verifying \in BOOLEAN
    /\ prefix \in 0..2
    /\ drafting_from \in {None} \cup 0..2
    /\ waiting_from \in {None} \cup 0..2
    /\ verifying_from \in {None} \cup 0..2
    /\ drafter_forwards \in 0..2

\* The prefix that is committed next if all goes as the drafter says.
\* hand_off.py:135
Optimistic ==
    (prefix + 1) % 3

\* The prefix that is committed next if it does not.
\* hand_off.py:140
Other ==
    (prefix + 2) % 3

\* hand_off.py:145
Closed ==
    phase = "closed"

--------------------------------------------------------------------------------

\* hand_off.py:31
Init ==
    /\ phase = "open"
    /\ drafting = None
    /\ waiting = None
    /\ verifying = FALSE
    /\ prefix = 0
    /\ drafting_from = None
    /\ waiting_from = None
    /\ verifying_from = None
    /\ drafter_forwards = 0

StartDraftGuards ==
    /\ still_open:: phase = "open"  \* hand_off.py:52
    /\ drafter_idle:: drafting = None  \* hand_off.py:53
    /\ nothing_waits:: waiting = None  \* hand_off.py:54

\* The drafter begins: on the committed prefix, or ahead of a verdict on the optimistic path.
\* hand_off.py:49
StartDraft ==
    LET drafting_2 == IF verifying THEN "guess" ELSE "true"
    IN
    /\ StartDraftGuards
    /\ drafting' = drafting_2
    /\ drafting_from' = IF verifying THEN Optimistic ELSE prefix
    /\ drafter_forwards' = drafter_forwards + 1
    /\ UNCHANGED <<phase, waiting, verifying, prefix, waiting_from, verifying_from>>

FinishDraftGuards ==
    /\ is_drafting:: drafting # None  \* hand_off.py:63

\* The draft is there, under the label that it has by now.
\* hand_off.py:61
FinishDraft ==
    LET value == drafting
        value_2 == drafting_from
    IN
    /\ FinishDraftGuards
    /\ drafting' = None
    /\ waiting' = value
    /\ drafting_from' = None
    /\ waiting_from' = value_2
    /\ drafter_forwards' = drafter_forwards - 1
    /\ UNCHANGED <<phase, verifying, prefix, verifying_from>>

DraftFailedGuards ==
    /\ is_drafting:: drafting # None  \* hand_off.py:71

\* The drafter's forward has raised: the request ends.
\* hand_off.py:69
DraftFailed ==
    /\ DraftFailedGuards
    /\ phase' = "closing"
    /\ drafting' = None
    /\ drafting_from' = None
    /\ drafter_forwards' = drafter_forwards - 1
    /\ UNCHANGED <<waiting, verifying, prefix, waiting_from, verifying_from>>

StartVerificationGuards ==
    /\ still_open:: phase = "open"  \* hand_off.py:80
    /\ from_the_committed_prefix:: waiting = "true"  \* hand_off.py:80

\* The waiting draft goes to the target (a guess or a stale one: vllm#49620).
\* hand_off.py:78
StartVerification ==
    LET value == waiting_from
    IN
    /\ StartVerificationGuards
    /\ waiting' = None
    /\ verifying' = TRUE
    /\ waiting_from' = None
    /\ verifying_from' = value
    /\ UNCHANGED <<phase, drafting, prefix, drafting_from, drafter_forwards>>

VerdictGuards(hit) ==
    TRUE

\* The target's forward has returned; with `hit` the optimistic path is what was emitted, and nothing else.
\* hand_off.py:86
Verdict(hit) ==
    /\ VerdictGuards(hit)
    /\ drafting' = IF   drafting # None
                   THEN IF hit /\ drafting = "guess" THEN "true" ELSE "stale"
                   ELSE drafting
    /\ waiting' = IF   waiting # None
                  THEN IF hit /\ waiting = "guess" THEN "true" ELSE "stale"
                  ELSE waiting
    /\ verifying' = FALSE
    /\ prefix' = IF hit THEN Optimistic ELSE Other
    /\ verifying_from' = None
    /\ UNCHANGED <<phase, drafting_from, waiting_from, drafter_forwards>>

VerificationFailedGuards ==
    /\ is_verifying:: verifying  \* hand_off.py:100

\* The target's forward has raised: the request ends, and no verdict will make a guess true.
\* hand_off.py:98
VerificationFailed ==
    /\ VerificationFailedGuards
    /\ phase' = "closing"
    /\ drafting' = IF drafting # None THEN "stale" ELSE drafting
    /\ waiting' = IF waiting # None THEN "stale" ELSE waiting
    /\ verifying' = FALSE
    /\ verifying_from' = None
    /\ UNCHANGED <<prefix, drafting_from, waiting_from, drafter_forwards>>

DropGuards ==
    /\ is_stale:: waiting = "stale"  \* hand_off.py:112

\* What came of a wrong guess is dropped.
\* hand_off.py:110
Drop ==
    /\ DropGuards
    /\ waiting' = None
    /\ waiting_from' = None
    /\ UNCHANGED <<phase, drafting, verifying, prefix, drafting_from, verifying_from, drafter_forwards>>

AbortGuards ==
    /\ still_open:: phase = "open"  \* hand_off.py:119

\* The request ends, at its last token or before; forwards in flight go on.
\* hand_off.py:117
Abort ==
    /\ AbortGuards
    /\ phase' = "closing"
    /\ UNCHANGED <<drafting, waiting, verifying, prefix, drafting_from, waiting_from, verifying_from, drafter_forwards>>

CloseGuards ==
    /\ is_closing:: phase = "closing"  \* hand_off.py:126
    /\ no_draft_in_flight:: drafting = None  \* hand_off.py:127
    /\ no_verification_in_flight:: ~verifying  \* hand_off.py:128

\* Nothing is in flight any more: the caches may be released (earlier: vllm#32255; never: vllm#46283).
\* hand_off.py:123
Close ==
    /\ CloseGuards
    /\ phase' = "closed"
    /\ waiting' = None
    /\ waiting_from' = None
    /\ UNCHANGED <<drafting, verifying, prefix, drafting_from, verifying_from, drafter_forwards>>

\* hand_off.py:145
Terminated ==
    /\ phase = "closed"
    /\ UNCHANGED vars

Next ==
    \/ StartDraft
    \/ FinishDraft
    \/ DraftFailed
    \/ StartVerification
    \/ \E hit \in BOOLEAN : Verdict(hit)
    \/ VerificationFailed
    \/ Drop
    \/ Abort
    \/ Close
    \/ Terminated

Spec ==
    /\ Init
    /\ [][Next]_vars
    /\ WF_vars(StartDraft)
    /\ WF_vars(FinishDraft)
    /\ WF_vars(StartVerification)
    /\ WF_vars(\E hit \in BOOLEAN : Verdict(hit))
    /\ WF_vars(Drop)
    /\ WF_vars(Close)

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

\* The draft under verification was drafted from the committed prefix.
\* hand_off.py:149
VerifiesWhatIsCommitted ==
    ~verifying \/ verifying_from = prefix

\* A true draft continues the committed prefix, a guess the optimistic one while a verdict is out.
\* hand_off.py:154
LabelsAreRight ==
    LET drafting_is_right == /\ drafting # "true" \/ drafting_from = prefix
                             /\ drafting # "guess" \/ (verifying /\ drafting_from = Optimistic)
        waiting_is_right == /\ waiting # "true" \/ waiting_from = prefix
                            /\ waiting # "guess" \/ (verifying /\ waiting_from = Optimistic)
    IN  drafting_is_right /\ waiting_is_right

\* The drafter runs one forward at a time, and a true draft waits for the verifier only while that is idle.
\* hand_off.py:165
OneForwardOfEach ==
    LET one_of_the_drafter == drafter_forwards = (IF drafting # None THEN 1 ELSE 0)
    IN  one_of_the_drafter /\ ~(verifying /\ waiting = "true")

\* Nothing is in flight when the caches are released, nor later.
\* hand_off.py:171
ClosedIsQuiet ==
    phase # "closed" \/ (drafting = None /\ ~verifying /\ waiting = None)

\* When the request ends no forward is launched.
\* hand_off.py:176
NothingStartsAtTheEnd ==
    [][LET launched == (verifying' /\ ~verifying) \/ drafter_forwards' > drafter_forwards
       IN  phase = "open" \/ ~launched]_vars

\* A request is closed once, and not before it has been ended.
\* hand_off.py:182
EndsInOrder ==
    [][\/ phase' = phase
       \/ phase = "open" /\ phase' = "closing"
       \/ phase = "closing" /\ phase' = "closed"]_vars

\* A waiting draft is verified, or has proved stale, or the request is over.
\* hand_off.py:191
NothingGoodIsLost ==
    [][LET gone == waiting # None /\ waiting_from' # waiting_from
           verified == waiting = "true" /\ verifying' /\ ~verifying
       IN  ~gone \/ verified \/ waiting = "stale" \/ phase' = "closed"]_vars

\* What is committed changes with a verdict, and with nothing else.
\* hand_off.py:198
CommittedByAVerdict ==
    [][prefix' = prefix \/ (verifying /\ ~verifying')]_vars

\* What has been ended is closed in the end.
\* hand_off.py:203
Ended ==
    (phase = "closing") ~> Closed

\* Until then drafts are verified again and again.
\* hand_off.py:208
GoesOn ==
    []<>(verifying \/ phase = "closed")

\* A draft that was a guess waits to be verified while the next forward has not begun.
\* hand_off.py:213
Never_GoodGuess ==
    ~(waiting = "true" /\ prefix # 0)

\* Both engines work at once.
\* hand_off.py:218
Never_Overlap ==
    ~(verifying /\ drafting = "guess")

================================================================================
