"""What the page is told, and that it is told no lie."""

import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from web_rig import (
    SECOND,
    SEGMENT,
    STARTED,
    QuietRecorder,
    ask,
    ecg,
    make_recording,
    pose,
)

from edge.config import Settings
from edge.database.reading import Reader
from edge.database.sums import Row
from edge.history import History
from edge.join.rows import Labels
from edge.records import (
    BoxNs,
    BoxState,
    ClockReading,
    Event,
    Record,
    Session,
    UtcNs,
)
from edge.store import Store
from edge.web.app import make_app
from edge.web.live import Cursor
from edge.web.present import Present, StateCache

NOW_MS = (STARTED + 60 * SECOND) / 1e6


def test_live_first_answer_holds_the_newest_seconds(app: Any) -> None:
    live = ask(app, "GET", "/live").json

    assert live["reset"] is True
    starts = [chunk["start"] for chunk in live["ecg"]]
    assert starts[-24:] == [NOW_MS - 12000 + 500 * half for half in range(24)]
    assert starts[0] >= NOW_MS - 16500
    assert 120 < len(live["poses"]) <= 160
    assert live["now"] - NOW_MS < 5000
    assert [event["cause"] for event in live["events"]] == [
        "recording began",
        "board unplugged",
    ]


def test_live_gives_millivolts_of_each_lead(app: Any) -> None:
    live = ask(app, "GET", "/live").json

    chunk = live["ecg"][0]
    assert live["segments"]["1"]["leads"] == ["I", "II"]
    assert chunk["period"] == 4.0
    one, two = chunk["mv"]
    assert max(one) == 1.0
    assert two == pytest.approx([2 * value for value in one], abs=2e-3)


def test_live_goes_on_from_its_cursor(app: Any, tmp_path: Path) -> None:
    first = ask(app, "GET", "/live").json
    assert ask(app, "GET", f"/live?since={first['cursor']}").json["ecg"] == []

    with Store(tmp_path / "recording.db", ballast_bytes=0) as store:
        store.append([ecg(60), pose(60.0)])
    second = ask(app, "GET", f"/live?since={first['cursor']}").json

    assert second["reset"] is False
    assert [chunk["start"] for chunk in second["ecg"]] == [NOW_MS]
    assert [found["at"] for found in second["poses"]] == [NOW_MS]


def test_live_starts_again_with_the_cursor_of_another_recording(app: Any) -> None:
    live = ask(app, "GET", "/live?since=999999.999999.999999").json

    assert live["reset"] is True
    assert len(live["ecg"]) >= 24


@pytest.mark.parametrize("since", ["x", "1.2", "1.2.3.4", "-1.0.0", "1.2.³", "9" * 40])
def test_live_refuses_what_is_no_cursor(app: Any, since: str) -> None:
    answer = ask(app, "GET", f"/live?since={since}")

    assert answer.status == 400
    assert "since" in answer.json["error"]


def test_cursor_survives_its_own_text() -> None:
    assert Cursor.parse(str(Cursor(1, 2, 3))) == Cursor(1, 2, 3)
    assert Cursor.parse("") is None


def test_live_says_why_a_vital_has_no_value(app: Any) -> None:
    vitals = {v["name"]: v for v in ask(app, "GET", "/live").json["vitals"]}

    assert vitals["oxygen_saturation"]["value"] is None
    assert vitals["oxygen_saturation"]["reason"] == "probe_off"
    assert vitals["heart_rate"]["unit"] == "bpm"
    assert vitals["heart_rate"]["at"] == NOW_MS - 1000


def test_live_tells_a_silent_recorder_from_a_working_one(
    app: Any, recorder: QuietRecorder
) -> None:
    recorder.silent = True
    live = ask(app, "GET", "/live").json

    assert live["recorder"]["answers"] is False
    assert live["verdict"]["level"] == "bad"
    assert live["verdict"]["headline"] == "Not recording"
    assert "does not answer" in live["verdict"]["why"]
    assert live["now_known"] is True, "the session of this boot dates the page"


def test_upload_dated_ahead_is_not_the_present(
    tmp_path: Path, recorder: QuietRecorder
) -> None:
    """Of an earlier boot, with no recorder: the page shows what was recorded last."""
    ahead = pose(86_400)._replace(source="upload", stamp="given")
    session = Session(1, "earlier", STARTED, 0, "test", "P07", "{}")
    with Store(tmp_path / "recording.db", ballast_bytes=0) as store:
        store.append([session, pose(1), pose(2), ahead])
    app = make_app(tmp_path / "recording.db", recorder, Settings(), tmp_path / "web")
    recorder.silent = True

    live = ask(app, "GET", "/live").json

    assert live["now_known"] is False
    assert live["now"] == pytest.approx((STARTED + 2 * SECOND) / 1e6, abs=1)


