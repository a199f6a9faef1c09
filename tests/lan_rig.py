"""The page as it is on the network: a login, a cookie, hosts that have names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from web_rig import Answer, QuietRecorder, ask, make_recording

from edge.config import Settings
from edge.web.accounts import Accounts
from edge.web.app import make_app
from edge.web.guard import Door

PHRASE = "correct horse battery"


LAN = Door(loopback=False, tls=True, hosts=("bed7.example.org",))


class Lan:
    """The page as it is on the network, and what a browser remembers of it."""

    def __init__(self, folder: Path) -> None:
        self.recorder = QuietRecorder()
        self.folder = folder
        self.accounts = Accounts(folder / "web")
        self.start()

    def start(self) -> None:
        path = self.folder / "recording.db"
        self.app = make_app(
            path if path.exists() else make_recording(self.folder),
            self.recorder, Settings(), self.folder / "web", LAN, self.accounts,
        )  # fmt: skip

    def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        given = {
            "host": "bed7.example.org:8080",
            "server_addr": "192.168.1.7",
            "remote_addr": "192.168.1.50",
            **headers,
        }
        body = b"" if data is None else json.dumps(data).encode()
        if data is not None:
            given["content_type"] = "application/json"
        return ask(self.app, method, path, body, **given)

    def login(self, name: str, phrase: str = PHRASE, **headers: str) -> Answer:
        return self.ask(
            "POST", "/login", {"name": name, "passphrase": phrase}, **headers
        )

    def browser(self, name: str) -> Callable[..., Answer]:
        """Log *name* in and return a way to ask with cookie and CSRF token."""
        cookie = cookie_of(self.login(name))
        csrf = self.ask("GET", "/me", cookie=cookie).json["csrf"]

        def ask_(method: str, path: str, data: Any = None, **more: str) -> Answer:
            return self.ask(
                method, path, data, **{"cookie": cookie, "x_csrf_token": csrf, **more}
            )

        return ask_


def cookie_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]
