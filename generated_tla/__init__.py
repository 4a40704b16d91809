"""The checked-in TLA+ of every protocol: a baseline and one variant per guard."""
