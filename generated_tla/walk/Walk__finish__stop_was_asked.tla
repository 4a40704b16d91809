------------------------------- MODULE Walk__finish__stop_was_asked -------------------------------
\* The walk through a verified draft tree: what is emitted is what the target alone would have emitted, and no more.
\*
\* One forward has verified the tree. The walk begins at its root, the last emitted token, with one verdict at each node
\* that it comes to: the target's next token there, with all processors applied, drawn if the target samples. Where a child
\* carries that token the walk descends; else the token ends the block, as the correction or as the bonus behind a leaf.
\* After every token the stopping criteria are asked, in the middle of a block too. An instance lives for one request.
\*
\* A verdict is the target's true next token as long as the path that the forward saw is the one that was emitted. At a
\* node that lies off it, and behind the end of what the target has to say, it is anything at all.
\*
\* Generated from the class Walk (walk.py:34); edit that, not this.
\* A variant: without the guard finish.stop_was_asked.
EXTENDS Integers, Sequences

CONSTANTS Vocabulary, MaxOutput, MaxNodes

VARIABLES
    target,  \* ghost
    on_course,  \* ghost
    phase,
    asked,
    output,
    tokens,
    parents,
    at

vars == <<target, on_course, phase, asked, output, tokens, parents, at>>

\* The smaller of two integers.
Min(m, n) == IF m <= n THEN m ELSE n

\* The larger of two integers.
Max(m, n) == IF m >= n THEN m ELSE n

\* A bound of a slice, Python's way: negative from the end, never outside.
Clip(n, length) == IF n < 0 THEN Max(n + length, 0) ELSE Min(n, length)

\* Python's s[:n], for an n that is not negative.
Take(s, n) == SubSeq(s, 1, Min(n, Len(s)))

\* Python's s[start:stop].
Slice(s, start, stop) == SubSeq(s, Clip(start, Len(s)) + 1, Clip(stop, Len(s)))

\* The sequences over S of the given lengths.
BoundedSeq(S, low, high) == UNION {[1..n -> S] : n \in low..high}

TypeOK ==
    /\ target \in Seq(0..(Vocabulary - 1))
    /\ Len(target) <= MaxOutput
    /\ on_course \in BOOLEAN
    /\ phase \in {"between", "walking", "stopped"}
    /\ asked \in BOOLEAN
    /\ output \in Seq(0..(Vocabulary - 1))
    /\ Len(output) <= MaxOutput
    /\ tokens \in Seq(0..(Vocabulary - 1))
    /\ Len(tokens) <= MaxNodes
    /\ parents \in Seq(0..(MaxNodes - 1))
    /\ Len(parents) <= MaxNodes
    /\ at \in 0..MaxNodes

\* What a verdict can be: the target's next token, where it was asked on the path that was emitted.
\* walk.py:126
IsTrueHere(verdict) ==
    LET here == Len(output)
    IN  ~on_course \/ Slice(target, here, here + 1) \in {<<>>, <<verdict>>}

\* A child of the node that the walk is at carries this token.
\* walk.py:121
SomeChildAgrees(verdict) ==
    \E i \in 0..(Len(tokens) - 1) : parents[i + 1] = at /\ tokens[i + 1] = verdict

--------------------------------------------------------------------------------

\* What the target would emit on its own, to its end.
\* walk.py:55
Init ==
    \E trace \in BoundedSeq(0..(Vocabulary - 1), 1, MaxOutput) :
        /\ target = trace
        /\ on_course = TRUE
        /\ phase = "between"
        /\ asked = TRUE
        /\ output = <<>>
        /\ tokens = <<>>
        /\ parents = <<>>
        /\ at = 0

ProposeGuards(tokens_2, parents_2) ==
    /\ between_blocks:: phase = "between"  \* walk.py:66
    /\ one_parent_each:: Len(tokens_2) = Len(parents_2)  \* walk.py:66

\* The next tree has been verified, whatever it holds; the walk is at its root.
\* walk.py:60
Propose(tokens_2, parents_2) ==
    /\ ProposeGuards(tokens_2, parents_2)
    /\ phase' = "walking"
    /\ tokens' = tokens_2
    /\ parents' = parents_2
    /\ UNCHANGED <<target, on_course, asked, output, at>>

DescendGuards(verdict, child) ==
    /\ stop_was_asked:: asked  \* walk.py:75
    /\ drafted:: Slice(parents, child - 1, child) = <<at>>  \* walk.py:76
    /\ agrees:: Slice(tokens, child - 1, child) = <<verdict>>  \* walk.py:77

