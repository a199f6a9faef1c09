"""
Who is let in where: the name the box was called by, the site a request comes from,
the person behind it.
"""

import hmac
import ipaddress
import logging
import re
import socket
from typing import Literal, NamedTuple

from bottle import BaseRequest, HTTPResponse

from edge.web.accounts import LOCAL, Accounts, Person
from edge.web.answers import as_json, header, refuse
from edge.web.logins import Session, Sessions, Throttle, place_of

logger = logging.getLogger(__name__)

Need = Literal["open", "viewer", "admin"]
"""What an address asks of a person; "open": nothing."""

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
WHO = "log in first; a script sends Authorization: Bearer TOKEN (edge account token)"
MISDIRECTED = 421
"""RFC 9110, section 15.5.20."""


class Door(NamedTuple):
    """How the page is reached."""

    loopback: bool  # it listens for this machine alone
    tls: bool
    hosts: tuple[str, ...] = ()  # further names, as configured


class Guard:
    """Decides on every request. Any thread may ask."""

    def __init__(
        self, door: Door, accounts: Accounts, sessions: Sessions, throttle: Throttle
    ) -> None:
        self.door = door
        self.accounts = accounts
        self._sessions = sessions
        self._throttle = throttle
        # With "__Host-" a browser takes the cookie from this host and over TLS alone.
        self._cookie = "__Host-edge" if door.tls else "edge"
        self._names = allowed_names(door)

    def knows_host(self, host: str, local_address: str) -> bool:
        """Return whether *host* is one of the box's own names: else DNS rebinding."""
        found = HOST.fullmatch(host)
        if not found or not 0 < int(found[2] or "1") < 65536:
            return False
        name = found[1].lower()
        return name in self._names or name == bracketed(local_address)

    def admit(self, request: BaseRequest, need: Need) -> Person | None:
        """
        Return who asks, ``None`` at an open address; refuse who may not.
        """
        if request.method not in SAFE:
            self.check_site(request)
        if need == "open":
            return None
        person = self._person(request)
        if person is None:
            refuse(401, WHO, **{"WWW-Authenticate": "Bearer"})
        if need == "admin" and person.role != "admin":
            refuse(403, f"{person.name} may look, but not do this")
        return person

    def check_site(self, request: BaseRequest) -> None:
        """Refuse what a page of another site sends from somebody's browser."""
        site = header(request, "Sec-Fetch-Site", "same-origin")
        scheme = "https" if self.door.tls else "http"
        host = header(request, "Host")
        own = f"{scheme}://{host}".lower()
        origin = header(request, "Origin", own).lower()
        if site not in ("same-origin", "none") or origin != own:
            refuse(403, "this request was sent by a page of another site")

    def about(self, request: BaseRequest) -> dict[str, str]:
        """Return name, role and CSRF token of who asks, empty for a stranger."""
        if self.door.loopback:
            return {}
        session = self._session(request)
        if session is None:
            return {}
        person = session.person
        return {"name": person.name, "role": person.role, "csrf": session.csrf}

    def login(self, request: BaseRequest, name: str, phrase: str) -> HTTPResponse:
        """Begin a session, or say that name or pass phrase are wrong."""
        self._try(request, name)
        person = self.accounts.enter(name, phrase)
        if person is None:
            logger.warning(
                "a login from %s failed", request.environ.get("REMOTE_ADDR", "")
            )
            refuse(403, "name or passphrase are wrong")
        return self._welcome(request, person)

    def first_use(
        self, request: BaseRequest, code: str, name: str, phrase: str
    ) -> HTTPResponse:
        """Make the first account and begin its session."""
        self._try(request, "")
        person = self.accounts.begin(code, name, phrase)
        if person is None:
            logger.warning(
                "a wrong first-use code from %s", request.environ.get("REMOTE_ADDR", "")
            )
            refuse(403, "code is wrong, or the box has an account already")
        return self._welcome(request, person)

    def logout(self, request: BaseRequest) -> HTTPResponse:
        """End the session."""
        self._end_sessions(request)
        gone = f"{self._cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        return self._with_cookie({"status": "success"}, gone)

    def _try(self, request: BaseRequest, name: str) -> None:
        wait_s = self._throttle.allow(place_of(address_of(request)), name)
        if wait_s:
            seconds = str(int(wait_s) + 1)
            refuse(429, f"too many tries: wait {seconds} s", **{"Retry-After": seconds})

    def _welcome(self, request: BaseRequest, person: Person) -> HTTPResponse:
        self._throttle.welcome(place_of(address_of(request)), person.name)
        logger.info("%s (%s) logged in", person.name, person.role)
        self._end_sessions(request)
        token = self._sessions.open(person)
        cookie = f"{self._cookie}={token}; Path=/; HttpOnly; SameSite=Strict"
        return self._with_cookie({"status": "success", "role": person.role}, cookie)

    def _with_cookie(self, data: object, cookie: str) -> HTTPResponse:
        answer = as_json(data)
        answer.add_header("Set-Cookie", cookie + ("; Secure" if self.door.tls else ""))
        return answer

    def _person(self, request: BaseRequest) -> Person | None:
        if self.door.loopback:
            return LOCAL
        scheme, _, token = header(request, "Authorization").partition(" ")
        if scheme.lower() == "bearer":
            return self.accounts.bearer(token.strip())
        session = self._session(request)
        if session is None:
            return None
        if request.method not in SAFE:
            given = header(request, "X-CSRF-Token")
            if not hmac.compare_digest(given.encode(), session.csrf.encode()):
                refuse(403, "X-CSRF-Token is missing or old: load the page again")
        return session.person

    def _session(self, request: BaseRequest) -> Session | None:
        found = map(self._sessions.find, cookies(request, self._cookie))
        return next(filter(None, found), None)

    def _end_sessions(self, request: BaseRequest) -> None:
        for token in cookies(request, self._cookie):
            self._sessions.close(token)


def cookies(request: BaseRequest, name: str) -> list[str]:
    """
    Return the values of the cookie *name*, several where another app of the host set
    one too.

    Not `request.get_cookie`: Python's parser gives up at the first cookie that it
    finds odd, and a browser also sends those of every other app on the host.
    """
    pairs = (pair.partition("=") for pair in header(request, "Cookie").split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def address_of(request: BaseRequest) -> str:
    """Return the address of the socket, whatever a header says of another."""
    return str(request.environ.get("REMOTE_ADDR", ""))


def allowed_names(door: Door) -> frozenset[str]:
    """Return the names in lower case that the box answers to."""
    machine = socket.gethostname().lower()
    names = {name.lower() for name in door.hosts}
    names |= set(LOOPBACK) if door.loopback else {machine, f"{machine}.local"}
    return frozenset(names)


def bracketed(address: str) -> str:
    """Return an IP *address* as it is written in a URL."""
    if ":" not in address:
        return address
    number = ipaddress.IPv6Address(address.partition("%")[0])
    plain = number.ipv4_mapped
    return str(plain) if plain else f"[{number}]"
