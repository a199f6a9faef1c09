"""From when to when rows reach, and how much they are, without what they hold."""

from math import isfinite
from typing import Literal, NamedTuple, cast

from edge.database.batch import BROUGHT
from edge.database.marks import sound_marks
from edge.database.reading import Reader
from edge.database.tables import TABLES, Kind
from edge.records import BoxNs

RECORDED: dict[Kind, str] = {
    "chunks": "chunks AS t JOIN segments AS o ON o.id = +t.segment",
    "poses": "poses AS t JOIN pose_origins AS o ON o.id = +t.origin",
    "vitals": "vitals AS t",
}
"""Where the source of a row of each kind stands that may have been `BROUGHT`."""

SPANS = {
    "chunks": "SELECT t.start, t.last, t.period_ns FROM chunks AS t"
    " JOIN segments AS s ON s.id = t.segment"
    " WHERE t.start > ? AND t.start < ? AND s.source = ? ORDER BY t.start",
    "poses": "SELECT min(t.exposed), max(t.exposed), 0.0 FROM poses AS t"
    " JOIN pose_origins AS o ON o.id = t.origin"
    " WHERE t.exposed > ? AND t.exposed < ? AND o.source = ?"
    " GROUP BY t.exposed / 1000000000 ORDER BY 1",
}
"""When rows of a kind were recorded, without what they hold; poses by the second."""

WEIGHTY = (("chunks", "start", "counts"), ("poses", "exposed", "keypoints"))
"""What takes nearly all of the room: table, column of its time, column of its size."""

SAMPLE_ROWS = 100
"""Of the newest rows, to tell what one takes."""

ROW_BYTES = 96
"""What a chunk or a pose takes beside its blob, index entries included, about."""


class Span(NamedTuple):
    """When a chunk was recorded, or the poses of one second."""

    first: BoxNs
    last: BoxNs
    period_ns: float  # from one sample to the next; 0.0 where there is none


def spans(
    reader: Reader,
    kind: Literal["chunks", "poses"],
    begin: BoxNs,
    end: BoxNs,
    source: str,
) -> list[Span]:
    """As `History.spans`."""
    reached = (begin - longest_ns(reader, kind) - 1, end, source)
    found = [
        Span(*cast(tuple[BoxNs, BoxNs, float], row))
        for row in reader.fetch(SPANS[kind], reached)
    ]
    return [span for span in found if is_sound(span) and span.last >= begin]


def is_sound(span: Span) -> bool:
    """Return whether *span* can be added up: no sum says whether its row has rotted."""
    whole = isinstance(span.first, int) and isinstance(span.last, int)
    return whole and isinstance(span.period_ns, float) and isfinite(span.period_ns)


def longest_ns(reader: Reader, kind: Kind) -> int:
    """Return how long the longest row of *kind* is, from its first to its last."""
    totals = reader.totals()
    if kind == "chunks":
        return totals.longest_chunk_ns
    return totals.longest_event_ns if kind == "events" else 0


def span(reader: Reader) -> tuple[BoxNs, BoxNs] | None:
    """As `History.span`."""
    reaches = [
        found
        for kind in ("chunks", "poses", "vitals", "events")
        if (found := reach(reader, kind)) is not None
    ]
    if not reaches:
        return None
    firsts, lasts = zip(*reaches, strict=True)
    return min(firsts), max(lasts)


def reach(reader: Reader, kind: Kind) -> tuple[BoxNs, BoxNs] | None:
    """Return the first and last instant of the rows of *kind*, ``None`` of none."""
    table = TABLES[kind]
    ((first, newest),) = reader.fetch(
        f"SELECT (SELECT min({table.time}) FROM {kind}),"
        f" (SELECT max({table.time}) FROM {kind})"
    )
    if newest is None:
        return None
    ((last,),) = reader.fetch(
        f"SELECT max({table.last}) FROM {kind} WHERE {table.time} >= ?",
        (cast(int, newest) - longest_ns(reader, kind),),
    )
    if last is None:  # has rotted
        return None
    return cast(BoxNs, first), cast(BoxNs, last)


def recorded_from(reader: Reader) -> BoxNs | None:
    """As `History.recorded_from`."""
    by_time = {kind: f"ORDER BY {TABLES[kind].time}" for kind in RECORDED}
    return first_recorded(reader, by_time)


def left_before(reader: Reader) -> BoxNs | None:
    """As `History.left_before`."""
    rows = reader.fetch("SELECT * FROM marks ORDER BY id LIMIT 2")
    oldest = next(sound_marks(rows), None)
    if oldest is None or oldest.id <= 1:
        return None
    in_ring = {
        kind: f"AND t.id >= {getattr(oldest, kind)} ORDER BY t.id" for kind in RECORDED
    }
    return first_recorded(reader, in_ring)


def first_recorded(reader: Reader, found_by: dict[Kind, str]) -> BoxNs | None:
    """Return the first instant of each kind's rows that were not `BROUGHT`."""
    firsts = [
        cast(BoxNs, first)
        for kind, rest in found_by.items()
        for (first,) in reader.fetch(
            f"SELECT {TABLES[kind].time} FROM {RECORDED[kind]}"
            f" WHERE source NOT IN (?, ?) {rest} LIMIT 1", BROUGHT
        )
    ]  # fmt: skip
    return min(firsts, default=None)


def tally(reader: Reader, kind: Kind, begin: BoxNs, end: BoxNs) -> int:
    """As `History.tally`."""
    what = "coalesce(sum(samples), 0)" if kind == "chunks" else "count(*)"
    time = TABLES[kind].time
    ((rows,),) = reader.fetch(
        f"SELECT {what} FROM {kind} WHERE {time} >= ? AND {time} < ?", (begin, end)
    )
    return cast(int, rows)


def weight_bytes(reader: Reader, begin: BoxNs, end: BoxNs) -> int:
    """As `History.weight_bytes`."""
    total = 0
    for table, time, blob in WEIGHTY:
        ((rows,),) = reader.fetch(
            f"SELECT count(*) FROM {table} WHERE {time} >= ? AND {time} < ?",
            (begin, end),
        )
        ((mean,),) = reader.fetch(
            f"SELECT avg(length({blob})) FROM"
            f" (SELECT {blob} FROM {table} ORDER BY id DESC LIMIT {SAMPLE_ROWS})"
        )
        total += cast(int, rows) * round(cast(float, mean or 0.0) + ROW_BYTES)
    return total
