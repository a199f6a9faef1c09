"""
When a board's samples were taken.

By its own counter where it has a fixed rate (`deviceclock`, which learns from all reads
in `envelope`); else by their arrival (`arrivals`), and what is missing by the pace that
is usual (`pace`). Nothing here reads a clock: what arrived says when it did.
"""
