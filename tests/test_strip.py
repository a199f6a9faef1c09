"""How complete the page says that each minute is."""

from pathlib import Path
from typing import Any

import numpy as np
from records_store import START, S, segment, session

from edge.history import History
from edge.ledger import Ledger
from edge.records import BoxNs, ClockReading, EcgChunk, Session, UtcNs
from edge.store import Store
from edge.web.strip import Strip

MINUTE = 60 * S
BEGAN = START - START % MINUTE


def ecg(first: int, until: int) -> list[EcgChunk]:
    """Return the seconds *first* to *until* of the recording."""
    counts = np.zeros((500, 3), np.int32)
    return [
        EcgChunk(1, BoxNs(BEGAN + second * S), 2e6, 1000, counts)
        for second in range(first, until)
    ]


def test_minute_that_waited_for_a_hanging_card_is_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "recording.db"
    strip = Strip()

    def shares(second: int) -> list[float | None]:
        with History(path) as past:
            now = BoxNs(BEGAN + second * S)
            said: Any = strip.read(past, Ledger([]), now, 3)
        share: list[float | None] = said["streams"][0]["share"]
        return share

    with Store(path) as store:
        store.append([session(1, BEGAN), segment(), *ecg(0, 60)])
        assert shares(130) == [1.0, 0.0, 0.0]  # the card hangs since then
        store.append(ecg(60, 180))
        assert shares(190) == [1.0, 1.0, 0.0]


def test_pause_that_box_time_does_not_know_is_a_gap(tmp_path: Path) -> None:
    """The power was off for three hours, and the machine had lost the time."""
    path = tmp_path / "recording.db"
    again = BEGAN + 90 * S
    later = Session(2, "another boot", BoxNs(again), 5, "0.1.0", "bed 1", "{}")
    readings = [ClockReading(1, BoxNs(BEGAN), UtcNs(BEGAN), True, 0)]
    strip = Strip()
    with Store(path) as store:
        store.append([session(1, BEGAN), segment(), *ecg(0, 90), later, *ecg(90, 180)])
    with History(path) as past:

        def ecg_row() -> Any:
            ledger = Ledger(readings, past.sessions())
            now = BoxNs(BEGAN + 183 * S)
            said: Any = strip.read(past, ledger, now, 4)
            return said["streams"][0]

        assert ecg_row()["share"] == [1.0, 1.0, 1.0, None]
        utc = UtcNs(again + 3 * 3600 * S)  # a time server is heard of
        readings.append(ClockReading(2, BoxNs(again), utc, True, 0))
        known = ecg_row()
    assert known["share"] == [1.0, round(60 / 10_860, 4), 1.0, None]
    assert known["gaps"] == 1
    assert known["overall"] == round(180 / 10_980, 4)
