"""
What an export reads: one stretch of the recording with its dates and names.

Whatever flows out is tallied on its way, so that the manifest can say how complete it
is. De-identified (`Veil`), what a person wrote is left out, and all times are moved by
one constant if one is given; the subject's code stays.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from edge.database.batch import BROUGHT
from edge.database.signals import PoseBlock
from edge.export.losses import Losses, losses_of
from edge.export.tally import EcgTally, PoseTally, VitalTally
from edge.history import History
from edge.ledger import Ledger
from edge.records import BoxNs, EcgChunk, Event, Segment, Vital


class Veil(NamedTuple):
    """What a de-identified export changes."""

    shift_ns: int = 0  # added to every time, UTC and box time alike


def unnamed(segment: Segment) -> Segment:
    """Return *segment* without the name that a person gave to an ECG file."""
    return segment._replace(board="") if segment.source == "file" else segment


class Recording:
    """The stretch [*begin*, *end*) of *history*, in box time."""

    def __init__(
        self, history: History, begin: BoxNs, end: BoxNs, veil: Veil | None = None
    ) -> None:
        self.history = history
        self.begin = begin
        self.end = end
        self.veil = veil
        self.shift_ns = veil.shift_ns if veil else 0
        self.sessions = {session.id: session for session in history.sessions()}
        self.segments = {
            number: unnamed(segment) if veil else segment
            for number, segment in history.segments().items()
        }
        self.readings = history.clock_readings()
        self.ledger = Ledger(self.readings, self.sessions.values())
        self.tally_ecg: EcgTally | None = None
        self.tally_poses: PoseTally | None = None
        self.tally_vitals: VitalTally | None = None

    def chunks(self) -> Iterator[EcgChunk]:
        """Yield the ECG chunks with part in the stretch, by their start."""
        self.tally_ecg = EcgTally(
            self.begin, self.end, self.segments, self.ledger, self.losses
        )
        return self.tally_ecg.watch(self.chunks_around(0))

    def chunks_around(self, margin_ns: int) -> Iterator[EcgChunk]:
        """Yield the ECG chunks with part in the stretch or that close to it."""
        begin, end = BoxNs(self.begin - margin_ns), BoxNs(self.end + margin_ns)
        return self.history.chunks(begin, end)

    def poses(self) -> Iterator[PoseBlock]:
        """Yield the poses of the stretch, in order, many at once."""
        self.tally_poses = PoseTally(self.begin, self.end, self.ledger)
        return self.tally_poses.watch(self.history.pose_blocks(self.begin, self.end))

    def vitals(self) -> Iterator[Vital]:
        """Yield the vitals of the stretch, in order."""
        self.tally_vitals = VitalTally()
        return self.tally_vitals.watch(self.history.vitals(self.begin, self.end))

    def events(self) -> Iterator[Event]:
        """Yield the events with part in the stretch, by their beginning."""
        return self.history.events(self.begin, self.end)

    @cached_property
    def losses(self) -> Losses:
        """The samples that the board counted and nobody received."""
        return losses_of(self.events())

    @cached_property
    def has_ecg(self) -> bool:
        """Whether the whole recording, not only the stretch, holds any ECG."""
        ever = self.history.chunks(BoxNs(-(2**62)), BoxNs(2**62))
        return next(ever, None) is not None

    def subject(self, segment: Segment) -> str:
        """
        Return the code of the subject of *segment*, "" if none is known: what somebody
        sent may be dated in the stay of another than the one who was there by then.
        """
        session = self.sessions.get(segment.session)
        recorded_here = segment.source not in BROUGHT
        return session.subject if session and recorded_here else ""

    @cached_property
    def session_ids(self) -> tuple[int, ...]:
        """
        The sessions that ran in the stretch. Of one that began before it and was
        followed by another nobody knows the end: it counts if anything of it is there.
        """
        begun = [s for s in self.sessions.values() if s.started < self.end]
        inside = [session for session in begun if session.started > self.begin]
        before = begun[: len(begun) - len(inside)][-1:]
        if inside and not self._holds_until(inside[0].started):
            before = []
        return tuple(session.id for session in (*before, *inside))

    def _holds_until(self, end: BoxNs) -> bool:
        """Return whether anything was recorded in the stretch before *end*."""
        kinds = self.history.chunks, self.history.poses, self.history.vitals
        return any(next(kind(self.begin, end), None) is not None for kind in kinds)

    @property
    def leads(self) -> tuple[str, ...]:
        """The names of all leads that the stretch may hold, by first appearance."""
        ids = set(self.session_ids)
        named = [
            lead
            for segment in self.segments.values()
            # What was uploaded may be of a time before the box was there, and of a
            # session whose own row is damaged nobody knows the time.
            if segment.session in ids
            or segment.session not in self.sessions
            or segment.source != "serial"
            for lead in segment.leads
        ]
        return tuple(dict.fromkeys(named))
