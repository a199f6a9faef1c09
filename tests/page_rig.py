"""A box that records beside a bed, and a real browser to look at its page."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from web_rig import SECOND, SEGMENT, StoringRecorder, ecg, pose

from edge.config import Settings
from edge.records import (
    BoxNs,
    EcgChunk,
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


WITHIN_S = 120.0


Found = TypeVar("Found")


MARKS = [
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


@contextmanager
def browser(width: int = 1280, height: int = 800, dark: bool = False) -> Iterator[Any]:
    """Open a browser of that size that resolves nothing and trusts nobody."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # Chromium leaves folders behind, some of them in every run.
        service = Service(str(DRIVER), env=os.environ | {"TMPDIR": folder})
        driver = webdriver.Chrome(options=options, service=service)
        try:
            look(driver, width, height, dark)
            yield driver
        finally:
            driver.quit()


def look(driver: Any, width: int, height: int, dark: bool) -> None:
    """Let the page that *driver* shows be that large, and light or dark."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1}
    metrics = {**size, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def until(question: Callable[[], Found], what: str) -> Found:
    """Return the first answer to *question* that is true."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with suppress(NoSuchElementException, StaleElementReferenceException):
            if found := question():  # else not drawn yet, or drawn anew just now
                return found
        time.sleep(0.1)
    raise AssertionError(f"this did not come about in {WITHIN_S:.0f} s: {what}")


def text(driver: Any, name: str) -> str:
    found: str = driver.find_element(By.ID, name).text
    return found


PAGE = """
const done = arguments[0], page = {};
Promise.all([%s].map((name) => import(`/static/${name}.js`))).then((modules) => {
  for (const module of modules) for (const name of Object.keys(module))
    Object.defineProperty(page, name, { get: () => module[name] });
  done([(() => { %s })(), null]);
}).catch((error) => done([null, String(error)]));
"""


def asked(driver: Any, script: str, of: str = "playing") -> Any:
    """
    Return what *script* returns on the live page, where `page` has what its modules
    *of*, names with spaces between, export.
    """
    modules = ", ".join(repr(name) for name in of.split())
    answer, error = driver.execute_async_script(PAGE % (modules, script))
    assert error is None, error
    return answer


def first_download(driver: Any) -> str:
    """Return the first link of the export page, "" if there is none, at one instant."""
    asked = "return document.querySelector('#downloads a')?.href ?? ''"
    return str(driver.execute_script(asked))


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
