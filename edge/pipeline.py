"""
The ECG's way through the box, as a straight line. Start reading here.

::

    serial ─bytes▶ decoder ─packets▶ device clock ─chunks▶ intake ▶ store
    camera ─frames▶ model ─poses▶ intake ▶ store          (edge.vision)

`EcgFlow` does no I/O and reads no clock: what arrives says when it did, so the same
bytes with the same arrival times always give the same records.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.chunks import even_chunks, uneven_chunks
from edge.clock import BoxClock
from edge.dating.arrivals import Arrivals
from edge.dating.deviceclock import Break, DeviceClock
from edge.dating.pace import Pace
from edge.protocols import Decoder, Packets, Reading
from edge.protocols.configured import with_leads
from edge.records import (
    BoxNs,
    EcgChunk,
    Event,
    MonotonicNs,
    Record,
    Segment,
    SerialChunk,
    Vital,
)
from edge.stating import Stating

SOURCE = "serial"
"""Of all that comes from a board, also where its bytes are replayed."""

CHUNK_NS = 720_000_000
"""Bytes are decoded and dated together for so long, by default."""


class Run(NamedTuple):
    """Samples that follow one another, between two breaks."""

    before: Break | None
    first: int  # position of its first packet
    stop: int  # and after its last


class EcgFlow:
    """
    Bytes of one board to records, from the opening of its port to its loss.

    *segment_ids* gives a new number at every call of ``next``; *latency_ns* is the
    constant delay of the board's stamps, subtracted here and nowhere else; *baud* is
    the line's speed in bit/s where it is not the board's usual one; *leads* names the
    first channels, the others are not kept; *since* is when samples were first due;
    bytes of *chunk_ns* are decoded and dated together.
    """

    def __init__(
        self,
        decoder: Decoder,
        clock: BoxClock,
        session: int,
        segment_ids: Iterator[int],
        latency_ns: int = 0,
        baud: int = 0,
        leads: tuple[str, ...] = (),
        since: BoxNs | None = None,
        chunk_ns: int = CHUNK_NS,
    ) -> None:
        self.board = board = with_leads(decoder.board, leads)
        self.decoder = decoder
        self.newest: BoxNs | None = None  # instant of the newest sample
        self._since = since
        self._chunk_ns = chunk_ns
        self._cause = "before the first samples"  # why the next segment begins
        self._clock = clock
        self._session = session
        self._segment_ids = segment_ids
        self._latency_ns = latency_ns
        self._device = (
            DeviceClock(board.sampling_rate_hz, board.counter_modulus, board.batch)
            if board.sampling_rate_hz
            else None
        )
        self._counted = 0  # samples so far, the counter of a board that has none
        self._bytes: list[SerialChunk] = []
        self._segment = 0
        self._arrivals = Arrivals(baud or board.baud)
        self._pace = Pace()  # of a board that sends at its own
        self._stating = Stating()

    def feed(self, chunk: SerialChunk) -> list[Record]:
        """Take bytes in; return the records that are complete, usually none."""
        self._bytes.append(chunk)
        if chunk.received - self._bytes[0].received < self._chunk_ns:
            return []
        return self.flush()

    def idle(self, now: MonotonicNs) -> list[Record]:
        """Return what has waited long enough although nothing new came."""
        if self._bytes and now - self._bytes[0].received >= self._chunk_ns:
            return self.flush()
        return []

    def flush(self) -> list[Record]:
        """Return the records of all bytes taken in."""
        if not self._bytes:
            return []
        chunks, self._bytes = self._bytes, []
        packets = self.decoder.feed(b"".join(chunk.data for chunk in chunks))
        kept = len(self.board.leads)
        packets = packets._replace(
            counts=packets.counts[:, :kept], reasons=packets.reasons[:kept]
        )
        sizes = np.cumsum([len(chunk.data) for chunk in chunks])
        owner = np.searchsorted(sizes, packets.ends)  # the chunk that completed each
        if self._device is None:
            return self._by_arrival(packets, chunks, owner, sizes)
        return self._by_counter(self._device, packets, chunks, owner)

    def lost(self, cause: str) -> list[Record]:
        """Return what was left when the port went; the next samples begin a segment."""
        records = self.flush()
        self.decoder.restart()
        self._segment = 0
        self._cause = cause
        self._arrivals.lost()
        if self._device is not None:
            self._device.reset(cause)
        return records

    def _by_counter(
        self,
        device: DeviceClock,
        packets: Packets,
        chunks: list[SerialChunk],
        owner: NDArray[np.intp],
    ) -> list[Record]:
        counter = packets.counter
        if not self.board.counter_modulus:
            counter = self._count(packets)
        if not len(counter):
            if packets.restarts:
                device.observe_reads(counter, (), (), packets.restarts)
            return self._words(packets, self._box(chunks[-1].received))
        stops = np.searchsorted(owner, np.arange(1, len(chunks) + 1)).tolist()
        received = [chunk.received for chunk in chunks]
        seen = device.observe_reads(counter, stops, received, packets.restarts)
        return self._runs(device, packets, seen.indices, list(seen.breaks))

    def _count(self, packets: Packets) -> NDArray[np.int64]:
        """Return what a counter would say of *packets* whose board has none."""
        counter = np.arange(len(packets.ends), dtype=np.int64) + self._counted
        if len(packets.lost):
            counter += np.cumsum(packets.lost)
        self._counted = int(counter[-1]) + 1 if len(counter) else self._counted
        return counter

    def _runs(
        self,
        device: DeviceClock,
        packets: Packets,
        index: NDArray[np.int64],
        breaks: list[Break],
    ) -> list[Record]:
        records: list[Record] = []
        instants = np.empty(len(index), np.int64)
        for run in runs(len(index), breaks):
            timing = device.stamp(int(index[run.first]))
            start = self._box(timing.start)
            if run.before is not None:
                records += self._break(run.before, start, packets)
            elif not self._segment:
                records.append(self._begin(packets))
            whole = EcgChunk(
                self._segment,
                start,
                timing.period_ns,
                timing.uncertainty_ns,
                packets.counts[run.first : run.stop],
                reasons=packets.reasons,
            )
            records += even_chunks(whole)
            steps = np.arange(run.stop - run.first) * timing.period_ns
            instants[run.first : run.stop] = start + np.round(steps)
            self.newest = BoxNs(int(instants[run.stop - 1]))
        records += self._readings(packets.readings, instants)
        if news := device.rate_news():
            packets = packets._replace(notes=(*packets.notes, news))
        return records + self._words(packets, BoxNs(int(instants[0])))

    def _by_arrival(
        self,
        packets: Packets,
        chunks: list[SerialChunk],
        owner: NDArray[np.intp],
        sizes: NDArray[np.int64],
    ) -> list[Record]:
        if not len(packets.ends):
            return self._words(packets, self._box(chunks[-1].received))
        instants, uncertainty_ns = self._arrived(packets, chunks, owner, sizes)
        records: list[Record] = []
        if not self._segment:
            records += self._gap(BoxNs(int(instants[0])), self._cause, {})
            records.append(self._begin(packets))
            self.newest = BoxNs(int(instants[0]))
        records += self._missing(instants, packets.lost)
        self.newest = BoxNs(int(instants[-1]))
        records += uneven_chunks(
            self._segment, instants, packets.counts, uncertainty_ns, packets.reasons
        )
        told = self._readings(packets.readings, instants)
        records += self._stating.feed(told, instants)
        return records + self._words(packets, BoxNs(int(instants[0])))

    def _arrived(
        self,
        packets: Packets,
        chunks: list[SerialChunk],
        owner: NDArray[np.intp],
        sizes: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], int]:
        """Return when each packet was sampled, by its arrival, and the uncertainty."""
        instants = np.empty(len(packets.ends), np.int64)
        edges = np.searchsorted(owner, np.arange(len(chunks) + 1))
        uncertainty_ns = 0
        for number, chunk in enumerate(chunks):
            mine = slice(edges[number], edges[number + 1])
            size = len(chunk.data)
            ends = packets.ends[mine] - (sizes[number] - size)
            instants[mine], unsure_ns = self._arrivals.date(
                ends, size, chunk.received, packets.lost[mine]
            )
            uncertainty_ns = max(uncertainty_ns, unsure_ns)
        instants += self._clock.offset_ns - self._latency_ns
        instants -= instants % 1000  # what a chunk's microseconds can say exactly
        return instants, uncertainty_ns

    def _missing(
        self, instants: NDArray[np.int64], lost: NDArray[np.int64]
    ) -> list[Record]:
        """Return the gaps between the newest sample and those at *instants*."""
        return [
            Event(
                BoxNs(found.began), BoxNs(found.ended), "gap", "ecg", found.cause,
                found.detail,
            )
            for found in self._pace.look(instants, self.newest or 0, lost)
        ]  # fmt: skip

    def _box(self, instant: MonotonicNs) -> BoxNs:
        return BoxNs(self._clock.box(instant) - self._latency_ns)

    def _begin(self, packets: Packets) -> Segment:
        board = self.board
        self._segment = next(self._segment_ids)
        return Segment(
            id=self._segment,
            session=self._session,
            source=SOURCE,
            board=board.name,
            leads=board.leads,
            gain=board.gain,
            baseline=board.baseline,
            sampling_rate_hz=board.sampling_rate_hz,
            checked=board.checked,
            stamp="counter" if self._device is not None else "arrival",
        )

    def _break(self, found: Break, start: BoxNs, packets: Packets) -> list[Record]:
        """Return the gap before *start*, and the segment that begins there, if one."""
        detail: dict[str, object] = {"lost": found.lost} if found.lost >= 0 else {}
        records = self._gap(start, found.cause, detail)
        if found.resets or not self._segment:
            records.append(self._begin(packets))
        return records

    def _gap(self, start: BoxNs, cause: str, detail: dict[str, object]) -> list[Record]:
        """Return the gap from the last sample, or since one was due, to *start*."""
        began = self._since if self.newest is None else self.newest
        if began is None or began >= start:
            return []
        return [Event(began, start, "gap", "ecg", cause, detail)]

    def _readings(
        self, readings: tuple[Reading, ...], instants: NDArray[np.int64]
    ) -> list[Vital]:
        """Return the vitals that the packets at *instants* carried."""
        return [
            Vital(
                BoxNs(int(instants[reading.packet])),
                reading.name,
                reading.value,
                reading.reason,
                SOURCE,
            )
            for reading in readings
        ]

    def _words(self, packets: Packets, instant: BoxNs) -> list[Record]:
        """Return what the board said in words, as events."""
        return [Event(instant, None, "board", "ecg", note) for note in packets.notes]


def runs(count: int, breaks: list[Break]) -> Iterator[Run]:
    """Yield the stretches of *count* packets between *breaks*."""
    edges = [found.at for found in breaks] + [count]
    if edges[0] > 0:
        yield Run(None, 0, edges[0])
    for found, stop in zip(breaks, edges[1:], strict=True):
        if stop > found.at:
            yield Run(found, found.at, stop)
