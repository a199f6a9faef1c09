"""
The page of exports in a real browser: stretches, errors and what is written.

Needs chromium and chromium-driver (Debian's packages; `scripts/test` installs them
where it may).
"""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from page_rig import MARKS, Bed, asked, browser, first_download, text, until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web_rig import SECOND

from edge.records import BoxNs, Kept

pytestmark = MARKS


def test_the_last_hour_of_an_export_ends_now(bed: Bed) -> None:
    """Also on a page that was opened long before; its strip goes on."""
    with browser() as driver:
        driver.get(bed.address + "export")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        drawn = last_day(driver)
        bed.pass_time(9 * 3600)
        shown = (
            "document.dispatchEvent(new Event('visibilitychange'));return page.day.end"
        )
        end = partial(asked, driver, shown, of="export")
        until(lambda: end() - drawn > 8.9 * 3600e3, "the strip of now")
        hour = driver.find_element(By.CSS_SELECTOR, "[data-back='3600']")
        hour.click()
        assert hour.get_attribute("aria-pressed") == "true"
        assert "from=-1h&to=&" in first_download(driver)

        driver.find_element(By.ID, "to").send_keys("01022031", Keys.TAB, "030405AM")
        assert "from=&to=2031" in until(partial(dated_download, driver), "as typed")
        assert hour.get_attribute("aria-pressed") == "false"


def last_day(driver: Any) -> float:
    """Return when the strip of the last day ends, in box time, once it is there."""
    end = partial(asked, driver, "return page.day?.end", of="export")
    return float(until(end, "the strip"))


def dated_download(driver: Any) -> str:
    """Return where the first download is got, "" while it has no end."""
    found = first_download(driver)
    return "" if "to=&" in found else found


def test_what_is_dragged_in_the_hour_that_comes_twice_is_what_is_sent(
    bed: Bed,
) -> None:
    """In Berlin 02:30 came at 00:30 UTC and again at 01:30 UTC that night."""
    with browser() as driver:
        zone = {"timezoneId": "Europe/Berlin"}
        driver.execute_cdp_cmd("Emulation.setTimezoneOverride", zone)
        driver.get(bed.address + "export")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        last_day(driver)
        asked(
            driver,
            "const later = Date.UTC(2025, 9, 26, 1, 30) - page.day.utc.at(-1);"
            "page.day.utc = page.day.utc.map(utc => utc + later)",
            of="export",
        )
        bar = driver.find_element(By.CSS_SELECTOR, "#strip canvas")
        end = bar.size["width"] // 2 - 3
        dragging = ActionChains(driver).move_to_element_with_offset(bar, end - 10, 0)
        dragging.click_and_hold().move_by_offset(10, 0).release().perform()
        field = driver.find_element(By.ID, "to").get_attribute("value")
        until(lambda: "to=2025-10-26T01" in first_download(driver), "what was dragged")
        assert field.startswith("2025-10-26T02"), "the clock on the wall"


FAILING = """
const get = window.fetch; window.asked = {};
window.fetch = (address, ...more) => {
  const name = address.split("?")[0];
  asked[name] = (asked[name] ?? 0) + 1;
  const fails = %s.includes(name) && (asked[name] === 1 || !window.mended);
  return fails ? Promise.reject(new TypeError("no route")) : get(address, ...more);
};
"""
"""Lets a page not get what is at those addresses until its `mended` is true."""


def test_an_export_page_that_met_an_error_comes_to_life(bed: Bed) -> None:
    failing = {"source": FAILING % ["me", "exports", "completeness", "sessions"]}
    with browser() as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", failing)
        driver.get(bed.address + "export")
        until(lambda: "cannot be reached" in text(driver, "usb"), "the reason")
        driver.execute_script("window.mended = true")
        until(lambda: "No export" in text(driver, "usb"), "the state of the drives")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        until(lambda: "joined" in text(driver, "downloads"), "the downloads")
        until(lambda: "ECG" in text(driver, "strip"), "the last day")
        until(lambda: "P07" in text(driver, "sessions"), "the sessions")


@pytest.mark.parametrize(
    ("lost", "empty", "other"),
    [("completeness", "strip", "sessions"), ("sessions", "sessions", "strip")],
)
def test_a_part_of_the_export_page_that_fails_costs_no_other(
    bed: Bed, lost: str, empty: str, other: str
) -> None:
    with browser() as driver:
        source = {"source": FAILING % [lost]}
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
        driver.get(bed.address + "export")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        assert len(driver.find_elements(By.CSS_SELECTOR, "#downloads a")) > 3
        until(partial(text, driver, other), "the other")
        assert text(driver, empty) == ""


