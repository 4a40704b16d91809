"""A small target and its block drafter, trained on the source text that ships with Python; no download is needed.

``model`` loads them, ``train`` makes them (``python -m protocheck.runtime.demonstration.train --help``).
"""