\* The verdict is the token of a child: it is emitted, and the walk goes there.
\* walk.py:72
Descend(verdict, child) ==
    /\ DescendGuards(verdict, child)
    /\ IsTrueHere(verdict) = TRUE  \* assumed, walk.py:79
    /\ on_course' = (on_course /\ Slice(tokens, child - 1, child) = <<verdict>>)
    /\ asked' = FALSE
    /\ output' = Append(output, verdict)
    /\ at' = child
    /\ UNCHANGED <<target, phase, tokens, parents>>

FinishGuards(verdict) ==
    /\ walking:: phase = "walking"  \* walk.py:89
    /\ no_child_agrees:: ~SomeChildAgrees(verdict)  \* walk.py:91

\* No child carries the verdict: it is emitted, and the block is over.
\* walk.py:86
Finish(verdict) ==
    /\ FinishGuards(verdict)
    /\ IsTrueHere(verdict) = TRUE  \* assumed, walk.py:93
    /\ on_course' = TRUE
    /\ phase' = "between"
    /\ asked' = FALSE
    /\ output' = Append(output, verdict)
    /\ tokens' = <<>>
    /\ parents' = <<>>
    /\ at' = 0
    /\ UNCHANGED target

GoOnGuards ==
    /\ not_stopped:: phase # "stopped"  \* walk.py:108

\* No stopping criterion says that the last token was the last of all.
\*
\* Whoever forgets to ask in the middle of a block emits too much: sglang#31599, vllm#47616.
\* walk.py:103
GoOn ==
    /\ GoOnGuards
    /\ output # target  \* assumed, walk.py:109
    /\ asked' = TRUE
    /\ UNCHANGED <<target, on_course, phase, output, tokens, parents, at>>

\* A stopping criterion, or the user, ends the request; what is left of the block is not looked at.
\* walk.py:113
Stop ==
    /\ phase' = "stopped"
    /\ tokens' = <<>>
    /\ parents' = <<>>
    /\ at' = 0
    /\ UNCHANGED <<target, on_course, asked, output>>

\* walk.py:132
Terminated ==
    /\ phase = "stopped"
    /\ UNCHANGED vars

Next ==
    \/ \E tokens_2 \in BoundedSeq(0..(Vocabulary - 1), 0, MaxNodes) : \E parents_2 \in BoundedSeq(0..(MaxNodes - 1), 0, MaxNodes) : Propose(tokens_2, parents_2)
    \/ \E verdict \in 0..(Vocabulary - 1) : \E child \in 1..MaxNodes : Descend(verdict, child)
    \/ \E verdict \in 0..(Vocabulary - 1) : Finish(verdict)
    \/ GoOn
    \/ Stop
    \/ Terminated

Spec ==
    /\ Init
    /\ [][Next]_vars
    /\ WF_vars(Next)

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    /\ \A verdict \in 0..(Vocabulary - 1) : \A i \in 0..(Len(tokens) - 1) : i < Len(parents)  \* walk.py:91

StepsWellDefined ==
    [][\/ ~(phase = "walking" /\ phase' = "between")
       \/ Len(output') > 0 /\ (\A i \in 0..(Len(tokens) - 1) : i < Len(parents))]_vars

\* The output is a prefix of what the target alone would have emitted.
\* walk.py:136
NonInterference ==
    output = Take(target, Len(output))

\* Tokens are emitted while the walk is in a tree, one at a time.
\* walk.py:141
OnlyWhatWasVerified ==
    [][LET gained == Len(output') - Len(output)
       IN  gained = 0 \/ (gained = 1 /\ phase = "walking")]_vars

\* The walk goes from a node to one of its children, or leaves the tree.
\* walk.py:147
DownTheTree ==
    [][at' \in {0, at} \/ Slice(parents, at' - 1, at') = <<at>>]_vars

\* A block that ends with a token was walked as far as it agreed.
\* walk.py:152
NothingWasted ==
    [][\/ UNCHANGED vars
       \/ LET ended == phase = "walking" /\ phase' = "between"
          IN  ~ended \/ ~SomeChildAgrees(output'[Len(output')])]_vars

\* A tree stays as it is while the walk is in it.
\* walk.py:158
JudgedAsProposed ==
    [][LET unchanged == tokens' = tokens /\ parents' = parents
       IN  unchanged \/ phase # "walking" \/ phase' # "walking"]_vars

\* Nothing comes after the end.
\* walk.py:164
StoppedForGood ==
    [][phase # "stopped"]_vars

\* The target's last token is followed by the end, whatever was drafted.
\* walk.py:169
Ends ==
    <>(phase = "stopped")

\* The last token of all is drafted, and more is drafted behind it.
\* walk.py:174
Never_StoppedInMidBlock ==
    ~(output = target /\ at = 1 /\ Slice(parents, 1, 2) = <<1>>)

================================================================================
