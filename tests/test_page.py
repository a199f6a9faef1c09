"""
The page in a real browser: what a person sees, clicks and must never be shown.

Needs chromium and chromium-driver (Debian's packages; `scripts/test` installs them
where it may).
"""

import importlib.resources
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web_rig import SECOND, SEGMENT, STARTED, StoringRecorder, ecg, picture, pose

from edge.config import Settings
from edge.records import (
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Session,
    StreamState,
    UtcNs,
    Vital,
)
from edge.web.accounts import Accounts
from edge.web.app import make_app
from edge.web.guard import Door
from edge.web.server import Server, listen

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = """
    --headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage --hide-scrollbars --force-device-scale-factor=1
"""
WITHIN_S = 30.0
Found = TypeVar("Found")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine"
    ),
]


class Bed:
    """A box that records a body and two leads, in real time, until told otherwise."""

    def __init__(self, folder: Path, door: Door | None = None) -> None:
        self.recorder = StoringRecorder(folder)
        self.accounts = Accounts(folder / "web")
        self.app = make_app(
            self.recorder.path, self.recorder, Settings(), folder / "web", door,
            self.accounts,
        )  # fmt: skip
        self.recorder.keep(SEGMENT._replace(id=99))
        self._offset = self.recorder.now - time.monotonic_ns()
        self._stop = threading.Event()
        self.flowing = threading.Event()
        self.flowing.set()
        self._start()
        self.serve(listen("127.0.0.1", 0))

    def serve(self, listener: Any) -> None:
        self.port = listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.server = Server(self.app, listener)

    def now(self) -> BoxNs:
        return BoxNs(time.monotonic_ns() + self._offset)

    def _flow(self) -> None:
        half = 0
        while not self._stop.wait(0.5):
            now = self.recorder.now = self.now()
            for name, stream in self.recorder.streams.items():
                if stream.state == "ok":
                    self.recorder.streams[name] = stream._replace(last=now)
            if not self.flowing.is_set():
                continue
            half += 1
            begin = BoxNs(now - SECOND // 2)
            records: list[Any] = [moved(ecg(0, half % 2), begin)]
            records += [
                pose(0)._replace(exposed=BoxNs(begin + n * SECOND // 10))
                for n in range(5)
            ]
            records.append(Vital(now, "heart_rate", 61.0, "", "serial", True))
            records.append(Vital(now, "oxygen_saturation", 97.0, "", "serial", False))
            self.recorder.keep(*records)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def begin_anew(self) -> None:
        """Go on with an empty database; of board and camera nothing comes any more."""
        self._stop.set()
        self._thread.join()
        self.recorder.restart(anew=True)
        self._stop.clear()
        self.flowing.clear()
        self._start()

    def pass_time(self, seconds: int) -> None:
        """Let the box record on for *seconds*, of which nothing is drawn."""
        self._offset += seconds * SECOND

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.server.stop()
        self.recorder.close()


def moved(chunk: EcgChunk, start: BoxNs) -> EcgChunk:
    return chunk._replace(segment=99, start=start)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    bed = Bed(tmp_path)
    yield bed
    bed.close()


@contextmanager
def browser(width: int = 1280, height: int = 800, dark: bool = False) -> Iterator[Any]:
    """Open a browser of that size that resolves nothing and trusts nobody."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    size = {"width": width, "height": height, "deviceScaleFactor": 1}
    metrics = {**size, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    try:
        yield driver
    finally:
        driver.quit()


def until(question: Callable[[], Found], what: str) -> Found:
    """Return the first answer to *question* that is true."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := question():
            return found
        time.sleep(0.1)
    raise AssertionError(f"this did not come about in {WITHIN_S:.0f} s: {what}")


def text(driver: Any, name: str) -> str:
    found: str = driver.find_element(By.ID, name).text
    return found


def inked(driver: Any, name: str) -> int:
    """Return how many pixels of the canvas *name* have ink of any colour."""
    count: int = driver.execute_script(
        "const c=document.getElementById(arguments[0]),"
        "d=c.getContext('2d').getImageData(0,0,c.width,c.height).data;"
        "let n=0;for(let i=3;i<d.length;i+=4)if(d[i]>60)n++;return n",
        name,
    )
    return count


def complaints(driver: Any) -> list[str]:
    """Return what the browser's console has to say, but for icons."""
    found = [entry["message"] for entry in driver.get_log("browser")]
    return [line for line in found if "favicon" not in line]


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


def overlaps(driver: Any) -> list[str]:
    """Return pairs of sections that lie over each other."""
    found: list[str] = driver.execute_script(
        "const all=[...document.querySelectorAll('header,#notice,main section,footer')]"
        ".map(e=>[e.id||e.tagName,e.getBoundingClientRect()]);const bad=[];"
        "all.forEach(([a,p],i)=>all.slice(i+1).forEach(([b,q])=>{"
        "if(p.left<q.right-1&&q.left<p.right-1&&p.top<q.bottom-1&&q.top<p.bottom-1)"
        "bad.push(a+'/'+b)}));return bad"
    )
    return found


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
        assert "lost" in text(driver, "part-camera")


def test_what_is_read_aloud_rests_while_nothing_changes(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        assert heard(driver, ages=3) == 0
        bed.server.stop()
        until(lambda: "No connection" in text(driver, "headline"), "the headline")
        assert heard(driver, ages=3) == 0


def heard(driver: Any, ages: int) -> int:
    """Return how often a screen reader hears the verdict while its age goes on."""
    driver.execute_script(
        "window.heard = 0; new MutationObserver(all => { for (const { target } of all)"
        "if (!(target.closest ? target : target.parentNode).closest('[aria-hidden]'))"
        "heard++; }).observe(document.getElementById('verdict'),"
        "{ childList: true, characterData: true, subtree: true })"
    )
    seen: set[str] = set()

    def grown() -> bool:
        seen.add(text(driver, "why"))
        return len(seen) > ages

    until(grown, "its age")
    return int(driver.execute_script("return heard"))


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

        assert ages["oxygen_saturation"] >= 3, "the board sends it each second"
        assert ages["heart_rate"] >= 9, "the finder of beats is up to 6.5 s late"
        assert text(driver, "headline") == "Recording", "the box itself still answers"


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

        assert driver.find_element(By.ID, "band").get_attribute("data-level") == "bad"


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
        before = driver.execute_script("return now()")
        bed.pass_time(40)
        passed = partial(driver.execute_script, "return now() - arguments[0]", before)
        until(lambda: passed() > 40_000, "answers of 40 s later")

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
            before = driver.execute_script("return present(0)")
            day = 86_400 * SECOND  # the clock under the curve reads the same
            bed.recorder.keep(ClockReading(1, now, UtcNs(now + day), True, 0))
            moved = partial(driver.execute_script, "return present(0) - arguments[0]")
            until(lambda: moved(before) == day / 1e6, "another date")
            rows: list[Any] = []
        else:  # as of a tab that was hidden for 17 s
            exposures = [BoxNs(now + n * SECOND // 100) for n in range(300)]
            rows = [pose(0)._replace(exposed=at) for at in exposures]
        bed.recorder.keep(*rows, Event(now, None, "marker", "", "later", {}))
        until(lambda: "later" in text(driver, "events"), "the newest")

        assert still(driver) == drawn
        assert text(driver, "held") == "Held – not live"


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
BOTH = "toLocaleString([], { dateStyle: 'short', timeStyle: 'short' })"


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


def test_two_tabs_both_live(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address)
        driver.switch_to.new_window("tab")
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the second tab")
        driver.switch_to.window(driver.window_handles[0])
        until(lambda: text(driver, "headline") == "Recording", "the first tab")


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

        assert driver.current_url == bed.address


def test_the_export_page_arms_and_downloads(bed: Bed) -> None:
    with browser() as driver:
        driver.get(bed.address + "export")
        until(lambda: "No export" in text(driver, "usb"), "the state of the drives")
        until(lambda: "about" in text(driver, "size"), "the estimate")
        driver.find_element(By.CSS_SELECTOR, "[data-back='3600']").click()
        link = until(
            lambda: driver.find_element(By.CSS_SELECTOR, "#downloads a"), "a download"
        )
        assert "table=joined" in link.get_attribute("href")
        driver.find_element(By.ID, "deidentify").click()
        until(
            lambda: (
                "&deidentify=true"
                in driver.find_element(By.CSS_SELECTOR, "#downloads a").get_attribute(
                    "href"
                )
            ),
            "a download without names",
        )
        driver.find_element(By.ID, "arm").click()
        until(lambda: "export arm" in [do for do, _ in bed.recorder.asked], "armed")
        assert overlaps(driver) == []
        assert complaints(driver) == []


def test_leads_of_a_large_board_are_shown_in_turn(bed: Bed) -> None:
    names = tuple(f"EXG{number}" for number in range(1, 17))
    many = {"gain": (1000.0,) * 16, "baseline": (0,) * 16}
    segment = SEGMENT._replace(id=98, leads=names, **many)
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


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_login_stands_in_the_middle(tmp_path: Path, width: int) -> None:
    bed = Bed(tmp_path, Door(loopback=False, tls=False, hosts=("127.0.0.1",)))
    with browser(width) as driver:
        driver.get(bed.address)
        until(lambda: "no account yet" in text(driver, "lead"), "the first use")
        left, right = driver.execute_script(
            "const box = document.forms[0].getBoundingClientRect();"
            "return [box.left, innerWidth - box.right]"
        )
    bed.close()
    assert left == pytest.approx(right, abs=1)
    assert left > 0


def test_first_use_login_and_logout(tmp_path: Path) -> None:
    door = Door(loopback=False, tls=False, hosts=("127.0.0.1",))
    bed = Bed(tmp_path, door)
    phrase = "correct horse battery"
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: driver.current_url.endswith("login.html"), "the login")
        until(lambda: "no account yet" in text(driver, "lead"), "the first use")
        fill(
            driver,
            code=str(bed.accounts.first_use_code),
            name="anna",
            passphrase=phrase,
        )
        until(lambda: driver.current_url == bed.address, "the live page")
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        driver.find_element(By.TAG_NAME, "body").send_keys("m")
        driver.switch_to.active_element.send_keys("mine", Keys.ENTER)
        until(lambda: bed.recorder.markers == [("mine", "anna")], "the mark, by name")
        until(
            lambda: driver.find_element(By.ID, "logout").is_displayed(), "the way out"
        )
        driver.find_element(By.ID, "logout").click()
        until(lambda: driver.current_url.endswith("login.html"), "logged out")
        fill(driver, name="anna", passphrase="wrong horse battery")
        until(lambda: "wrong" in driver.find_element(By.TAG_NAME, "output").text, "no")
    bed.close()


def fill(driver: Any, **values: str) -> None:
    """Type *values* into the fields of those ids and send the form."""
    for name, value in values.items():
        field = driver.find_element(By.ID, name)
        field.clear()
        field.send_keys(value)
    driver.find_element(By.CSS_SELECTOR, "form button").click()


def test_a_page_of_another_site_cannot_act(bed: Bed, tmp_path: Path) -> None:
    """Forms and scripts of another origin, sent by a browser that may use the box."""
    evil = tmp_path / "evil.html"
    evil.write_text(
        f"<form id=f method=post action={bed.address}process_ecg>"
        "<input name=heart_rate value=66></form><script>"
        f"fetch('{bed.address}markers', {{method:'POST', mode:'no-cors',"
        "headers:{'Content-Type':'text/plain'}, body:'{\"note\":\"evil\"}'});"
        f"fetch('{bed.address}live').then(r => r.json()).then("
        "() => document.title = 'read', () => document.title = 'blocked');</script>"
        f"<iframe src={bed.address}></iframe>"
    )
    with browser() as driver:
        driver.get(evil.as_uri())
        until(lambda: driver.title == "blocked", "its answer cannot be read")
        driver.execute_script("document.getElementById('f').submit()")
        until(lambda: driver.current_url.startswith(bed.address), "the form was sent")

        assert "another site" in driver.page_source
        assert bed.recorder.markers == []
        assert bed.recorder.posts == []


AXE = importlib.resources.files("axe_core_python") / "axe.min.js"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", ["", "export", "login.html", "static/help.html"])
def test_axe_finds_no_violation(tmp_path: Path, path: str, dark: bool) -> None:
    door = Door(False, False, ("127.0.0.1",)) if path == "login.html" else None
    bed = Bed(tmp_path, door)
    with browser(dark=dark) as driver:
        driver.get(bed.address + path)
        ready = {
            "": "Recording",
            "export": "Export",
            "login.html": "Bedside recorder",
            "static/help.html": "What the page says",
        }
        title = driver.find_element(By.TAG_NAME, "h1")
        until(lambda: title.text == ready[path], "the page")
        time.sleep(1)
        driver.set_script_timeout(WITHIN_S)
        driver.execute_script(AXE.read_text())
        found = until(lambda: axe(driver), "a look at the page while it is live")
    bed.close()

    assert [
        (entry["id"], node["html"][:120], node.get("failureSummary", "")[:300])
        for entry in found["violations"]
        for node in entry["nodes"]
    ] == []
    assert len(found["passes"]) > 15


def axe(driver: Any) -> dict[str, Any]:
    """Return what axe found, nothing if the page greyed meanwhile."""
    found: dict[str, Any] = driver.execute_async_script(
        "const done = arguments[0]; axe.run().then(found => done("
        "document.body.classList.contains('dead') ? {} : found))"
    )
    return found


def test_nobody_is_left_out(bed: Bed) -> None:
    """What screen readers and keyboards need: names, roles, order, contrast."""
    with browser() as driver:
        driver.get(bed.address)
        until(lambda: text(driver, "headline") == "Recording", "the headline")
        until(lambda: inked(driver, "axis") > 2000, "ECG on the axis")
        nameless = driver.execute_script(
            "return [...document.querySelectorAll('a,button,input,canvas,summary')]"
            ".filter(e => !e.hidden && !(e.textContent.trim()"
            "|| e.getAttribute('aria-label') || e.labels?.length))"
            ".map(e => e.outerHTML)"
        )
        small = driver.execute_script(
            "return [...document.querySelectorAll('main button')]"
            ".filter(e => !e.hidden && e.getBoundingClientRect().height < 24)"
            ".map(e => e.outerHTML)"
        )
        pale = driver.execute_script(PALE)

        assert nameless == []
        assert small == [], "WCAG 2.2, 2.5.8"
        assert pale == [], "WCAG 2.2, 1.4.3"
        assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


PALE = """
const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255)
  .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b; };
const ground = (e) => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c)) return c; }
  return getComputedStyle(document.documentElement).backgroundColor; };
return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&
  [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) &&
  !e.closest('.old, .skip')).map(e => { const s = getComputedStyle(e);
  const [a, b] = [light(s.color), light(ground(e))].sort((x, y) => y - x);
  const large = parseFloat(s.fontSize) >= 24;
  return [(a + .05) / (b + .05), large ? 3 : 4.5, e.outerHTML.slice(0, 80)];
}).filter(([found, wanted]) => found < wanted).map(String);
"""
"""Lists text whose contrast to what lies behind it is too low."""
