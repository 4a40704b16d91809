"""Recordings of `protocheck.runtime.Recorder`: any number of instances, with their constants and first states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import nearest
from .following import Follower
from .lines import AFTER_ITS_END, Truncated
from .model import Foreign
from .target import NOTHING, TOO_DEEP, Numbered, Target, show_json

FORMAT = "protocheck-recording"
VERSION = 1


def follow_recording(target: Target, header: Mapping[str, Any], lines: Iterator[Numbered]) -> tuple[Follower, ...]:
    """What `runtime.recording` writes; its lines of other instances, and of what was undone, are passed over."""
    if header.get("version") != VERSION:
        target.fail(1, f"a recording of version {show_json(header.get('version'))}; this protocheck reads {VERSION}")
    reading = _Recording(target)
    number = 1
    try:
        for number, data in lines:
            if data.get("seq") != reading.next:
                reading.jumped(number, data)
            reading.next += 1
            if data.get("kind") == "step":
                # Written out, because this is what nearly all lines are.
                try:
                    follower = reading.followers.get(data.get("of"))
                except TypeError:  # no name, but an array or an object
                    follower = None
                if follower is None:
                    reading.demand_known(number, data)
                    continue
                reading.step(follower, number, data)
                if follower.over:
                    break
            elif reading.other(number, data):
                break
        if reading.ended:
            reading.demand_nothing(lines)
    except Truncated as error:
        target.demand_truncated(error)
    except RecursionError:
        target.fail(number, TOO_DEEP)
    return reading.followed()


class _Recording:
    """The instances of a recording that are looked at, by name, and those that are not."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.followers: dict[Any, Follower] = {}
        self.others: dict[Any, str] = {}
        self.next = 0
        self.gaps = 0
        self.ended = False

    def jumped(self, line: int, data: dict[str, Any]) -> None:
        """Lines are numbered without a gap; those that somebody has taken out are told, since what is left may fit."""
        number = data.get("seq")
        if type(number) is not int:
            self.target.fail(line, "a line of a recording is numbered (seq), but this is not")
        # The last line counts those that were lost.
        if data.get("kind") != "end":
            self.gaps += 1
            if self.gaps == 1:
                self.target.notes.append(f"line {line} is number {number} of the recording, where {self.next} is next")
        self.next = number

    def step(self, follower: Follower, line: int, data: dict[str, Any]) -> None:
        try:
            action, arguments, changes = data["action"], data["args"], data["changes"]
        except KeyError as error:
            self.target.fail(line, f"a step of a recording has {error.args[0]}, but this has none")
        if type(arguments) is not dict or type(changes) is not dict or type(action) is not str:
            self.target.fail(line, "action, args and changes are a string and two objects, but here they are not")
        try:
            follower.step(line, action, arguments, changes, True)
        except Foreign as error:
            self.target.fail(line, error)

    def other(self, line: int, data: dict[str, Any]) -> bool:
        """A line that is no step; whether nothing more is to be read."""
        match data.get("kind"):
            case "instance":
                return self.instance(line, data)
            case "refused":
                self.demand_known(line, data)
                follower = self.followers.get(data["of"])
                return follower is not None and self.refused(follower, line, data)
            case "violated" | "undone":
                self.demand_known(line, data)
            case "end":
                self.ended = True
                lost = data.get("lost")
                if lost:
                    self.target.notes.append(f"the last {lost} lines of the run are not in the recording")
                return True
            case kind:
                self.target.fail(line, f"a recording has no lines of the kind {show_json(kind)}")
        return False

    def instance(self, line: int, data: dict[str, Any]) -> bool:
        target = self.target
        name, protocol = data.get("of"), data.get("protocol")
        if type(name) is not str or type(protocol) is not str:
            target.fail(line, "an instance has a name (of) and a protocol, but here they are no strings")
        if name in self.followers or name in self.others:
            target.fail(line, f"there is an instance {name} already")
        if protocol != target.protocol.name or (target.instances and name not in target.instances):
            self.others[name] = protocol
            return False
        model = target.model(line, data.get("constants"))
        try:
            follower = target.follower(line, model, target.mapping(line, data.get("state"), "the state"), name)
        except Foreign as error:
            target.fail(line, error)
        dropped = data.get("dropped")
        if dropped is not None:
            follower.notes.append(f"what ran was a variant, without the guard {dropped}")
        self.followers[name] = follower
        return follower.over

    def refused(self, follower: Follower, line: int, data: dict[str, Any]) -> bool:
        action, arguments, guards = data.get("action"), data.get("args"), data.get("guards")
        if type(action) is not str or type(arguments) is not dict or type(guards) is not list:
            self.target.fail(line, "action, args and guards are a string, an object and a list, but here they are not")
        try:
            follower.refused(line, action, arguments, tuple(map(str, guards)))
        except Foreign as error:
            self.target.fail(line, error)
        return follower.over

    def demand_known(self, line: int, data: dict[str, Any]) -> None:
        name = data.get("of")
        if type(name) is not str or (name not in self.others and name not in self.followers):
            self.target.fail(line, f"there is no instance {show_json(name)} above this line")

    def demand_nothing(self, lines: Iterator[Numbered]) -> None:
        """What stands below the end of a recording is of none, or of another one."""
        try:
            line, _ = next(lines, (0, NOTHING))
        except Truncated as error:
            line = error.line
        if line:
            self.target.fail(line, AFTER_ITS_END)

    def followed(self) -> tuple[Follower, ...]:
        target = self.target
        over = [follower for follower in self.followers.values() if follower.over]
        missing = [name for name in target.instances if name not in self.followers]
        if missing and not over:
            ours = target.protocol.name
            known = [*self.followers, *(name for name, protocol in self.others.items() if protocol == ours)]
            target.fail(0, f"there is no instance {missing[0]} of {target.protocol.name}{nearest(missing[0], known)}")
        if not self.followers:
            listed = ", ".join(f"{name} ({protocol})" for name, protocol in self.others.items())
            target.fail(0, f"there is no instance of {target.protocol.name} in it; there is {listed or 'none at all'}")
        if not over and not self.ended:
            target.notes.append("the recording was not closed: its last lines may be missing")
        # Of the instances that are still under way when one is rejected, nothing is known.
        shown = over or list(self.followers.values())
        for follower in shown:
            follower.notes += target.notes
        return tuple(shown)