@pytest.mark.parametrize("kind", ["tables", "formats"])
def test_nothing_ticked_is_not_written(bed: Bed, kind: str) -> None:
    with browser() as driver:
        driver.get(bed.address + "export")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        asked(
            driver,
            "page.$('drives').append(page.drive({ id: 'x', label: 'Stick' }))",
            of="export elements",
        )
        writing = driver.find_elements(By.CSS_SELECTOR, "#arm, #drives button")
        assert [button.is_enabled() for button in writing] == [True, True]
        for box in driver.find_elements(By.CSS_SELECTOR, f"#{kind} :checked"):
            box.click()
        until(lambda: "Tick at least" in text(driver, "size"), "what to do")
        assert [button.is_enabled() for button in writing] == [False, False]

        driver.find_element(By.CSS_SELECTOR, f"#{kind} input").click()
        until(lambda: "about" in text(driver, "size"), "the estimate again")
        assert [button.is_enabled() for button in writing] == [True, True]


@pytest.mark.parametrize(("width", "times"), [(320, 3), (1280, 5)])
def test_the_last_day_is_seen_to_be_a_time_line(
    bed: Bed, width: int, times: int
) -> None:
    with browser(width) as driver:
        driver.get(bed.address + "export")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        until(lambda: text(driver, "ticks").endswith("now"), "its end")
        ticks = driver.find_elements(By.CSS_SELECTOR, "#ticks div span")
        seen = [tick.rect for tick in ticks if tick.is_displayed()]
        frame = driver.find_element(By.CSS_SELECTOR, "#strip canvas")

        assert len(seen) == times
        for one, other in pairwise(seen):
            assert one["x"] + one["width"] + 4 < other["x"], "they run together"
        assert frame.value_of_css_property("outline-style") == "solid"
        assert driver.execute_script(
            "return document.documentElement.scrollWidth <= innerWidth"
        )


def test_a_stretch_is_kept_and_released_on_the_page(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address + "export")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        driver.find_element(By.CSS_SELECTOR, "[data-back='3600']").click()
        driver.find_element(By.ID, "keep").click()
        until(lambda: "what the stretch is kept for" in text(driver, "said"), "why")

        driver.find_element(By.ID, "why").send_keys("A fall")
        driver.find_element(By.ID, "keep").click()
        until(lambda: "1 min: A fall" in text(driver, "kept"), "the stretch")
        assert driver.find_element(By.ID, "why").get_property("value") == ""

        driver.find_element(By.CSS_SELECTOR, "#kept button").click()
        driver.switch_to.alert.dismiss()
        assert "1 min: A fall" in text(driver, "kept")
        driver.find_element(By.CSS_SELECTOR, "#kept button").click()
        assert "deleted" in driver.switch_to.alert.text
        driver.switch_to.alert.accept()
        until(lambda: not text(driver, "kept"), "it is gone")


def test_the_keyboard_stays_where_it_was(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists and buttons of the export page change under it."""
    now, ask, state = bed.now(), bed.recorder.ask, {"state": "idle"}

    def desk(do: str, **request: Any) -> dict[str, Any]:
        state["state"] = {"export arm": "armed", "export cancel": "idle"}.get(
            do, state["state"]
        )
        return ask(do, **request) | state

    monkeypatch.setattr(bed.recorder, "ask", desk)
    bed.recorder.keep(Kept(BoxNs(now - 9 * SECOND), now, "A fall"))
    with browser() as driver:
        driver.get(bed.address + "export")
        until(lambda: "A fall" in text(driver, "kept"), "the stretch")
        focus(driver, "#kept button")
        bed.recorder.keep(Kept(BoxNs(now - 20 * SECOND), now, "A seizure"))
        until(lambda: "A seizure" in text(driver, "kept"), "a further one")
        assert name_of_focus(driver).startswith("Keep no longer: ")
        assert "A fall" in name_of_focus(driver)

        driver.switch_to.active_element.send_keys(Keys.ENTER)
        driver.switch_to.alert.accept()
        until(lambda: "A fall" not in text(driver, "kept"), "it is gone")
        assert "A seizure" in name_of_focus(driver)
        until(driver.find_element(By.ID, "arm").is_enabled, "the page")
        for button, then in (("arm", "Cancel"), ("cancel", "Write to a drive")):
            focus(driver, f"#{button}")
            driver.switch_to.active_element.send_keys(Keys.ENTER)

            def is_there(name: str = then) -> bool:
                return name_of_focus(driver) == name

            until(is_there, f"{then} instead")


def focus(driver: Any, selector: str) -> None:
    driver.execute_script("document.querySelector(arguments[0]).focus()", selector)


def name_of_focus(driver: Any) -> str:
    on = driver.switch_to.active_element
    return str(on.get_attribute("aria-label") or on.text)
