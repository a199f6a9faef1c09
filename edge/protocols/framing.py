"""
Finding packets of fixed size in a stream of bytes that may be damaged anywhere.

Every offset is tested at once (numpy). Then there are two kinds of board:

* *Strong* framing: the fixed bytes alone say that a packet is whole. Every match is
  accepted, unless its counter, and nothing else, is out of line with both neighbours.
* *Weak* framing (`Rule.confirm` > 0): start and stop bytes, or a short checksum, occur
  in other data as well. A match is accepted where its counter goes on from the packet
  before, in step or after a loss that explains the jump; or where `confirm` more
  packets with the next counters follow it without a gap. Until these have arrived
  the packet waits; none is ever emitted out of order. A packet in step whose counter
  alone is off waits for the next one: if that goes on from the one before, it is
  damaged. A packet that comes again, byte for byte, is a copy.

What is accepted depends only on the stream, not on how it was cut into calls.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.protocols import Decoder, Tally
from edge.protocols.layout import Layout
from edge.protocols.notes import Words
from edge.protocols.scan import Bytes, Rule, Scan

BLOCK_BYTES = 65_536
"""As much is looked at in one go: bounds memory and stays in the cache."""

LONGEST_SKIP_BYTES = 4096
"""Of what was skipped between two packets so much is kept."""

WORDS = re.compile(rb"[\t\r\n -~]{10,}")
"""So many printable bytes in a row are no packet's."""

REACH_PACKETS = 8
"""After a loss of up to so many packets the counter alone finds the way back."""

Positions = NDArray[np.int64]
NONE: Positions = np.empty(0, np.int64)
NO_RULE = Rule()


class Found(NamedTuple):
    """n packets, in order."""

    packets: Bytes  # shape (n, size)
    ends: Positions  # shape (n,): bytes of this call up to each end, 0 if before it
    before: Positions  # shape (n,): bytes skipped before each, since the beginning
    skipped: bytes  # what belonged to no packet, up to the last one decided on
    skips: tuple["Skip", ...] = ()  # the same, between two packets each


class Skip(NamedTuple):
    """What was skipped between two packets, also of earlier calls."""

    packet: int  # position of the one after it
    data: bytes  # no more than one byte above LONGEST_SKIP_BYTES


