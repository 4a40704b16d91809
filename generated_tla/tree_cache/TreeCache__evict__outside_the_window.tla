------------------------------- MODULE TreeCache__evict__outside_the_window -------------------------------
\* A KV cache that holds a draft tree: nothing that a forward reads is moved, evicted or cut off under it.
\*
\* Rows 1 … `committed` are the tokens that are certain. Behind them stand tentative rows, those of a chunk of the prompt
\* or one a node of the draft tree: slot i is row committed + i, and `parents[i - 1]` is the slot of its parent, 0 for the
\* last committed row. Every forward is a read: it writes the tentative rows up to its top, and reads everything up to
\* there. When it has returned, a chunk is certain as it stands, and of a tree the walk keeps the rows of one path, root
\* first. `commit` gathers these behind the committed rows and cuts off the rest; what has left the sliding window is
\* evicted. A forward that has failed has written nothing.
\*
\* One instance belongs to one cache and one request. An in-place cache moves rows when it gathers and when it evicts, so
\* both wait for those who read them; what real caches lost without such a guard is named at each.
\*
\* Generated from the class TreeCache (tree_cache.py:35); edit that, not this.
\* A variant: without the guard evict.outside_the_window.
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS MaxRows, MaxNodes, Window, Readers, MaxChunk

VARIABLES
    committed,
    low,
    chunk,
    parents,
    written,
    kept,
    reading,
    held  \* ghost

vars == <<committed, low, chunk, parents, written, kept, reading, held>>

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
    /\ chunk \in 0..MaxRows
    /\ parents \in Seq(0..(MaxNodes - 1))
    /\ Len(parents) <= MaxNodes
    /\ written \in 0..MaxRows
    /\ kept \in Seq(1..MaxNodes)
    /\ Len(kept) <= MaxNodes
    /\ reading \in [Readers -> 0..MaxRows]
    /\ held \in 0..MaxRows

\* The last row, certain or not.
\* tree_cache.py:169
LastRow ==
    committed + chunk + Len(parents)

\* The last row that a forward has written.
\* tree_cache.py:174
LastWritten ==
    committed + written

\* A forward in flight writes rows.
\* tree_cache.py:179
IsBeingWritten ==
    \E reader \in Readers : reading[reader] > LastWritten

\* The slot that the walk has come to; 0 before it has entered the tree.
\* tree_cache.py:164
LastKept ==
    IF Len(kept) > 0 THEN kept[Len(kept)] ELSE 0

\* No forward is in flight.
\* tree_cache.py:184
IsQuiet ==
    \A reader \in Readers : reading[reader] = 0

\* The last row that no token behind `row` sees; 0 where all are seen.
\* tree_cache.py:189
LastUnseen(row) ==
    Max(0, row - Window)

\* tree_cache.py:194
MaxLen ==
    MaxRows

\* The rows that there are, certain or not.
\* tree_cache.py:198
Length ==
    LastRow

