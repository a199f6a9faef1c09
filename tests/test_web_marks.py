"""Marks that a person sets on the page."""

import json
from pathlib import Path
from typing import Any

import pytest
from web_rig import (
    QuietRecorder,
    ask,
    make_recording,
)

from edge.config import Settings
from edge.web.app import make_app


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
