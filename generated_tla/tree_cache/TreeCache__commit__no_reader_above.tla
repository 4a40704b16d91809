------------------------------- MODULE TreeCache__commit__no_reader_above -------------------------------
\* A KV cache that holds a draft tree: nothing that a forward reads is moved, evicted or cut off under it.
\*
\* Rows 1 … `committed` are the tokens that are certain. Behind them stand tentative rows, one a node of the draft tree:
\* slot i is row committed + i, and `parents[i - 1]` is the slot of its parent, 0 for the last committed row. A forward
\* writes the tentative rows up to its top and reads everything up to there; when it has returned, the walk keeps the rows
\* of one path, root first. `commit` gathers these behind the committed rows and cuts off the rest; what has left the
\* sliding window is evicted.
\*
\* One instance belongs to one cache and one request. An in-place cache moves rows when it gathers and when it evicts, so
\* both wait for those who read them; what real caches lost without such a guard is named at each.
\*
\* Generated from the class TreeCache (tree_cache.py:33); edit that, not this.
\* A variant: without the guard commit.no_reader_above.
EXTENDS Integers, Sequences

CONSTANTS MaxRows, MaxNodes, Window, Readers, MaxChunk

VARIABLES
    committed,
    low,
    parents,
    written,
    kept,
    reading

vars == <<committed, low, parents, written, kept, reading>>

\* The smaller of two integers.
Min(m, n) == IF m <= n THEN m ELSE n

\* The larger of two integers.
Max(m, n) == IF m >= n THEN m ELSE n

\* The greatest element of a set that has one.
MaxOf(S) == CHOOSE n \in S : \A m \in S : n >= m

\* The greatest element of a set, or a default for the empty one.
MaxOr(S, default) == IF S = {} THEN default ELSE MaxOf(S)

\* The elements of a sequence.
Elements(s) == {s[n] : n \in DOMAIN s}

\* A bound of a slice, Python's way: negative from the end, never outside.
Clip(n, length) == IF n < 0 THEN Max(n + length, 0) ELSE Min(n, length)

\* Python's s[start:stop].
Slice(s, start, stop) == SubSeq(s, Clip(start, Len(s)) + 1, Clip(stop, Len(s)))

TypeOK ==
    /\ committed \in 0..MaxRows
    /\ low \in 0..MaxRows
    /\ parents \in Seq(0..(MaxNodes - 1))
    /\ Len(parents) <= MaxNodes
    /\ written \in 0..MaxNodes
    /\ kept \in Seq(1..MaxNodes)
    /\ Len(kept) <= MaxNodes
    /\ reading \in [Readers -> 0..MaxRows]

\* The slot that the walk has come to; 0 before it has entered the tree.
\* tree_cache.py:133
LastKept ==
    IF Len(kept) > 0 THEN kept[Len(kept)] ELSE 0

\* No forward is in flight.
\* tree_cache.py:138
IsQuiet ==
    \A reader \in Readers : reading[reader] = 0

\* The last row that no token behind `row` sees; 0 where all are seen.
\* tree_cache.py:143
LastUnseen(row) ==
    Max(0, row - Window)

\* tree_cache.py:148
MaxLen ==
    MaxRows

\* The rows that there are, certain or not.
\* tree_cache.py:152
Length ==
    committed + Len(parents)

