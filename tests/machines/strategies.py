"""Machines for Hypothesis: drawn decision by decision, so that a failing one shrinks."""

from __future__ import annotations

from hypothesis import strategies as st

from .machine import Machine, machine


def machines() -> st.SearchStrategy[Machine]:
    """Machines of every size; the simplest alternative of each decision is what shrinking leads to."""
    return st.randoms(use_true_random=False, note_method_calls=False).map(machine)
