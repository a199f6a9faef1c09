"""
Where connections wait until there is something to work on.

One thread holds all of them without blocking: it accepts, shakes hands for TLS, and
collects a request until its head, and a small body, are complete. Only then does a
connection go to a worker; and what the worker could not send at once is sent here. So
a client that connects and says nothing, sends one byte a minute, stalls in the
handshake or reads nothing costs a file descriptor and nobody's time.
"""

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from edge.web.guest import LONGEST_HEAD, SMALL_BODY, Guest, complete, missing
from edge.web.logins import is_loopback, place_of

logger = logging.getLogger(__name__)

SLOW_BODIES = 6
"""Workers that may wait for the rest of a body at the same time."""

TURN_WITHIN_S = 120.0
"""How long a further client waits for one of them before it is told so."""

HEAD_WITHIN_S = 10.0
"""From the first byte of a request to its last; also for the TLS handshake."""

IDLE_S = 30.0
"""How long a connection may stay without a request."""

SENT_WITHIN_S = 30.0
"""How long a client may take to read the rest of an answer."""

MOST_UNSENT = 32 * 1024 * 1024
"""Bytes of answers that wait for their readers; beyond, readers are given up."""

LINGER_S = 2.0
"""How long a refused client may go on sending before it sees the connection end."""

MOST_CONNECTIONS = 900
"""Beyond, one of the place that holds the most is closed for each that comes."""

MOST_OF_ONE_PLACE = 300
"""Likewise for one place; a ward behind one address holds some tens."""

SEND_BUFFER = 262_144
"""Bytes: nearly every answer of the page fits."""

TLS_HANDSHAKE = 0x16
"""First byte of every TLS connection (RFC 8446, section 5.1)."""

Ready = Callable[[Guest], None]
"""Takes a connection whose next request is complete in ``data``."""


