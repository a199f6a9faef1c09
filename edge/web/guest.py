"""One connection that waits, and how much of its request is there."""

import re
import socket
from dataclasses import dataclass, field

LONGEST_HEAD = 16_384
"""Bytes of a request's first line and headers; beyond, the worker refuses it."""

SMALL_BODY = 65_536
"""A body up to this is collected before a worker begins, who reads a larger one."""

LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*([0-9]{1,12})[ \t]*\r\n", re.I)
EXPECT = re.compile(rb"\r\nExpect:", re.I)
CHUNKED = re.compile(rb"\r\nTransfer-Encoding:", re.I)

Address = tuple[str, int]


@dataclass(eq=False)
class Guest:
    """One connection that waits."""

    sock: socket.socket
    address: Address
    place: str = ""  # what counts as one, of the address
    since: float = 0.0  # time.monotonic() from which it waits
    deadline: float = 0.0  # time.monotonic() at which it is closed
    arrived: float = 0.0  # time.monotonic() at the first byte of the request
    shaken: bool = True  # the TLS handshake is over, or there is none
    data: bytearray = field(default_factory=bytearray)  # of the next request, so far
    unsent: bytearray = field(default_factory=bytearray)  # of the answer
    ended: bool = False  # the client sends no more
    slow: bool = False  # the rest of its body keeps a worker waiting
    leaving: bool = False  # has its last answer; what it still sends is thrown away
    kept: object = None  # what the worker keeps with the connection


def complete(guest: Guest) -> bool:
    """Return whether a worker can go on without waiting for a small request."""
    left = missing(guest)
    if left is None:
        # One whose lines end in LF alone is told so.
        return len(guest.data) > LONGEST_HEAD or b"\n\n" in guest.data
    end = guest.data.find(b"\r\n\r\n") + 2
    return (
        left == 0
        or body_length(guest.data, end) > SMALL_BODY
        or EXPECT.search(guest.data, 0, end) is not None
        or CHUNKED.search(guest.data, 0, end) is not None
    )


def missing(guest: Guest) -> int | None:
    """
    Return how much of the request is still to come, `None` if its head is; 1 where a
    reader has to find out.
    """
    end = guest.data.find(b"\r\n\r\n")
    if end < 0:
        return None
    if CHUNKED.search(guest.data, 0, end + 2):
        return 1
    whole = end + 4 + body_length(guest.data, end + 2)
    return max(0, whole - len(guest.data))


def body_length(data: bytearray, end: int) -> int:
    """Return the length of the body that the head, up to *end*, tells."""
    length = LENGTH.search(data, 0, end)
    return int(length[1]) if length else 0
