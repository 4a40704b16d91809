"""protocheck: write a concurrent protocol once in Python; check it, break it guard by guard, and run it."""
