"""The corpus as one row of tokens, and the windows that training and evaluation cut out of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from .corpus import SourceFile
from .tokenizer import BEGINNING_ID, END_ID

Tokens = npt.NDArray[np.uint16]

_TEST_SHARE = 0.3  # of the training windows that come from Python's test-suite


@dataclass(frozen=True)
class Row:
    """Files one after the other, ``<eos>`` after each.

    tokens: uint16 [n].
    starts: int64 [lines], where lines begin.
    top_starts: those among them without indentation: prompts look like them.
    bytes: length of the text in UTF-8.
    """

    tokens: Tokens
    starts: npt.NDArray[np.int64]
    top_starts: npt.NDArray[np.int64]
    bytes: int


@dataclass(frozen=True)
class Corpus:
    """Training text in two rows, and what is held out."""

    library: Row
    tests: Row
    held_out: Row


def encode_corpus(files: Iterable[SourceFile], tokenizer: Tokenizer) -> Corpus:
    """Encode all files. What is held out is library text only, of which the reported bits per byte speak."""
    library: list[str] = []
    tests: list[str] = []
    held_out: list[str] = []
    for file in files:
        if not file.is_held_out:
            (tests if file.is_test else library).append(file.text)
        elif not file.is_test:
            held_out.append(file.text)
    return Corpus(_row(library, tokenizer), _row(tests, tokenizer), _row(held_out, tokenizer))


def _row(texts: list[str], tokenizer: Tokenizer) -> Row:
    pieces: list[npt.NDArray[np.int64]] = []
    for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
        pieces.append(np.asarray([*encoding.ids, END_ID], dtype=np.int64))
    if not pieces:
        empty = np.zeros(0, dtype=np.int64)
        return Row(empty.astype(np.uint16), empty, empty, 0)
    tokens = np.concatenate(pieces)
    spelled = [tokenizer.decode([token]) for token in range(tokenizer.get_vocab_size())]
    breaks_line = np.asarray(["\n" in text for text in spelled])
    indents = np.asarray([text.endswith(" ") for text in spelled])
    after_break = np.flatnonzero(breaks_line[tokens[:-1]]) + 1
    after_break = after_break[tokens[after_break] != END_ID]
    top = after_break[~indents[tokens[after_break - 1]]]
    return Row(tokens.astype(np.uint16), after_break, top, sum(len(text.encode()) for text in texts))


def training_batch(corpus: Corpus, batch: int, length: int, seed: int, step: int) -> torch.Tensor:
    """Windows for one step: int64 [batch, length + 1], each ``<bos>`` and then text from the beginning of a line on.

    Half of them begin at a line without indentation. The windows are a function of seed and step, so that a resumed
    run goes on with those it has not seen.
    """
    generator = np.random.default_rng((seed, step))
    windows = np.full((batch, length + 1), BEGINNING_ID, dtype=np.int64)
    for window in windows:
        row = corpus.tests if len(corpus.tests.tokens) and generator.random() < _TEST_SHARE else corpus.library
        starts = row.top_starts if generator.random() < 0.5 else row.starts
        start = min(int(generator.choice(starts)), len(row.tokens) - length)
        window[1:] = row.tokens[start : start + length]
    return torch.from_numpy(windows)


def held_out_batches(row: Row, batch: int, length: int) -> Iterable[torch.Tensor]:
    """The whole row in windows of `length` tokens that do not overlap, each behind ``<bos>``; the rest at the end is
    cut off."""
    count = len(row.tokens) // length
    windows = np.full((count, length + 1), BEGINNING_ID, dtype=np.int64)
    windows[:, 1:] = row.tokens[: count * length].reshape(count, length)
    for first in range(0, count, batch):
        yield torch.from_numpy(windows[first : first + batch])


def held_out_prompts(row: Row, count: int, length: int = 32) -> torch.Tensor:
    """Evenly spread beginnings of lines without indentation, each after ``<bos>`` as in training: int64 [count,
    length]."""
    starts = row.top_starts[row.top_starts < len(row.tokens) - length]
    chosen = starts[:: max(1, len(starts) // count)][:count]
    texts = np.stack([row.tokens[start : start + length - 1] for start in chosen]).astype(np.int64)
    return torch.from_numpy(np.insert(texts, 0, BEGINNING_ID, axis=1))
