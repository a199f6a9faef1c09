"""What the page is told, and that it is told no lie."""

import json
import re
import threading
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
from edge.records import (
    BoxNs,
    BoxState,
    ClockReading,
    Event,
    Session,
    StreamState,
    UtcNs,
)
from edge.store import Store
from edge.web import shapes
from edge.web.app import make_app
from edge.web.live import Cursor
from edge.web.present import StateCache
from edge.web.strip import covered, gaps

NOW_MS = (STARTED + 60 * SECOND) / 1e6


@pytest.fixture
def recorder() -> QuietRecorder:
    return QuietRecorder()


@pytest.fixture
def app(tmp_path: Path, recorder: QuietRecorder) -> Any:
    return make_app(make_recording(tmp_path), recorder, Settings(), tmp_path / "web")


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


def stream(name: str, state: Any = "ok") -> StreamState:
    return StreamState(name, state, BoxNs(STARTED + SECOND), "pulled", None, 0, 0, 0)


@pytest.mark.parametrize(
    ("states", "level", "headline"),
    [
        ({}, "ok", "Recording"),
        ({"camera": "off"}, "ok", "Recording"),
        ({"camera": "lost"}, "warn", "Recording without camera"),
        ({"ecg": "stale"}, "warn", "Recording without ECG"),
        ({"ecg": "late"}, "warn", "Recording, ECG late"),
        ({"store": "stale"}, "warn", "Recording with a fault"),
        ({"ecg": "lost", "camera": "lost"}, "bad", "Nothing is recorded"),
        ({"ecg": "lost", "camera": "off"}, "bad", "Nothing is recorded"),
    ],
)
def test_verdict_in_words(states: dict[str, Any], level: str, headline: str) -> None:
    recorder = QuietRecorder()
    for name, state in states.items():
        found = stream(name, "stale" if state == "late" else state)
        since = BoxNs(recorder.now - SECOND) if state == "late" else found.since
        recorder.streams[name] = found._replace(since=since)

    verdict = shapes.verdict(recorder.state())

    assert (verdict["level"], verdict["headline"]) == (level, headline)
    if level == "warn" and "late" not in states.values():
        assert f"{{{(STARTED + SECOND) / 1e6}}}: pulled" in str(verdict["why"])


def test_verdict_of_a_recorder_that_stopped() -> None:
    recorder = QuietRecorder()
    recorder.recording = False

    assert shapes.verdict(recorder.state())["headline"] == "Not recording"


