"""The native engine: an instance's search as a C program, compiled once, run in a process of its own."""
