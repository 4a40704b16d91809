"""IR → packed-integer states: the common ground of the fast engines.

    domains → layouts (bits of a state) ─┐
    expressions → values, words ─────────┼→ blocks (tests and new state words) → lines → module → Program
    guards → facts (what they prove) ────┘

`low` builds words and simplifies them as they are built, `facts` decides them from what guards say, `expressions`,
`sets` and `structures` lower the IR to them (what they do not lower, the interpreter evaluates), `steps` lowers actions
to blocks, `grouping` finds the tests that blocks share, `emit` and `render` write them, `program` puts it together.
"""
