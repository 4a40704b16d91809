"""IR → packed-integer states: the common ground of the fast engines."""
