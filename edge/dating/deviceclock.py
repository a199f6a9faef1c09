"""
When a board took its samples: its own counter tells, once it is understood.

USB hands samples over in bursts (FTDI: every 16 ms), so the moment of arrival says
little about one sample. A board of fixed rate that counts its samples gets a
`DeviceClock`; one that sends at its own pace is dated by `edge.dating.arrivals`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from operator import sub
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.dating.envelope import RATE_BOUND, Envelope
from edge.records import MonotonicNs

SECOND_NS = 1_000_000_000

LONGEST_GAP_NS = 10 * SECOND_NS
"""A longer silence ends the segment: nobody knows what the board did meanwhile."""

MISFIT_NS = 50_000_000
"""Counter and time may disagree by so much through bursts and scheduling; more, and
the counter has lost its meaning: a board was restarted, packets vanished unnoticed."""

BACKLOG_NS = 100_000_000
"""Samples of more than this in one read have waited for it: bursts are shorter, …"""

HEAP_TIMES = 1.5
USUAL_READS = 32
"""… unless it is less than so many times what so many reads usually bring."""

CATCHING_UP = 1.5
"""What was held up comes at more than so many times its sampling rate."""

COUNTED_HERE = 2**62
"""Where a counter turns that the caller keeps."""

Indices = NDArray[np.int64]


class Timing(NamedTuple):
    """When a run of samples was taken."""

    start: MonotonicNs  # instant of the first sample
    period_ns: float  # from one to the next
    uncertainty_ns: int  # half width of the interval that holds the true instant


class Break(NamedTuple):
    """Where samples do not follow one another."""

    at: int  # position in the call's samples before which something is missing
    lost: int  # how many samples; -1 where nobody can know; 0: this one came twice
    cause: str  # one sentence for people
    resets: bool  # a new segment begins at `at`


class Continuity(NamedTuple):
    """What the counters of one call say."""

    indices: Indices  # shape (n,): count on over loss, also over a reset
    breaks: tuple[Break, ...]  # in order; usually none


class DeviceClock:
    """
    Sample counter to monotonic time, for one board of fixed rate.

    Causal: what `stamp` answers depends on earlier calls of `observe` alone. Within
    a segment the instants of later samples are later. Instants are true up to the
    constant time a sample needs at least to get here. A few kilobytes, however long.

    *modulus* is where the board's counter turns; 0 for a board that sends none, whose
    samples the caller counts: then one that was lost on the way is missed by nobody,
    and the uncertainty allows for it. So it does for a counter that turns faster than
    time can tell. *batch* samples make a packet.
    """

    def __init__(self, sampling_rate_hz: float, modulus: int, batch: int = 1) -> None:
        self._batch = batch
        self._stated_ns = self._told_ns = SECOND_NS / sampling_rate_hz
        self._period_ns = self._stated_ns  # or what the board turned out to have
        self._modulus = modulus or COUNTED_HERE
        self._number = "counter" if modulus else "count"  # what causes call it
        self._uncounted = not modulus or self._turn_ns < 2 * MISFIT_NS
        self._next = 0  # index of the sample to come
        self._counter = -1  # of the newest sample
        self._received = MonotonicNs(0)
        self._cause = "before the first samples"  # why the next samples begin a segment
        self._silence = 0  # before the heap that came last, if nothing else came since
        self._usual_read = 0.0  # samples in a read, usually
        self._first = 0  # index of the segment's first sample
        self._envelope = Envelope(self._period_ns, self._uncounted, batch=batch)
        self._before = self._envelope  # of the segment before
        self._stamped: tuple[int, float, float] | None = None

    def observe(self, counter: Indices, received: MonotonicNs) -> Continuity:
        """
        Return where the samples of one read belong: *counter* as the board sent
        them, shape (n,), read at *received*.
        """
        count = len(counter)
        if not count:
            return Continuity(np.zeros(0, np.int64), ())
        if not self._cause and received - self._received > LONGEST_GAP_NS:
            self._cause = "nothing came for more than 10 s"
        found: tuple[Break, ...] = ()
        if self._cause or not self._follow(counter):
            indices, found = self._interrupted(counter, received)
        else:
            indices = np.arange(self._next, self._next + count)
        silence = max(received - self._received, self._silence)
        self._silence = silence if self._heap(count) else 0
        self._usual_read += (count - self._usual_read) / USUAL_READS
        self._next = int(indices[-1]) + 1
        self._counter = int(counter[-1])
        self._received = received
        self._envelope.add(self._next - 1, received, count)
        self._doubt()
        return Continuity(indices, found)

    def observe_reads(
        self,
        counter: Indices,
        stops: Sequence[int],
        received: Sequence[MonotonicNs],
        restarts: Sequence[int] = (),
    ) -> Continuity:
        """
        Return what `observe` says of several reads, one after the other: the samples
        of read k end before *stops*[k], and it was read at *received*[k]. Before the
        samples at *restarts* the board said that it had been restarted; at the end, if
        none came since.
        """
        if not restarts:
            return self._observe_stretch(counter, stops, received)
        edges = [0, *restarts, len(counter)]
        parts = []
        for number, (begin, end) in enumerate(pairwise(edges)):
            if number:
                self.reset("the board was restarted")
            first, last = bisect_right(stops, begin), bisect_left(stops, end) + 1
            inside = [min(stop, end) - begin for stop in stops[first:last]]
            part = self._observe_stretch(
                counter[begin:end], inside, received[first:last]
            )
            found = [lost._replace(at=lost.at + begin) for lost in part.breaks]
            parts.append(Continuity(part.indices, tuple(found)))
        return Continuity(
            np.concatenate([part.indices for part in parts]),
            tuple(lost for part in parts for lost in part.breaks),
        )

    def _observe_stretch(
        self, counter: Indices, stops: Sequence[int], received: Sequence[MonotonicNs]
    ) -> Continuity:
        """As `observe_reads`, of a board that was not restarted meanwhile."""
        taken = self._take(counter, stops, received)
        indices = [np.arange(self._next - taken, self._next)]
        found: list[Break] = []
        first = taken
        for stop, at in zip(stops, received, strict=True):
            if stop <= first:
                continue
            if self._paused(counter[first:], stop - first, at, received[-1]):
                self.reset(f"nothing came for {(at - self._received) / 1e9:.1f} s")
            seen = self.observe(counter[first:stop], at)
            indices.append(seen.indices)
            found += [lost._replace(at=lost.at + first) for lost in seen.breaks]
            first = stop
        return Continuity(np.concatenate(indices), tuple(found))

    def stamp(self, index: int) -> Timing:
        """
        Return when the sample *index* and those after it were taken, as known by
        now. For a sample of the segment before, if the present one just began.
        """
        envelope = self._envelope if index >= self._first else self._before
        line = envelope.line(index)
        start = line.instant
        if self._stamped and self._stamped[0] >= self._first:
            at, instant, period_ns = self._stamped
            start = max(start, instant + max(index - at - 0.5, 0) * period_ns)
        self._stamped = (index, start, line.period_ns)
        uncertainty_ns = line.uncertainty_ns + start - line.instant
        if index >= self._first:
            # None was taken after it came, nor did the newest wait but for its packet:
            # otherwise the rate is not understood yet, or nobody read.
            newest = start + (self._next - 1 - index) * line.period_ns
            beside = newest - self._received
            if not envelope.usual_period_ns:
                beside = abs(beside)
            waits_ns = (self._batch - 1) * line.period_ns
            uncertainty_ns += beside if beside > max(uncertainty_ns, waits_ns) else 0
        return Timing(MonotonicNs(round(start)), line.period_ns, round(uncertainty_ns))

    def rate_news(self) -> str:
        """Return that the board has another rate than stated, once it shows; or ""."""
        period_ns = self._envelope.usual_period_ns or self._told_ns
        if abs(period_ns / self._told_ns - 1) <= RATE_BOUND:
            return ""
        self._told_ns = period_ns
        return self._other_rate(period_ns)

    def _other_rate(self, period_ns: float) -> str:
        sent, stated = SECOND_NS / period_ns, SECOND_NS / self._stated_ns
        if abs(sent / stated - 1) <= RATE_BOUND:
            return f"the board sends {stated:g} samples a second again"
        return f"the board sends {sent:.1f} samples a second, not {stated:g}"

    @property
    def _turn_ns(self) -> float:
        return self._modulus * self._period_ns

    def reset(self, cause: str) -> None:
        """Forget the board's time: the next samples begin a segment, for *cause*."""
        self._cause = cause

    def _all_follow(self, counter: Indices, received: Sequence[MonotonicNs]) -> bool:
        """Return whether several reads go on from the last without loss or pause."""
        silences = map(sub, received, [self._received, *received])
        if self._cause or not len(counter) or max(silences) >= 2 * MISFIT_NS:
            return False  # a pause may hide the loss of a whole turn of the counter
        if (int(counter[0]) - self._counter) % self._modulus != 1:
            return False
        steps = counter[1:] - counter[:-1]
        return bool(((steps == 1) | (steps == 1 - self._modulus)).all())

    def _take(
        self, counter: Indices, stops: Sequence[int], received: Sequence[MonotonicNs]
    ) -> int:
        """
        Take reads in which nothing is missing, the usual case, made quick. Return how
        many samples were taken: 0 if one is missing, those up to the first read that
        raises a doubt, else all.
        """
        if not self._all_follow(counter, received):
            return 0
        first = 0
        for stop, at in zip(stops, received, strict=True):
            if stop <= first:
                continue
            self._next += stop - first
            self._envelope.add(self._next - 1, at, stop - first)
            self._usual_read += (stop - first - self._usual_read) / USUAL_READS
            self._received, first = at, stop
            if self._envelope.late_ns > MISFIT_NS or self._envelope.stray:
                break
        self._counter = int(counter[first - 1])
        self._silence = 0
        self._doubt()
        return first

    def _paused(
        self, counter: Indices, count: int, at: MonotonicNs, last: MonotonicNs
    ) -> bool:
        """
        Return whether the board paused, or lost whole turns of its counter, before the
        *count* samples read at *at*, though its *counter* goes on: what is read up to
        *last* neither makes up for the silence nor comes faster than it is sampled.
        """
        silence, span = at - self._received, last - at
        if not 2 * MISFIT_NS <= silence <= LONGEST_GAP_NS or span < MISFIT_NS:
            return False
        steps = np.diff(counter, prepend=self._counter) % self._modulus
        heap = count * self._period_ns > BACKLOG_NS
        if heap or self._cause or not (steps == 1).all():
            return False
        missing_ns = silence + span - len(counter) * self._period_ns
        came_ns = (len(counter) - count) * self._period_ns
        return missing_ns > 2 * MISFIT_NS and came_ns < CATCHING_UP * span

    def _heap(self, count: int) -> bool:
        """Return whether a read of *count* samples brings what had been held up."""
        longest_ns = max(BACKLOG_NS, HEAP_TIMES * self._usual_read * self._period_ns)
        return count * self._period_ns > longest_ns

    def _doubt(self) -> None:
        """Have a new segment begin if samples come later than their counter allows."""
        if self._envelope.stray:
            self._period_ns *= 1 + self._envelope.stray
            self._cause = self._other_rate(self._period_ns)
        elif self._envelope.late_ns > MISFIT_NS:
            late_ms = self._envelope.late_ns / 1e6
            self._cause = f"samples came {late_ms:.0f} ms late for their {self._number}"

    def _follow(self, counter: Indices) -> bool:
        """Return whether *counter* goes on from the sample before, one by one."""
        first = self._counter + 1
        # Across the counter's turn the slower way says the same.
        return bool((counter == np.arange(first, first + len(counter))).all())

    def _interrupted(
        self, counter: Indices, received: MonotonicNs
    ) -> tuple[Indices, tuple[Break, ...]]:
        """Return the indices of *counter* and where something is missing or begins."""
        steps = np.diff(counter, prepend=self._counter) % self._modulus
        resets: Break | None = None
        if self._cause:
            resets = self._begin(0, steps, self._cause)
        else:
            resets = self._misfit(steps, received)
        hidden = self._modulus if self._turn_ns < 2 * MISFIT_NS else 0
        return self._next - 1 + np.cumsum(steps), breaks(steps, resets, hidden)

    def _misfit(self, steps: Indices, received: MonotonicNs) -> Break | None:
        """
        Return where a segment must begin because *steps* do not fit the time passed;
        complete them by whole turns of the counter that the time passed tells of.
        """
        if not self._envelope.knows:
            return self._unexplained(steps, received)
        newest = self._next - 1 + int(steps.sum())
        late = self._envelope.lateness(newest, received)
        at = int(steps.argmax())
        if late < -MISFIT_NS and (int(steps[at]) - 1) * self._period_ns > MISFIT_NS:
            return self._begin(
                at, steps, f"the {self._number} ran ahead of time: a restart"
            )
        silence = max(received - self._received, self._silence)
        # What goes on where it stopped, or comes in heaps, had only been held up.
        held_up = steps[0] == 1 or self._heap(len(steps))
        if held_up or min(late, silence) < 2 * MISFIT_NS:
            return None
        turns = round(late / self._turn_ns)
        if abs(late - turns * self._turn_ns) > 2 * MISFIT_NS:
            return self._begin(
                0, steps, f"the {self._number} does not fit time: a restart"
            )
        steps[0] += turns * self._modulus
        return None

    def _unexplained(self, steps: Indices, received: MonotonicNs) -> Break | None:
        """
        As `_misfit`, while too little came to tell a loss from a restart by time, as
        of a board that resets when its port is opened: a silence that *steps* do not
        fill ends the segment.
        """
        silence = received - self._received
        came_ns = len(steps) * self._period_ns
        lost_ns = int(steps.sum()) * self._period_ns - came_ns
        held_up = came_ns > BACKLOG_NS and lost_ns <= 2 * MISFIT_NS
        if silence - came_ns <= 2 * MISFIT_NS or held_up:
            return None
        at = int((steps != 1).argmax())
        return self._begin(at, steps, f"nothing came for {silence / 1e9:.1f} s")

    def _begin(self, at: int, steps: Indices, cause: str) -> Break:
        """Begin a segment at position *at* of the samples that *steps* lead to."""
        steps[at] = 1
        self._cause = ""
        self._first = self._next - 1 + int(steps[: at + 1].sum())
        self._before = self._envelope
        learnt = self._period_ns != self._stated_ns
        self._envelope = Envelope(self._period_ns, self._uncounted, learnt, self._batch)
        return Break(at, -1, cause, True)


def breaks(steps: Indices, resets: Break | None, hidden: int) -> tuple[Break, ...]:
    """
    Return where *steps* are not 1, and *resets*, in order. A loss of *hidden* samples,
    unless that is 0, is seen by nobody.
    """
    found = [] if resets is None else [resets]
    for at in np.flatnonzero(steps != 1).tolist():
        lost = int(steps[at]) - 1
        if lost < 0:
            twice = f"a sample came twice, or {hidden - 1} were lost"
            cause = twice if hidden else "a sample came twice"
            found.append(Break(at, 0, cause, False))
        else:
            samples = "sample" if lost == 1 else "samples"
            least = "at least " if hidden else ""
            found.append(Break(at, lost, f"{least}{lost} {samples} lost", False))
    return tuple(sorted(found))
