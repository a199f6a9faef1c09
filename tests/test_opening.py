"""What a session says of the pause before it."""

import json
from pathlib import Path

import numpy as np
from records_store import START, S, pose, segment, session

from edge.history import History
from edge.opening import CUT_OFF, pause_before
from edge.records import BoxNs, EcgChunk, Event, Record
from edge.store import Store

LAST = BoxNs(START + 8 * S)
STARTED = BoxNs(START + 20 * S)
DUE = BoxNs(START + 5 * S)
"""One period after the last sample."""

PULLED = "no serial port: plug the board in"


def recorded(ecg: str = "serial", seconds: int = 5) -> list[Record]:
    """Return a session whose poses went on after *seconds* of ECG."""
    random = np.random.default_rng(0)
    settings = json.dumps({"ecg": {"source": ecg}})
    counts = np.zeros((500, 3), np.int32)
    return [
        session()._replace(configuration=settings),
        segment(),
        *(EcgChunk(1, BoxNs(START + n * S), 2e6, 0, counts) for n in range(seconds)),
        *(pose(random, START + n * S) for n in range(9)),
    ]


def pause(path: Path, records: list[Record]) -> tuple[Event, ...]:
    with Store(path) as store:
        store.append(records)
        last = store.last_box
    with History(path) as history:
        return pause_before(history, last, STARTED)


def test_ecg_that_was_not_on_the_card_yet_is_a_gap_of_its_own(path: Path) -> None:
    assert pause(path, recorded()) == (
        Event(DUE, LAST, "gap", "ecg", CUT_OFF),
        Event(LAST, STARTED, "gap", "", CUT_OFF),
    )


def test_board_that_was_pulled_before_is_the_cause(path: Path) -> None:
    detail: dict[str, object] = {"from": "ok", "to": "lost"}
    lost = Event(DUE, None, "state", "ecg", PULLED, detail)
    ecg, _ = pause(path, [*recorded(), lost])
    assert (ecg.began, ecg.cause) == (DUE, PULLED)


def test_session_that_never_had_ecg_is_one_gap(path: Path) -> None:
    ecg, everything = pause(path, recorded(seconds=0))
    assert (ecg.began, ecg.ended) == (START, LAST)
    assert everything.began == LAST


def test_uploaded_ecg_does_not_hide_what_the_board_missed(path: Path) -> None:
    upload = EcgChunk(2, BoxNs(START + 7 * S), 2e6, 0, np.zeros((500, 3), np.int32))
    ecg, _ = pause(path, [*recorded(), segment(2, "upload"), upload])
    assert ecg.began == DUE


def test_box_without_a_board_misses_no_ecg(path: Path) -> None:
    (everything,) = pause(path, recorded(ecg="none"))
    assert everything.stream == ""


def test_first_session_had_no_pause_before(path: Path) -> None:
    Store(path).close()
    with History(path) as history:
        assert pause_before(history, None, STARTED) == ()
