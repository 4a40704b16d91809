"""The representative of a state as C: what `reduction` says in Python, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator

from .c_emit import replaced
from .c_render import WORD, CWriter, NotInC
from .emit import INDENT
from .reduction import Exchangeable, Reduction, network, orders
from .renaming import Swap


def reduction_lines(reduction: Reduction, writer: CWriter) -> list[str]:
    """The function `representative` and what it calls. Raises `NotInC` where a column is too wide for a Value."""
    lines: list[str] = []
    for number, item in enumerate(reduction.sets):
        if item.column_bits > writer.bits:
            name = item.members.constant
            raise NotInC(f"{item.column_bits} bits are about each member of {name}, and {writer.bits} can be compared")
        for place, swap in enumerate(item.swaps):
            lines += _exchange(f"exchange_{number}_{place}", swap, writer)
    if reduction.related:
        lines += _less(writer)
        lines += _tied_exchange(reduction)
        _enter_orders(reduction, writer)
    lines.append("static State representative(State s) {")
    for number, item in enumerate(reduction.sets):
        lines += [INDENT + line for line in _sorted(number, item, writer)]
    if reduction.related:
        lines += [INDENT + line for line in _least(reduction)]
    return [*lines, f"{INDENT}return s;", "}"]


def _exchange(name: str, swap: Swap, writer: CWriter) -> Iterator[str]:
    yield f"static inline State {name}(State s) {{"
    if writer.words == 1 and writer.bits == WORD:
        yield f"{INDENT}return {writer.value(swap.word)};"
    else:
        # Of several words, or with values of more bits than a word: field by field.
        yield f"{INDENT}State t = s;"
        for line in replaced(writer, swap.changes):
            yield INDENT + line
        yield f"{INDENT}return t;"
    yield "}"


def _sorted(number: int, item: Exchangeable, writer: CWriter) -> Iterator[str]:
    """Columns in ascending order."""
    for place, column in enumerate(item.columns):
        yield f"Value c{number}_{place} = {writer.value(column)};"
    for place in network(len(item.columns)):
        one, other = f"c{number}_{place}", f"c{number}_{place + 1}"
        yield f"if ({one} > {other}) {{"
        yield f"{INDENT}const Value least = {other};"
        yield f"{INDENT}{other} = {one};"
        yield f"{INDENT}{one} = least;"
        yield f"{INDENT}s = exchange_{number}_{place}(s);"
        yield "}"


# ---------------------------------------------------------------------------------------------------- what is tied


def _least(reduction: Reduction) -> Iterator[str]:
    numbers = {item.members.constant: number for number, item in enumerate(reduction.sets)}
    tied = []
    for item, place, bit in reduction.ties_of:
        number = numbers[item.members.constant]
        tied.append(f"(unsigned)(c{number}_{place} == c{number}_{place + 1}) << {bit}")
    yield f"const unsigned ties = {' | '.join(tied)};"
    yield "State t = s;"
    yield "for (uint32_t i = ORDERS_OF[ties]; i < ORDERS_OF[ties + 1]; i++) {"
    yield f"{INDENT}t = exchange_tied(t, ORDERS[i]);"
    yield f"{INDENT}if (less(t, s)) s = t;"
    yield "}"


def _enter_orders(reduction: Reduction, writer: CWriter) -> None:
    """The exchanges for every number of ties, one after the other, and where those of each begin."""
    steps: list[int] = []
    starts = [0]
    known = sum(1 << bit for _, _, bit in reduction.ties_of)
    for ties in range(1 << len(reduction.tied_swaps)):
        # Numbers that tie members of different sets do not occur.
        steps += orders(ties) if ties & ~known == 0 else ()
        starts.append(len(steps))
    writer.used["ORDERS"] = tuple(steps)
    writer.used["ORDERS_OF"] = tuple(starts)


def _tied_exchange(reduction: Reduction) -> Iterator[str]:
    numbers = {item.members.constant: number for number, item in enumerate(reduction.sets)}
    yield "static State exchange_tied(State s, int place) {"
    yield f"{INDENT}switch (place) {{"
    for item, place, bit in reduction.ties_of:
        yield f"{INDENT * 2}case {bit}: return exchange_{numbers[item.members.constant]}_{place}(s);"
    yield f"{INDENT * 2}default: return s;"
    yield f"{INDENT}}}"
    yield "}"


def _less(writer: CWriter) -> Iterator[str]:
    """Whether a state is less than another, as numbers: the last word of several is the highest."""
    yield "static inline int less(State a, State b) {"
    if writer.words == 1:
        yield f"{INDENT}return a < b;"
    else:
        yield f"{INDENT}for (int place = WORDS - 1; place >= 0; place--)"
        yield f"{INDENT * 2}if (a.w[place] != b.w[place]) return a.w[place] < b.w[place];"
        yield f"{INDENT}return 0;"
    yield "}"
