"""
The recording as one CSV that a browser fetches: joined rows, then ECG records alone.

The same columns and text as the export's table of joined rows. The original system
also wrote a row for each ECG record that was sent by itself; they follow at the end.
"""

import math
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bottle import HTTPResponse

from edge.export import Options
from edge.export.csv import make_table
from edge.export.recording import Recording, Veil
from edge.export.span import find_span
from edge.history import History
from edge.join import sample_times
from edge.join.columns import COLUMNS, LEGACY_VITALS
from edge.records import BoxNs, EcgChunk, Segment, UtcNs, Vital
from edge.stamps import stamp
from edge.web.answers import refuse
from edge.web.shapes import millivolts

ALL = (BoxNs(-(2**62)), BoxNs(2**62))

AT_ONCE = 2
"""Downloads at the same time: each may hold a worker for as long as it lasts."""

BLOCK_CHUNKS = 1000

NAMES = tuple(column.name for column in COLUMNS)


class Stretch(NamedTuple):
    """What a person wants to have."""

    table: str  # of TABLES
    first: str  # ISO or relative time, "" for the beginning
    until: str
    veil: Veil | None = None  # de-identified


class Downloads:
    """Answers with the whole recording, to a few at a time."""

    def __init__(
        self, open_past: Callable[[], History], tolerance_ns: int, zone: str
    ) -> None:
        self._open_past = open_past
        self._tolerance_ns = tolerance_ns
        self._zone = zone
        self._slots = threading.Semaphore(AT_ONCE)

    def csv(self, stretch: Stretch) -> HTTPResponse:
        """
        Return the answer; its body is made while it is sent.

        :raises ExportError: if nothing was recorded in *stretch*
        :raises StoreError: if there is no recording that can be read
        """
        if stretch.first or stretch.until:
            with self._open_past() as past:
                span = find_span(past, stretch.first, stretch.until, self._zone)
        else:
            span = ALL
        if not self._slots.acquire(blocking=False):
            refuse(503, "other downloads are going on", **{"Retry-After": "30"})
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{stretch.table}.csv"',
        }
        body = Body(self._blocks(stretch, span), self._slots.release)
        body.begin()  # what cannot be read is said now, and nobody had it
        return HTTPResponse(body, **headers)

    def _blocks(self, stretch: Stretch, span: tuple[BoxNs, BoxNs]) -> Iterator[bytes]:
        name = stretch.table
        with self._open_past() as past:
            recording = Recording(past, *span, stretch.veil)
            table = make_table(name, recording, Options((name,), self._tolerance_ns))
            yield table.header
            for block in table.blocks():
                yield bytes(block.text)
            if name == "joined":
                yield from alone(recording)


class Body:
    """Pieces of an answer; says when it is over, also if nobody took any of it."""

    def __init__(self, pieces: Iterator[bytes], over: Callable[[], None]) -> None:
        self._pieces = pieces
        self._over = over
        self._lock = threading.Lock()
        self._closed = False
        self._first = b""

    def begin(self) -> None:
        """Have the first piece; where that fails, it is over."""
        try:
            self._first = next(self._pieces)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._pieces
        self.close()  # not every server does

    def close(self) -> None:
        """Let the recording go."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._pieces.close()  # type: ignore[attr-defined]
        self._over()


def alone(recording: Recording) -> Iterator[bytes]:
    """Yield the lines of the ECG records that were sent by themselves."""
    uploads = {
        key: segment
        for key, segment in recording.segments.items()
        if segment.source == "upload"
    }
    if not uploads:
        return
    found: list[EcgChunk] = []
    for chunk in recording.history.chunks(recording.begin, recording.end):
        if chunk.segment in uploads:
            found.append(chunk)
        if len(found) == BLOCK_CHUNKS:
            yield lines(recording, uploads, found)
            found = []
    if found:
        yield lines(recording, uploads, found)


def lines(
    recording: Recording, uploads: dict[int, Segment], chunks: list[EcgChunk]
) -> bytes:
    """Return the lines of the records in *chunks*, which are in order."""
    last = max(int(sample_times(chunk)[-1]) for chunk in chunks)
    stated = said(recording.history.vitals(chunks[0].start, BoxNs(last + 1)))
    text = []
    for chunk in chunks:
        segment = uploads[chunk.segment]
        times = sample_times(chunk)
        dated = recording.ledger.date(times)
        for row, mv in enumerate(millivolts(chunk, segment).tolist()):
            at = stamp(UtcNs(int(dated.utc[row])))
            values: dict[str, object] = {
                "timestamp": at,
                "pose_detected": False,
                "ecg_matched": False,
                "ecg_timestamp": at,
                "session": int(dated.session[row]),
                "clock_synchronised": bool(dated.synchronised[row]),
                "ecg_segment": segment.id,
                "ecg_source": segment.source,
                "ecg_stamp": segment.stamp,
                **numbers(mv, stated.get(int(times[row]), {})),
            }
            text.append(",".join(str(values.get(name, "")) for name in NAMES))
    return ("\n".join(text) + "\n").encode()


def said(vitals: Iterator[Vital]) -> dict[int, dict[str, float]]:
    """Return the uploaded vitals by instant and name."""
    stated: dict[int, dict[str, float]] = {}
    for vital in vitals:
        if vital.source == "upload" and vital.value is not None:
            stated.setdefault(vital.sampled, {})[vital.name] = vital.value
    return stated


def numbers(mv: list[float], vitals: dict[str, float]) -> dict[str, object]:
    """Return the numbers of one record by column; those it lacks are left out."""
    leads = {f"ecg_lead{n}": v for n, v in enumerate(mv, 1) if not math.isnan(v)}
    return {**leads, **{n: v for n, v in vitals.items() if n in LEGACY_VITALS}}
