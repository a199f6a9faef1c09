"""Who is let in: a test for each line of the threat model that speaks of the page."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from web_rig import Answer, QuietRecorder, ask, make_recording

from edge.config import Settings
from edge.errors import InputError, StoreError
from edge.web.accounts import Accounts
from edge.web.app import make_app, routes
from edge.web.box import Box
from edge.web.guard import Door, Guard
from edge.web.logins import IDLE_S, LONGEST_S, Sessions, Throttle, place_of

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


@pytest.fixture
def lan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lan:
    monkeypatch.setattr("edge.web.accounts.COST", 2**10)  # the tests log in often
    lan = Lan(tmp_path)
    lan.accounts.add("anna", PHRASE, "admin")
    lan.accounts.add("vera", PHRASE, "viewer")
    return lan


def cookie_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


# ------------------------------------------------------------------ read without leave


def every_route(folder: Path) -> list[tuple[str, str, str]]:
    box = Box(folder, QuietRecorder(), Settings(), folder)
    accounts = Accounts(folder)
    guard = Guard(LAN, accounts, Sessions(folder, accounts), Throttle())
    return [(r.method, r.path, r.need) for r in routes(box, guard)]


OPEN = {
    ("GET", "/login.html"),
    ("GET", "/static/<name>"),
    ("GET", "/me"),
    ("POST", "/login"),
    ("POST", "/first-use"),
    ("POST", "/logout"),
    ("GET", "/healthz"),
    ("GET", "/openapi.json"),
    ("OPTIONS", "/status"),
}
"""All that a stranger may ask; nothing here tells of the recording."""


def test_every_route_but_the_listed_asks_for_a_person(lan: Lan, tmp_path: Path) -> None:
    for method, path, need in every_route(tmp_path):
        assert (need == "open") == ((method, path) in OPEN), path
        if need != "open":
            answer = lan.ask(method, path.replace("<name>", "x"), {})
            assert answer.status == 401, path
            assert set(answer.json) == {"error"}


def test_every_admin_route_refuses_a_viewer(lan: Lan, tmp_path: Path) -> None:
    vera = lan.browser("vera")
    for method, path, need in every_route(tmp_path):
        if need != "open":
            answer = vera(method, path.replace("<name>", "x"), {})
            assert (answer.status == 403) == (need == "admin"), path


def test_a_stranger_with_a_browser_is_shown_the_login(lan: Lan) -> None:
    answer = lan.ask("GET", "/", accept="text/html,*/*")

    assert answer.status == 303
    assert answer.headers["location"] == "login.html"
    assert lan.ask("GET", "/login.html").status == 200


def test_loopback_is_open_by_default(tmp_path: Path) -> None:
    app = make_app(
        make_recording(tmp_path), QuietRecorder(), Settings(), tmp_path / "web"
    )

    assert ask(app, "GET", "/status").status == 200
    assert not (tmp_path / "web" / "accounts.json").exists()


# ------------------------------------------------------------------ first use


def test_first_account_needs_the_code_and_uses_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.web.accounts.COST", 2**10)
    lan = Lan(tmp_path)
    code = lan.accounts.first_use_code
    assert code is not None
    wanted = {"name": "anna", "passphrase": PHRASE}
    assert lan.ask("GET", "/me").json == {"first_use": True, "open": False}

    wrong = lan.ask("POST", "/first-use", {**wanted, "code": "AAAA-AAAA-AAAA"})
    weak = {"name": "anna", "passphrase": "short", "code": code}
    assert wrong.status == 403
    assert lan.ask("POST", "/first-use", weak).status == 400
    first = lan.ask("POST", "/first-use", {**wanted, "code": code.lower()})
    assert first.json["role"] == "admin"
    again = {"name": "eve", "passphrase": PHRASE, "code": code}
    assert lan.ask("POST", "/first-use", again).status == 403
    assert lan.accounts.names() == {"anna": "admin"}


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("anna", "14 characters!"),
        ("anna", "a" * 20),
        ("anna", "my name is anna and so"),
        ("Anna", PHRASE),
        ("", PHRASE),
        ("a/b", PHRASE),
        ("anna", "x1y2z" * 40),
    ],
)
def test_weak_accounts_are_refused(tmp_path: Path, name: str, phrase: str) -> None:
    with pytest.raises(InputError, match="name|passphrase"):
        Accounts(tmp_path).add(name, phrase, "viewer")


def test_pass_phrases_and_tokens_are_not_kept(lan: Lan) -> None:
    token = lan.accounts.add_token("script", "viewer")
    cookie = cookie_of(lan.login("anna"))
    kept = b"".join(path.read_bytes() for path in (lan.folder / "web").iterdir())

    for secret in (PHRASE, token, cookie.partition("=")[2]):
        assert secret.encode() not in kept


def test_a_damaged_list_of_accounts_is_no_first_use(lan: Lan) -> None:
    (lan.folder / "web" / "accounts.json").write_text("{")
    with pytest.raises(StoreError, match="set it aside"):
        Accounts(lan.folder / "web").names()

    assert lan.login("anna").status == 503


def test_state_files_are_for_the_owner_alone(lan: Lan) -> None:
    lan.login("anna")
    for path in (lan.folder / "web").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_link_in_the_folder_of_the_page_is_followed(tmp_path: Path) -> None:
    """The page's own user lays it; root runs `edge account`."""
    foreign = tmp_path / "shadow"
    foreign.write_text("root's own\n")
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "accounts.part").symlink_to(foreign)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    Accounts(folder).add_token("script", "viewer")

    assert foreign.read_text() == "root's own\n"
    assert foreign.stat().st_uid == os.geteuid()
    kept = (folder / "accounts.json").lstat()
    assert kept.st_uid == folder.stat().st_uid
    assert kept.st_mode & 0o170777 == 0o100600, "a file, and no link"


