"""Coarser numbers for a drafter, on two axes that do not depend on one another: its weights, and its keys and values.

The decoder's output depends on neither: a drafter only proposes. What a coarser drafter costs is accepted drafts.
"""
