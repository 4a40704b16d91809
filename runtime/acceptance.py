"""Which drafted tokens are accepted: a walk down the draft tree, one emitted token at a time.

At each walked node a token is chosen from the target's scores there. If a child of the node carries it, the draft was
right and the walk goes on from that child; if not, the token is the correction (or the bonus, at a leaf) and the walk
is over. A tree only decides how many of the tokens one forward of the target can give: each token is chosen as plain
decoding would choose it, from the same scores, in the same order, with the same draws. So the output is the target's
own, whatever the tree holds (after Daliri, Musco and Suresh, arXiv 2408.07978, where the drafts are coupled to the
draws).

These functions know neither tensors nor fractions: what they need of a choice is that it is a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .tree import DraftTree

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


def walk(tree: DraftTree, choose: Choose) -> Iterator[Step]:
    """The walk from the root, lazily: nothing is chosen before the step is asked for.

    So a caller that stops in mid-block has drawn no random number, and has shown no stateful processor a token, that
    plain decoding would not have. The last step is the one without a child.
    """
    node: int | None = 0
    emitted: tuple[int, ...] = ()
    while node is not None:
        token = choose(node, emitted)
        child = tree.children(node).get(token)
        yield Step(node, token, child)
        emitted += (token,)
        node = child
