------------------------------- MODULE Acceptance -------------------------------
\* Acceptance of a drafted block: the output is what the target alone would have produced, whatever the drafter says.
\*
\* A drafter proposes a block. The target's verdict holds its own next token at each position of the block, and one
\* behind it; it is the target's true continuation as long as the block agrees with that, and anything at all beyond the
\* first disagreement, where it was computed on a prefix that will not be part of the output. The longest agreeing prefix
\* is emitted, and with it one token of the verdict: the correction, or the bonus where everything agreed.
\*
\* Generated from the class Acceptance (acceptance.py:31); edit that, not this.
EXTENDS Integers, Sequences, TLC

CONSTANTS Tokens, MaxTrace, MaxDraft

VARIABLES
    target_trace,  \* ghost
    output,
    draft

vars == <<target_trace, output, draft>>

\* The smaller of two integers.
Min(m, n) == IF m <= n THEN m ELSE n

\* The larger of two integers.
Max(m, n) == IF m >= n THEN m ELSE n

\* The greatest element of a set that has one.
MaxOf(S) == CHOOSE n \in S : \A m \in S : n >= m

\* A bound of a slice, Python's way: negative from the end, never outside.
Clip(n, length) == IF n < 0 THEN Max(n + length, 0) ELSE Min(n, length)

\* Python's s[:n], for an n that is not negative.
Take(s, n) == SubSeq(s, 1, Min(n, Len(s)))

\* Python's s[start:stop].
Slice(s, start, stop) == SubSeq(s, Clip(start, Len(s)) + 1, Clip(stop, Len(s)))

\* The sequences over S of the given lengths.
BoundedSeq(S, low, high) == UNION {[1..n -> S] : n \in low..high}

\* Nothing tells these members apart. Of use for safety only, not for liveness.
Symmetry ==
    Permutations(Tokens)

TypeOK ==
    /\ target_trace \in Seq(Tokens)
    /\ Len(target_trace) <= MaxTrace
    /\ output \in Seq(Tokens)
    /\ Len(output) <= MaxTrace
    /\ draft \in Seq(Tokens)
    /\ Len(draft) <= MaxDraft

\* What the target has still to say.
\* acceptance.py:78
Remaining ==
    SubSeq(target_trace, Len(output) + 1, Len(target_trace))

--------------------------------------------------------------------------------

\* What the target would produce on its own, to its end.
\* acceptance.py:43
Init ==
    \E trace \in BoundedSeq(Tokens, 1, MaxTrace) :
        /\ target_trace = trace
        /\ output = <<>>
        /\ draft = <<>>

ProposeGuards(block) ==
    /\ nothing_pending:: draft = <<>>  \* acceptance.py:50

\* The drafter proposes a block; nothing is assumed of it.
\* acceptance.py:48
Propose(block) ==
    /\ ProposeGuards(block)
    /\ Len(output) < Len(target_trace)  \* assumed, acceptance.py:51
    /\ draft' = block
    /\ UNCHANGED <<target_trace, output>>

EmitGuards(verdict, count) ==
    /\ block_pending:: draft # <<>>  \* acceptance.py:62
    /\ agrees:: Take(draft, count) = Take(verdict, count)  \* acceptance.py:63
    /\ longest:: (\/ count = Len(draft)  \* acceptance.py:64
                  \/ Slice(draft, count, count + 1) # Slice(verdict, count, count + 1)) = TRUE

\* The verdict arrives; `count` drafted tokens and one of the verdict are emitted.
\* acceptance.py:55
Emit(verdict, count) ==
    /\ EmitGuards(verdict, count)
    /\ Len(verdict) <= Len(draft) + 1  \* assumed, acceptance.py:66
    /\ (\A i \in 0..Len(draft) :  \* assumed, acceptance.py:67
            Take(draft, i) = Take(Remaining, i) =>
                Slice(verdict, i, i + 1) = Slice(Remaining, i, i + 1)) = TRUE
    /\ output' = output \o Take(draft, count) \o Slice(verdict, count, count + 1)
    /\ draft' = <<>>
    /\ UNCHANGED target_trace

\* The target has said everything.
\* acceptance.py:83
Terminated ==
    /\ output = target_trace
    /\ UNCHANGED vars

Next ==
    \/ \E block \in BoundedSeq(Tokens, 1, MaxDraft) : Propose(block)
    \/ \E verdict \in BoundedSeq(Tokens, 1, MaxDraft + 1) : \E count \in 0..MaxDraft : Emit(verdict, count)
    \/ Terminated

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    TRUE

StepsWellDefined ==
    [][\E i \in 0..Len(draft) : Take(draft, i) = Take(Remaining, i)]_vars

\* The output is a prefix of what the target alone would have produced.
\* acceptance.py:88
NonInterference ==
    output = Take(target_trace, Len(output))

\* A verdict on a block emits all that agrees and one token more, up to the end of the target's trace.
\* acceptance.py:93
NothingWasted ==
    [][\/ UNCHANGED vars
       \/ LET agreeing == MaxOf({i \in 0..Len(draft) : Take(draft, i) = Take(Remaining, i)})
              gained == Len(output') - Len(output)
          IN  gained = 0 \/ (draft # <<>> /\ gained = Min(agreeing + 1, Len(Remaining)))]_vars

\* A block stays as it is until its verdict has come.
\* acceptance.py:100
JudgedAsProposed ==
    [][draft = <<>> \/ draft' = draft \/ output' # output]_vars

\* The target's longest trace can be reached.
\* acceptance.py:105
Never_WholeBlockAccepted ==
    ~(output = target_trace /\ Len(output) = MaxTrace)

================================================================================
