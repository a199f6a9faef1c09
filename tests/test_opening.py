"""What a session says of the pause before it."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records_store import START, S, pose, segment, session

from edge import config
from edge.database import soundness
from edge.database.reading import Reader
from edge.errors import StoreError
from edge.history import History
from edge.opening import CUT_OFF, pause_before
from edge.recorder import Recorder
from edge.records import BoxNs, EcgChunk, Event, Record, Session
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


@pytest.mark.parametrize("seconds", [0, 5])
def test_what_was_uploaded_does_not_prolong_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """A million records would, by more than a service manager waits."""
    asked: list[str] = []
    fetch = Reader.fetch

    def counted(reader: Reader, query: str, *values: Any) -> list[Any]:
        asked.append(query)
        return fetch(reader, query, *values)

    monkeypatch.setattr(Reader, "fetch", counted)
    needed = []
    for number in (1, 1_000):
        one = np.zeros((1, 3), np.int32)
        times = range(DUE, DUE + number * 1_000_000, 1_000_000)
        uploads = [EcgChunk(2, BoxNs(at), 2e6, 0, one) for at in times]
        records = [*recorded(seconds=seconds), segment(2, "upload"), *uploads]
        asked.clear()
        ecg, _ = pause(tmp_path / f"{number}.db", records)
        assert ecg.began == (DUE if seconds else START)
        needed.append(len(asked))
    assert needed[0] == needed[1]


def test_box_without_a_board_misses_no_ecg(path: Path) -> None:
    (everything,) = pause(path, recorded(ecg="none"))
    assert everything.stream == ""


def test_first_session_had_no_pause_before(path: Path) -> None:
    Store(path).close()
    with History(path) as history:
        assert pause_before(history, None, STARTED) == ()


def many_lately(folder: Path) -> config.Settings:
    """Return the settings of a recording whose last minute has thousands of events."""
    settings = config.Settings(
        config.Box(folder), config.Camera(source="none"), ecg=config.Ecg(source="none")
    )
    lately = range(START, START + 10 * S, S // 300)
    marks = [Event(BoxNs(at), None, "marker", "", "said", {}) for at in lately]
    with Store(settings.database) as store:
        store.append([session(), *marks])
        store._steady.file.writer.checkpoint("TRUNCATE")
    return settings


def begun(settings: config.Settings) -> list[Record]:
    """Return what a recorder begins with, which its store has taken."""
    with Store(settings.database) as store:
        recorder = Recorder(settings, store, threading.Event())
        recorder.begin()
        records = recorder.intake.take(0)
        store.append(records)
    with History(settings.database) as history:
        assert recorder.session in [session.id for session in history.sessions()]
    return records


def causes(records: list[Record], kind: str) -> list[str]:
    return [one.cause for one in records if isinstance(one, Event) and one.kind == kind]


def test_damage_met_in_what_was_recorded_last_keeps_nobody_from_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the look at the start does not come: amid a large file's newest events."""
    monkeypatch.setattr(soundness, "WHOLE_BYTES", 0)
    settings = many_lately(tmp_path)
    connection = sqlite3.connect(settings.database)
    question = "SELECT rootpage FROM sqlite_schema WHERE name = 'idx_events_began'"
    ((root,),) = connection.execute(question).fetchall()
    connection.close()
    data = bytearray(settings.database.read_bytes())
    at = (root - 1) * 4096
    cell = at + int.from_bytes(data[at + 20 : at + 22], "big")  # the fifth child
    leaf = (int.from_bytes(data[cell : cell + 4], "big") - 1) * 4096
    data[leaf] ^= 1
    settings.database.write_bytes(data)

    records = begun(settings)

    assert [type(one) for one in records[:1]] == [Session]
    # A folder in memory is told as well.
    assert sum("damaged-1.db" in one for one in causes(records, "state")) == 1
    assert causes(records, "gap") == [CUT_OFF]
    assert list(tmp_path.glob("*.damaged-1.db"))
    assert not any("damaged" in one for one in causes(begun(settings), "state"))


def test_recording_that_cannot_be_read_is_a_gap_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = many_lately(tmp_path)

    def cannot(_: History) -> list[Session]:
        raise StoreError("cannot read: disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(History, "events", cannot)
        broken.setattr(History, "sessions", cannot)
        with Store(settings.database) as store:
            recorder = Recorder(settings, store, threading.Event())
            recorder.begin()
            (cause,) = causes(recorder.intake.take(0), "gap")
    assert "disk I/O error" in cause
    assert not list(tmp_path.glob("*.damaged-*"))
