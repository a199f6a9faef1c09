"""One look at a stretch of bytes: which offsets may begin a packet, and its runs."""

from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.protocols.layout import Layout

Bytes = NDArray[np.uint8]
Marks = NDArray[np.bool_]


class Rule(NamedTuple):
    """How packets of one board follow each other."""

    counter: Callable[[Bytes, int], Bytes] | None = None
    # the counter of a packet at each of the first n offsets: uint8 of shape (n,)
    modulus: int = 0  # it runs 0 … modulus - 1, a power of 2; 0 without counter
    confirm: int = 0  # packets that must follow before a weak match counts
    slack_bytes: int = 0  # bytes that may be lost or added where the counter jumps
    copies: bool = False  # the way may bring a packet twice
    check: Callable[[bytes, int], Marks] | None = None
    # whether the checksum holds at each of the first n offsets: shape (n,)


class Scan:
    """What a stretch of bytes, at least one packet long, holds."""

    def __init__(self, stream: bytes, layout: Layout, rule: Rule) -> None:
        self.stream = stream
        self.data = np.frombuffer(stream, np.uint8)
        self.size = layout.size
        self.offsets = len(stream) - self.size + 1  # where a packet would be whole
        self.confirmable = self.offsets - rule.confirm * self.size
        # before it the packets are known that must follow
        self.matches = layout.matches(self.data)
        if rule.check:
            self.matches &= rule.check(stream, self.offsets)
        self._marks = layout.checks
        self._rule = rule
        self._breaks: dict[int, list[int]] = {}

    @cached_property
    def numbers(self) -> Bytes | None:
        """Return the counter at each offset, uint8 of shape (offsets,)."""
        return self._rule.counter and self._rule.counter(self.data, self.offsets)

    def number(self, at: int) -> int:
        """Return the counter of the packet *at*, 0 where the board has none."""
        return 0 if self.numbers is None else int(self.numbers[at])

    @cached_property
    def linked(self) -> Marks:
        """Return whether a match is followed by the next one, where that is known."""
        linked = self.matches[: -self.size] & self.matches[self.size :]
        if self.numbers is not None:
            steps = self.numbers[self.size :] - self.numbers[: -self.size]
            linked &= steps & np.uint8(self._rule.modulus - 1) == 1
        return linked

    @cached_property
    def chains(self) -> Marks:
        """Return whether a match is followed by as many as confirm it."""
        chains = self.linked
        for further in range(1, self._rule.confirm):
            shifted = self.linked[further * self.size :]
            chains = chains[: len(shifted)] & shifted
        return chains

    def first_match(self, at: int) -> int:
        """Return the first match at or after *at*, `offsets` where there is none."""
        return first(self.matches, at, self.offsets)

    def first_chain(self, at: int) -> int:
        """Return the first confirmed match at or after *at*, or `offsets`."""
        return first(self.chains, at, self.offsets)

    def run_stop(self, begin: int) -> int:
        """Return where the run of packets ends that begins with the one at *begin*."""
        phase = begin % self.size
        if phase not in self._breaks:
            broken = np.flatnonzero(~self.linked[phase :: self.size]).tolist()
            last = (self.offsets - 1 - phase) // self.size
            self._breaks[phase] = [*broken, last]
        breaks = self._breaks[phase]
        index = bisect_left(breaks, begin // self.size)
        return phase + (breaks[index] + 1) * self.size

    def numbers_at(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the counters of the packets *at*, of shape (n,)."""
        assert self.numbers is not None
        return self.numbers[at].astype(np.int64)

    def packets(self, at: NDArray[np.int64]) -> Bytes:
        """Return the packets *at*, ascending and apart: uint8 of shape (n, size)."""
        if not len(at):
            return np.empty((0, self.size), np.uint8)
        begin, stop = int(at[0]), int(at[-1]) + self.size
        if stop - begin == len(at) * self.size:
            return self.data[begin:stop].reshape(-1, self.size)
        packets: Bytes = self.data[at[:, None] + np.arange(self.size)]
        return packets

    def begun(self, begins: NDArray[np.int64], stops: NDArray[np.int64]) -> int:
        """
        Return how many packets had begun, by their first bytes, where they were due:
        in each gap from *begins* to *stops* at its begin and whole packets after it.
        """
        due = -(-(stops - begins) // self.size)
        first_due = np.cumsum(due) - due
        within = np.arange(int(due.sum())) - np.repeat(first_due, due)
        at = np.repeat(begins, due) + within * self.size
        begun = np.ones(len(at), np.bool_)
        for position, check in enumerate(self._marks):
            if check.at != position or check.low != check.high:
                break
            begun &= self.data[at + position] == check.low
        return int(np.count_nonzero(begun))


def first(marks: Marks, at: int, otherwise: int) -> int:
    """Return the first set position at or after *at*."""
    if at >= len(marks):
        return otherwise
    found = at + int(marks[at:].argmax())
    return found if marks[found] else otherwise
