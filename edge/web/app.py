"""The web application: addresses to functions, and what stands around them."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bottle import Bottle, HTTPError, HTTPResponse, request

from edge.config import Settings
from edge.errors import ControlError, EdgeError, InputError, StoreError
from edge.web import files
from edge.web.answers import HEADERS, of_error, refuse
from edge.web.views import Box, Recorder, Views

logger = logging.getLogger(__name__)

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Route(NamedTuple):
    """One address."""

    method: str
    path: str
    call: Callable[..., HTTPResponse]


def routes(box: Box) -> tuple[Route, ...]:
    """Return every address."""
    views = Views(box)
    return (
        Route("GET", "/", lambda: files.serve("index.html")),
        Route("GET", "/static/<name>", files.serve),
        Route("GET", "/live", views.live),
        Route("GET", "/status", views.status),
        Route("GET", "/completeness", views.completeness),
        Route("POST", "/markers", views.markers),
    )


def make_app(history_path: Path, client: Recorder, settings: Settings) -> Wsgi:
    """
    Return the application that shows the database *history_path*, which it only
    reads, and asks the recorder behind *client*.
    """
    app = Bottle()
    app.default_error_handler = of_error
    for route in routes(Box(history_path, client, settings)):
        app.route(route.path, route.method, translated(route.call))
    return hardened(app)


def translated(call: Callable[..., HTTPResponse]) -> Callable[..., HTTPResponse]:
    """Wrap *call* so that an error of ours becomes an answer in JSON."""

    def answer(*args: Any, **kwargs: Any) -> HTTPResponse:
        try:
            return call(*args, **kwargs)
        except HTTPResponse:
            raise
        except InputError as error:
            refuse(400, str(error))
        except (ControlError, StoreError) as error:
            refuse(503, str(error), **{"Retry-After": "2"})
        except EdgeError as error:
            refuse(422, str(error))
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            raise HTTPError(500) from None

    return answer


def hardened(app: Wsgi) -> Wsgi:
    """Wrap *app* so that every answer carries the security headers."""

    def call(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            more = [item for item in HEADERS.items() if item[0].lower() not in given]
            return start(status, headers + more, *rest)

        return app(environ, begin)

    return call
