"""Data out of the box by the page: who may have what, and that it is written down."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_rig import (
    SECOND,
    STARTED,
    Answer,
    QuietRecorder,
    StoringRecorder,
    ask,
    ecg,
    make_recording,
    minute_of_records,
    pose,
)

from edge.config import Settings
from edge.control import Client
from edge.export import TABLES
from edge.history import History
from edge.records import BoxNs, Event
from edge.store import Store
from edge.web.app import make_app


class Page:
    """The page of one minute that was recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = QuietRecorder()
        self.app = make_app(
            make_recording(folder), self.recorder, Settings(), folder / "web"
        )

    def get(self, path: str) -> Answer:
        return ask(self.app, "GET", path)

    def post(self, path: str, data: Any) -> Answer:
        body = json.dumps(data).encode()
        return ask(self.app, "POST", path, body, content_type="application/json")


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def test_an_export_is_armed_in_the_name_of_who_asks(page: Page) -> None:
    asked = {"from": "-30s", "tables": ["ecg"], "formats": ["csv"], "drive": "sda1"}
    answer = page.post("/exports", asked)

    assert answer.status == 200
    do, request = page.recorder.asked[-1]
    assert do == "export arm"
    assert request["by"] == "local"
    assert {name: request[name] for name in asked} == asked
    assert request["deidentify"] is False


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"tables": ["nothing"]}, "tables"),
        ({"tables": "ecg"}, "tables"),
        ({"tables": []}, "tables"),
        ({"formats": []}, "formats"),
        ({"formats": [3]}, "formats"),
        ({"formats": [["csv"]]}, "formats"),
        ({"since_last": "yes"}, "since_last"),
        ({"drive": 7}, "drive"),
        ({"from": "yesterday"}, "yesterday"),
        ({"from": "-1s", "to": "-2s"}, "nothing is recorded"),
    ],
)
def test_an_impossible_export_is_refused(page: Page, body: Any, named: str) -> None:
    answer = page.post("/exports", body)

    assert answer.status in (400, 422)
    assert named in answer.json["error"]
    assert page.recorder.asked == []


def test_what_the_recorder_refuses_is_said(page: Page) -> None:
    page.recorder.refusal = "an export is being written; wait or cancel it"
    answer = page.post("/exports", {})

    assert answer.status == 409
    assert answer.json["error"] == page.recorder.refusal


def test_a_silent_recorder_is_no_mistake_of_the_person(page: Page) -> None:
    page.recorder.silent = True

    assert page.post("/exports", {}).status == 503
    shown = page.get("/exports")
    assert shown.status == 200
    assert "does not answer" in shown.json["trouble"]


@pytest.mark.parametrize(
    ("path", "do"),
    [
        ("/exports/cancel", "export cancel"),
        ("/drives/enrol", "export enrol"),
        ("/drives/forget", "export forget"),
    ],
)
def test_drives_and_orders_reach_the_recorder(page: Page, path: str, do: str) -> None:
    assert page.post(path, {"drive": "serial-1"}).status == 200
    assert page.recorder.asked[-1][0] == do
    assert page.recorder.asked[-1][1]["by"] == "local"


def test_a_download_is_written_down(page: Page) -> None:
    answer = page.get("/export.csv?table=vitals&from=-10s")

    assert answer.status == 200
    assert answer.headers["content-disposition"].endswith('filename="vitals.csv"')
    assert page.recorder.exports == [("vitals.csv from -10s to the end", "local")]


def test_a_look_at_the_head_is_no_download(page: Page) -> None:
    for path, accept in (("/export.csv", "*/*"), ("/export", "text/csv")):
        for _ in range(4):  # more than may download at the same time
            answer = ask(page.app, "HEAD", path, accept=accept)
            assert answer.status == 200
            assert answer.headers["content-type"].startswith("text/csv")

    assert page.recorder.exports == []


