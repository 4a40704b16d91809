"""What is measured, and against what; every figure is a ratio within one run."""
