"""What a monitoring system reads of the box, in the text format of Prometheus."""

import re
from typing import Any

from web_rig import QuietRecorder, ask

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+')
"""A sample of the exposition format 0.0.4, with the words that are used here."""


def scraped(app: Any) -> dict[str, float]:
    """Return the value of each sample; each must belong to a metric that is named."""
    values: dict[str, float] = {}
    named = set[str]()
    for line in ask(app, "GET", "/metrics").body.decode().splitlines():
        if line.startswith("# "):
            named.add(line.split()[2])
            continue
        assert LINE.fullmatch(line), line
        sample, value = line.rsplit(" ", 1)
        assert sample.partition("{")[0] in named
        values[sample] = float(value)
    return values


def test_what_the_box_does_in_numbers(app: Any, recorder: QuietRecorder) -> None:
    recorder.streams["ecg"] = recorder.streams["ecg"]._replace(state="stale")
    found = scraped(app)

    assert (found["edge_up"], found["edge_recording"]) == (1, 1)
    assert found['edge_stream_state{stream="ecg",state="stale"}'] == 1
    assert found['edge_stream_state{stream="ecg",state="ok"}'] == 0
    assert found['edge_stream_received_total{stream="pose"}'] == 1000
    assert found['edge_saved_total{kind="samples"}'] == 15000
    assert found["edge_storage_hours_left"] == 48


def test_silent_recorder_is_not_up(app: Any, recorder: QuietRecorder) -> None:
    recorder.silent = True

    assert scraped(app) == {"edge_up": 0}


def test_heat_and_power_of_the_machine_as_far_as_it_says(
    app: Any, recorder: QuietRecorder
) -> None:
    sagged = ["the supply sagged below 4.63 V"]
    recorder.machine = {
        "temperature_c": 51.2, "under_voltage": True, "disk_wear_percent": None,
        "troubles": sagged,
    }  # fmt: skip
    found = scraped(app)

    assert found["edge_machine_temperature_c"] == 51.2
    assert found["edge_machine_under_voltage"] == 1
    assert "edge_machine_disk_wear_percent" not in found
    assert ask(app, "GET", "/status").json["machine"]["troubles"] == sagged