def test_a_recording_that_cannot_be_read_is_told_and_nobody_had_it(page: Page) -> None:
    past = page.folder / "recording.db"
    past.rename(page.folder / "aside.db")
    for _ in range(4):  # more than may download at the same time
        answer = page.get("/export.csv")
        assert answer.status == 503
        assert "no recording to read at recording.db" in answer.json["error"]

    assert page.recorder.exports == []
    (page.folder / "aside.db").rename(past)
    assert page.get("/export.csv").body.count(b"\n") > 1


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
    ],
)
def test_another_site_downloads_nothing(page: Page, headers: dict[str, Any]) -> None:
    for path, accept in (("/export.csv", "*/*"), ("/export", "text/csv")):
        answer = ask(page.app, "GET", path, accept=accept, **headers)
        assert answer.status == 403
        assert "another site" in answer.json["error"]
    assert page.recorder.exports == []
    assert ask(page.app, "GET", "/export", accept="text/html", **headers).status == 200

    for site in ("same-origin", "none"):
        answer = ask(page.app, "GET", "/export.csv", sec_fetch_site=site)
        assert answer.status == 200
    assert len(page.recorder.exports) == 2


def test_a_download_leaves_out_what_a_person_wrote(page: Page) -> None:
    past = page.folder / "recording.db"
    at = BoxNs(STARTED + 70 * SECOND)
    with Store(past, ballast_bytes=0) as store:
        upload = pose(70)._replace(source="upload", picture="mueller.jpg")
        store.append([Event(at, None, "marker", "", "Mr Mueller turned"), upload])

    for table, canary in (("joined", b"mueller.jpg"), ("events", b"Mueller")):
        address = f"/export.csv?table={table}"
        assert canary in page.get(address).body
        veiled = page.get(f"{address}&deidentify=true")
        assert veiled.status == 200
        assert canary not in veiled.body
        assert veiled.body.count(b"\n") == page.get(address).body.count(b"\n")
    assert "events.csv from the beginning to the end, de-identified" in [
        what for what, _ in page.recorder.exports
    ]
    assert page.get("/export.csv?deidentify=perhaps").status == 400


def test_what_a_download_takes_is_described(page: Page) -> None:
    described = page.get("/openapi.json").json["paths"]["/export.csv"]["get"]
    taken = {one["name"]: one["schema"] for one in described["parameters"]}

    assert set(taken) == {"table", "from", "to", "deidentify"}
    assert taken["table"]["enum"] == list(TABLES)
    whole = page.get("/export.csv").body
    assert page.get(f"/export.csv?table={taken['table']['default']}").body == whole
    for name in ("from", "to"):
        longest = taken[name]["maxLength"]
        assert page.get(f"/export.csv?{name}={'9' * longest}").status == 422
        assert page.get(f"/export.csv?{name}={'9' * (longest + 1)}").status == 400


def test_a_download_does_not_need_the_recorder(page: Page) -> None:
    page.recorder.silent = True

    assert page.get("/export.csv?table=events").status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [("table=none", 400), ("from=x", 422), ("from=" + "9" * 70, 400), ("to=-90d", 422)],
)
def test_a_download_of_nothing_is_refused(page: Page, query: str, status: int) -> None:
    answer = page.get(f"/export.csv?{query}")

    assert answer.status == status
    assert answer.json["error"]


def test_box_time_beyond_all_is_the_end(page: Page) -> None:
    for beyond in (f"box:{2**63 - 1}", "box:" + "9" * 19):
        whole = page.get("/export.csv?table=joined&from=box:0").body
        assert page.get(f"/export.csv?from=box:0&to={beyond}").body == whole
        assert page.get(f"/export.csv?from={beyond}").status == 422


def test_a_stretch_holds_what_lies_in_it(page: Page) -> None:
    rows = page.get("/export.csv?table=joined&from=-10s").body.splitlines()

    assert len(rows) - 1 == pytest.approx(100, abs=2)


def test_only_a_few_download_at_the_same_time(page: Page) -> None:
    from edge.web.download import AT_ONCE

    def begin() -> tuple[Any, list[Any]]:
        said: list[Any] = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": "/export.csv", "SCRIPT_NAME": "",
            "HTTP_HOST": "localhost", "SERVER_PROTOCOL": "HTTP/1.1",
        }  # fmt: skip
        return page.app(environ, lambda *given: said.append(given)), said

    bodies = [begin()[0] for _ in range(AT_ONCE)]
    _, refused = begin()
    assert refused[0][0].startswith("503")
    bodies[0].close()  # a client that left before it took anything
    again, said = begin()
    assert said[0][0].startswith("200")
    for body in (*bodies[1:], again):
        body.close()


