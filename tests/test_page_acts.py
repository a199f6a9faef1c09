"""
The page in a real browser: marks, holding still, dates, forms and downloads.

Needs chromium and chromium-driver (Debian's packages; `scripts/test` installs them
where it may).
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from page_rig import (
    MARKS,
    Bed,
    asked,
    browser,
    complaints,
    first_download,
    inked,
    overlaps,
    text,
    until,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web_rig import SECOND, STARTED, picture, pose

from edge.records import (
    BoxNs,
    ClockReading,
    Event,
    Session,
    UtcNs,
    Vital,
)

pytestmark = MARKS

MARKED = "return page.pointed ?? page.held ?? page.now()"
"""The instant that a mark is of."""


def test_page_of_another_release_loads_itself_again(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while somebody writes."""
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        driver.execute_script("window.old = true")
        driver.find_element(By.TAG_NAME, "body").send_keys("m")
        monkeypatch.setattr("edge.web.live.PAGE", "another")
        answer = "return page.live.page"
        until(lambda: asked(driver, answer, of="received") == "another", "it")
        assert driver.execute_script("return window.old")

        driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        until(lambda: not driver.execute_script("return window.old"), "loaded again")
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        driver.execute_script("window.old = true")
        driver.find_element(By.TAG_NAME, "body").send_keys("m")
        driver.switch_to.active_element.send_keys("Turned", Keys.ENTER)
        until(lambda: "Turned" in text(driver, "events"), "answers came")
        assert driver.execute_script("return window.old")
        monkeypatch.setattr("edge.web.live.PAGE", "a third")
        until(lambda: not driver.execute_script("return window.old"), "loaded again")