\* How far the forwards in flight read.
\* tree_cache.py:203
PendingReads ==
    {reading[reader] : reader \in {reader \in Readers : reading[reader] # 0}}

--------------------------------------------------------------------------------

\* tree_cache.py:35
Init ==
    /\ committed = 0
    /\ low = 0
    /\ chunk = 0
    /\ parents = <<>>
    /\ written = 0
    /\ kept = <<>>
    /\ reading = [reader \in Readers |-> 0]
    /\ held = 0

PrefillGuards(n) ==
    /\ no_tree:: parents = <<>>  \* tree_cache.py:74
    /\ room_left:: committed + chunk + n <= MaxRows  \* tree_cache.py:74

\* Rows are set aside for a chunk of the prompt, n more.
\* tree_cache.py:72
Prefill(n) ==
    /\ PrefillGuards(n)
    /\ n <= MaxChunk  \* assumed, tree_cache.py:75
    /\ chunk' = chunk + n
    /\ UNCHANGED <<committed, low, parents, written, kept, reading, held>>

FilledGuards ==
    /\ has_chunk:: chunk > 0  \* tree_cache.py:81
    /\ is_written:: chunk <= written  \* tree_cache.py:81

\* The rows of the chunk are certain, as they stand (unwritten ones: vllm#47926, #47930).
\* tree_cache.py:79
Filled ==
    /\ FilledGuards
    /\ committed' = committed + chunk
    /\ chunk' = 0
    /\ written' = 0
    /\ held' = 0
    /\ UNCHANGED <<low, parents, kept, reading>>

ExtendGuards(parent) ==
    /\ no_chunk:: chunk = 0  \* tree_cache.py:91
    /\ room_left:: committed + Len(parents) < MaxRows  \* tree_cache.py:92
    /\ nodes_left:: Len(parents) < MaxNodes  \* tree_cache.py:93
    /\ parent_exists:: parent <= Len(parents)  \* tree_cache.py:94

\* A row is set aside for one more node of the draft tree (without: vllm#16370, TensorRT-LLM#16280).
\* tree_cache.py:88
Extend(parent) ==
    /\ ExtendGuards(parent)
    /\ parents' = Append(parents, parent)
    /\ UNCHANGED <<committed, low, chunk, written, kept, reading, held>>

StartReadGuards(reader, top) ==
    /\ reader_idle:: reading[reader] = 0  \* tree_cache.py:102
    /\ not_behind:: top >= committed  \* tree_cache.py:103
    /\ inside_tail:: top <= LastRow  \* tree_cache.py:104
    /\ one_writer:: (top <= LastWritten \/ ~IsBeingWritten) = TRUE  \* tree_cache.py:105

\* A forward over the rows up to `top` is launched; it will write those among them that nobody has written.
\* tree_cache.py:99
StartRead(reader, top) ==
    /\ StartReadGuards(reader, top)
    /\ reading' = [reading EXCEPT ![reader] = top]
    /\ UNCHANGED <<committed, low, chunk, parents, written, kept, held>>

FinishReadGuards(reader) ==
    /\ is_reading:: reading[reader] # 0  \* tree_cache.py:112

\* The forward has returned.
\* tree_cache.py:110
FinishRead(reader) ==
    /\ FinishReadGuards(reader)
    /\ written' = Max(written, reading[reader] - committed)
    /\ reading' = [reading EXCEPT ![reader] = 0]
    /\ held' = Max(held, reading[reader] - committed)
    /\ UNCHANGED <<committed, low, chunk, parents, kept>>

FailReadGuards(reader) ==
    /\ is_reading:: reading[reader] # 0  \* tree_cache.py:120

\* The forward has failed: it reads no longer, and what it was to write is as unwritten as before.
\* tree_cache.py:118
FailRead(reader) ==
    /\ FailReadGuards(reader)
    /\ reading' = [reading EXCEPT ![reader] = 0]
    /\ UNCHANGED <<committed, low, chunk, parents, written, kept, held>>

KeepGuards(i) ==
    /\ is_written:: i <= written  \* tree_cache.py:126
    /\ child_of_the_last:: Slice(parents, i - 1, i) = <<LastKept>>  \* tree_cache.py:126

\* The walk enters slot i (an unwritten row would be committed otherwise: vllm#47926, #47930).
\* tree_cache.py:124
Keep(i) ==
    /\ KeepGuards(i)
    /\ kept' = Append(kept, i)
    /\ UNCHANGED <<committed, low, chunk, parents, written, reading, held>>

CommitGuards ==
    /\ no_reader_above:: \A reader \in Readers : reading[reader] <= committed  \* tree_cache.py:137

\* The kept rows move behind the committed ones, in the order of the path; all other tentative rows are gone.
\*
\* Rows above `committed` move, also below the new end: a reader that the published guard would let through, at
\* or below committed + len(kept), sees another row than it asked for. With nothing kept this is what an abort
\* needs; it never cuts a row that is certain (mlxcel#994 cut two).
\* tree_cache.py:130
Commit ==
    /\ CommitGuards
    /\ committed' = committed + Len(kept)
    /\ chunk' = 0
    /\ parents' = <<>>
    /\ written' = 0
    /\ kept' = <<>>
    /\ held' = 0
    /\ UNCHANGED <<low, reading>>

EvictGuards ==
    /\ nobody_reads:: IsQuiet  \* tree_cache.py:148

\* Rows that no later token sees are dropped, and the others move down.
\* tree_cache.py:146
Evict ==
    /\ EvictGuards
    /\ low' = committed - Window
    /\ UNCHANGED <<committed, chunk, parents, written, kept, reading, held>>

ReleaseGuards ==
    /\ nobody_reads:: IsQuiet  \* tree_cache.py:154

\* The request is over or aborted: all rows are given back (under a reader: sglang#18803, vllm#32255).
\* tree_cache.py:152
Release ==
    /\ ReleaseGuards
    /\ committed' = 0
    /\ low' = 0
    /\ chunk' = 0
    /\ parents' = <<>>
    /\ written' = 0
    /\ kept' = <<>>
    /\ held' = 0
    /\ UNCHANGED reading

Next ==
    \/ \E n \in 1..MaxRows : Prefill(n)
    \/ Filled
    \/ \E parent \in 0..(MaxNodes - 1) : Extend(parent)
    \/ \E reader \in Readers : \E top \in 1..MaxRows : StartRead(reader, top)
    \/ \E reader \in Readers : FinishRead(reader)
    \/ \E reader \in Readers : FailRead(reader)
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
    /\ \A slot \in 1..Len(parents) : slot - 1 < Len(parents)  \* tree_cache.py:218

\* There is a row for every token of a chunk and every node of a tree.
\* tree_cache.py:208
RowsFit ==
    LastRow <= MaxRows

\* Slot i is row committed + i: no chunk stands before a tree.
\* tree_cache.py:213
SlotsAreRows ==
    chunk = 0 \/ parents = <<>>

\* Every node stands behind its parent.
\* tree_cache.py:218
TreeIsWellFounded ==
    \A slot \in 1..Len(parents) : parents[slot] < slot

\* What the walk keeps leads from the last committed row downwards, from parent to child.
\* tree_cache.py:223
KeptIsAPath ==
    \A i \in 0..(Len(kept) - 1) :
        Slice(parents, kept[i + 1] - 1, kept[i + 1]) = Slice(<<0>> \o kept, i, i + 1)

\* No row is kept that the layers do not hold.
\* tree_cache.py:231
KeptIsWritten ==
    \A slot \in Elements(kept) : slot <= held

\* No forward reads beyond the last row.
\* tree_cache.py:236
NoGhostReads ==
    \A reader \in Readers : reading[reader] <= LastRow

\* Of the forwards in flight one writes at most: two would write the same rows.
\* tree_cache.py:241
OneWrites ==
    Cardinality({reader \in Readers : reading[reader] > LastWritten}) <= 1

\* Every committed row that the next token sees is there.
\* tree_cache.py:246
WindowIsWhole ==
    low <= LastUnseen(committed)

\* Every row that a forward in flight sees is there.
\* tree_cache.py:251
ReadsAreWhole ==
    \A reader \in Readers : reading[reader] # 0 => low <= LastUnseen(reading[reader])

\* No row moves under a reader: what is still there is in its place, as it was or certain by now.
\* tree_cache.py:258
RowsStayPut ==
    [][LET highest == MaxOr({reading[r] : r \in {r \in Readers : reading'[r] = reading[r]}}, 0)
           seen == Min(Min(highest, LastRow), LastRow')
           slots == Max(0, seen - committed)
           as_it_was == /\ committed' = committed
                        /\ Slice(parents', 0, slots) = Slice(parents, 0, slots)
           certain_in_place == /\ committed' >= seen
                               /\ \/ parents = <<>>
                                  \/ \A slot \in 1..slots :
                                         Slice(kept, slot - 1, slot) = <<slot>>
       IN  seen = 0 \/ (low' = low /\ (as_it_was \/ certain_in_place))]_vars

\* A forward in flight is known by its top until it has returned.
\* tree_cache.py:270
ReadsUntilFinished ==
    [][\A r \in Readers : reading[r] = 0 \/ reading'[r] = 0 \/ reading'[r] = reading[r]]_vars

\* Committed rows stay until the request is over; a whole chunk is added to them, or the path that was kept.
\* tree_cache.py:277
CertainForGood ==
    [][LET added == committed' - committed
           from_the_prompt == added = chunk /\ parents = <<>>
           from_the_tree == added = Len(kept) /\ parents' = <<>>
       IN  committed' = 0 \/ added = 0 \/ (added > 0 /\ (from_the_prompt \/ from_the_tree))]_vars

\* No row becomes certain that the layers do not hold.
\* tree_cache.py:285
CertainIsThere ==
    [][committed' <= committed + held]_vars

\* Rows are evicted while others are read again.
\* tree_cache.py:290
Never_WindowSlides ==
    ~(low > 0 /\ ~IsQuiet)

\* A path is kept whose rows are not next to one another.
\* tree_cache.py:295
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
