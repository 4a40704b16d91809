"""What TLC's message codes mean for an outcome. The codes are those of 2.15, 2.19 and the 1.8.0 line together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

OutcomeKind: TypeAlias = Literal[
    "no_error",  # the whole state space was searched, all that was asked was checked, nothing was found
    "invariant",  # an invariant is violated
    "action_property",  # the safety part of a PROPERTY is violated: by a step, or by an initial state
    "liveness",  # a temporal property is violated, with a lasso or stuttering
    "deadlock",  # a state without successor
    "assumption_false",  # an ASSUME of the module is false
    "assertion",  # an Assert in the module is false
    "postcondition",  # a POSTCONDITION is false
    "evaluation_error",  # an expression has no value
    "overflow",  # an integer does not fit 32 bits
    "unassigned",  # an action leaves a variable without a value
    "no_initial_state",  # Init has no solution, so that everything holds of nothing
    "parse_error",  # the module is no TLA+
    "config_error",  # the .cfg cannot be read, or does not fit the module
    "usage_error",  # a wrong option on the command line
    "out_of_memory",  # the heap is too small
    "stopped",  # the distributed mode found something, and does not say what
    "unreliable",  # TLC says it found nothing, but also says or does something that voids this
    "incomplete",  # it ended, or was ended, before it was done
    "not_started",  # Java ran, TLC did not
    "unknown",  # an error that is not known here
]

VIOLATIONS: Final[frozenset[OutcomeKind]] = frozenset({"invariant", "action_property", "liveness", "deadlock"})

# Something is wrong in the model, whether or not TLC says what.
FOUND: Final[frozenset[OutcomeKind]] = VIOLATIONS | {"stopped"}

# A verdict about the model: nothing that the working directory could explain.
JUDGED: Final[frozenset[OutcomeKind]] = FOUND | {"no_error", "postcondition"}

BANNER: Final = 2262
STARTING: Final = 2185
FINISHED: Final = 2186
COMPUTING_INITIAL: Final = 2189
INITIAL_GENERATED: Final = frozenset({2190, 2191, 2207, 2208})
SUCCESS: Final = 2193
DEPTH: Final = 2194
TOTALS: Final = frozenset({2199, 2204})
PROGRESS: Final = frozenset({2200, 2206, 2209})
CHECKPOINT_COMPLETE: Final = 2196
RECOVERING: Final = 2197
COVERAGE_START: Final = 2201
COVERAGE_ACTION: Final = 2772
STATE_PLAIN: Final = 2216
STATE: Final = 2217
STUTTERING: Final = 2218
BACK_TO_STATE: Final = 2122
GENERAL: Final = 1000
NAMED_VIOLATIONS: Final = frozenset({2107, 2108, 2110, 2112, 2116})
VIOLATED_BY_INITIAL_STATE: Final = frozenset({2107, 2108})

# What the distributed mode prints.
SERVER_RUNNING: Final = 7000
WORKER_REGISTERED: Final = 7001
WORKER_DEREGISTERED: Final = 7002
DISTRIBUTED: Final = frozenset(range(7000, 7011))

# A run in one of these modes does not search everything, or (distributed) does not check everything it was asked to.
PARTIAL_MODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        2188: "it ran in simulation mode, which tries only some behaviours",
        2209: "it ran in simulation mode, which tries only some behaviours",
        2210: "it ran in simulation mode, which tries only some behaviours",
        2271: "it ran depth-first, which goes no deeper than its bound",
        2204: "it ran depth-first, which goes no deeper than its bound",
        2206: "it ran depth-first, which goes no deeper than its bound",
        **dict.fromkeys(DISTRIBUTED, "it ran distributed, which does not check liveness"),
    }
)

# Warnings that change nothing about the answer. Every other warning voids a pass: among them are symmetry used with
# liveness (2279), constraints used with liveness (2284), an UNCHANGED that silently disables an action (2143), and a
# foreign key in EXCEPT that is silently ignored (2141, 2142, 2144).
HARMLESS_WARNINGS: Final = frozenset(
    {
        2168,  # a Java override of a module was loaded
        2300,  # a symmetry set of fewer than two elements
        2401,  # another garbage collector would be faster
        2776,  # the coverage statistics do not add up
        2777,  # collecting coverage costs time
    }
)

# These accompany the message that says what happened, and say nothing by themselves.
COMPANIONS: Final = frozenset({2102, 2103, 2120, 2121, 2264})

ERROR_KINDS: Final[Mapping[int, OutcomeKind]] = MappingProxyType(
    {
        1001: "out_of_memory",
        1002: "out_of_memory",
        1003: "out_of_memory",
        1101: "usage_error",
        1102: "usage_error",
        2104: "assumption_false",
        2105: "evaluation_error",
        2106: "unassigned",
        2107: "invariant",
        2108: "action_property",
        2109: "unassigned",
        2110: "invariant",
        2111: "evaluation_error",
        2112: "action_property",
        2113: "evaluation_error",
        2114: "deadlock",
        2115: "config_error",  # states, but no next-state action
        2116: "liveness",
        2118: "no_initial_state",
        2132: "assertion",
        2146: "config_error",  # an "invariant" that speaks of two states
        2147: "evaluation_error",
        2148: "unassigned",
        2171: "parse_error",
        3002: "parse_error",
        2178: "overflow",
        2265: "overflow",
        2256: "no_initial_state",
        2404: "postcondition",
        # Expressions without a value: what the standard modules say of wrong arguments, and what the evaluator says.
        **dict.fromkeys(
            (2145, 2155, 2157, 2158, 2164, 2165, 2169, 2170, 2172, 2176, 2177, 2179, 2180, 2181, 2182, 2183, 2184),
            "evaluation_error",
        ),
        **dict.fromkeys((2136, 2215, 2246, 2247, 2248, 2250, 2251, 2252, 2260, 2261, 2266, 2283), "evaluation_error"),
        # The .cfg: its syntax, then its meaning.
        **dict.fromkeys(range(5001, 5007), "config_error"),
        **dict.fromkeys((*range(2222, 2246), 2213, 2214, 2249, 2253, 2255, 2257, 2280, 2281), "config_error"),
    }
)
