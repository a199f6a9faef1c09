"""
The page in a real browser: what a person sees and must never be shown.

Needs chromium and chromium-driver (Debian's packages; `scripts/test` installs them
where it may).
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from page_rig import (
    MARKS,
    Bed,
    asked,
    browser,
    complaints,
    inked,
    overlaps,
    text,
    until,
)
from selenium.webdriver.common.by import By
from web_rig import SECOND, SEGMENT, ecg, pose

from edge.clock import boot_id
from edge.records import (
    BoxNs,
    Session,
    StreamState,
    Vital,
)
from edge.web.server import listen

pytestmark = MARKS


@pytest.mark.parametrize(
    ("width", "height", "dark"), [(1280, 800, False), (390, 844, True)]
)
def test_the_page_says_that_it_records_and_draws_it(
    bed: Bed, width: int, height: int, dark: bool
) -> None:
    with browser(width, height, dark) as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        until(lambda: inked(driver, "body") > 300, "a body")
        until(lambda: "61" in text(driver, "vitals"), "the heart rate")

        assert "Not a monitor – no alarms" in text(driver, "notice")
        assert driver.execute_script(
            "return document.documentElement.scrollWidth <= innerWidth"
        ), "nothing may stick out sideways"
        assert overlaps(driver) == []
        assert complaints(driver) == []


def test_what_is_drawn_of_a_body_is_what_makes_it_one(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guesses make no limbs, and what was seen is not drawn as nothing."""
    seen = (6, 7, 11, 14, 15)  # no two of them are the ends of one limb
    points = np.array(
        [(80 * (i % 5) + 60, 90 * (i // 5) + 60, 0.28) for i in range(17)]
    )
    points[list(seen), 2] = 0.9
    some = pose(0)._replace(keypoints=points.astype(np.float32))
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: drawn(driver) > 0, "the first body")
        monkeypatch.setattr("page_rig.pose", lambda second: some)
        until(lambda: drawn(driver) == len(seen), "a dot for each that was seen")


def drawn(driver: Any) -> int:
    """Return how many strokes of a body, apart from each other, are seen."""
    count: int = driver.execute_script(
        "const c=document.getElementById('body'),w=c.width,h=c.height,"
        "d=c.getContext('2d').getImageData(0,0,w,h).data,seen=new Uint8Array(w*h);"
        "const ink=i=>!seen[i]&&d[4*i+3]>60&&i%w>5&&i%w<w-6&&i>6*w&&i<w*(h-6);let n=0;"
        "for(let i=0;i<w*h;i++)if(ink(i)){n++;const go=[i];while(go.length){"
        "const j=go.pop();if(!ink(j))continue;seen[j]=1;go.push(j-1,j+1,j-w,j+w)}}"
        "return n"
    )
    return count


def test_a_fault_is_named_in_words(bed: Bed) -> None:
    since = BoxNs(bed.now() - 120 * SECOND)
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        bed.recorder.streams["camera"] = StreamState(
            "camera", "lost", since, "the camera was unplugged", since, 9, 0, 0
        )
        until(lambda: text(driver, "headline") == "Recording without camera", "it")

        assert "unplugged" in text(driver, "why")
        assert "2 min" in text(driver, "why") or "120 s" in text(driver, "why")
        assert text(driver, "running") != "–"

        ecg = bed.recorder.streams["camera"]._replace(name="ecg", cause="unplugged too")
        bed.recorder.streams["ecg"] = ecg
        until(lambda: text(driver, "headline") == "Nothing is recorded", "both")
        until(lambda: text(driver, "running") == "–", "it records for no time")
        assert "lost" in text(driver, "part-camera")


def test_what_is_read_aloud_rests_while_nothing_changes(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        assert read_again(driver, ages=3) == []
        bed.server.stop()
        until(lambda: "No connection" in text(driver, "headline"), "the headline")
        assert read_again(driver, ages=3) == []


READ_AGAIN = r"""
const verdict = document.getElementById("verdict");
const words = () => verdict.textContent.replace(/\(\d+ \w+\)/g, "(its age)");
const aloud = ({ target }) => !(target.closest ? target : target.parentNode)
  ?.closest("[aria-hidden]");
let before = words();
window.again = [];
new MutationObserver((changes) => {
  if (!changes.some(aloud)) return;
  if (words() === before) window.again.push(before);
  before = words();
}).observe(verdict, { childList: true, characterData: true, subtree: true });
"""


def read_again(driver: Any, ages: int) -> list[str]:
    """
    Return what a screen reader reads of the verdict though it said that before, while
    its age goes on. A box that is busy may be silent for a moment: that is news.
    """
    driver.execute_script(READ_AGAIN)
    seen: set[str] = set()

    def grown() -> bool:
        seen.add(text(driver, "why"))
        return len(seen) > ages

    until(grown, "its age")
    again: list[str] = driver.execute_script("return window.again")
    return again


def looks_dead(driver: Any) -> bool:
    """Return whether nothing on the page could be taken for live."""
    dead: bool = driver.execute_script(
        "return document.body.classList.contains('dead') &&"
        "getComputedStyle(document.getElementById('axis')).filter !== 'none' &&"
        "[...document.querySelectorAll('.vital')].every(v => v.matches('.old'))"
    )
    return dead


def test_values_grey_when_the_box_falls_silent(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "61" in text(driver, "vitals"), "the heart rate")
        bed.server.stop()
        until(lambda: "No connection" in text(driver, "headline"), "the headline")

        assert looks_dead(driver)
        assert "Nothing here is live" in text(driver, "why")
        listener = listen("127.0.0.1", bed.port)
        bed.serve(listener)
        until(lambda: text(driver, "headline") == "Recording", "it comes back")
        assert not looks_dead(driver)


def test_what_is_late_is_grey_and_what_is_computed_may_be_late(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "61" in text(driver, "vitals"), "the heart rate")
        bed.flowing.clear()
        ages = {
            name: until(partial(age_of_old, driver, name), f"{name} grows old")
            for name in ("oxygen_saturation", "heart_rate")
        }

        assert (ages["oxygen_saturation"] or 0) >= 3, "the board sends it each second"
        assert (ages["heart_rate"] or 0) >= 9, "the finder of beats is up to 6.5 s late"
        assert text(driver, "headline") == "Recording", "the box itself still answers"


def test_vitals_of_one_subject_are_gone_when_the_next_is_recorded(bed: Bed) -> None:
    pressure = Vital(bed.now(), "blood_pressure_systolic", 141.0, "", "upload")
    bed.recorder.keep(pressure)
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "141" in text(driver, "vitals"), "the blood pressure")
        number, now = bed.recorder.state().session + 1, bed.now()
        bed.recorder.keep(Session(number, boot_id(), now, 0, "test", "P08", "{}"))

        until(lambda: "141" not in text(driver, "vitals"), "it goes")
        until(lambda: "61" in text(driver, "vitals"), "the heart rate of the next")


def age_of_old(driver: Any, name: str) -> float | None:
    """Return how many seconds old a page says that vital is, once it is grey."""
    card = driver.find_element(By.ID, f"vital-{name}")
    if "old" not in card.get_attribute("class"):
        return None
    return float(card.text.split(" s ago")[0].split()[-1])


def test_a_laptop_that_slept_shows_nothing_live(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "61" in text(driver, "vitals"), "the heart rate")
        # The wall clock ran on by a minute while the page's own stood still.
        driver.execute_script(
            "window.fetch = () => new Promise(() => {});"
            "const was = Date.now; Date.now = () => was() + 60000;"
        )
        until(lambda: looks_dead(driver), "it greys at once")

        assert "No connection" in text(driver, "headline")


def test_a_wrong_clock_of_the_browser_changes_nothing(bed: Bed) -> None:
    with browser() as driver:
        driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument",
            {"source": "const was = Date.now; Date.now = () => was() - 4e10;"},
        )
        driver.get(bed.address)
        until(lambda: "61" in text(driver, "vitals"), "the heart rate")

        assert not looks_dead(driver)


def test_a_silent_recorder_is_not_recording(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        bed.recorder.silent = True
        until(lambda: text(driver, "headline") == "Not recording", "the headline")
        assert "Wait half a minute" in text(driver, "why"), "what a person can do"
        until(lambda: text(driver, "subject") == "–", "a subject that is not known")
        assert text(driver, "running") == "–"

        assert driver.find_element(By.ID, "band").get_attribute("data-level") == "bad"


def test_two_tabs_both_live(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        driver.switch_to.new_window("tab")
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the second tab")
        driver.switch_to.window(driver.window_handles[0])
        until(lambda: text(driver, "headline") == "Recording", "the first tab")


def test_leads_of_a_large_board_are_shown_in_turn(bed: Bed) -> None:
    names = tuple(f"EXG{number}" for number in range(1, 17))
    scale = SEGMENT._replace(gain=(1000.0,) * 16, baseline=(0,) * 16)
    segment = scale._replace(id=98, leads=names)
    bed.recorder.keep(segment)
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        counts = ecg(0).counts[:, [0] * 16]
        bed.recorder.keep(ecg(0)._replace(segment=98, start=bed.now(), counts=counts))
        button = driver.find_element(By.ID, "leads")
        until(button.is_displayed, "more leads than lanes")
        first = button.text
        button.click()
        until(lambda: button.text != first, "the next leads")
        assert "of 18 leads" in first  # with the two of the flowing board
        assert overlaps(driver) == []


def test_what_is_dated_ahead_does_not_pile_up_in_an_open_page(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        driver.execute_script(
            "window.taken = 0; const was = Response.prototype.json;"
            "Response.prototype.json = async function () {"
            "const reply = await was.call(this); taken += reply.ecg?.length ?? 0;"
            "return reply; }"
        )
        tomorrow = bed.now() + 86_400 * SECOND
        bed.recorder.fill(tomorrow + n * SECOND // 1000 for n in range(100))
        until(lambda: driver.execute_script("return taken") >= 100, "they came")

        assert asked(driver, "return page.chunks.length", of="received") < 100


def test_uploads_do_not_let_the_page_play_further_behind(bed: Bed) -> None:
    """With a board in an answer of their own, and where there is no board."""
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        upload = (
            "{ segment: -1, start: page.now(), offsets: [0], period: 0, mv: [[1]] }"
        )
        picture = "{ at: page.now() - 60000, source: 'upload' }"
        answers = (
            f"{{ ecg: [{upload}], poses: [] }}",
            f"{{ ecg: [], poses: [{picture}] }}",
        )
        for answer in answers:
            for before in ("", "page.chunks.length = 0;"):
                found = asked(
                    driver,
                    f"{before} const was = page.delay, reply = {{ ...page.live,"
                    "cursor: page.cursor, vitals: [], events: [],"
                    f"segments: {{ '-1': {{ leads: ['I'], live: false }} }},"
                    f"...{answer} }}; const at = page.tick();"
                    "page.take(reply, at, at); return page.delay - was",
                    of="playing received",
                )
                assert found == 0, (answer, before)


LONG = ("precordial lead V1 anterior", "Brustwandableitung rechts", "IV")


@pytest.mark.parametrize(("width", "height"), [(320, 700), (390, 844), (1280, 800)])
def test_nothing_sticks_out_after_weeks(bed: Bed, width: int, height: int) -> None:
    """With large counts, long names, and the forms open."""
    scale = SEGMENT._replace(gain=(1000.0,) * 3, baseline=(0,) * 3)
    bed.recorder.keep(scale._replace(id=97, leads=LONG))
    streams = bed.recorder.streams
    streams["ecg"] = streams["ecg"]._replace(received=453_600_000, dropped=12_345)
    streams["pose"] = streams["pose"]._replace(received=123_456_789_012, dropped=99)
    troubles = ["the supply sagged below 4.63 V", "the processor is too hot"]
    machine = {"temperature_c": 81.4, "memory_available": 0.5, "troubles": troubles}
    bed.recorder.machine = dict(machine)
    with browser(width, height) as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        until(lambda: "453 M" in text(driver, "parts"), "a large count")
        assert text(driver, "machine") == (
            "The machine: 81 °C, 50 % of the memory free; "
            "the supply sagged below 4.63 V; the processor is too hot."
        )
        counts = ecg(0).counts[:, [0, 1, 0]]
        bed.recorder.keep(ecg(0)._replace(segment=97, start=bed.now(), counts=counts))
        until(lambda: "IV" in leads(driver), "the leads")
        driver.find_element(By.CSS_SELECTOR, "#forms summary").click()
        ticks = "return document.getElementById('ticks') !== null"
        until(lambda: driver.execute_script(ticks), "the times of the last hour")

        assert driver.execute_script(STICKING_OUT) == []
        assert asked(driver, "return page.margin", of="axis") <= width / 4
        assert overlaps(driver) == []


def leads(driver: Any) -> str:
    """Return what is said of the axis to who does not see it."""
    name = driver.find_element(By.ID, "axis").get_attribute("aria-label")
    return str(name)


STICKING_OUT = """
const wide = [...document.querySelectorAll('html, section, footer, form, .wide, label')]
  .filter(e => e.scrollWidth > e.clientWidth + 1);
const times = [...document.querySelectorAll('#ticks span')]
  .filter(e => e.textContent && e.checkVisibility())
  .map(e => e.getBoundingClientRect());
const close = times.filter((box, i) => i && box.left < times[i - 1].right + 4);
return [...wide.map(e => e.outerHTML.slice(0, 80)), ...close];
"""
"""Lists what is wider than its place, and times that run together."""


def test_the_page_shrinks_with_its_window(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        for height in (1200, 800):
            size = {"width": 1280, "height": height, "deviceScaleFactor": 1}
            metrics = {**size, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            until(partial(is_tall, driver, height), f"{height} pixels")


def is_tall(driver: Any, pixels: int) -> bool:
    tall = driver.execute_script("return document.documentElement.scrollHeight")
    return int(tall) == pixels