class Framer:
    """Cuts one stream into packets of *layout*."""

    def __init__(self, layout: Layout, rule: Rule = NO_RULE) -> None:
        self.layout = layout
        self.rule = rule
        self._packets = 0
        self._damaged = 0  # where a packet was due, one had begun, and was refused
        self._skipped_bytes = 0
        self._rest = b""  # undecided
        self._last: int | None = None  # where the last packet began, from `_rest`
        self._number = 0  # its counter
        self._newest = b""  # and its bytes
        self._skip = b""  # since it ended

    @property
    def tally(self) -> Tally:
        """Return what was accepted and what was dropped so far."""
        return Tally(self._packets, self._damaged, self._skipped_bytes)

    def feed(self, data: bytes) -> Found:
        """Return the packets that *data* completes."""
        if len(data) <= BLOCK_BYTES:
            return self._block(data)
        found = []
        for begin in range(0, len(data), BLOCK_BYTES):
            part = self._block(data[begin : begin + BLOCK_BYTES])
            found.append(part._replace(ends=part.ends + begin))
        packets = np.cumsum([0, *(len(part.packets) for part in found)]).tolist()
        return Found(
            np.concatenate([part.packets for part in found]),
            np.concatenate([part.ends for part in found]),
            np.concatenate([part.before for part in found]),
            b"".join(part.skipped for part in found),
            tuple(
                skip._replace(packet=skip.packet + first)
                for first, part in zip(packets, found, strict=False)
                for skip in part.skips
            ),
        )

    def restart(self) -> int:
        """Forget the half packet; return how many bytes of it were skipped."""
        dropped = len(self._rest)
        self._skipped_bytes += dropped
        self._rest = self._skip = b""
        self._last = None
        return dropped

    def _block(self, data: bytes) -> Found:
        before = len(self._rest)
        stream = self._rest + data
        size = self.layout.size
        if len(stream) < size:
            self._rest = stream
            return Found(np.empty((0, size), np.uint8), NONE, NONE, b"")
        if self._last == -size and (packets := self._goes_on(stream)) is not None:
            return self._accept_all(packets, stream, before)
        scan = Scan(stream, self.layout, self.rule)
        due = None if self._last is None else self._last + size
        at, decided = self._weak(scan) if self.rule.confirm else self._strong(scan)
        if len(at):
            self._last = int(at[-1])
            self._number = scan.number(self._last)
            self._newest = scan.stream[self._last : self._last + size]
        skipped_before = self._skipped_bytes + at - np.arange(len(at)) * size
        parts = self._count(scan, at, decided, due)
        self._rest = stream[decided:]
        if self._last is not None:
            self._last -= decided
        ends = np.maximum(at + size - before, 0)
        skipped = b"".join(part.data for part in parts)
        skips = self._between(parts, len(at))
        return Found(scan.packets(at), ends, skipped_before, skipped, skips)

    def _goes_on(self, stream: bytes) -> Bytes | None:
        """Return the packets of *stream*, ``None`` if it is anything but, in step."""
        size, rule = self.layout.size, self.rule
        count = len(stream) // size
        data = np.frombuffer(stream, np.uint8, count * size)
        packets = data.reshape(count, size)
        if not self.layout.all_match(packets):
            return None
        offsets = len(data) - size + 1
        if rule.counter:
            numbers = rule.counter(data, offsets)[::size]
            due = np.arange(self._number + 1, self._number + 1 + count)
            if ((numbers - due) & (rule.modulus - 1)).any():
                return None
        if rule.check and not rule.check(stream, offsets)[::size].all():
            return None
        return packets

    def _accept_all(self, packets: Bytes, stream: bytes, before: int) -> Found:
        """Accept *packets* as they are; keep what is left of *stream*."""
        count, size = packets.shape
        if self.rule.counter:
            self._number = (self._number + count) % self.rule.modulus
        self._packets += count
        self._newest = stream[(count - 1) * size : count * size]
        self._rest = stream[count * size :]
        ends = np.arange(size - before, count * size - before + 1, size)
        return Found(packets, ends, np.full(count, self._skipped_bytes), b"")

    def _strong(self, scan: Scan) -> tuple[Positions, int]:
        """Return where packets begin, and up to where that is decided."""
        at = np.flatnonzero(scan.matches)
        size = self.layout.size
        if len(at) > 1 and (np.diff(at) < size).any():
            at = apart(at, size)
        decided = max(scan.offsets, int(at[-1]) + size) if len(at) else scan.offsets
        if self.rule.modulus and len(at):
            return self._in_line(scan, at, decided)
        return at, decided

    def _in_line(
        self, scan: Scan, at: Positions, decided: int
    ) -> tuple[Positions, int]:
        """As `_strong`, without a packet whose counter was damaged."""
        size, mask = self.layout.size, self.rule.modulus - 1
        last = -2 * size if self._last is None else self._last
        numbers = scan.numbers_at(at)
        steps = np.diff(numbers, prepend=self._number) & mask
        odd = (np.diff(at, prepend=last) == size) & (steps != 1)
        if not odd.any():
            return at, decided
        if odd[-1]:  # its neighbour will tell
            decided = int(at[-1])
        across = (steps[:-1] + steps[1:]) & mask  # over each packet but the last
        damaged = odd[:-1] & (np.diff(at) == size) & (across == 2)
        damaged[1:] &= ~damaged[:-1]
        kept = ~np.append(damaged, odd[-1])
        return at[kept], decided

    def _weak(self, scan: Scan) -> tuple[Positions, int]:
        """As `_strong`, where a match alone is no proof."""
        runs = []
        at = 0
        last, number = self._last, self._number
        while True:
            begin, accepted = self._next(scan, at, last, number)
            if not accepted:
                break
            at = scan.run_stop(begin)
            begin += self.layout.size * self._copied(scan, begin, last)
            runs.append(np.arange(begin, at, self.layout.size))
            last = at - self.layout.size
            number = scan.number(last)
        return together(runs), max(begin, at)

    def _next(
        self, scan: Scan, at: int, last: int | None, number: int
    ) -> tuple[int, bool]:
        """
        Return the first packet at or after *at*, and whether it is accepted: if not,
        nothing before it is one, and it waits for more bytes.
        """
        begin = scan.first_chain(at)
        if last is not None:
            begin = self._first_fit(scan, at, begin, last, number)
        waiting = scan.first_match(max(at, scan.confirmable))
        if waiting < begin or self._doubted(scan, begin, last, number, waiting):
            return waiting, False
        return begin, begin < scan.offsets

    def _first_fit(
        self, scan: Scan, at: int, otherwise: int, last: int, number: int
    ) -> int:
        """Return the first match whose counter explains its distance from *last*."""
        size, slack = self.layout.size, self.rule.slack_bytes
        stop = min(otherwise, last + REACH_PACKETS * size + slack + 1)
        while at < stop and (at := scan.first_match(at)) < stop:
            steps = (scan.number(at) - number) % self.rule.modulus
            off = abs(at - last - steps * size)
            fits = 1 <= steps <= REACH_PACKETS and off <= slack
            if fits and not self._astray(scan, at, last, number):
                return at
            at += 1
        return otherwise

    def _doubted(
        self, scan: Scan, at: int, last: int | None, number: int, waiting: int
    ) -> bool:
        """Return whether only the packet after the one *at* will tell if it is one."""
        if last is None or not at == waiting < scan.offsets:
            return False
        steps = (scan.number(at) - number) % self.rule.modulus
        return at - last == self.layout.size and steps != 1

    def _astray(self, scan: Scan, at: int, last: int, number: int) -> bool:
        """Return whether the packet *at* is in step and its counter alone is not."""
        after = at + self.layout.size
        if after >= scan.offsets or at - last != self.layout.size:
            return False
        across = (scan.number(after) - number) % self.rule.modulus
        steps = (scan.number(at) - number) % self.rule.modulus
        return bool(scan.matches[after]) and across == 2 and steps != 1

    def _copied(self, scan: Scan, at: int, last: int | None) -> bool:
        """Return whether the packet *at* is the one before over again."""
        size = self.layout.size
        if not self.rule.copies or last is None or at - last > REACH_PACKETS * size:
            return False
        before = self._newest if last < 0 else scan.stream[last : last + size]
        return scan.stream[at : at + size] == before

    def _between(self, parts: list[Skip], packets: int) -> tuple[Skip, ...]:
        """Return the *parts*, with what was kept, that one of *packets* is after."""
        if self._skip:
            more = parts.pop(0).data if parts and parts[0].packet == 0 else b""
            parts.insert(0, Skip(0, self._skip + more))
        self._skip = b""
        if parts and parts[-1].packet == packets:
            self._skip = parts.pop().data[: LONGEST_SKIP_BYTES + 1]
        return tuple(parts)

    def _count(
        self, scan: Scan, at: Positions, decided: int, due: int | None
    ) -> list[Skip]:
        """Add to the tally; return the bytes of no packet, by the one after them."""
        size = self.layout.size
        self._packets += len(at)
        skipping = decided - len(at) * size
        if not skipping:
            return []
        self._skipped_bytes += skipping
        begins = np.concatenate(([0], at + size))  # of what is between two packets
        stops = np.append(at, decided)
        gaps = np.flatnonzero(stops > begins)
        begins, stops = begins[gaps], stops[gaps]
        edges = zip(gaps.tolist(), begins.tolist(), stops.tolist(), strict=True)
        parts = [Skip(gap, scan.stream[begin:stop]) for gap, begin, stop in edges]
        if begins[0] == 0:
            # what is left of a gap that began earlier: packets are due in its rhythm
            begins[0] = stops[0] if due is None else due % size
        self._damaged += scan.begun(begins, stops)
        return parts


