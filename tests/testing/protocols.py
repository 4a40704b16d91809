"""Protocols for these tests, as files of a user's."""

from __future__ import annotations

COUNTER = '''\
from typing import Annotated

from protocheck import Between, Protocol, action, const, guard, invariant


class Counter(Protocol, survivors={"reset.full": "an early reset, 100% harmless: really, it is"}):
    """Counts."""

    limit: int = const(3)
    bound: int = const(3)

    value: Annotated[int, Between(0, limit)] = 0

    @action
    def up(self) -> None:
        guard(room=self.value < self.limit)
        self.value += 1

    @action
    def reset(self) -> None:
        guard(full=self.value == self.limit)
        self.value = 0

    @invariant
    def small(self) -> bool:
        return self.value <= self.bound

    @invariant
    def natural(self) -> bool:
        return self.value >= 0
'''
"""Holds for limit <= bound, and violates `small` otherwise; `reset.full` survives, with changed behaviour."""

UNDECLARED = COUNTER.replace(', survivors={"reset.full": "an early reset, 100% harmless: really, it is"}', "")
"""The same without saying that `reset.full` survives."""

FALSE = COUNTER.replace('"reset.full": "an early', '"up.room": "nobody minds", "reset.full": "an early')
"""The same with a declaration that is not true."""
