"""Acceptance of a drafted block: the output is what the target alone would have produced, whatever the drafter says.

A drafter proposes a block. The target's verdict holds its own next token at each position of the block, and one
behind it; it is the target's true continuation as long as the block agrees with that, and anything at all beyond the
first disagreement, where it was computed on a prefix that will not be part of the output. The longest agreeing prefix
is emitted, and with it one token of the verdict: the correction, or the bonus where everything agreed.
"""

from typing import Annotated, Self

from protocheck import (
    Between,
    In,
    MaxLen,
    MinLen,
    Protocol,
    action,
    assume,
    const,
    ghost,
    guard,
    helper,
    init,
    invariant,
    reachable,
    terminal,
    transition_invariant,
)


class Acceptance(Protocol):
    tokens: frozenset[str] = const(frozenset({"t1", "t2"}), symmetric=True)
    max_trace: int = const(3)
    max_draft: int = const(2)

    Token = Annotated[str, In(tokens)]

    target_trace: Annotated[tuple[Token, ...], MaxLen(max_trace)] = ghost(())
    output: Annotated[tuple[Token, ...], MaxLen(max_trace)] = ()
    draft: Annotated[tuple[Token, ...], MaxLen(max_draft)] = ()

    @init
    def any_target(self, trace: Annotated[tuple[Token, ...], MinLen(1), MaxLen(max_trace)]) -> None:
        """What the target would produce on its own, to its end."""
        self.target_trace = trace

    @action
    def propose(self, block: Annotated[tuple[Token, ...], MinLen(1), MaxLen(max_draft)]) -> None:
        """The drafter proposes a block; nothing is assumed of it."""
        guard(nothing_pending=self.draft == ())
        assume(len(self.output) < len(self.target_trace))
        self.draft = block

    @action
    def emit(
        self,
        verdict: Annotated[tuple[Token, ...], MinLen(1), MaxLen(max_draft + 1)],
        count: Annotated[int, Between(0, max_draft)],
    ) -> None:
        """The verdict arrives; `count` drafted tokens and one of the verdict are emitted."""
        guard(
            block_pending=self.draft != (),
            agrees=self.draft[:count] == verdict[:count],
            longest=count == len(self.draft) or self.draft[count : count + 1] != verdict[count : count + 1],
        )
        assume(len(verdict) <= len(self.draft) + 1)
        assume(
            all(
                verdict[i : i + 1] == self.remaining()[i : i + 1]
                for i in range(len(self.draft) + 1)
                if self.draft[:i] == self.remaining()[:i]
            )
        )
        self.output = self.output + self.draft[:count] + verdict[count : count + 1]
        self.draft = ()

    @helper
    def remaining(self) -> tuple[Token, ...]:
        """What the target has still to say."""
        return self.target_trace[len(self.output) :]

    @terminal
    def finished(self) -> bool:
        """The target has said everything."""
        return self.output == self.target_trace

    @invariant
    def non_interference(self) -> bool:
        """The output is a prefix of what the target alone would have produced."""
        return self.output == self.target_trace[: len(self.output)]

    @transition_invariant
    def nothing_wasted(self, after: Self) -> bool:
        """A verdict on a block emits all that agrees and one token more, up to the end of the target's trace."""
        agreeing = max(i for i in range(len(self.draft) + 1) if self.draft[:i] == self.remaining()[:i])
        gained = len(after.output) - len(self.output)
        return gained == 0 or (self.draft != () and gained == min(agreeing + 1, len(self.remaining())))

    @transition_invariant
    def judged_as_proposed(self, after: Self) -> bool:
        """A block stays as it is until its verdict has come."""
        return self.draft == () or after.draft == self.draft or after.output != self.output

    @reachable
    def whole_block_accepted(self) -> bool:
        """The target's longest trace can be reached."""
        return self.output == self.target_trace and len(self.output) == self.max_trace
