"""Machines for Hypothesis: drawn decision by decision, so that a failing one shrinks."""

from __future__ import annotations

from hypothesis import strategies as st

from .machine import Machine, machine


def machines(symmetric: bool = False) -> st.SearchStrategy[Machine]:
    """Machines of every size; the simplest alternative of each decision is what shrinking leads to.

    With `symmetric` they have symmetric constants for certain.
    """
    dice = st.randoms(use_true_random=False, note_method_calls=False)
    return dice.map(lambda drawn: machine(drawn, symmetric=symmetric))
