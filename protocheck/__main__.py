"""`python -m protocheck`: the command line where the script is not on the path."""

from .entry import main

main()
