"""The walk through a verified draft tree: what is emitted is what the target alone would have emitted, and no more.

One forward has verified the tree. The walk begins at its root, the last emitted token, with one verdict at each node
that it comes to: the target's next token there, with all processors applied, drawn if the target samples. Where a child
carries that token the walk descends; else the token ends the block, as the correction or as the bonus behind a leaf.
After every token the stopping criteria are asked, in the middle of a block too. An instance lives for one request.

A verdict is the target's true next token as long as the path that the forward saw is the one that was emitted. At a
node that lies off it, and behind the end of what the target has to say, it is anything at all.
"""

from typing import Annotated, Literal, Self

from protocheck import (
    Between,
    MaxLen,
    MinLen,
    Protocol,
    action,
    assume,
    const,
    eventually,
    ghost,
    guard,
    helper,
    init,
    invariant,
    reachable,
    terminal,
    transition_invariant,
)


class Walk(Protocol, fairness="weak"):
    vocabulary: int = const(2)
    max_output: int = const(3)
    max_nodes: int = const(2)

    Token = Annotated[int, Between(0, vocabulary - 1)]
    Tokens = Annotated[tuple[Token, ...], MaxLen(max_output)]

    target: Tokens = ghost(())
    on_course: bool = ghost(True)

    phase: Literal["between", "walking", "stopped"] = "between"
    asked: bool = True
    output: Tokens = ()

    # Node j > 0 of the tree carries tokens[j - 1] and hangs below node parents[j - 1]; the walk is at node `at`.
    tokens: Annotated[tuple[Token, ...], MaxLen(max_nodes)] = ()
    parents: Annotated[tuple[Annotated[int, Between(0, max_nodes - 1)], ...], MaxLen(max_nodes)] = ()
    at: Annotated[int, Between(0, max_nodes)] = 0

    @init
    def any_target(self, trace: Annotated[tuple[Token, ...], MinLen(1), MaxLen(max_output)]) -> None:
        """What the target would emit on its own, to its end."""
        self.target = trace

    @action
    def propose(
        self,
        tokens: Annotated[tuple[Token, ...], MaxLen(max_nodes)],
        parents: Annotated[tuple[Annotated[int, Between(0, max_nodes - 1)], ...], MaxLen(max_nodes)],
    ) -> None:
        """The next tree has been verified, whatever it holds; the walk is at its root."""
        guard(between_blocks=self.phase == "between", one_parent_each=len(tokens) == len(parents))
        self.phase = "walking"
        self.tokens = tokens
        self.parents = parents

    @action
    def descend(self, verdict: Token, child: Annotated[int, Between(1, max_nodes)]) -> None:
        """The verdict is the token of a child: it is emitted, and the walk goes there."""
        guard(
            stop_was_asked=self.asked,
            drafted=self.parents[child - 1 : child] == (self.at,),
            agrees=self.tokens[child - 1 : child] == (verdict,),
        )
        assume(self.is_true_here(verdict))
        self.on_course = self.on_course and self.tokens[child - 1 : child] == (verdict,)
        self.output += (verdict,)
        self.asked = False
        self.at = child

    @action
    def finish(self, verdict: Token) -> None:
        """No child carries the verdict: it is emitted, and the block is over."""
        guard(
            walking=self.phase == "walking",
            stop_was_asked=self.asked,
            no_child_agrees=not self.some_child_agrees(verdict),
        )
        assume(self.is_true_here(verdict))
        self.on_course = True
        self.output += (verdict,)
        self.asked = False
        self.phase = "between"
        self.tokens = ()
        self.parents = ()
        self.at = 0

    @action
    def go_on(self) -> None:
        """No stopping criterion says that the last token was the last of all.

        Whoever forgets to ask in the middle of a block emits too much: sglang#31599, vllm#47616.
        """
        guard(not_stopped=self.phase != "stopped")
        assume(self.output != self.target)
        self.asked = True

    @action
    def stop(self) -> None:
        """A stopping criterion, or the user, ends the request; what is left of the block is not looked at."""
        self.phase = "stopped"
        self.tokens = ()
        self.parents = ()
        self.at = 0

    @helper
    def some_child_agrees(self, verdict: int) -> bool:
        """A child of the node that the walk is at carries this token."""
        return any(self.parents[i] == self.at and self.tokens[i] == verdict for i in range(len(self.tokens)))

    @helper
    def is_true_here(self, verdict: int) -> bool:
        """What a verdict can be: the target's next token, where it was asked on the path that was emitted."""
        here = len(self.output)
        return not self.on_course or self.target[here : here + 1] in ((), (verdict,))

    @terminal
    def over(self) -> bool:
        return self.phase == "stopped"

    @invariant
    def non_interference(self) -> bool:
        """The output is a prefix of what the target alone would have emitted."""
        return self.output == self.target[: len(self.output)]

    @transition_invariant
    def only_what_was_verified(self, after: Self) -> bool:
        """Tokens are emitted while the walk is in a tree, one at a time."""
        gained = len(after.output) - len(self.output)
        return gained == 0 or (gained == 1 and self.phase == "walking")

    @transition_invariant
    def down_the_tree(self, after: Self) -> bool:
        """The walk goes from a node to one of its children, or leaves the tree."""
        return after.at in (0, self.at) or self.parents[after.at - 1 : after.at] == (self.at,)

    @transition_invariant
    def nothing_wasted(self, after: Self) -> bool:
        """A block that ends with a token was walked as far as it agreed."""
        ended = self.phase == "walking" and after.phase == "between"
        return not ended or not self.some_child_agrees(after.output[-1])

    @transition_invariant
    def judged_as_proposed(self, after: Self) -> bool:
        """A tree stays as it is while the walk is in it."""
        unchanged = after.tokens == self.tokens and after.parents == self.parents
        return unchanged or self.phase != "walking" or after.phase != "walking"

    @transition_invariant
    def stopped_for_good(self, after: Self) -> bool:
        """Nothing comes after the end."""
        return self.phase != "stopped"

    @eventually
    def ends(self) -> bool:
        """The target's last token is followed by the end, whatever was drafted."""
        return self.phase == "stopped"

    @reachable
    def stopped_in_mid_block(self) -> bool:
        """The last token of all is drafted, and more is drafted behind it."""
        return self.output == self.target and self.at == 1 and self.parents[1:2] == (1,)
