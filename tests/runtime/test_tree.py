"""Draft trees: what is well-formed, and what is asked of one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck.runtime.tree import DraftTree

#          0
#        1   2
#       3     4
#       5
FORK = DraftTree(tokens=(10, 11, 12, 13, 13, 15), parents=(-1, 0, 0, 1, 2, 3))


def test_depths_children_and_paths() -> None:
    assert FORK.depths == (0, 1, 1, 2, 2, 3)
    assert FORK.children(0) == {11: 1, 12: 2}
    assert FORK.children(5) == {}
    assert FORK.path(5) == (0, 1, 3, 5)
    assert FORK.path(0) == (0,)
    assert len(FORK) == 6


def test_chain_and_root_only() -> None:
    assert DraftTree.chain(7, [8, 9]) == DraftTree((7, 8, 9), (-1, 0, 1))
    assert DraftTree.chain(7, []) == DraftTree.root_only(7) == DraftTree((7,), (-1,))
    assert DraftTree.chain(7, [7, 7]).depths == (0, 1, 2), "the same token may follow itself"


@pytest.mark.parametrize(
    ("tokens", "parents", "probabilities", "why"),
    [
        ((), (), None, "without nodes"),
        ((1, 2), (-1,), None, "2 tokens, but 1 parents"),
        ((1, 2), (-1, 0), (0.0,), "2 nodes, but 1 probabilities"),
        ((1,), (0,), None, "the root of a draft tree has no parent"),
        ((-1,), (-1,), None, "node 0 carries -1"),
        ((1, 2), (-1, 1), None, "node 1 has the parent 1"),
        ((1, 2, 3), (-1, 2, 0), None, "node 1 has the parent 2"),
        ((1, 2), (-1, -1), None, "node 1 has the parent -1"),
        ((1, -2), (-1, 0), None, "node 1 carries -2"),
        ((1, 2, 2), (-1, 0, 0), None, "node 2 carries token 2, and so does another child of node 0"),
    ],
)
def test_malformed(
    tokens: tuple[int, ...], parents: tuple[int, ...], probabilities: tuple[float, ...] | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        DraftTree(tokens, parents, probabilities)


@st.composite
def trees(draw: st.DrawFn) -> DraftTree:
    parents = [-1]
    for node in range(1, draw(st.integers(1, 24))):
        parents.append(draw(st.integers(0, node - 1)))
    return DraftTree(tuple(range(100, 100 + len(parents))), tuple(parents))


@given(trees())
def test_paths_agree_with_depths_and_children(tree: DraftTree) -> None:
    for node in range(len(tree)):
        path = tree.path(node)
        assert path[0] == 0
        assert path[-1] == node
        assert len(path) == tree.depths[node] + 1
        for above, below in itertools.pairwise(path):
            assert tree.children(above)[tree.tokens[below]] == below
    assert sum(len(tree.children(node)) for node in range(len(tree))) == len(tree) - 1
