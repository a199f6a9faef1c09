"""How long a login lasts, and how a phrase cannot be guessed."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lan_rig import PHRASE, Lan, cookie_of

from edge.web.accounts import Accounts
from edge.web.logins import IDLE_S, LONGEST_S, Sessions, Throttle, place_of

"""Who is let in: a test for each line of the threat model that speaks of the page."""


"""All that a stranger may ask; nothing here tells of the recording."""


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


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that takes none of the page's files; each request would be noted."""

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("edge.web.logins.WRITTEN_EVERY_S", -1.0)
    with monkeypatch.context() as full:
        full.setattr("edge.web.statefile.os.fsync", refuse)
        yield


def test_a_full_disk_keeps_nobody_out(lan: Lan, full_disk: None) -> None:
    """Who logs in wants to see what is wrong, and the first one has no file yet."""
    anna = lan.browser("anna")
    again = lan.browser("anna")
    assert anna("POST", "/markers", {"note": "Turned"}).status == 200
    assert again("GET", "/status").status == 200

    assert anna("POST", "/logout").status == 200
    assert anna("GET", "/status").status == 401
    assert again("GET", "/status").status == 200


def test_who_is_logged_in_stays_so_on_a_full_disk(
    lan: Lan, request: pytest.FixtureRequest
) -> None:
    anna = lan.browser("anna")
    request.getfixturevalue("full_disk")

    assert anna("GET", "/status").status == 200
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


def test_own_logins_buy_no_guesses_at_another_account(lan: Lan) -> None:
    statuses = []
    for number in range(50):
        statuses.append(lan.login("anna", f"guess number {number:06}").status)
        lan.login("vera")

    assert statuses.count(403) <= 5, "pass phrases that were tried at once"
    assert set(statuses[5:]) == {429}


def test_logins_that_succeed_cost_no_tries(lan: Lan) -> None:
    """Many people behind one address, such as that of a reverse proxy."""
    for _ in range(30):
        assert lan.login("anna").status == lan.login("vera").status == 200


def test_guessing_at_one_account_from_many_known_places_is_slowed() -> None:
    clock = HandClock()
    throttle = Throttle(clock)
    places = [f"10.1.0.{number}" for number in range(100)]
    for place in places:
        throttle.allow(place, "vera")
        throttle.welcome(place, "vera")
        clock.now += 20
    throttle.allow("10.0.0.9", "anna")
    throttle.welcome("10.0.0.9", "anna")
    tried = sum(throttle.allow(place, "anna") == 0.0 for place in places * 5)

    assert 0 < tried <= 40
    assert throttle.allow("10.0.0.8", "anna") > 0.0, "a new place waits"
    assert throttle.allow("10.0.0.9", "anna") == 0.0, "where she logged in before"
    assert throttle.allow(places[0], "vera") == 0.0


def test_one_account_used_from_everywhere_makes_no_other_forgotten() -> None:
    throttle = Throttle(HandClock())
    throttle.welcome("10.0.0.9", "anna")
    for number in range(5000):
        throttle.welcome(f"10.1.{number >> 8}.{number & 255}", "vera")
    for number in range(500):
        throttle.allow(f"10.2.{number >> 8}.{number & 255}", "anna")

    assert throttle.allow("10.3.0.1", "anna") > 0.0
    assert throttle.allow("10.0.0.9", "anna") == 0.0


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
    assert place_of("::ffff:192.168.1.4") == "192.168.1.4"
    assert place_of("::ffff:192.168.1.5") != place_of("::ffff:192.168.1.4")


def test_an_unknown_name_is_refused_like_a_wrong_phrase(lan: Lan) -> None:
    assert lan.login("nobody").json == lan.login("anna", "wrong" * 4).json


@pytest.mark.parametrize("path", ["/login", "/first-use"])
def test_a_stranger_sends_little_before_it_is_read(lan: Lan, path: str) -> None:
    words = {"name": "anna", "passphrase": PHRASE, "code": "x"}

    assert lan.ask("POST", path, {**words, "more": [{}] * 50_000}).status == 413
    assert lan.ask("POST", path, {**words, "more": [{}] * 5_000}).status != 413
