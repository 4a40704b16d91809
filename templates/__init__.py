"""Jinja templates: the layout of everything that is generated."""
