"""Domains of parameters → the function that checks the arguments of one action, compiled once an instance's constants.

The check runs on every step, so that the common values (numbers in a range, names out of a list) are recognised by a
test written out in the function itself. Whatever the test does not recognise is asked of `domains.contains`, which
alone says what lies in a domain:

    def check(value_0, value_1):
        if not (type(value_0) is int and 1 <= value_0 <= 4096) and not contains(domain_0, value_0):
            raise ArgumentRefused('start_read', 'row', value_0, domain_0)
        …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import domains
from .domains import Domain, contains
from .refusals import ArgumentRefused


def argument_check(action: str, parameters: Sequence[tuple[str, Domain]]) -> Callable[..., None]:
    """A function of an action's arguments that raises `ArgumentRefused` for the first outside its domain."""
    names: dict[str, Any] = {"contains": contains, "ArgumentRefused": ArgumentRefused}
    # Parameters are numbered, so that none of their names hides another one.
    lines = [f"def check({', '.join(f'value_{place}' for place in range(len(parameters)))}):"]
    for place, (name, domain) in enumerate(parameters):
        value, known = f"value_{place}", f"domain_{place}"
        names[known] = domain
        quick = _recognised(value, domain, names)
        test = f"not contains({known}, {value})"
        lines.append(f"    if {f'not ({quick}) and {test}' if quick else test}:")
        lines.append(f"        raise ArgumentRefused({action!r}, {name!r}, {value}, {known})")
    exec("\n".join([*lines, "    return"]), names)
    check: Callable[..., None] = names["check"]
    return check


def membership(domain: Domain) -> Callable[[Any], bool]:
    """`contains` for one domain, faster for the common values."""
    names: dict[str, Any] = {"contains": contains, "domain": domain}
    quick = _recognised("value", domain, names)
    if not quick:
        return lambda value: contains(domain, value)
    found: Callable[[Any], bool] = eval(f"lambda value: ({quick}) or contains(domain, value)", names)
    return found


def _recognised(value: str, domain: Domain, names: dict[str, Any]) -> str:
    """A test that is true only of members of the domain, and of the usual ones; "" where there is no brief one."""
    match domain:
        case domains.BoolDomain():
            return f"type({value}) is bool"
        case domains.IntDomain(low, high):
            return f"type({value}) is int and {low} <= {value} <= {high}"
        case domains.ChoiceDomain(members) if all(type(member) is str for member in members):
            listed = f"members_{len(names)}"
            names[listed] = frozenset(members)
            return f"type({value}) is str and {value} in {listed}"
        case domains.OptionalDomain(item):
            inner = _recognised(value, item, names)
            return f"{value} is None or {inner}" if inner else ""
        case domains.SequenceDomain(domains.IntDomain(low, high), shortest, longest):
            # The tokens of a block, say: in a few calls, whatever their number.
            numbers = f"set(map(type, {value})) == {{int}} and {low} <= min({value}) and max({value}) <= {high}"
            return f"type({value}) is tuple and {shortest} <= len({value}) <= {longest} and (not {value} or {numbers})"
        case _:
            return ""