def test_the_estimate_is_about_right(page: Page) -> None:
    tables = page.get("/exports/estimate?from=-30s").json["tables"]

    assert tables["joined"]["rows"] == pytest.approx(300, rel=0.1)
    assert tables["joined"]["bytes"] > 100_000


def test_the_estimate_knows_nothing_of_what_has_left(tmp_path: Path) -> None:
    with Store(tmp_path / "recording.db", retention_h=1, ballast_bytes=0) as store:
        store.append(minute_of_records())
        for minute in range(1, 120):
            seconds = range(60 * minute, 60 * minute + 60)
            store.append([pose(second) for second in seconds])
    with History(tmp_path / "recording.db") as past:
        left = sum(1 for _ in past.poses(BoxNs(0), BoxNs(2**62)))
    app = make_app(
        tmp_path / "recording.db", QuietRecorder(), Settings(), tmp_path / "web"
    )
    tables = ask(app, "GET", "/exports/estimate").json["tables"]

    assert left < 5000, "of 7740 the older ones left"
    assert tables["joined"]["rows"] == pytest.approx(left, rel=0.02)


def test_the_estimate_sees_where_nothing_was_recorded(page: Page) -> None:
    whole = page.get("/exports/estimate").json["tables"]
    silent = page.get("/exports/estimate?from=-40s&to=-30s").json["tables"]

    assert whole["ecg"]["rows"] == 50 * 250
    assert silent["joined"]["rows"] == pytest.approx(100, abs=2)
    assert silent["ecg"]["rows"] < 130


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[StoringRecorder]:
    recorder = StoringRecorder(tmp_path)
    yield recorder
    recorder.close()


def test_who_had_what_is_shown_newest_first(
    recorder: StoringRecorder, tmp_path: Path
) -> None:
    app = make_app(recorder.path, recorder, Settings(), tmp_path / "web")
    for number in range(600):
        kind = "export" if number % 200 == 0 else "gap"
        at = BoxNs(STARTED + number * SECOND)
        recorder.keep(Event(at, None, kind, "export", f"export {number}", {}))
    recorder.keep(ecg(0)._replace(segment=1), pose(0))

    history = ask(app, "GET", "/exports").json["history"]
    assert [event["cause"] for event in history] == [
        "export 400", "export 200", "export 0",
    ]  # fmt: skip


def test_who_had_what_is_shown_after_weeks_of_other_events(
    recorder: StoringRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.history.PASSED_ROWS", 700)
    app = make_app(recorder.path, recorder, Settings(), tmp_path / "web")
    assert ask(app, "GET", "/exports").json["history"] == []

    for number in range(25):
        at = BoxNs(STARTED + number * SECOND)
        recorder.keep(Event(at, None, "export", "export", f"export {number}", {}))
    other = [
        Event(BoxNs(STARTED + number * SECOND), None, "gap", "ecg", "lead off", {})
        for number in range(2500)
    ]
    recorder.keep(*other)
    history = ask(app, "GET", "/exports").json["history"]

    assert [one["cause"] for one in history] == [
        f"export {number}" for number in range(24, 4, -1)
    ]


def test_a_recording_that_cannot_be_read_is_said_without_its_path(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "bed 7"
    folder.mkdir()
    silent = Client(folder / "control.sock")
    app = make_app(folder / "recording.db", silent, Settings(), folder / "web")
    for kind in ("none", "damaged"):
        for path in ("/status", "/live", "/exports", "/events"):
            answer = ask(app, "GET", path)
            assert answer.status == (200 if path == "/live" else 503), path
            assert str(tmp_path).encode() not in answer.body, (kind, answer.body)
        (folder / "recording.db").write_bytes(b"no database" * 1000)

    marked = ask(app, "POST", "/markers", b"{}", content_type="application/json")
    assert marked.status == 503
    assert "does not answer on control.sock" in marked.json["error"]
    assert str(tmp_path) not in marked.json["error"]
