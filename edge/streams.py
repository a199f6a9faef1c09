"""
How each stream does: counted while it flows, told to the page, changes kept as events.
"""

import threading

from edge.records import BoxNs, Condition, Event, StreamState

NOT_STARTED = "not started"

ABBREVIATIONS = {"ecg": "ECG"}
"""Streams by name, as people write them."""


class Stream:
    """
    The state of one stream, written by its worker and read by anybody.

    A stream begins as *lost* with the cause "not started", or as *off*.
    """

    def __init__(self, name: str, now: BoxNs, off: bool = False) -> None:
        self._lock = threading.Lock()
        self._state = StreamState(
            name=name,
            state="off" if off else "lost",
            since=now,
            cause="switched off in the configuration" if off else NOT_STARTED,
            last=None,
            received=0,
            dropped=0,
            damaged=0,
        )

    def enter(self, state: Condition, now: BoxNs, cause: str = "") -> tuple[Event, ...]:
        """
        Change to *state* because of *cause*.

        Returns the event to keep: none if neither state nor cause changed.
        """
        with self._lock:
            before = self._state
            if (before.state, before.cause) == (state, cause):
                return ()
            since = now if before.state != state else before.since
            self._state = before._replace(state=state, since=since, cause=cause)
        detail: dict[str, object] = {"from": before.state, "to": state}
        fresh = before.cause == NOT_STARTED
        name = ABBREVIATIONS.get(before.name, before.name)
        sentence = cause or f"{name} {'works' if fresh else 'is back'}"
        return (Event(now, None, "state", before.name, sentence, detail),)

    def count(
        self,
        last: BoxNs | None = None,
        received: int = 0,
        dropped: int = 0,
        damaged: int = 0,
        **detail: object,
    ) -> None:
        """Add to the counts; *last* and *detail* replace what was there."""
        with self._lock:
            now = self._state
            self._state = now._replace(
                last=now.last if last is None else last,
                received=now.received + received,
                dropped=now.dropped + dropped,
                damaged=now.damaged + damaged,
                detail={**now.detail, **detail},
            )

    @property
    def state(self) -> StreamState:
        """How the stream does now."""
        return self._state