def test_thinning_keeps_every_peak() -> None:
    seed = 5
    random = np.random.default_rng(seed)
    mv = random.normal(0, 0.1, (1000, 3))
    peaks = random.choice(1000, 12, replace=False)
    mv[peaks, 1] = 5.0 + np.arange(12)

    thinned = shapes.thin(mv, 4)

    assert thinned.shape == (250, 3)
    assert len(set(peaks // 8)) <= sum(thinned[:, 1] >= 5.0), f"seed {seed}"
    assert thinned[:, 1].max() == mv[:, 1].max()
    for block in range(125):
        inside = mv[8 * block : 8 * block + 8]
        pair = thinned[2 * block : 2 * block + 2]
        assert pair.min(axis=0) == pytest.approx(inside.min(axis=0))
        assert pair.max(axis=0) == pytest.approx(inside.max(axis=0))


@pytest.mark.parametrize(
    ("rate_hz", "factor"), [(125, 1), (250, 1), (500, 2), (1000, 4)]
)
def test_thinning_only_what_cannot_be_drawn(rate_hz: float, factor: int) -> None:
    assert shapes.thinning(1e9 / rate_hz) == factor


def test_missing_values_are_null_and_never_numbers() -> None:
    chunk = ecg(0)
    chunk.counts[3, 1] = -(2**31)

    mv = shapes.of_chunk(chunk, SEGMENT)["mv"]

    assert isinstance(mv, list)
    assert mv[1][3] is None
    assert mv[0][3] is not None


def test_completeness_shows_the_gap(app: Any) -> None:
    strip = ask(app, "GET", "/completeness?minutes=3").json

    ecg_row, pose_row = strip["streams"]
    assert ecg_row["share"][0] is None, "nothing was recorded before the session"
    assert ecg_row["overall"] == pytest.approx(50 / 60, abs=0.02)
    assert ecg_row["gaps"] == 1
    assert pose_row["overall"] >= 0.98


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


@pytest.mark.parametrize("minutes", ["0", "1441", "-1", "a", "1e3", "٣", "1.5"])
def test_completeness_refuses_other_spans(app: Any, minutes: str) -> None:
    answer = ask(app, "GET", f"/completeness?minutes={minutes}")

    assert answer.status == 400
    assert "minutes" in answer.json["error"]


def test_covered_counts_overlaps_once() -> None:
    assert covered([(5, 9), (0, 6), (8, 20)], 2, 12) == 10
    assert covered([], 0, 10) == 0


def test_marker_reaches_the_recorder(app: Any, recorder: QuietRecorder) -> None:
    body = b'{"note": "Turned"}'
    answer = ask(app, "POST", "/markers", body, content_type="application/json")

    assert answer.status == 200
    assert recorder.markers == [("Turned", "local")]


@pytest.mark.parametrize(
    ("body", "kind", "status", "named"),
    [
        (b"{", "application/json", 400, "JSON"),
        (b"[]", "application/json", 400, "object"),
        (b'{"note": 3}', "application/json", 400, "note"),
        (b'{"note": "a\\nb"}', "application/json", 400, "note"),
        (b'{"note": "\\ud800"}', "application/json", 400, "note"),
        (b'{"note": "' + b"x" * 201 + b'"}', "application/json", 400, "note"),
        (b'{"note": "x"}', "text/plain", 415, "application/json"),
        (b"[" * 60000, "application/json", 400, "JSON"),
    ],
)
def test_marker_refuses_bad_bodies(
    app: Any, recorder: QuietRecorder, body: bytes, kind: str, status: int, named: str
) -> None:
    answer = ask(app, "POST", "/markers", body, content_type=kind)

    assert answer.status == status
    assert named in answer.json["error"]
    assert recorder.markers == []


def test_marker_says_when_the_recorder_is_silent(
    app: Any, recorder: QuietRecorder
) -> None:
    recorder.silent = True
    body = b'{"note": "Turned"}'
    answer = ask(app, "POST", "/markers", body, content_type="application/json")

    assert answer.status == 503
    assert "does not answer" in answer.json["error"]


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


def test_page_files_are_small_and_ask_nobody_else() -> None:
    folder = Path(__file__).parent.parent / "edge/web/static"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    pages = [name for name in files if name.endswith(".html")]
    loads = rb'<(?:link|script|img)[^>]*(?:href|src)="(?:static/)?([^"]+)"'
    sizes = {
        page: len(files[page])
        + sum(len(files[name.decode()]) for name in set(re.findall(loads, files[page])))
        for page in pages
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
    recorder = QuietRecorder()
    asked = []
    state = recorder.state
    recorder.state = lambda: asked.append(1) or state()  # type: ignore[method-assign]
    clock = [0.0]
    states = StateCache(recorder, lambda: clock[0])
    for _ in range(10):
        states.read()
        clock[0] += 0.01

    assert len(asked) == 1


@pytest.mark.parametrize(
    ("shares", "count"),
    [([], 0), ([1.0], 0), ([0.5], 1), ([1, 0, 0, 1, 0.9, 1, 0], 3), ([0, 0], 1)],
)
def test_gaps_counts_stretches(shares: list[float], count: int) -> None:
    assert gaps(shares) == count


def test_completeness_of_a_recording_that_just_began(tmp_path: Path) -> None:
    recorder = QuietRecorder()
    recorder.now = BoxNs(STARTED + SECOND)
    app = make_app(make_recording(tmp_path), recorder, Settings(), tmp_path / "web")
    strip = ask(app, "GET", "/completeness").json

    assert [row["overall"] for row in strip["streams"]] == [None, None]


def test_a_mark_may_say_when_it_was_begun(tmp_path: Path) -> None:
    recorder = QuietRecorder()
    app = make_app(make_recording(tmp_path), recorder, Settings(), tmp_path / "web")

    def mark(**body: Any) -> int:
        data = json.dumps({"note": "x", **body}).encode()
        return ask(
            app, "POST", "/markers", data, content_type="application/json"
        ).status

    assert mark() == mark(at=None) == mark(at=1750000001.5) == mark(at=7) == 200
    assert recorder.marked == [None, None, 1750000001500000, 7000000]
    for wrong in ("now", True, [1], 1e300, -1e300):
        assert mark(at=wrong) == 400
    data = b'{"note": "x", "at": NaN}'
    answer = ask(app, "POST", "/markers", data, content_type="application/json")
    assert answer.status == 400
    assert len(recorder.markers) == 4