def test_live_answers_without_any_recording(
    tmp_path: Path, recorder: QuietRecorder
) -> None:
    app = make_app(tmp_path / "none.db", recorder, Settings(), tmp_path / "web")
    recorder.silent = True
    live = ask(app, "GET", "/live").json

    assert live["verdict"]["level"] == "bad"
    assert live["now_known"] is False
    assert live["ecg"] == []


def test_a_segment_whose_row_has_rotted_costs_the_page_its_curve_alone(
    tmp_path: Path, recorder: QuietRecorder
) -> None:
    path = make_recording(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE segments SET gain = '[1000.0, 1000.5]'")
    app = make_app(path, recorder, Settings(), tmp_path / "web")

    answer = ask(app, "GET", "/live")

    assert answer.status == 200
    assert (answer.json["ecg"], answer.json["segments"]) == ([], {})
    assert answer.json["poses"]


def test_a_segment_that_begins_is_looked_up_alone(
    tmp_path: Path, recorder: QuietRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a board that has flapped for weeks there are thousands."""
    monkeypatch.setattr("edge.web.present.LABELS_KEPT_S", 1e9)  # however slow this is
    path = make_recording(tmp_path)
    app = make_app(path, recorder, Settings(), tmp_path / "web")
    cursor = ask(app, "GET", "/live").json["cursor"]
    begun = [SEGMENT._replace(id=number) for number in range(2, 400)]
    with Store(path, ballast_bytes=0) as store:
        store.append([*begun, ecg(60)._replace(segment=399)])
    rows: list[Row] = []
    fetch = Reader.fetch

    def watched(reader: Reader, query: str, values: Row = ()) -> list[Row]:
        found = fetch(reader, query, values)
        rows.extend(found)
        return found

    monkeypatch.setattr(Reader, "fetch", watched)
    live = ask(app, "GET", f"/live?since={cursor}").json

    assert list(live["segments"]) == ["399"]
    assert len(live["ecg"]) == 1
    assert len(rows) < 50


def test_dates_and_segments_are_read_again_only_when_some_have_come(
    tmp_path: Path,
) -> None:
    """Of weeks they take a second, and every open page asks for them."""
    path, passed = make_recording(tmp_path), [0.0]
    present = Present(lambda: History(path), lambda: passed[0])

    def labels_after(*stored: Record) -> Labels:
        if stored:
            with Store(path, ballast_bytes=0) as store:
                store.append(stored)
        passed[0] += 100.0
        return present.labels()

    first = present.labels()
    assert labels_after(pose(60.0), ecg(60)) is first
    assert 2 in labels_after(SEGMENT._replace(id=2)).segments
    now = BoxNs(STARTED + 61 * SECOND)
    dated = labels_after(ClockReading(1, now, UtcNs(now), True, 0)).ledger
    assert dated.date(np.array([now], np.int64)).utc == [now]
    for file in tmp_path.glob("recording.db*"):
        file.unlink()
    begun = BoxNs(STARTED + 3600 * SECOND)
    anew = labels_after(
        Session(1, "", begun, 0, "test", "P07", "{}"),
        SEGMENT._replace(id=2),
        *(ClockReading(1, begun, UtcNs(begun), True, 0) for _ in range(2)),
    )
    assert list(anew.segments) == [2]


def test_what_happened_is_dated_as_its_own_session_was(
    tmp_path: Path, recorder: QuietRecorder
) -> None:
    """Two sessions a minute apart, whose clocks were five hours apart."""
    second = STARTED + 60 * SECOND
    hours = 3600 * SECOND
    with Store(tmp_path / "recording.db", ballast_bytes=0) as store:
        for number, begin, offset in ((1, STARTED, 7 * hours), (2, second, 2 * hours)):
            at = BoxNs(begin)
            store.append([
                Session(number, f"boot {number}", at, 0, "test", "P07", "{}"),
                ClockReading(number, at, UtcNs(at + offset), True, 0),
                SEGMENT._replace(id=number, session=number),
                Event(at, None, "export", "export", f"session {number}", {}),
                *(pose(begin / SECOND - STARTED / SECOND + n) for n in range(60)),
            ])  # fmt: skip
    recorder.now = BoxNs(second + 30 * SECOND)
    app = make_app(tmp_path / "recording.db", recorder, Settings(), tmp_path / "web")
    wanted = {
        "session 1": (STARTED + 7 * hours) / 1e6,
        "session 2": (second + 2 * hours) / 1e6,
    }

    for path, name in (
        ("/live", "events"), ("/events", "events"), ("/exports", "history"),
    ):  # fmt: skip
        found = ask(app, "GET", path).json[name]
        assert {event["cause"]: event["utc"] for event in found} == wanted, path
    strip = ask(app, "GET", "/completeness?minutes=3").json
    assert len(strip["utc"]) == 3 + 1
    begins = [strip["begin"] + 60_000 * number for number in range(4)]
    offsets = [utc - box for utc, box in zip(strip["utc"], begins, strict=True)]
    assert offsets == [7 * 3.6e6, 7 * 3.6e6, 2 * 3.6e6, 2 * 3.6e6]


def test_pause_is_told_as_long_as_it_was(
    tmp_path: Path, recorder: QuietRecorder
) -> None:
    """The machine lost the time while it was off: box time stood still."""
    begin, hours = BoxNs(STARTED + 60 * SECOND), 3 * 3600 * SECOND
    gap = Event(BoxNs(begin - 1), begin, "gap", "", "no power")
    with Store(make_recording(tmp_path), ballast_bytes=0) as store:
        store.append([
            ClockReading(1, STARTED, UtcNs(STARTED), True, 0),
            Session(2, "boot 2", begin, 0, "test", "P07", "{}"),
            ClockReading(2, begin, UtcNs(begin + hours), True, 0), gap,
        ])  # fmt: skip
    app = make_app(tmp_path / "recording.db", recorder, Settings(), tmp_path / "web")

    for path in ("/live", "/events"):
        lasted = {e["cause"]: e["lasted"] for e in ask(app, "GET", path).json["events"]}
        assert lasted["no power"] == hours / 1e6, path


@pytest.mark.parametrize("path", ["/", "/live", "/status", "/static/page.js", "/none"])
def test_every_answer_carries_the_security_headers(app: Any, path: str) -> None:
    headers = ask(app, "GET", path).headers

    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_a_browser_keeps_no_page_of_the_patient(app: Any) -> None:
    for path in ("/", "/export", "/static/index.html", "/static/export.html"):
        answer = ask(app, "GET", path, accept="text/html")
        assert answer.headers["cache-control"] == "no-store", path
        assert "etag" not in answer.headers
    for path in ("/login.html", "/static/page.js", "/static/page.css"):
        headers = ask(app, "GET", path).headers
        assert headers["cache-control"] == "no-cache", path
        again = ask(app, "GET", path, if_none_match=headers["etag"])
        assert (again.status, again.body) == (304, b"")


LOADS = re.compile(
    rb'<(?:link|script|img)[^>]*(?:href|src)="(?:static/)?([^"]+)"'
    rb'|^import .*"\./([^"]+)";$',
    re.MULTILINE,
)


def loaded(name: str, files: dict[str, bytes]) -> set[str]:
    """Return which of *files* a browser loads for *name*, itself included."""
    found = {name}
    while (
        more := {
            (tag or module).decode()
            for one in found
            for tag, module in LOADS.findall(files[one])
        }
        - found
    ):
        found |= more
    return found


def test_page_files_are_small_and_ask_nobody_else() -> None:
    folder = Path(__file__).parent.parent / "edge/web/static"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    sizes = {
        name: sum(len(files[one]) for one in loaded(name, files))
        for name in files
        if name.endswith(".html")
    }

    assert max(sizes.values()) <= 60_000, sizes
    assert sizes["index.html"] > 40_000  # what it loads was counted
    for name, text in files.items():
        outside = text.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"http://" not in outside, name
        assert b"https://" not in outside, name
        assert b"<style" not in text, name
        assert b" style=" not in text, name
        assert b" onclick=" not in text, name


def test_a_recorder_that_hangs_is_silent_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.web.present.ANSWER_WITHIN_S", 0.05)
    goes_on = threading.Event()

    class Hanging(QuietRecorder):
        def state(self) -> BoxState:
            goes_on.wait(20)
            return super().state()

    clock = [0.0]
    states = StateCache(Hanging(), lambda: clock[0])
    for _ in range(3):
        clock[0] += 2.0
        reading = states.read()
        assert reading.box is None
        assert "has not answered" in reading.silence
    goes_on.set()
    clock[0] += 2.0
    monkeypatch.setattr("edge.web.present.ANSWER_WITHIN_S", 20.0)
    assert states.read().box is not None


def test_many_pages_share_one_question() -> None:
    asked = []

    class Asked(QuietRecorder):
        def state(self) -> BoxState:
            asked.append(1)
            return super().state()

    recorder = Asked()
    clock = [0.0]
    states = StateCache(recorder, lambda: clock[0])
    for _ in range(10):
        states.read()
        clock[0] += 0.01

    assert len(asked) == 1