class Framed(Decoder, Protocol):
    """A decoder of packets that a `Framer` finds, with words of the board between."""

    _framer: Framer
    _words: Words

    @property
    def tally(self) -> Tally:
        return self._framer.tally

    def restart(self) -> None:
        self._framer.restart()
        self._words.restart()


def lost_samples(
    skips: Iterable[Skip], packets: int, layout: Layout, samples: int = 1
) -> Positions:
    """
    Return how many samples were lost before each of those in *packets*, which look as
    *layout* and have so many *samples*: shape (n,), or (0,) where none was.
    """
    lost = np.zeros(packets * samples, np.int64)
    for packet, data in skips:
        if len(data) <= LONGEST_SKIP_BYTES:
            lost[packet * samples] = lost_packets(data, layout) * samples
    return lost if lost.any() else NONE


def lost_packets(skipped: bytes, layout: Layout) -> int:
    """
    Return how many packets *skipped* had been: none if it is what the board said in
    words, or noise that is as long as no packets are and neither begins nor ends so.
    """
    data = WORDS.sub(b"", skipped)
    start, stop = layout.ends
    whole = round(len(data) / layout.size)
    if start in data:
        return max(whole, 1)
    return whole if len(data) % layout.size == 0 or data.endswith(stop) else 0


def apart(at: Positions, size: int) -> Positions:
    """Return those of *at* that do not overlap an earlier one that is returned."""
    kept = []
    free = 0
    for begin in at.tolist():
        if begin >= free:
            kept.append(begin)
            free = begin + size
    return np.array(kept, np.int64)


def together(parts: list[Positions]) -> Positions:
    """Return *parts* one after the other."""
    return np.concatenate(parts) if parts else NONE
