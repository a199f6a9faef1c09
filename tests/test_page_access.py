"""
The page in a real browser: who may, and whom nothing keeps out.

Needs chromium and chromium-driver (Debian's packages; `scripts/test` installs them
where it may).
"""

import importlib.resources
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from page_rig import (
    MARKS,
    WITHIN_S,
    Bed,
    browser,
    inked,
    text,
    until,
)
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from edge.web.accounts import Role
from edge.web.guard import Door

pytestmark = MARKS


"""
The page in a real browser: what a person sees, clicks and must never be shown.

Needs chromium and chromium-driver (Debian's packages; `scripts/test` installs them
where it may).
"""


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_login_stands_in_the_middle(tmp_path: Path, width: int) -> None:
    door = Door(loopback=False, tls=False, hosts=("127.0.0.1",))
    with closing(Bed(tmp_path, door)) as bed, browser(width) as driver:
        driver.get(bed.address)
        until(lambda: "no account yet" in text(driver, "lead"), "the first use")
        left, right = driver.execute_script(
            "const box = document.forms[0].getBoundingClientRect();"
            "return [box.left, innerWidth - box.right]"
        )
    assert left == pytest.approx(right, abs=1)
    assert left > 0


def test_login_says_that_it_cannot_be_made(tmp_path: Path) -> None:
    door = Door(loopback=False, tls=False, hosts=("127.0.0.1",))
    with closing(Bed(tmp_path, door)) as bed, browser() as driver:
        bed.accounts.add("anna", PHRASE, "admin")
        (tmp_path / "web" / "accounts.json").write_text("{")
        driver.get(bed.address + "login.html")

        said = driver.find_element(By.TAG_NAME, "output")
        until(lambda: "set it aside" in said.text, "the reason")


def test_first_use_login_and_logout(tmp_path: Path) -> None:
    door = Door(loopback=False, tls=False, hosts=("127.0.0.1",))
    with closing(Bed(tmp_path, door)) as bed, browser() as driver:
        driver.get(bed.address)
        until(lambda: driver.current_url.endswith("login.html"), "the login")
        until(lambda: "no account yet" in text(driver, "lead"), "the first use")
        fill(
            driver,
            code=str(bed.accounts.first_use_code),
            name="anna",
            passphrase=PHRASE,
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


@pytest.mark.parametrize("path", ["", "export"])
def test_who_logged_in_anew_in_another_tab_may_act_in_this_one(
    tmp_path: Path, path: str
) -> None:
    door = Door(loopback=False, tls=False, hosts=("127.0.0.1",))
    with closing(Bed(tmp_path, door)) as bed, browser() as driver:
        bed.accounts.add("anna", PHRASE, "admin")
        driver.get(bed.address + "login.html")
        fill(driver, name="anna", passphrase=PHRASE)
        until(lambda: driver.current_url == bed.address, "the live page")
        driver.get(bed.address + path)
        first = driver.current_window_handle
        button = driver.find_element(By.ID, "arm" if path else "mark")
        until(button.is_enabled, "the page")
        driver.switch_to.new_window("tab")
        driver.get(bed.address + "static/help.html")
        driver.execute_script(LOGIN_ANEW, PHRASE)
        until(lambda: driver.title == "200", "the second login")
        driver.switch_to.window(first)

        if path:
            button.click()
            until(lambda: "export arm" in [do for do, _ in bed.recorder.asked], "it")
        else:
            driver.find_element(By.TAG_NAME, "body").send_keys("m")
            driver.switch_to.active_element.send_keys("turned", Keys.ENTER)
            until(lambda: bed.recorder.markers == [("turned", "anna")], "the mark")


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_who_may_only_look_is_offered_no_more(tmp_path: Path, role: Role) -> None:
    door = Door(loopback=False, tls=False, hosts=("127.0.0.1",))
    with closing(Bed(tmp_path, door)) as bed, browser() as driver:
        bed.accounts.add("anna", PHRASE, role)
        driver.get(bed.address + "login.html")
        fill(driver, name="anna", passphrase=PHRASE)
        until(lambda: driver.current_url == bed.address, "the live page")
        until(lambda: driver.find_element(By.ID, "logout").is_displayed(), "who it is")

        for name in ("export", "forms"):
            offered = driver.find_element(By.ID, name).is_displayed()
            assert offered == (role == "admin"), name
        assert driver.find_element(By.ID, "mark").is_displayed()


PHRASE = "correct horse battery"


LOGIN_ANEW = """
fetch("../login", { method: "POST", headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ name: "anna", passphrase: arguments[0] }) })
.then((reply) => { document.title = reply.status; });
"""


@pytest.mark.parametrize("path", ["", "export"])
def test_a_page_out_of_the_memory_of_the_browser_is_loaded_anew(
    bed: Bed, path: str
) -> None:
    """Whoever went back to it may have logged out meanwhile."""
    with browser() as driver:
        driver.get(bed.address + path)
        shown = driver.find_element(By.TAG_NAME, "body")
        hidden = driver.execute_script(
            "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));"
            "return document.body.hidden"
        )
        assert hidden, "nobody is shown meanwhile"
        until(lambda: is_gone(shown), "it is loaded anew")


def is_gone(element: Any) -> bool:
    """Return whether the page that *element* was on is no longer there."""
    try:
        element.is_enabled()
    except (StaleElementReferenceException, NoSuchElementException):
        return True
    return False


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
    with closing(Bed(tmp_path, door)) as bed, browser(dark=dark) as driver:
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

    assert [
        (entry["id"], node["html"][:120], node.get("failureSummary", "")[:300])
        for entry in found["violations"]
        for node in entry["nodes"]
    ] == []
    assert len(found["passes"]) > 15


def axe(driver: Any, dead: bool = False) -> dict[str, Any]:
    """Return what axe found, nothing if the page greyed meanwhile, or came back."""
    found: dict[str, Any] = driver.execute_async_script(
        "const done = arguments[1]; axe.run().then(found => done("
        "document.body.classList.contains('dead') !== arguments[0] ? {} : found))",
        dead,
    )
    return found


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_grey_can_still_be_read(bed: Bed, dark: bool) -> None:
    with browser(dark=dark) as driver:
        driver.get(bed.address)
        until(lambda: "61" in text(driver, "vitals"), "the heart rate")
        bed.server.stop()
        until(lambda: text(driver, "headline") == "No connection to the box", "it")
        driver.set_script_timeout(WITHIN_S)
        driver.execute_script(AXE.read_text())
        found = until(lambda: axe(driver, dead=True), "a look at the page")

    assert [
        (node["html"][:120], node["failureSummary"][:300])
        for entry in found["violations"]
        for node in entry["nodes"]
    ] == []


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