class WaitingRoom:
    """
    Accepts on *listener* and calls *ready* for each request that is complete.

    *ready* runs in the waiting thread and must not block. With *context*, connections
    speak TLS; *plain* makes the answer for a client that does not. *busy* is the
    answer for a client whose turn does not come.
    """

    def __init__(
        self,
        listener: socket.socket,
        ready: Ready,
        context: ssl.SSLContext | None = None,
        plain: Callable[[bytes], bytes] = lambda request: b"",
        busy: bytes = b"",
    ) -> None:
        self._listener = listener
        self._ready = ready
        self._context = context
        self._plain = plain
        self._busy = busy
        self._selector = selectors.DefaultSelector()
        self._guests: set[Guest] = set()
        self._away: set[Guest] = set()  # with a worker, or on their way to one
        self._returning: deque[Guest] = deque()
        self._slow = 0  # of those away; the others wait their turn, unread
        self._turns: deque[Guest] = deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._stopping = threading.Event()
        listener.setblocking(False)

    def run(self) -> None:
        """Serve until `stop`; then close every waiting connection."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        swept = time.monotonic()
        while not self._stopping.is_set():
            for key, _ in self._selector.select(1.0):
                self._serve(key.fileobj, key.data)
            while self._returning:
                self._readmit(self._returning.popleft())
            if time.monotonic() - swept > 1.0:
                swept = time.monotonic()
                self._sweep(swept)
        for guest in [*self._guests, *self._returning]:
            guest.sock.close()
        for thing in (self._selector, self._wake_read, self._wake_write):
            thing.close()

    def stop(self) -> None:
        """Make `run` return."""
        self._stopping.set()
        self._wake()

    def put(self, guest: Guest) -> None:
        """
        Take back a connection for its next request, or to end it (``leaving``) without
        cutting off the answer. Any thread may call it.
        """
        self._returning.append(guest)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will look; closed: too late
            self._wake_write.send(b"\0")

    def _serve(self, thing: object, guest: Guest | None) -> None:
        if guest is not None:
            self._attend(guest)
        elif thing is self._listener:
            self._accept()
        else:
            self._wake_read.recv(4096)

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, address = self._listener.accept()
            except OSError:  # none is left, or it went again, or too many are open
                return
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            place, plain = place_of(address[0]), self._context is None
            guest = Guest(sock, address[:2], place, shaken=plain)
            if self._has_room(guest):
                self._admit(guest, HEAD_WITHIN_S)
            else:
                sock.close()

    def _has_room(self, guest: Guest) -> bool:
        """
        Return whether *guest* may come in; one that waits is closed for it if need be.

        It is the one that has waited longest of the place that holds the most: who
        opens many loses their own, and newcomers, also those of the same place, are
        let in. This machine has no limit of its own: a proxy on it holds everybody's.
        """
        held = Counter(other.place for other in (*self._guests, *self._away))
        if held.total() >= MOST_CONNECTIONS:
            most = max((held[other.place] for other in self._guests), default=0)
            of = [other for other in self._guests if held[other.place] == most]
        elif held[guest.place] < MOST_OF_ONE_PLACE or is_loopback(guest.address[0]):
            return True
        else:
            of = [other for other in self._guests if other.place == guest.place]
        if of:
            self._close(min(of, key=lambda other: other.since))
        return bool(of)

    def _readmit(self, guest: Guest) -> None:
        """Take *guest* back from a worker."""
        self._away.discard(guest)
        self._slow -= guest.slow
        guest.slow = False
        if self._turns and self._slow < SLOW_BODIES:
            self._give(self._turns.popleft())
        if guest.unsent:
            unsent = sum(len(other.unsent) for other in self._guests)
            if unsent + len(guest.unsent) > MOST_UNSENT:
                guest.sock.close()
                return
            self._admit(guest, SENT_WITHIN_S)
        else:
            self._farewell(guest)
            self._admit(guest, LINGER_S if guest.leaving else IDLE_S)

    def _farewell(self, guest: Guest) -> None:
        """Say to a client that leaves that its answer is over."""
        if guest.leaving:
            with contextlib.suppress(OSError):
                guest.sock.shutdown(socket.SHUT_WR)

    def _admit(self, guest: Guest, patience_s: float) -> None:
        guest.since = time.monotonic()
        guest.deadline = guest.since + patience_s
        try:
            guest.sock.setblocking(False)
            self._selector.register(guest.sock, selectors.EVENT_READ, guest)
        except (OSError, ValueError, KeyError):  # it was closed meanwhile
            guest.sock.close()
            return
        self._guests.add(guest)
        self._attend(guest)  # something may be there already, also inside TLS

    def _attend(self, guest: Guest) -> None:
        """Go on with *guest* as far as it goes without waiting."""
        try:
            if not guest.shaken and not self._shake(guest):
                return
            if guest.unsent and not self._send(guest):
                return
            fresh = not guest.data
            self._collect(guest)
            if fresh and guest.data:
                guest.arrived = time.monotonic()
                guest.deadline = guest.arrived + HEAD_WITHIN_S
        except (OSError, ValueError) as error:  # reset, TLS failure
            logger.debug("%s left: %s", guest.address[0], error)
            guest.ended = guest.leaving = True
        if guest.ended and (guest.leaving or not complete(guest)):
            self._close(guest)
        elif not guest.leaving and complete(guest):
            self._hand_over(guest)

    def _send(self, guest: Guest) -> bool:
        """Return whether all of the answer is sent."""
        try:
            while guest.unsent:
                sent = guest.sock.send(bytes(guest.unsent[:SEND_BUFFER]))
                del guest.unsent[:sent]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            self._watch(guest, selectors.EVENT_WRITE)
            return False
        self._watch(guest, selectors.EVENT_READ)
        self._farewell(guest)
        patience_s = LINGER_S if guest.leaving else IDLE_S
        guest.deadline = time.monotonic() + patience_s
        return True

    def _shake(self, guest: Guest) -> bool:
        """Return whether the TLS handshake is over."""
        if not isinstance(guest.sock, ssl.SSLSocket) and not self._wrap(guest):
            return False
        assert isinstance(guest.sock, ssl.SSLSocket)
        try:
            guest.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(guest, selectors.EVENT_READ)
            return False
        except ssl.SSLWantWriteError:
            self._watch(guest, selectors.EVENT_WRITE)
            return False
        self._watch(guest, selectors.EVENT_READ)
        guest.shaken = True
        return True

    def _wrap(self, guest: Guest) -> bool:
        """Begin TLS; a client that speaks plainly gets its answer instead."""
        try:
            first = guest.sock.recv(LONGEST_HEAD, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        if not first:
            raise ConnectionResetError("nothing was said")
        if first[0] != TLS_HANDSHAKE:
            guest.unsent += self._plain(first)
            guest.shaken = guest.leaving = True
            return False
        assert self._context is not None
        self._selector.unregister(guest.sock)
        guest.sock = self._context.wrap_socket(
            guest.sock, server_side=True, do_handshake_on_connect=False
        )
        self._selector.register(guest.sock, selectors.EVENT_READ, guest)
        return True

    def _watch(self, guest: Guest, events: int) -> None:
        self._selector.modify(guest.sock, events, guest)

    def _collect(self, guest: Guest) -> None:
        """Take what has arrived, up to one request."""
        while not guest.ended and (guest.leaving or not complete(guest)):
            try:
                piece = guest.sock.recv(SMALL_BODY)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            guest.ended = not piece
            if not guest.leaving:
                guest.data += piece

    def _hand_over(self, guest: Guest) -> None:
        """Give *guest* to a worker; one who still sends, when it is their turn."""
        self._selector.unregister(guest.sock)
        guest.slow = missing(guest) != 0
        if guest.slow and self._slow >= SLOW_BODIES:
            guest.deadline = time.monotonic() + TURN_WITHIN_S
            self._turns.append(guest)
        else:
            self._give(guest)

    def _give(self, guest: Guest) -> None:
        self._slow += guest.slow
        self._guests.discard(guest)
        self._away.add(guest)
        self._ready(guest)

    def _sweep(self, now: float) -> None:
        for guest in [g for g in self._guests if g.deadline < now]:
            if guest in self._turns:
                self._send_away(guest)
            else:
                self._close(guest)

    def _send_away(self, guest: Guest) -> None:
        """Say to a client whose turn did not come to try again later."""
        self._turns.remove(guest)
        self._guests.discard(guest)
        guest.slow, guest.leaving = False, True
        guest.data.clear()
        guest.unsent += self._busy
        self._admit(guest, SENT_WITHIN_S)

    def _close(self, guest: Guest) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(guest.sock)
        with contextlib.suppress(ValueError):
            self._turns.remove(guest)
        self._guests.discard(guest)
        guest.sock.close()