\* How far the forwards in flight read.
\* tree_cache.py:157
PendingReads ==
    {reading[reader] : reader \in {reader \in Readers : reading[reader] # 0}}

--------------------------------------------------------------------------------

\* tree_cache.py:33
Init ==
    /\ committed = 0
    /\ low = 0
    /\ parents = <<>>
    /\ written = 0
    /\ kept = <<>>
    /\ reading = [reader \in Readers |-> 0]

FillGuards(n) ==
    /\ no_tree:: parents = <<>>  \* tree_cache.py:65
    /\ room_left:: committed + n <= MaxRows  \* tree_cache.py:65

\* A prefill chunk has returned: n more rows are certain.
\* tree_cache.py:63
Fill(n) ==
    /\ FillGuards(n)
    /\ n <= MaxChunk  \* assumed, tree_cache.py:66
    /\ committed' = committed + n
    /\ UNCHANGED <<low, parents, written, kept, reading>>

ExtendGuards(parent) ==
    /\ room_left:: committed + Len(parents) < MaxRows  \* tree_cache.py:73
    /\ nodes_left:: Len(parents) < MaxNodes  \* tree_cache.py:74
    /\ parent_exists:: parent <= Len(parents)  \* tree_cache.py:75

\* A row is set aside for one more node of the draft tree (without: vllm#16370, TensorRT-LLM#16280).
\* tree_cache.py:70
Extend(parent) ==
    /\ ExtendGuards(parent)
    /\ parents' = Append(parents, parent)
    /\ UNCHANGED <<committed, low, written, kept, reading>>

StartReadGuards(reader, top) ==
    /\ reader_idle:: reading[reader] = 0  \* tree_cache.py:83
    /\ not_behind:: top >= committed  \* tree_cache.py:84
    /\ inside_tail:: top <= committed + Len(parents)  \* tree_cache.py:85

\* A forward over the rows up to `top` is launched; it will write the tentative ones among them.
\* tree_cache.py:80
StartRead(reader, top) ==
    /\ StartReadGuards(reader, top)
    /\ reading' = [reading EXCEPT ![reader] = top]
    /\ UNCHANGED <<committed, low, parents, written, kept>>

FinishReadGuards(reader) ==
    /\ is_reading:: reading[reader] # 0  \* tree_cache.py:92

\* The forward has returned.
\* tree_cache.py:90
FinishRead(reader) ==
    /\ FinishReadGuards(reader)
    /\ written' = Max(written, reading[reader] - committed)
    /\ reading' = [reading EXCEPT ![reader] = 0]
    /\ UNCHANGED <<committed, low, parents, kept>>

KeepGuards(i) ==
    /\ is_written:: i <= written  \* tree_cache.py:99
    /\ child_of_the_last:: Slice(parents, i - 1, i) = <<LastKept>>  \* tree_cache.py:99

\* The walk enters slot i (an unwritten row would be committed otherwise: vllm#47926, #47930).
\* tree_cache.py:97
Keep(i) ==
    /\ KeepGuards(i)
    /\ kept' = Append(kept, i)
    /\ UNCHANGED <<committed, low, parents, written, reading>>

CommitGuards ==
    TRUE

\* The kept rows move behind the committed ones, in the order of the path; the other tentative rows are gone.
\*
\* Rows above `committed` move, also below the new end: a reader that the published guard would let through, at
\* or below committed + len(kept), sees another row than it asked for. With nothing kept this is what an abort
\* needs; it never cuts a row that is certain (mlxcel#994 cut two).
\* tree_cache.py:103
Commit ==
    /\ CommitGuards
    /\ committed' = committed + Len(kept)
    /\ parents' = <<>>
    /\ written' = 0
    /\ kept' = <<>>
    /\ UNCHANGED <<low, reading>>

EvictGuards ==
    /\ outside_the_window:: low < committed - Window  \* tree_cache.py:119
    /\ nobody_reads:: IsQuiet  \* tree_cache.py:119

\* Rows that no later token sees are dropped, and the others move down.
\* tree_cache.py:117
Evict ==
    /\ EvictGuards
    /\ low' = committed - Window
    /\ UNCHANGED <<committed, parents, written, kept, reading>>

ReleaseGuards ==
    /\ nobody_reads:: IsQuiet  \* tree_cache.py:125

\* The request is over or aborted: all rows are given back (under a reader: sglang#18803, vllm#32255).
\* tree_cache.py:123
Release ==
    /\ ReleaseGuards
    /\ committed' = 0
    /\ low' = 0
    /\ parents' = <<>>
    /\ written' = 0
    /\ kept' = <<>>
    /\ UNCHANGED reading

Next ==
    \/ \E n \in 1..MaxRows : Fill(n)
    \/ \E parent \in 0..(MaxNodes - 1) : Extend(parent)
    \/ \E reader \in Readers : \E top \in 1..MaxRows : StartRead(reader, top)
    \/ \E reader \in Readers : FinishRead(reader)
    \/ \E i \in 1..MaxNodes : Keep(i)
    \/ Commit
    \/ Evict
    \/ Release

Spec ==
    /\ Init
    /\ [][Next]_vars

--------------------------------------------------------------------------------

\* Nothing is evaluated where it has no value.
WellDefined ==
    /\ \A slot \in 1..Len(parents) : slot - 1 < Len(parents)  \* tree_cache.py:167

\* There is a row for every node.
\* tree_cache.py:162
RowsFit ==
    committed + Len(parents) <= MaxRows

\* Every node stands behind its parent.
\* tree_cache.py:167
TreeIsWellFounded ==
    \A slot \in 1..Len(parents) : parents[slot] < slot

\* What the walk keeps leads from the last committed row downwards, from parent to child.
\* tree_cache.py:172
KeptIsAPath ==
    \A i \in 0..(Len(kept) - 1) :
        Slice(parents, kept[i + 1] - 1, kept[i + 1]) = Slice(<<0>> \o kept, i, i + 1)

\* No row is kept that no forward has written.
\* tree_cache.py:180
KeptIsWritten ==
    \A slot \in Elements(kept) : slot <= written

\* No forward reads beyond the last row.
\* tree_cache.py:185
NoGhostReads ==
    \A reader \in Readers : reading[reader] <= committed + Len(parents)

\* Every committed row that the next token sees is there.
\* tree_cache.py:190
WindowIsWhole ==
    low <= LastUnseen(committed)

\* Every row that a forward in flight sees is there.
\* tree_cache.py:195
ReadsAreWhole ==
    \A reader \in Readers : reading[reader] # 0 => low <= LastUnseen(reading[reader])

\* No row moves or vanishes under a reader: in its place it stays what it is, or becomes certain.
\* tree_cache.py:202
RowsStayPut ==
    [][LET highest == MaxOr({reading[r] : r \in {r \in Readers : reading'[r] = reading[r]}}, 0)
       IN  IF   highest = 0
           THEN TRUE
           ELSE LET slots == Max(0, highest - committed)
                    as_it_was == /\ committed' = committed
                                 /\ Slice(parents', 0, slots) = Slice(parents, 0, slots)
                    certain_in_place == /\ committed' >= highest
                                        /\ \A slot \in 1..slots :
                                               Slice(kept, slot - 1, slot) = <<slot>>
                IN  low' = low /\ (as_it_was \/ certain_in_place)]_vars

\* A forward in flight is known by its top until it has returned.
\* tree_cache.py:215
ReadsUntilFinished ==
    [][\A r \in Readers : reading[r] = 0 \/ reading'[r] = 0 \/ reading'[r] = reading[r]]_vars

\* Committed rows stay until the request is over; behind a tree only the kept path is added to them.
\* tree_cache.py:222
CertainForGood ==
    [][LET added == committed' - committed
           from_the_tree == added = Len(kept) /\ parents' = <<>>
       IN  committed' = 0 \/ added = 0 \/ (added > 0 /\ (parents = <<>> \/ from_the_tree))]_vars

\* Rows are evicted while others are read again.
\* tree_cache.py:229
Never_WindowSlides ==
    ~(low > 0 /\ ~IsQuiet)

\* A path is kept whose rows are not next to one another.
\* tree_cache.py:234
Never_Gathers ==
    ~(\E i \in 0..(Len(kept) - 1) : kept[i + 1] # i + 1)

--------------------------------------------------------------------------------

\* Seen as Rollback.
Abstract ==
    INSTANCE Rollback WITH
        MaxLen <- MaxLen,
        length <- Length,
        pending_reads <- PendingReads

\* Every behaviour is one of Rollback: in its domains,
RefinesDomains ==
    Abstract!TypeOK

\* from one of its initial states,
RefinesInit ==
    Abstract!Init = TRUE

\* by its steps.
RefinesSteps ==
    [][Abstract!Next]_(Abstract!vars)

================================================================================
