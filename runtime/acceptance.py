"""Which drafted tokens are accepted: a walk down the draft tree, one emitted token at a time.

At each walked node a token is chosen from the target's scores there. If a child of the node carries it, the draft was
right and the walk goes on from that child; if not, the token is the correction (or the bonus, at a leaf) and the walk
is over. A tree only decides how many of the tokens one forward of the target can give: each token is chosen as plain
decoding would choose it, from the same scores, in the same order, with the same draws. So the output is the target's
own, whatever the tree holds (after Daliri, Musco and Suresh, arXiv 2408.07978, where the drafts are coupled to the
draws).

Which of its steps the walk takes, the protocol `Walk` is asked; there is no second copy of its conditions here.

These functions know neither tensors nor fractions: what they need of a choice is that it is a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ..protocols.walk import Walk
from ..transpiler.questions import enabled
from .tree import DraftTree

_ANY = 2**31

Choose: TypeAlias = Callable[[int, tuple[int, ...]], int]
"""(node, tokens emitted by this walk so far) → the next token. Asked once for each emitted token, in order."""


@dataclass(frozen=True, slots=True)
class Step:
    """One emitted token.

    node: the walked node whose scores gave the token.
    token: what is emitted.
    child: the child of `node` that carries the token, which is accepted with it; None: the walk ends here.
    """

    node: int
    token: int
    child: int | None


def walk(tree: DraftTree, choose: Choose, rule: Walk | None = None) -> Iterator[Step]:
    """The walk from the root, lazily: nothing is chosen before the step is asked for.

    So a caller that stops in mid-block has drawn no random number, and has shown no stateful processor a token, that
    plain decoding would not have. The last step is the one without a child.

    rule: the request's instance of the protocol, between two blocks. After each step its owner says `rule.go_on()`, or
        `rule.stop()` and asks for no more. None: an instance for this walk alone, which never stops.
    """
    asked_here = rule is None
    if rule is None:
        rule = Walk(vocabulary=_ANY, max_output=_ANY, max_nodes=_ANY)
    rule.propose(tree.tokens[1:], tree.parents[1:])
    node: int | None = 0
    emitted: tuple[int, ...] = ()
    while node is not None:
        token = choose(node, emitted)
        child = next((child for child in tree.children(node).values() if enabled(rule.descend, token, child)), None)
        if child is None:
            rule.finish(token)
        else:
            rule.descend(token, child)
        yield Step(node, token, child)
        if asked_here:
            rule.go_on()
        emitted += (token,)
        node = child
