"""Drafters: they propose what the target may say next. Whatever they propose, the output stays the target's."""
