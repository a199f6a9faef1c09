"""Logging in and out."""

from bottle import HTTPResponse, request

from edge.web.accounts import LONGEST
from edge.web.answers import as_json, json_body, text_field
from edge.web.guard import Guard


class Entrance:
    """One method an address."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def me(self) -> HTTPResponse:
        """Answer who asks, and whether the box still waits for its first account."""
        first = self._guard.accounts.first_use_code is not None
        loopback = self._guard.door.loopback
        return as_json(
            {
                **self._guard.about(request),
                "first_use": first and not loopback,
                "open": loopback,
            }
        )

    def login(self) -> HTTPResponse:
        """Begin a session."""
        body = json_body(request)
        name, phrase = text_field(body, "name", 64), text_field(body, "passphrase", 512)
        return self._guard.login(request, name, phrase)

    def first_use(self) -> HTTPResponse:
        """Make the first account with the code from the console."""
        body = json_body(request)
        code, name = text_field(body, "code", 64), text_field(body, "name", 64)
        phrase = text_field(body, "passphrase", LONGEST)
        return self._guard.first_use(request, code, name, phrase)

    def logout(self) -> HTTPResponse:
        """End the session."""
        return self._guard.logout(request)
