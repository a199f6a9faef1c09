"""Who is let in: a test for each line of the threat model that speaks of the page."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lan_rig import LAN, PHRASE, Lan, cookie_of
from web_rig import QuietRecorder, ask, make_recording

from edge.config import Settings
from edge.errors import InputError, StoreError
from edge.web.accounts import Accounts
from edge.web.app import make_app, routes
from edge.web.box import Box
from edge.web.guard import Guard
from edge.web.logins import Sessions, Throttle

"""Who is let in: a test for each line of the threat model that speaks of the page."""


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


def test_a_viewer_with_a_browser_is_told_the_way_back(lan: Lan) -> None:
    """Who kept the address of the export page; a script has JSON as ever."""
    vera = lan.browser("vera")
    for path in ("/export", "/export.csv"):
        shown = vera("GET", path, accept="text/html,*/*;q=0.8")
        assert shown.status == 403
        assert shown.headers["content-type"].startswith("text/html")
        assert b'href="./"' in shown.body
        assert "etag" not in shown.headers
        for accept in ("application/json", "text/csv", "*/*"):
            assert set(vera("GET", path, accept=accept).json) == {"error"}
    assert set(vera("POST", "/kept", {}, accept="text/html").json) == {"error"}


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


def test_no_account_is_lost_between_two_who_make_some(tmp_path: Path) -> None:
    """The page, and somebody at a shell; or two of these."""
    many = [[f"{who}{number}" for number in range(25)] for who in ("page", "shell")]

    def make(names: list[str]) -> None:
        accounts = Accounts(tmp_path / "web")
        for name in names:
            accounts.add_token(name)

    with ThreadPoolExecutor() as both:
        list(both.map(make, many))
    assert Accounts(tmp_path / "web").names().keys() == {*many[0], *many[1]}


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


"""Cookies that other apps on the same host, or above it, have been seen to set."""


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
