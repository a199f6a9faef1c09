"""
Finding packets of fixed size in a stream of bytes that may be damaged anywhere.

Every offset is tested at once (numpy), then the accepted packets are followed in
runs, one after the other without a gap. Two kinds of board:

* *Strong* framing: the fixed bytes alone say that a packet is whole. Each match
  is accepted.
* *Weak* framing (`confirm` > 0): start and stop bytes, or a short checksum, occur in
  other data as well. A match is accepted where its counter goes on from the packet
  before, in step or after a loss that explains the jump; or where `confirm` more
  packets with the next counters follow it without a gap. Until these have arrived
  the packet waits; it is never emitted out of order.

What is accepted depends only on the stream, not on how it was cut into calls.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.protocols import Tally
from edge.protocols.layout import Layout
from edge.protocols.scan import Bytes, Rule, Scan

BLOCK_BYTES = 65_536
"""As much is looked at in one go: bounds memory and stays in the cache."""

REACH_PACKETS = 8
"""After a loss of up to so many packets the counter alone finds the way back."""


class Found(NamedTuple):
    """n packets, in order."""

    packets: Bytes  # shape (n, size)
    ends: NDArray[np.int64]  # shape (n,): bytes of this call up to each end, or 0
    skipped: bytes  # what belonged to no packet, up to the last one decided on


class Framer:
    """Cuts one stream into packets of *layout*."""

    def __init__(self, layout: Layout, rule: Rule) -> None:
        self.layout = layout
        self.rule = rule
        self.packets = 0
        self.damaged = 0  # where a packet was due, one had begun, and was refused
        self.skipped_bytes = 0
        self._rest = b""  # undecided
        self._last: int | None = None  # where the last packet began, from `_rest`
        self._number = 0  # its counter

    def feed(self, data: bytes) -> Found:
        """Return the packets that *data* completes."""
        if len(data) <= BLOCK_BYTES:
            return self._block(data)
        found = []
        for begin in range(0, len(data), BLOCK_BYTES):
            part = self._block(data[begin : begin + BLOCK_BYTES])
            ends = np.where(part.ends > 0, part.ends + begin, begin)
            found.append(part._replace(ends=ends))
        return Found(
            np.concatenate([part.packets for part in found]),
            np.concatenate([part.ends for part in found]),
            b"".join(part.skipped for part in found),
        )

    @property
    def tally(self) -> Tally:
        """Return what was accepted and what was dropped so far."""
        return Tally(self.packets, self.damaged, self.skipped_bytes)

    def _block(self, data: bytes) -> Found:
        before = len(self._rest)
        stream = self._rest + data
        size = self.layout.size
        if len(stream) < size:
            self._rest = stream
            return Found(np.empty((0, size), np.uint8), np.empty(0, np.int64), b"")
        scan = Scan(stream, self.layout, self.rule)
        due = None if self._last is None else self._last + size
        runs, decided = self._walk(scan)
        skipped = self._count(scan, runs, decided, due)
        self._rest = stream[decided:]
        if self._last is not None:
            self._last -= decided
        packets = [scan.data[a:b].reshape(-1, size) for a, b in runs]
        ends = [np.arange(a + size, b + 1, size, dtype=np.int64) for a, b in runs]
        return Found(
            together(packets, np.empty((0, size), np.uint8)),
            np.maximum(together(ends, np.empty(0, np.int64)) - before, 0),
            skipped,
        )

    def _walk(self, scan: Scan) -> tuple[list[tuple[int, int]], int]:
        """Return the runs (start, stop) of packets, and up to where that is decided."""
        runs: list[tuple[int, int]] = []
        at = 0
        while True:
            begin, accepted = self._next(scan, at)
            if not accepted:
                return runs, max(begin, at)
            at = scan.run_stop(begin)
            runs.append((begin, at))
            self._last = at - self.layout.size
            self._number = scan.number(self._last)

    def _next(self, scan: Scan, at: int) -> tuple[int, bool]:
        """
        Return the first packet at or after *at*, and whether it is accepted: if not,
        nothing before it is one, and it waits for more bytes.
        """
        if self.rule.confirm:
            return self._next_weak(scan, at)
        begin = scan.first_match(at)
        if begin < scan.offsets and self._last is not None and self.rule.modulus:
            return self._next_counted(scan, begin)
        return begin, begin < scan.offsets

    def _next_counted(self, scan: Scan, begin: int) -> tuple[int, bool]:
        """As `_next`, for a strong match, unless its counter alone is damaged."""
        size, modulus = self.layout.size, self.rule.modulus
        step = (scan.number(begin) - self._number) % modulus
        if begin != (self._last or 0) + size or step == 1:
            return begin, True
        after = begin + size
        if after >= scan.offsets:  # its neighbour will tell
            return begin, False
        if scan.matches[after] and (scan.number(after) - self._number) % modulus == 2:
            return self._next(scan, after)
        return begin, True

    def _next_weak(self, scan: Scan, at: int) -> tuple[int, bool]:
        """As `_next`, where a match alone is no proof."""
        confirmed = scan.first_chain(at)
        near = self._first_fit(scan, at, confirmed)
        begin = min(confirmed, near)
        waiting = scan.first_match(max(at, scan.confirmable))
        if waiting < begin:
            return waiting, False
        return begin, begin < scan.offsets

    def _first_fit(self, scan: Scan, at: int, stop: int) -> int:
        """Return the first match whose counter explains its distance, or the end."""
        if self._last is None:
            return scan.offsets
        size, slack = self.layout.size, self.rule.slack_bytes
        stop = min(stop, self._last + REACH_PACKETS * size + slack + 1)
        while (at := scan.first_match(at)) < stop:
            steps = (scan.number(at) - self._number) % self.rule.modulus
            off = abs(at - self._last - steps * size)
            if 1 <= steps <= REACH_PACKETS and off <= slack:
                return at
            at += 1
        return scan.offsets

    def _count(
        self, scan: Scan, runs: list[tuple[int, int]], decided: int, due: int | None
    ) -> bytes:
        """Add to the tally; return the bytes of no packet."""
        skipped = []
        at = 0
        for begin, stop in [*runs, (decided, decided)]:
            if begin > at:
                skipped.append(scan.stream[at:begin])
                self.damaged += 0 if due is None else scan.begun(due, at, begin)
            self.packets += (stop - begin) // self.layout.size
            at = due = stop
        text = b"".join(skipped)
        self.skipped_bytes += len(text)
        return text


def together(parts: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    """Return *parts* one after the other, *empty* if there are none."""
    return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else empty
