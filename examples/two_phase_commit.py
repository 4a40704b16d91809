"""Two-phase commit: resource managers agree on commit or abort through a transaction manager.

After Gray and Lamport, "Consensus on transaction commit" (2006), and the specification TwoPhase in Lamport's lectures:
messages are never lost nor consumed, they are a set that grows. The constants `managers` are interchangeable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from protocheck import In, Protocol, action, const, guard, init, invariant, reachable, transition_invariant


@dataclass(frozen=True)
class Prepared:
    """A resource manager tells the transaction manager that it can commit."""

    manager: TwoPhaseCommit.Manager


@dataclass(frozen=True)
class Commit:
    """The transaction manager tells everybody to commit."""


@dataclass(frozen=True)
class Abort:
    """The transaction manager tells everybody to abort."""


Message = Prepared | Commit | Abort


class TwoPhaseCommit(Protocol):
    managers: frozenset[str] = const(frozenset({"rm1", "rm2", "rm3"}), symmetric=True)

    Manager = Annotated[str, In(managers)]

    states: dict[Manager, Literal["working", "prepared", "committed", "aborted"]]
    decision: Literal["none", "commit", "abort"] = "none"
    known_prepared: frozenset[Manager] = frozenset()
    messages: frozenset[Message] = frozenset()

    @init
    def everybody_works(self) -> None:
        self.states = {manager: "working" for manager in self.managers}

    @action
    def receive_prepared(self, manager: Manager) -> None:
        """The transaction manager hears that a resource manager can commit."""
        guard(undecided=self.decision == "none", was_sent=Prepared(manager) in self.messages)
        self.known_prepared |= {manager}

    @action
    def commit(self) -> None:
        """The transaction manager decides to commit."""
        guard(undecided=self.decision == "none", all_prepared=self.known_prepared == self.managers)
        self.decision = "commit"
        self.messages |= {Commit()}

    @action
    def abort(self) -> None:
        """The transaction manager decides to abort, of its own will."""
        guard(undecided=self.decision == "none")
        self.decision = "abort"
        self.messages |= {Abort()}

    @action
    def prepare(self, manager: Manager) -> None:
        """A resource manager can commit, and will no longer abort by itself."""
        guard(is_working=self.states[manager] == "working")
        self.states[manager] = "prepared"
        self.messages |= {Prepared(manager)}

    @action
    def choose_to_abort(self, manager: Manager) -> None:
        """A resource manager gives up before it has prepared."""
        guard(is_working=self.states[manager] == "working")
        self.states[manager] = "aborted"

    @action
    def obey_commit(self, manager: Manager) -> None:
        guard(was_sent=Commit() in self.messages)
        self.states[manager] = "committed"

    @action
    def obey_abort(self, manager: Manager) -> None:
        guard(was_sent=Abort() in self.messages)
        self.states[manager] = "aborted"

    @invariant
    def consistent(self) -> bool:
        """No manager has committed where another has aborted."""
        return not any(
            self.states[one] == "aborted" and self.states[other] == "committed"
            for one in self.managers
            for other in self.managers
        )

    @transition_invariant
    def decided_for_good(self, after: Self) -> bool:
        """A manager that has committed or aborted stays so."""
        return all(
            after.states[manager] == self.states[manager]
            for manager in self.managers
            if self.states[manager] in ("committed", "aborted")
        )

    @transition_invariant
    def decided_on_what_was_known(self, after: Self) -> bool:
        """What the transaction manager decided on stays on record as it was."""
        return self.decision == "none" or after.known_prepared == self.known_prepared

    @reachable
    def all_commit(self) -> bool:
        """The transaction can succeed."""
        return all(self.states[manager] == "committed" for manager in self.managers)
