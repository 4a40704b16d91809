"""Traces of `TreeCache`, acted out on a real model and the rows of a real cache.

`prefill` sets rows aside for more of a prompt, `extend` for one more token of a tree; `start_read` launches a forward
over them that halts between a layer's update and its attention; `finish_read` lets it go on, and under `fail_read` it
raises. A forward up to rows that are written already scores the last of them once more, and writes nothing. `filled`,
`keep`, `commit`, `evict` and `release` are those of the cache.

When the trace is over, the decoder goes on: forwards return, but for the one launched first; further rounds are drafted
and committed as far as the protocol lets them; then the first forward goes on too. How many rounds that are, and in
which layer forwards halt, makes the difference between an exception and a silent error: all are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from ..protocols.tree_cache import TreeCache
from ..transpiler.questions import enabled, refused_by
from .acting_stage import Scene, Stage
from .cache import TreeKVCache, protocol_for
from .effects import FAR, Effect, Plain, Unreached, difference, worst
from .flights import Flight
from .narrowing import narrowed
from .rereading import Rereading
from .target import TargetModel, layer_windows, text_config
from .tree import DraftTree

MOST_ROUNDS = 2
"""Rounds of drafting, at most, that come before the first forward goes on."""


def act_on_cache(scene: Scene, variant: type[TreeCache] = TreeCache) -> Effect:
    """The worst that can come of a trace, over all layers that a forward can halt in and rounds that can come between.

    scene: with at least max_rows tokens of a prompt. variant: the protocol, or one that has lost a guard.

    Where the trace evicts rows, the model's window is that of the trace meanwhile, and the effect has a note of it.

    Raises ValueError for a prompt that is too short.
    """
    if len(scene.prompt) < scene.constants["max_rows"]:
        raise ValueError(
            f"a prompt of {len(scene.prompt)} tokens; the trace may fill {scene.constants['max_rows']} rows"
        )
    window, wanted = layer_windows(scene.model).window, scene.constants["window"] + 1
    if window == wanted or not any(act.action == "evict" for act in scene.trace):
        return _worst_of(scene, variant)
    if window is None:
        return Effect("unreached", "this model has no sliding layers: it needs every row, and nothing is ever evicted")
    with narrowed(scene.model, wanted):
        effect = _worst_of(scene, variant)
    return replace(effect, note=f"the model's window was {wanted} tokens instead of {window}, as in the trace")


def _worst_of(scene: Scene, variant: type[TreeCache]) -> Effect:
    target, plain = TargetModel(scene.model), Plain(scene.model)
    halts = any(act.action == "start_read" for act in scene.trace)
    # The last layer first: what happens there meets no later layer that could notice.
    layers: Sequence[int | None] = range(len(target.layers.windows))[::-1] if halts else (None,)
    found: list[Effect] = []
    for layer in layers:
        for rounds in range(MOST_ROUNDS + 1) if halts else (0,):
            effect = _Rows(scene, target, plain, variant, layer, rounds).play()
            if effect.kind in ("refused", "unreached"):
                return effect
            if layer is not None:
                effect = replace(effect, layer=layer, rounds=rounds)
            if effect.kind == "corrupted":
                return effect
            found.append(effect)
    return worst(found)


@dataclass(frozen=True)
class _Forest(DraftTree):
    """Tentative rows as the protocol knows them: several may stand right behind the committed ones."""

    def __post_init__(self) -> None:
        for node, parent in enumerate(self.parents):
            if not -1 <= parent < node:
                raise Unreached(f"node {node} would hang below node {parent}: no draft tree can be made of that")


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a forward must say: the texts behind whose last tokens it gives logits; None for rows that nobody wrote."""

    reader: str
    top: int
    texts: tuple[tuple[int, ...] | None, ...]


class _ActedCache(TreeKVCache):
    """Evicts when the trace says so, and only then."""

    def _evict(self) -> None:
        """Nothing: `evict` is a step of the trace."""


