"""The web application: addresses to functions, and what stands around them."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bottle import Bottle, HTTPError, HTTPResponse, request

from edge.config import Settings
from edge.errors import ControlError, EdgeError, InputError, StoreError
from edge.web import files
from edge.web.accounts import Accounts
from edge.web.answers import HEADERS, as_json, header, of_error, refuse
from edge.web.box import PERSON, Box, Recorder
from edge.web.entrance import Entrance
from edge.web.exports import Exports
from edge.web.guard import MISDIRECTED, Door, Guard, Need
from edge.web.legacy import Legacy
from edge.web.logins import Sessions, Throttle
from edge.web.views import Views

logger = logging.getLogger(__name__)

ORIGINAL = ("/status", "/process_image", "/process_ecg", "/export")
"""Addresses whose clients may read to the end of the connection, as they could."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
View = Callable[..., HTTPResponse]


class Route(NamedTuple):
    """One address, and what it asks of a person."""

    method: str
    path: str
    need: Need
    call: View


def routes(box: Box, guard: Guard) -> tuple[Route, ...]:
    """Return every address."""
    views = Views(box)
    entrance = Entrance(guard)
    legacy = Legacy(box, guard.check_site)
    exports = Exports(box)
    return (
        Route("GET", "/", "viewer", lambda: files.serve("index.html")),
        Route("GET", "/login.html", "open", lambda: files.serve("login.html")),
        Route("GET", "/static/<name>", "open", files.serve),
        Route("GET", "/me", "open", entrance.me),
        Route("POST", "/login", "open", entrance.login),
        Route("POST", "/first-use", "open", entrance.first_use),
        Route("POST", "/logout", "open", entrance.logout),
        Route("GET", "/live", "viewer", views.live),
        Route("GET", "/status", "viewer", views.status),
        Route("GET", "/completeness", "viewer", views.completeness),
        Route("GET", "/sessions", "viewer", views.sessions),
        Route("GET", "/events", "viewer", views.events),
        Route("GET", "/healthz", "open", views.healthz),
        Route("GET", "/metrics", "viewer", views.metrics),
        Route("GET", "/openapi.json", "open", lambda: files.serve("openapi.json")),
        Route("POST", "/markers", "viewer", views.markers),
        Route("POST", "/process_image", "admin", legacy.process_image),
        Route("POST", "/process_ecg", "admin", legacy.process_ecg),
        Route("GET", "/export", "admin", legacy.export),
        Route("GET", "/export.csv", "admin", legacy.csv),
        Route("GET", "/exports", "admin", exports.show),
        Route("GET", "/exports/estimate", "admin", exports.estimate),
        Route("POST", "/exports", "admin", exports.arm),
        Route("POST", "/exports/cancel", "admin", exports.cancel),
        Route("POST", "/kept", "admin", exports.keep),
        Route("POST", "/kept/release", "admin", exports.release),
        Route("POST", "/drives/enrol", "admin", exports.enrol),
        Route("POST", "/drives/forget", "admin", exports.forget),
    )


def tell_methods(app: Bottle, every: Iterable[Route]) -> None:
    """Let *app* say by which methods each address may be asked, as the original did."""
    methods: dict[str, set[str]] = {}
    for route in every:
        more = {route.method, "HEAD"} if route.method == "GET" else {route.method}
        methods.setdefault(route.path, {"OPTIONS"}).update(more)
    for path, allowed in methods.items():
        allow = ", ".join(sorted(allowed))
        app.route(path, "OPTIONS", lambda a=allow, **_: HTTPResponse(Allow=a))


def make_app(
    history_path: Path,
    client: Recorder,
    settings: Settings,
    state: Path | None = None,
    door: Door | None = None,
    accounts: Accounts | None = None,
) -> Wsgi:
    """
    Return the application that shows the database *history_path*, which it only
    reads, and asks the recorder behind *client*.

    Its own files are in the folder *state*, by default beside the recording. *door*
    says how it is reached, by default on loopback alone. *accounts* are those in
    *state*.
    """
    state = state or settings.box.data_dir / "web"
    door = door or Door(loopback=True, tls=False, hosts=settings.web.hosts)
    accounts = accounts or Accounts(state)
    guard = Guard(door, accounts, Sessions(state, accounts), Throttle())
    box = Box(history_path, client, settings, state)
    app = Bottle()
    app.default_error_handler = of_error
    every = routes(box, guard)
    for route in every:
        call = guarded(guard, route.need, translated(route.call, box))
        app.route(route.path, route.method, call)
    tell_methods(app, every)
    return hardened(app, guard)


def guarded(guard: Guard, need: Need, call: View) -> View:
    """Wrap *call* so that only those reach it who may."""

    def answer(*args: Any, **kwargs: Any) -> HTTPResponse:
        try:
            request.environ[PERSON] = guard.admit(request, need)
        except HTTPResponse as refused:
            if not wants_page():
                raise
            if refused.status_code == 401:
                return HTTPResponse(status=303, Location="login.html")
            return files.refusal() if refused.status_code == 403 else refused
        return call(*args, **kwargs)

    return answer


def wants_page() -> bool:
    """Return whether a browser is asking for something to look at."""
    accepted = header(request, "Accept")
    return request.method == "GET" and "text/html" in accepted


def translated(call: View, box: Box) -> View:
    """Wrap *call* so that an error of ours becomes an answer in JSON, pathless."""

    def answer(*args: Any, **kwargs: Any) -> HTTPResponse:
        try:
            return call(*args, **kwargs)
        except HTTPResponse:
            raise
        except InputError as error:
            refuse(400, str(error))
        except (ControlError, StoreError) as error:
            logger.warning("%s %s: %s", request.method, request.path, error)
            refuse(503, box.said(error), **{"Retry-After": "2"})
        except EdgeError as error:
            refuse(422, box.said(error))
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            raise HTTPError(500) from None

    return answer


def hardened(app: Wsgi, guard: Guard) -> Wsgi:
    """
    Wrap *app* so that every answer carries the security headers, and that only
    requests for the box's own names reach it.
    """

    def call(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            more = [item for item in HEADERS.items() if item[0].lower() not in given]
            if closes(environ) and "connection" not in given:
                more.append(("Connection", "close"))
            return start(status, headers + more, *rest)

        if error := misdirected(environ, guard):
            answer = as_json({"error": error}, MISDIRECTED)
            length = ("Content-Length", str(len(answer.body)))
            begin("421 Misdirected Request", [*answer.headerlist, length])
            return [answer.body]
        return app(environ, begin)

    return call


def misdirected(environ: dict[str, Any], guard: Guard) -> str:
    """Return what is wrong with the name that the box is called by, "" if nothing."""
    host = environ.get("HTTP_HOST")
    if host is None:
        # HTTP/1.0 knows no Host: a microcontroller may send none, a browser always.
        old = environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
        return "" if old else "the request names no Host"
    known = guard.knows_host(host, environ.get("SERVER_ADDR", ""))
    return "" if known else "this box is not called that: add the name to [web] hosts"


def closes(environ: dict[str, Any]) -> bool:
    """
    Return whether the connection ends with the answer, as in the original system: a
    client of its addresses has to ask for one that goes on.
    """
    kept = "keep-alive" in environ.get("HTTP_CONNECTION", "").lower()
    return environ.get("PATH_INFO") in ORIGINAL and not kept
