"""The demonstration's tokenizer: byte-level BPE (Sennrich et al., arXiv 1508.07909) of 2,048 tokens, fit for code.

A line break and the indentation after it are one piece, so that one token says how deep the next line is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

# How the library's classes are typed differs from version to version.
_library: Any = transformers

VOCABULARY = 2048
PADDING, END, BEGINNING = "<pad>", "<eos>", "<bos>"
PADDING_ID, END_ID, BEGINNING_ID = 0, 1, 2

# A name with the space, dot or underscore before it; a digit; punctuation; line breaks with the indentation that
# follows.
_PIECES = r"[ _.]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|(?:[ \t]*\n)+[ \t]*|[ \t]+|\s"


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Learn the merges from texts. Every text begins with ``<bos>`` when it is encoded with special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PADDING, END, BEGINNING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGINNING} $A", special_tokens=[(BEGINNING, BEGINNING_ID)]
    )
    return tokenizer


def wrap_tokenizer(tokenizer: Tokenizer) -> Any:
    """The tokenizer as transformers wants it."""
    return _library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGINNING,
        eos_token=END,
        pad_token=PADDING,
        clean_up_tokenization_spaces=False,
    )