class _Rows(Stage):
    """One model, one cache, and the text that each row stands for.

    layer: where forwards halt, None for nowhere. rounds: of drafting, before the first forward goes on.
    """

    def __init__(
        self,
        scene: Scene,
        target: TargetModel,
        plain: Plain,
        variant: type[TreeCache],
        layer: int | None,
        rounds: int,
    ) -> None:
        super().__init__(scene)
        self.target, self.plain, self.layer, self.rounds = target, plain, layer, rounds
        constants = scene.constants
        steps = protocol_for(
            target.layers,
            constants["max_rows"],
            constants["max_nodes"],
            variant,
            {"readers": constants["readers"], "max_chunk": constants["max_rows"]},
        )
        self.steps = steps
        self.cache = _ActedCache(target.layers, steps, after_update=self.flights.between)
        self.prompt = list(scene.prompt)
        self.text: tuple[int, ...] = ()
        # Tokens of the prompt that rows were set aside for, and of all so far how many.
        self.chunk: tuple[int, ...] = ()
        self.asked = 0
        self.nodes: list[tuple[int, ...]] = []
        # Drafts of the trace are the likeliest tokens; later ones are others, so that a row that is used again shows.
        self.rank = 0
        self.expected: dict[Flight, _Expected] = {}
        self.wrong: list[str] = []
        self.largest = 0.0
        self.most_rows = 0

    def is_wrong(self) -> bool:
        return bool(self.wrong)

    def judged(self) -> Effect:
        if self.wrong:
            return Effect("corrupted", self.wrong[0])
        return Effect(
            "unharmed",
            f"every forward said what a plain one says (largest deviation {self.largest:.0e}), and so do the rows; "
            f"there were {self.most_rows} of them at most, in buffers that grow",
        )

    # --- Acts ----------------------------------------------------------------------------------------------------

    def prefill(self, n: int) -> None:
        self.cache.prefill(n)
        self.chunk += tuple(self.prompt[(self.asked + i) % len(self.prompt)] for i in range(n))
        self.asked += n

    def filled(self) -> None:
        self.cache.filled()
        self.text += self.chunk
        self.chunk = ()

    def extend(self, parent: int) -> None:
        self.cache.extend(parent)
        above = self.text if parent == 0 else self.nodes[parent - 1] if parent <= len(self.nodes) else ()
        rank = self.rank + sum(node[:-1] == above for node in self.nodes)
        token = self.plain.likeliest(above, rank) if above else (self.prompt[0] + 1 + rank) % self.target.vocabulary
        self.nodes.append((*above, token))

    def start_read(self, reader: str, top: int) -> None:
        first, last = self.steps.written, top - self.cache.committed
        self.cache.start_read(reader, top)
        if first < last <= len(self.nodes):
            self.launch_tree(reader, first, last)
        elif not self.nodes and first < last <= len(self.chunk):
            self.launch_chunk(reader, first, last)
        else:
            text = self.text_at(last)
            self.launch(reader, top, (text,), self.rescoring(top, last, text))

    def finish_read(self, reader: str) -> None:
        """The forward that was launched last: it is the one that the protocol knows."""
        aloft = self.launched_by(reader)
        if aloft and enabled(self.steps.finish_read, reader):
            self.land(aloft[-1])
        self.cache.finish_read(reader)

    def fail_read(self, reader: str) -> None:
        """The forward that was launched last raises."""
        aloft = self.launched_by(reader)
        if aloft and enabled(self.steps.fail_read, reader):
            self.flights.fail(aloft[-1])
        self.cache.fail_read(reader)

    def keep(self, i: int) -> None:
        self.cache.keep(i)

    def commit(self) -> None:
        kept = self.cache.commit()
        self.text += tuple(self.nodes[slot - 1][-1] for slot in kept)
        self.nodes, self.chunk = [], ()

    def evict(self) -> None:
        self.cache.evict()

    def release(self) -> None:
        self.cache.release()
        self.text, self.nodes, self.chunk = (), [], ()

    # --- Forwards ------------------------------------------------------------------------------------------------

    def forest(self, slots: int) -> _Forest:
        return _Forest(
            tuple(node[-1] for node in self.nodes[:slots]), tuple(parent - 1 for parent in self.steps.parents[:slots])
        )

    def text_at(self, slot: int) -> tuple[int, ...] | None:
        """What the row of a slot stands for, with all before it; None for a row of nothing."""
        if slot <= 0:
            return self.text[: self.cache.committed + slot]
        if self.nodes:
            return self.nodes[slot - 1] if slot <= len(self.nodes) else None
        return self.text + self.chunk[:slot] if slot <= len(self.chunk) else None

    def launched_by(self, reader: str) -> list[Flight]:
        return [flight for flight in self.flights.aloft if self.expected[flight].reader == reader]

    def launch_tree(self, reader: str, first: int, last: int, *, through: bool = False) -> Flight:
        """A forward over the nodes from slot `first` + 1 to `last`."""
        forest, top = self.forest(last), self.cache.committed + last

        def forward() -> torch.Tensor:
            return self.target.forward_tree(self.cache, forest, first, reader=reader).logits

        return self.launch(reader, top, tuple(self.nodes[first:last]), forward, through=through)

    def launch_chunk(self, reader: str, first: int, last: int, *, through: bool = False) -> Flight:
        """A forward over the tokens of a chunk, counted from 1, from `first` + 1 to `last`."""
        base, ids = self.cache.committed, self.chunk[first:last]
        places = torch.arange(base + first, base + last, device=self.target.device)

        def forward() -> torch.Tensor:
            return self.target.forward_prompt(self.cache, ids, places, reader=reader).logits

        return self.launch(reader, base + last, (self.text + self.chunk[:last],), forward, through=through)

    def launch(
        self,
        reader: str,
        top: int,
        texts: tuple[tuple[int, ...] | None, ...],
        forward: Callable[[], torch.Tensor],
        *,
        through: bool = False,
    ) -> Flight:
        flight = self.flights.launch(f"forward of the {reader}", forward, None if through else self.layer)
        self.expected[flight] = _Expected(reader, top, texts)
        return flight

    def rescoring(self, top: int, slots: int, text: tuple[int, ...] | None) -> Callable[[], torch.Tensor]:
        """A forward that scores row `top` once more: it reads the rows up to there and writes none."""
        mask = None
        position = top - 1
        if slots > 0 and text is not None and self.nodes:
            forest = self.forest(slots)
            position = self.cache.committed + forest.depths[-1]
            made = self.target._tree_masks(self.cache, forest, slots - 1, self.cache.extent)
            mask = None if made is None else self.target._in_its_words(made)
        token = text[-1] if text else self.prompt[0]
        rows = Rereading(self.cache.rows, top, self.flights)
        positions = torch.tensor([position], device=self.target.device)

        def forward() -> torch.Tensor:
            out = self.target._run(rows, [token], mask, positions, (), last=False)
            logits: torch.Tensor = out.logits[0]
            return logits

        return forward

    def land(self, flight: Flight) -> None:
        expected = self.expected[flight]
        logits = self.flights.land(flight)
        for row, text in zip(logits, expected.texts, strict=True):
            what = f"the {expected.reader}'s forward up to row {expected.top}"
            if text is None:
                self.wrong.append(f"{what} read a row that nobody wrote, and returned")
            else:
                self.compare(what, row, text)

    def compare(self, what: str, logits: torch.Tensor, text: tuple[int, ...]) -> None:
        """With a plain forward of the text that was meant."""
        self.most_rows = max(self.most_rows, *self.cache.lengths())
        plain = self.plain.logits(text)
        off = difference(logits, plain)
        self.largest = max(self.largest, off)
        if off > FAR:
            says, meant = int(logits.argmax()), int(plain.argmax())
            tokens = (
                f"the next token stays {meant}" if says == meant else f"the next token is {says} instead of {meant}"
            )
            self.wrong.append(f"{what}: a logit behind a text of {len(text)} tokens is off by {off:.2g}; {tokens}")

    # --- What comes after the trace ------------------------------------------------------------------------------

    def continued(self) -> None:
        """All forwards but the first return; rounds; the first returns; what the rows are then."""
        self.rank = 1
        for flight in reversed(self.flights.aloft[1:]):
            self.returned(flight)
        for _ in range(self.rounds):
            if not self.round():
                break
        for flight in self.flights.aloft[:]:
            self.returned(flight)
        while self.round():
            pass
        self.check_rows()

    def returned(self, flight: Flight) -> None:
        """A forward returns, and its reader says so, if the protocol still knows of it."""
        reader = self.expected[flight].reader
        self.land(flight)
        if enabled(self.steps.finish_read, reader):
            self.cache.finish_read(reader)

    def round(self) -> bool:
        """One round of the decoder, as far as the protocol allows it; whether it came to more committed rows."""
        steps, before = self.steps, self.cache.committed
        if self.chunk:
            return self.rest_of_the_chunk()
        if not steps.kept:
            if not self.nodes and enabled(steps.extend, 0):
                self.extend(0)
            if steps.written < len(self.nodes):
                reader = self.reader_of_all(len(self.nodes))
                if reader is None:
                    return False
                self.returned(self.launch_tree(reader, steps.written, len(self.nodes), through=True))
            if self.nodes and enabled(steps.keep, 1):
                self.keep(1)
        if not steps.kept or not enabled(steps.commit):
            return False
        self.commit()
        if enabled(steps.evict):
            self.evict()
        return self.cache.committed > before

    def rest_of_the_chunk(self) -> bool:
        """The prompt goes on as far as the protocol allows it; whether it came to more committed rows."""
        steps = self.steps
        if steps.written < len(self.chunk):
            reader = self.reader_of_all(len(self.chunk))
            if reader is None:
                return False
            self.returned(self.launch_chunk(reader, steps.written, len(self.chunk), through=True))
        if not enabled(steps.filled):
            return False
        self.filled()
        return True

    def reader_of_all(self, tentative: int) -> str | None:
        """A reader that has begun to read all rows, so many tentative ones among them; None where none may."""
        steps, top = self.steps, self.cache.committed + tentative
        idle = [reader for reader in sorted(steps.readers, reverse=True) if not steps.reading[reader]]
        if not idle or refused_by(steps.start_read, idle[0], top):
            return None
        self.cache.start_read(idle[0], top)
        return idle[0]

    def check_rows(self) -> None:
        """Committed rows are those of a plain forward over the committed text."""
        if not self.text:
            return
        own: Any = DynamicCache(config=text_config(self.target.model))
        with torch.no_grad():
            self.target.model(input_ids=torch.tensor([self.text], device=self.target.device), past_key_values=own)
        for layer in self.cache.rows:
            held = self.cache.committed - layer.low
            seen = len(self.text) if layer.window is None else min(len(self.text), layer.window - 1)
            if layer.keys is None or layer.values is None or layer.held < held or held < seen:
                self.wrong.append(f"layer {layer.index} holds {layer.held} rows, but the next token sees {seen}")
                return
            for name, rows, plain in (
                ("keys", layer.keys, own.layers[layer.index].keys),
                ("values", layer.values, own.layers[layer.index].values),
            ):
                off = difference(rows[:, :, held - seen : held], plain[:, :, plain.shape[2] - seen :])
                self.largest = max(self.largest, off)
                if off > FAR:
                    self.wrong.append(f"committed {name} of layer {layer.index} are off by {off:.2g}")
                    return
