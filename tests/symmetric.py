"""Protocols with interchangeable members: a lock server, an election, transfers between two kinds of members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from protocheck import (
    Between,
    In,
    MaxLen,
    Protocol,
    abstraction,
    action,
    const,
    eventually,
    guard,
    init,
    invariant,
    reachable,
    terminal,
    transition_invariant,
)


class LockServer(Protocol):
    """A lock with a queue of clients that wait for it: each state says what it says of one client at a time."""

    clients: frozenset[str] = const(frozenset({"ann", "bob", "eve"}), symmetric=True)

    Client = Annotated[str, In(clients)]

    holder: Client | None = None
    waiting: Annotated[tuple[Client, ...], MaxLen(3)] = ()
    served: dict[Client, Annotated[int, Between(0, 1)]]

    @init
    def nobody_was_served(self) -> None:
        self.served = {client: 0 for client in self.clients}

    @action
    def ask(self, client: Client) -> None:
        guard(not_waiting=client not in self.waiting, not_holding=self.holder != client, room=len(self.waiting) < 3)
        self.waiting = self.waiting + (client,)

    @action
    def grant(self) -> None:
        guard(somebody_waits=len(self.waiting) > 0, is_free=self.holder is None)
        self.holder = self.waiting[0]
        self.waiting = self.waiting[1:]

    @action
    def release(self, client: Client) -> None:
        guard(holds_it=self.holder == client)
        self.holder = None
        self.served[client] = 1

    @invariant
    def who_holds_does_not_wait(self) -> bool:
        return self.holder is None or self.holder not in self.waiting

    @invariant
    def nobody_waits_twice(self) -> bool:
        return len(frozenset(client for client in self.waiting)) == len(self.waiting)

    @transition_invariant
    def handed_on_in_order(self, after: Self) -> bool:
        """Whoever gets the lock has waited longest, and the lock was free."""
        return (
            after.holder is None
            or after.holder == self.holder
            or (self.holder is None and len(self.waiting) > 0 and after.holder == self.waiting[0])
        )

    @reachable
    def everybody_was_served(self) -> bool:
        return all(self.served[client] == 1 for client in self.clients)


class Election(Protocol):
    """Nodes vote for each other: votes relate nodes with nodes."""

    nodes: frozenset[str] = const(frozenset({"n1", "n2", "n3"}), symmetric=True)

    Node = Annotated[str, In(nodes)]

    votes: dict[Node, Node | None]
    leaders: frozenset[Node] = frozenset()

    @init
    def nobody_has_voted(self) -> None:
        self.votes = {node: None for node in self.nodes}

    @action
    def vote(self, node: Node, candidate: Node) -> None:
        guard(has_not_voted=self.votes[node] is None)
        self.votes[node] = candidate

    @action
    def take_office(self, node: Node) -> None:
        guard(majority=2 * len(frozenset(n for n in self.nodes if self.votes[n] == node)) > len(self.nodes))
        self.leaders |= {node}

    @invariant
    def one_leader(self) -> bool:
        return len(self.leaders) <= 1

    @transition_invariant
    def votes_stay(self, after: Self) -> bool:
        return all(after.votes[node] == self.votes[node] for node in self.nodes if self.votes[node] is not None)

    @reachable
    def own_vote_wins(self) -> bool:
        return any(node in self.leaders and self.votes[node] == node for node in self.nodes)

    @reachable
    def two_leaders(self) -> bool:
        return len(self.leaders) == 2

    @terminal
    def all_have_voted(self) -> bool:
        return all(self.votes[node] is not None for node in self.nodes)


@dataclass(frozen=True)
class Offer:
    page: Annotated[str, In(Transfers.pages)]
    by: Annotated[str, In(Transfers.nodes)]


@dataclass(frozen=True)
class Stop:
    pass


class Transfers(Protocol):
    """Pages are owned by nodes: two kinds of members, which share a name, and a chosen start."""

    nodes: frozenset[str] = const(frozenset({"x", "n1"}), symmetric=True)
    pages: frozenset[str] = const(frozenset({"x", "p1", "p2"}), symmetric=True)

    Node = Annotated[str, In(nodes)]
    Page = Annotated[str, In(pages)]

    owner: dict[Page, Node | None]
    message: Offer | Stop | None = None
    moved: frozenset[Page] = frozenset()

    @init
    def one_page_is_owned(self, page: Page, node: Node) -> None:
        self.owner = {other: node if other == page else None for other in self.pages}

    @action
    def offer(self, page: Page, node: Node) -> None:
        guard(is_quiet=self.message is None, owns_it=self.owner[page] == node)
        self.message = Offer(page, node)

    @action
    def accept(self, node: Node) -> None:
        guard(is_offered=self.message is not None)
        message = self.message
        assert message is not None
        guard(is_an_offer=isinstance(message, Offer))
        assert isinstance(message, Offer)
        guard(is_new=message.page not in self.moved)
        self.owner[message.page] = node
        self.moved |= {message.page}
        self.message = None

    @action
    def take(self, page: Page, node: Node) -> None:
        guard(is_free=self.owner[page] is None)
        self.owner[page] = node

    @action
    def end(self) -> None:
        guard(all_moved=self.moved == self.pages, is_quiet=self.message is None)
        self.message = Stop()

    @invariant
    def what_moved_has_an_owner(self) -> bool:
        return all(self.owner[page] is not None for page in self.moved)

    @transition_invariant
    def moves_once(self, after: Self) -> bool:
        return all(after.owner[page] == self.owner[page] for page in self.moved)

    @terminal
    def ended(self) -> bool:
        return self.message is not None


class Patient(LockServer, fairness="weak"):
    """With a property that no orbit can judge."""

    @eventually
    def everybody_is_served(self) -> bool:
        return all(self.served[client] == 1 for client in self.clients)


class Symmetry(Protocol):
    """Names that TLA+ would have for other things."""

    permutations_of: frozenset[str] = const(frozenset({"None", "Symmetry", "a b"}), symmetric=True)

    chosen: Annotated[str, In(permutations_of)] | None = None
    side: Literal["a b", "left"] = "a b"

    @action
    def symmetry(self, one: Annotated[str, In(permutations_of)]) -> None:
        guard(free=self.chosen is None)
        self.chosen = one
        self.side = "left"

    @action
    def leave(self) -> None:
        guard(taken=self.chosen is not None)
        self.chosen = None

    @invariant
    def chosen_on_the_left(self) -> bool:
        return self.chosen is None or self.side == "left"


class Office(Protocol):
    """What an election comes to: at most one node is in office, and stays there."""

    nodes: frozenset[str] = const(frozenset({"n1", "n2"}), symmetric=True)

    in_office: Annotated[str, In(nodes)] | None = None

    @action
    def win(self, node: Annotated[str, In(nodes)]) -> None:
        guard(nobody_has=self.in_office is None)
        self.in_office = node


class Council(Protocol, refines=Office):
    """Members stand for office, and the first to be confirmed by another is in it."""

    nodes: frozenset[str] = const(frozenset({"n1", "n2", "n3"}), symmetric=True)

    Node = Annotated[str, In(nodes)]

    candidates: frozenset[Node] = frozenset()
    confirmed: tuple[Node, Node] | None = None

    @action
    def stand(self, node: Node) -> None:
        guard(nothing_decided=self.confirmed is None)
        self.candidates |= {node}

    @action
    def confirm(self, node: Node, by: Node) -> None:
        guard(stands=node in self.candidates, another=by != node)
        guard(nobody_yet=self.confirmed is None)
        self.confirmed = (node, by)

    @abstraction
    def in_office(self) -> Node | None:
        return None if self.confirmed is None else self.confirmed[0]

    @terminal
    def decided(self) -> bool:
        return self.confirmed is not None