def test_a_linked_folder_of_the_page_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "web").symlink_to(tmp_path / "etc")

    with pytest.raises(StoreError, match="cannot write"):
        Accounts(tmp_path / "web").add_token("script", "viewer")
    assert list((tmp_path / "etc").iterdir()) == []


# ------------------------------------------------------------------ sessions


def test_the_cookie_cannot_be_read_by_scripts_or_sent_in_clear(lan: Lan) -> None:
    cookie = lan.login("anna").headers["set-cookie"]

    assert cookie.startswith("__Host-edge=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie
    assert len(cookie.partition(";")[0].partition("=")[2]) >= 43, "256 bits"


OTHERS = [
    "flag", 'prefs={"theme":"dark"}', "a/b=1", "user=J\xc3\xb6rg M", "=", "x[y]=1",
    'quote="open', "a:b=1", "__Host-edge=stale", "__Host-edge", "my__Host-edge=x",
]  # fmt: skip
"""Cookies that other apps on the same host, or above it, have been seen to set."""


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("form", ["{other}; {own}", "{own}; {other}", "{other};{own}"])
def test_a_cookie_of_another_app_keeps_nobody_out(
    lan: Lan, other: str, form: str
) -> None:
    own = cookie_of(lan.login("anna"))
    cookie = form.format(other=other, own=own)
    me = lan.ask("GET", "/me", cookie=cookie)

    assert lan.ask("GET", "/status", cookie=cookie).status == 200
    assert me.json["name"] == "anna"
    csrf = {"cookie": cookie, "x_csrf_token": me.json["csrf"]}
    assert lan.ask("POST", "/markers", {"note": "Turned"}, **csrf).status == 200
    assert lan.ask("POST", "/logout", **csrf).status == 200
    assert lan.ask("GET", "/status", cookie=own).status == 401


@pytest.mark.parametrize("other", OTHERS)
def test_a_cookie_of_another_app_hides_no_old_session(lan: Lan, other: str) -> None:
    first = cookie_of(lan.login("anna"))
    second = cookie_of(lan.login("anna", cookie=f"{other}; {first}"))

    assert lan.ask("GET", "/status", cookie=first).status == 401
    assert lan.ask("GET", "/status", cookie=second).status == 200


def test_a_login_makes_a_new_session_and_ends_the_old(lan: Lan) -> None:
    first = cookie_of(lan.login("anna"))
    second = cookie_of(lan.login("anna", cookie=first))

    assert first != second
    assert lan.ask("GET", "/status", cookie=first).status == 401
    assert lan.ask("GET", "/status", cookie=second).status == 200


def test_a_logged_out_session_is_worth_nothing(lan: Lan) -> None:
    anna = lan.browser("anna")
    assert anna("GET", "/status").status == 200

    assert anna("POST", "/logout").status == 200
    assert anna("GET", "/status").status == 401


def test_sessions_survive_a_restart_of_the_page(lan: Lan) -> None:
    anna = lan.browser("anna")
    lan.start()

    assert anna("GET", "/status").status == 200


def test_sessions_end_with_the_account(lan: Lan) -> None:
    vera = lan.browser("vera")
    lan.accounts.remove("vera")

    assert vera("GET", "/status").status == 401


@pytest.mark.parametrize("gone_between", [False, True])
def test_sessions_end_for_good_with_a_new_pass_phrase(
    lan: Lan, gone_between: bool
) -> None:
    anna, vera = lan.browser("anna"), lan.browser("vera")
    if gone_between:
        lan.accounts.remove("vera")
    lan.accounts.add("vera", PHRASE, "viewer")

    assert vera("GET", "/status").status == 401
    assert anna("GET", "/status").status == 200
    assert lan.browser("vera")("GET", "/status").status == 200
    assert set(anna("GET", "/me").json) == {"name", "role", "csrf", "first_use", "open"}


class HandClock:
    """A monotonic clock that a test turns."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("every_s", "lasts_s"), [(IDLE_S * 2, IDLE_S), (600.0, LONGEST_S)]
)
def test_sessions_end_when_idle_and_after_half_a_day(
    tmp_path: Path, every_s: float, lasts_s: float
) -> None:
    clock = HandClock()
    accounts = Accounts(tmp_path)
    accounts.add("anna", PHRASE, "admin")
    person = accounts.enter("anna", PHRASE)
    assert person is not None
    sessions = Sessions(tmp_path, accounts, clock, lambda: "boot")
    token = sessions.open(person)
    began = clock.now
    while clock.now - began < 2 * LONGEST_S and sessions.find(token):
        clock.now += every_s

    assert lasts_s <= clock.now - began <= lasts_s + every_s


def test_sessions_end_at_reboot(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.add("anna", PHRASE, "admin")
    person = accounts.enter("anna", PHRASE)
    assert person is not None
    before = Sessions(tmp_path, accounts, boot=lambda: "one")
    token = before.open(person)

    assert before.find(token) is not None
    assert Sessions(tmp_path, accounts, boot=lambda: "two").find(token) is None


# ------------------------------------------------------------------ guessing


def test_guessing_is_slowed_and_locks_out_nobody_else(lan: Lan) -> None:
    statuses = [lan.login("anna", f"guess number {n:06}").status for n in range(300)]

    assert statuses.count(403) <= 20, "pass phrases that were tried"
    assert set(statuses[20:]) == {429}
    assert lan.login("anna").status == 429, "the guesser waits, also with the right one"
    assert lan.login("anna", remote_addr="192.168.1.51").status == 200


def test_ten_thousand_guesses_in_an_hour_try_twenty() -> None:
    clock = HandClock()
    throttle = Throttle(clock)
    tried = 0
    for _ in range(10_000):
        clock.now += 0.36
        tried += throttle.allow("10.0.0.1") == 0.0

    assert tried <= 20
    assert throttle.allow("10.0.0.2") == 0.0


def test_guessing_from_everywhere_spares_places_that_logged_in() -> None:
    clock = HandClock()
    throttle = Throttle(clock)
    throttle.welcome("10.0.0.9")
    tried = sum(throttle.allow(f"10.1.{n >> 8}.{n & 255}") == 0.0 for n in range(5000))

    assert tried <= 200
    assert throttle.allow("10.0.0.9") == 0.0


def test_a_forwarded_address_is_not_believed(lan: Lan) -> None:
    for number in range(30):
        answer = lan.login(
            "anna", "guess guess guess", x_forwarded_for=f"10.0.0.{number}"
        )

    assert answer.status == 429


def test_one_place_is_an_address_or_a_network() -> None:
    assert place_of("192.168.1.4") == "192.168.1.4"
    assert place_of("fe80::1%eth0") == place_of("fe80::2")
    assert place_of("2001:db8:0:1::1") != place_of("2001:db8:0:2::1")


def test_an_unknown_name_is_refused_like_a_wrong_phrase(lan: Lan) -> None:
    assert lan.login("nobody").json == lan.login("anna", "wrong" * 4).json


@pytest.mark.parametrize("path", ["/login", "/first-use"])
def test_a_stranger_sends_little_before_it_is_read(lan: Lan, path: str) -> None:
    words = {"name": "anna", "passphrase": PHRASE, "code": "x"}

    assert lan.ask("POST", path, {**words, "more": [{}] * 50_000}).status == 413
    assert lan.ask("POST", path, {**words, "more": [{}] * 5_000}).status != 413


# ------------------------------------------------------------------ other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://bed7.example.org:8080"},
        {"origin": "https://bed7.example.org"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"x_csrf_token": ""},
        {"x_csrf_token": "x" * 43},
        {"x_csrf_token": "ü"},
    ],
)
def test_a_request_of_another_site_has_no_effect(
    lan: Lan, headers: dict[str, str]
) -> None:
    anna = lan.browser("anna")

    assert anna("POST", "/markers", {"note": "x"}, **headers).status == 403
    assert lan.recorder.markers == []
    own = {"origin": "https://bed7.example.org:8080", "sec_fetch_site": "same-origin"}
    assert anna("POST", "/markers", {"note": "x"}, **own).status == 200
    assert lan.recorder.markers == [("x", "anna")]


def test_a_script_with_a_token_needs_no_csrf(lan: Lan) -> None:
    token = lan.accounts.add_token("script", "viewer")
    headers = {"authorization": f"Bearer {token}"}

    assert lan.ask("POST", "/markers", {"note": "x"}, **headers).status == 200
    assert lan.recorder.markers == [("x", "script")]
    lan.accounts.remove("script")
    assert lan.ask("GET", "/status", **headers).status == 401


@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "Basic eDp5", "bearer ", "ü"])
def test_a_wrong_token_is_refused(lan: Lan, value: str) -> None:
    assert lan.ask("GET", "/status", authorization=value).status == 401


# ------------------------------------------------------------------ names of the box


@pytest.mark.parametrize(
    "host",
    ["bed7.example.org", "BED7.example.org:8080", "192.168.1.7", "192.168.1.7:443"],
)
def test_own_names_pass(lan: Lan, host: str) -> None:
    assert lan.ask("GET", "/me", host=host).status == 200


def test_other_names_are_misdirected(lan: Lan) -> None:
    seed = 11
    draw = random.Random(seed)
    own = ["bed7.example.org", "192.168.1.7", "localhost", "127.0.0.1", "[::1]"]
    tricks = [
        "{}.", "{}.evil.example", "evil.example", "evil@{}", "{}@evil.example", "{}:",
        "{}:0", "{}:65536", "{}:80:80", "{}:-1", "{}:٨٠", " {}", "{}\t", "x{}", "{}x",
        "http://{}", "{}/", "{}?", "{}#", "{},{}", "[{}]", "0x7f.1", "2130706433",
        "{}%00", "xn--{}", "", "*", "::1", "[::ffff:192.168.1.7]", "192.168.1.8",
    ]  # fmt: skip
    for _ in range(5000):
        host = draw.choice(tricks).replace("{}", draw.choice(own))
        host = "".join(draw.choice((c.upper(), c.lower())) for c in host)
        forwarded = {"x_forwarded_host": "bed7.example.org"}
        answer = lan.ask("GET", "/me", host=host, **forwarded)
        assert answer.status == 421, f"{host!r}, seed {seed}"


def test_loopback_names_are_for_loopback_only(lan: Lan) -> None:
    assert lan.ask("GET", "/me", host="localhost:8080").status == 421
    assert lan.ask("GET", "/me", host="127.0.0.1").status == 421


# ------------------------------------------------------------------ files


def test_only_listed_files_are_served(lan: Lan) -> None:
    seed = 12
    draw = random.Random(seed)
    pieces = [
        "..", "%2e%2e", "/", "%2f", "\\", "etc", "passwd", "page.js", "\0", ".",
        "static", "index.html", "%c0%ae", "app.py", "accounts.json", "ü",
    ]  # fmt: skip
    folder = Path(__file__).parent.parent / "edge/web/static"
    listed = [path.read_bytes() for path in folder.iterdir()]
    for _ in range(5000):
        name = "".join(draw.choices(pieces, k=draw.randint(1, 6)))
        answer = lan.ask("GET", f"/static/{name}")
        assert answer.status in (400, 404) or answer.body in listed, (name, seed)