def test_a_mark_is_set_by_mouse_and_by_keyboard(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        driver.find_element(By.ID, "mark").click()
        note = driver.find_element(By.ID, "note")
        note.send_keys("Turned")
        driver.find_element(By.CSS_SELECTOR, "#marker button.main").click()
        until(lambda: bed.recorder.markers == [("Turned", "local")], "the mark")
        until(lambda: "Turned" in text(driver, "events"), "it is listed")

        body = driver.find_element(By.TAG_NAME, "body")
        body.send_keys("m")
        driver.switch_to.active_element.send_keys("<b>x</b>", Keys.ENTER)
        until(lambda: len(bed.recorder.markers) == 2, "the mark by keyboard")
        until(lambda: "<b>x</b>" in text(driver, "events"), "as text, not as HTML")
        body.send_keys("m")
        driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        time.sleep(0.5)
        assert len(bed.recorder.markers) == 2


@pytest.mark.parametrize("where", ["live", "held", "pointed"])
def test_a_mark_is_of_the_instant_at_which_it_is_begun(bed: Bed, where: str) -> None:
    """Not of that at which typing ends; in a held curve of what is pointed at."""
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        body = driver.find_element(By.TAG_NAME, "body")
        body.send_keys(
            {"live": "", "held": "h", "pointed": "h" + 9 * Keys.ARROW_LEFT}[where]
        )
        wanted = asked(driver, MARKED)
        body.send_keys("m")
        until_then = asked(driver, MARKED)
        said = text(driver, "marked")
        bed.pass_time(40)
        driver.execute_script(
            "const was = fetch; window.fetch = (address, how) => {"
            "if (address === 'markers') window.sent = JSON.parse(how.body);"
            "return was(address, how); }"
        )
        until(
            lambda: asked(driver, "return page.now()") - wanted > 40_000,
            "typing takes long",
        )
        driver.switch_to.active_element.send_keys("Washed", Keys.ENTER)
        sent = until(lambda: driver.execute_script("return window.sent"), "the mark")

        assert sent["note"] == "Washed"
        assert wanted - 1e-3 <= sent["at"] <= until_then + 1e-3
        assert (
            said
            == "At "
            + asked(
                driver,
                f"return page.clock(page.present({sent['at']}))",
                of="playing figures",
            )
            + "."
        )


def test_what_is_held_for_long_is_said_to_be_too_old_for_a_mark(bed: Bed) -> None:
    """The box dates marks up to ten minutes back."""
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        body = driver.find_element(By.TAG_NAME, "body")
        body.send_keys("h")
        bed.pass_time(600)
        late = "return page.now() - page.held > 600000"
        until(lambda: asked(driver, late), "ten minutes")
        body.send_keys("m")

        assert "too old" in text(driver, "marked")
        assert (
            asked(driver, "return page.now() - page.marked", of="playing sending")
            < 60_000
        )


def test_holding_says_that_it_is_not_live(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        driver.find_element(By.TAG_NAME, "body").send_keys("h")

        assert text(driver, "held") == "Held – not live"
        driver.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_LEFT)
        driver.find_element(By.ID, "hold").click()
        assert not driver.find_element(By.ID, "held").is_displayed()


def test_a_held_curve_stays_however_long_it_is_held(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        driver.find_element(By.TAG_NAME, "body").send_keys("h")
        drawn = until(partial(still, driver), "a still picture")
        before = asked(driver, "return page.now()")
        bed.pass_time(40)
        now = partial(asked, driver, "return page.now()")
        until(lambda: now() - before > 40_000, "answers of 40 s later")

        assert still(driver) == drawn
        driver.find_element(By.ID, "hold").click()
        until(lambda: still(driver) != drawn, "it goes on")


@pytest.mark.parametrize("cause", ["far behind", "clock set"])
def test_a_held_curve_stays_when_the_page_begins_anew(bed: Bed, cause: str) -> None:
    """The page gets the newest seconds afresh, which no longer hold what is held."""
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        driver.find_element(By.TAG_NAME, "body").send_keys("h")
        drawn = until(partial(still, driver), "a still picture")
        bed.pass_time(40)
        now = bed.now()
        if cause == "clock set":
            before = asked(driver, "return page.present(0)")
            day = 86_400 * SECOND  # the clock under the curve reads the same
            bed.recorder.keep(ClockReading(1, now, UtcNs(now + day), True, 0))
            ahead = partial(asked, driver, "return page.present(0)")
            until(lambda: ahead() - before == day / 1e6, "another date")
            rows: list[Any] = []
        else:  # as of a tab that was hidden for 17 s
            exposures = [BoxNs(now + n * SECOND // 100) for n in range(300)]
            rows = [pose(0)._replace(exposed=at) for at in exposures]
        bed.recorder.keep(*rows, Event(now, None, "marker", "", "later", {}))
        until(lambda: "later" in text(driver, "events"), "the newest")

        assert still(driver) == drawn
        assert text(driver, "held") == "Held – not live"


def test_a_finger_that_scrolls_holds_nothing_and_a_tap_does(bed: Bed) -> None:
    with browser(390, 844) as driver:
        touch = {"enabled": True, "maxTouchPoints": 1}
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", touch)
        driver.get(bed.address)
        until(lambda: inked(driver, "axis") > 1000, "ECG on the axis")
        swipe(driver, "axis", 240)
        until(lambda: driver.execute_script("return scrollY") > 100, "it scrolls")
        assert asked(driver, "return page.held") is None

        swipe(driver, "axis", 0)
        until(lambda: asked(driver, "return page.held !== null"), "a hold")
        until(lambda: "held at" in text(driver, "paused"), "the band says it")
        assert text(driver, "headline") == "Recording"
        assert "not live" in text(driver, "paused")
        swipe(driver, "hold", 0)
        paused = driver.find_element(By.ID, "paused")
        until(lambda: not paused.is_displayed(), "it is live again")


def swipe(driver: Any, name: str, up: int) -> None:
    """Put a finger on the element *name*, move it *up* pixels, take it off."""
    x, y = driver.execute_script(
        "const box = document.getElementById(arguments[0]).getBoundingClientRect();"
        "return [box.left + box.width / 2, box.top + box.height / 2]",
        name,
    )
    ways = [("touchStart", y)]
    ways += [("touchMove", y - way) for way in range(10, up + 1, 10)]
    for kind, at in [*ways, ("touchEnd", None)]:
        points = [] if at is None else [{"x": x, "y": at}]
        touch = {"type": kind, "touchPoints": points}
        driver.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
        time.sleep(0.02)


def still(driver: Any) -> str:
    """Return what is drawn on the axis if it stays for a moment."""
    first, second = driver.execute_async_script(
        "const done = arguments[0], look = () => document.getElementById('axis')"
        ".toDataURL(), first = look(); setTimeout(() => done([first, look()]), 300)"
    )
    return str(first) if first == second else ""


def test_nothing_of_another_database_stays_on_the_page(bed: Bed) -> None:
    warm = Vital(bed.now(), "temperature", 36.6, "", "serial")
    old = [Event(bed.now(), None, "gap", "ecg", f"old {n}", {}) for n in range(50)]
    bed.recorder.keep(warm, *old)
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "old 49" in text(driver, "events"), "what happened")
        until(lambda: "36.6" in text(driver, "vitals"), "the temperature")
        driver.find_element(By.TAG_NAME, "body").send_keys("h")
        bed.begin_anew()
        bed.recorder.marker("new", "local")
        until(lambda: "new" in text(driver, "events"), "what happens now")

        assert "old" not in text(driver, "events")
        until(lambda: "36.6" not in text(driver, "vitals"), "no old value")
        assert not driver.find_element(By.ID, "held").is_displayed()


DAY = "toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })"


BOTH = (
    "toLocaleString('en-GB', { day: 'numeric', month: 'short', year: 'numeric',"
    " hour: '2-digit', minute: '2-digit' })"
)
"""The month as a word: of 11/12 nobody knows whose country wrote it."""


@pytest.mark.parametrize(
    ("path", "forms"), [("", (DAY, "toLocaleTimeString('en-GB')")), ("export", (BOTH,))]
)
def test_an_event_of_another_day_says_the_day(
    bed: Bed, path: str, forms: tuple[str, ...]
) -> None:
    """The session of then had another clock; it is dated by its own."""
    then = BoxNs(STARTED - 3 * 86400 * SECOND)
    utc = UtcNs(then + 5 * 3600 * SECOND)
    bed.recorder.keep(
        Session(50, "another boot", then, 0, "test", "P07", "{}"),
        ClockReading(50, then, utc, True, 0),
        Event(then, None, "export", "", "before", {}),
        Event(bed.now(), None, "export", "", "today", {}),
    )
    with browser() as driver:
        driver.get(bed.address + path)
        until(lambda: "before" in text(driver, "events"), "what happened")
        today, then_ = driver.find_elements(By.CSS_SELECTOR, "#events time")[:2]
        for form in forms:
            said = f"return new Date(arguments[0]).{form}"
            assert driver.execute_script(said, utc / 1e6) in then_.text
        assert path or len(today.text) == len("00:00:00")


def test_a_gap_says_how_long_it_was(bed: Bed) -> None:
    now = bed.now()
    for cause, tenths in (("short", 4), ("longer", 730)):
        began = BoxNs(now - tenths * SECOND // 10)
        bed.recorder.keep(Event(began, now, "gap", "ecg", cause, {}))
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "longer (73 s)" in text(driver, "events"), "the long gap")

        assert "short (0.4 s)" in text(driver, "events")


def test_what_happened_is_dated_anew_when_the_box_learns_the_date(bed: Bed) -> None:
    at = bed.now()
    bed.recorder.keep(
        Session(60, "a boot without a clock", at, 0, "test", "P07", "{}"),
        ClockReading(60, at, UtcNs(at), False, 0),
        Event(at, None, "marker", "", "before it knew", {}),
    )
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: "before it knew" in text(driver, "events"), "what happened")
        wrong = driver.find_element(By.CSS_SELECTOR, "#events time").text
        now = bed.now()
        hour = UtcNs(now + 3600 * SECOND)
        bed.recorder.keep(ClockReading(60, now, hour, True, 0))
        right = f"{(int(wrong[:2]) + 1) % 24:02}{wrong[2:]}"
        until(lambda: right in text(driver, "events"), f"{right} for {wrong}")
        assert text(driver, "events").count("before it knew") == 1


def test_the_forms_answer_on_the_page(bed: Bed, tmp_path: Path) -> None:
    photo = tmp_path / "photo.bmp"
    photo.write_bytes(picture())
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        driver.find_element(By.CSS_SELECTOR, "#forms summary").click()
        driver.find_element(By.NAME, "image").send_keys(str(photo))
        form, other = driver.find_elements(By.CSS_SELECTOR, ".forms form")
        form.find_element(By.TAG_NAME, "button").click()
        until(lambda: "body was found" in form.text, f"the answer: {form.text}")
        other.find_element(By.NAME, "heart_rate").send_keys("abc")
        other.find_element(By.TAG_NAME, "button").click()
        until(lambda: "Refused: heart_rate" in other.text, "the refusal")
        names = ("heart_rate", "ecg_lead1")
        rate, lead = (other.find_element(By.NAME, name) for name in names)
        assert rate.get_property("value") == "abc", "to be mended"
        rate.clear()
        lead.send_keys("-0,85")
        other.find_element(By.TAG_NAME, "button").click()
        until(lambda: bed.recorder.posts, "a number with a comma")
        until(lambda: not lead.get_property("value"), "a form for the next")
        assert "processed" in other.text

        assert bed.recorder.posts[0].values == {"ecg_lead1": -0.85}
        assert driver.current_url == bed.address


def test_the_export_page_arms_and_downloads(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address + "export")
        until(lambda: "No export" in text(driver, "usb"), "the state of the drives")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        driver.find_element(By.CSS_SELECTOR, "[data-back='3600']").click()
        until(lambda: "table=joined" in first_download(driver), "a download")
        driver.find_element(By.ID, "deidentify").click()
        until(
            lambda: "&deidentify=true" in first_download(driver),
            "a download without names",
        )
        driver.find_element(By.ID, "arm").click()
        until(lambda: "export arm" in [do for do, _ in bed.recorder.asked], "armed")
        assert overlaps(driver) == []
        assert complaints(driver) == []
