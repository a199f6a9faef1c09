"""The control socket, over a real Unix socket."""

import errno
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.control import Client, Handler, Server
from edge.errors import ControlError, StoreError
from edge.records import BoxNs, BoxState, StreamState

STREAM = StreamState("ecg", "ok", BoxNs(1), "", BoxNs(5), 10, 0, 0, {"board": "csv"})
STATE = BoxState(BoxNs(7), 1, BoxNs(1), "S1", True, (STREAM,), {"samples": 10}, {})


def handle_state(request: dict[str, Any], payload: bytes) -> dict[str, Any]:
    return {**STATE._asdict(), "streams": [STREAM._asdict()]}


def handle_picture(request: dict[str, Any], payload: bytes) -> dict[str, Any]:
    picture = np.frombuffer(payload, np.uint8)
    return {"sum": int(picture.sum()), **{key: request[key] for key in ("width",)}}


def refuse(request: dict[str, Any], payload: bytes) -> dict[str, Any]:
    raise StoreError("the card is full")


HANDLERS: dict[str, Handler] = {
    "state": handle_state,
    "sum": handle_picture,
    "marker": refuse,
}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "control.sock"
    server = Server(path, HANDLERS)
    yield path
    server.close()
    assert not path.exists()


def test_socket_that_a_killed_recorder_left_is_replaced_by_one_of_our_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        path.chmod(0o777)
    server = Server(path, HANDLERS)

    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert Client(path).state() == STATE
    server.close()


def test_a_card_that_became_read_only_does_not_keep_the_server_from_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorder stops its workers after it, and writes what is in memory."""
    path = tmp_path / "control.sock"
    server = Server(path, HANDLERS)

    def refuse(_: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as worn:
        worn.setattr(Path, "unlink", refuse)
        server.close()
    with pytest.raises(ControlError):
        Client(path).state()
    Server(path, HANDLERS).close()
    assert not path.exists()


def test_answer_that_comes_too_late_is_not_taken_for_that_of_the_next_request(
    tmp_path: Path,
) -> None:
    late = threading.Event()

    def wait(request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        late.wait(20)
        return {"late": True}

    path = tmp_path / "control.sock"
    server = Server(path, HANDLERS | {"wait": wait})
    client = Client(path)
    with pytest.raises(ControlError, match="timed out"):
        client.ask("wait", within_s=0.1)
    late.set()
    assert client.state() == STATE
    client.close()
    server.close()


def test_state_arrives_as_it_was(path: Path) -> None:
    assert Client(path).state() == STATE


def test_payload_arrives_whole(path: Path) -> None:
    pixels = np.arange(300_000, dtype=np.uint32).astype(np.uint8)
    answer = Client(path).ask("sum", pixels.tobytes(), width=3)
    assert answer == {"sum": int(pixels.sum()), "width": 3}


@pytest.mark.parametrize(
    ("do", "says"),
    [("marker", "card is full"), ("dance", "knows no request"), ("sum", "malformed")],
)
def test_refusal_is_an_error_in_words(path: Path, do: str, says: str) -> None:
    client = Client(path)
    with pytest.raises(ControlError, match=says):
        client.ask(do)

    assert client.state() == STATE


def test_nobody_listening_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="is it running"):
        Client(tmp_path / "control.sock").state()


def test_place_where_no_socket_can_be_is_told_in_words(tmp_path: Path) -> None:
    taken = tmp_path / "control.sock"
    taken.mkdir()
    for path in (taken, tmp_path / ("d" * 100) / "control.sock"):
        with pytest.raises(ControlError, match=r"cannot listen on .*data_dir"):
            Server(path, HANDLERS)


def test_client_finds_a_restarted_recorder(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    client = Client(path)
    first = Server(path, HANDLERS)
    assert client.state() == STATE
    first.close()
    client.close()
    second = Server(path, HANDLERS)
    assert client.state() == STATE
    second.close()


@pytest.mark.parametrize(
    "nonsense",
    [b"\n", b"[]\n", b"{\n", b'{"do":"state","bytes":-1}\n', b"\xff" * 70000],
)
def test_nonsense_ends_only_its_own_connection(path: Path, nonsense: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as bad:
        bad.settimeout(60)
        bad.connect(str(path))
        bad.sendall(nonsense)
        bad.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):  # where it left bytes of ours unread
            assert bad.recv(100) == b""

    assert Client(path).state() == STATE


def test_threads_share_a_client(path: Path) -> None:
    client = Client(path)
    answers: list[dict[str, Any]] = []

    def ask(number: int) -> None:
        answers.extend(
            client.ask("sum", bytes([number]) * 100, width=number) for _ in range(20)
        )
        client.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 160
    assert all(answer["sum"] == 100 * answer["width"] for answer in answers)
    assert json.dumps(answers)


def test_picture_is_waited_for_longer_than_another_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow processor needs several seconds for each, and others may come first."""
    monkeypatch.setattr("edge.control.ANSWER_WITHIN_S", 0.05)
    given_up = threading.Event()

    def slow(request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        given_up.wait(20)
        raise StoreError("looked at")

    server = Server(tmp_path / "socket", {"picture": slow, "state": slow})
    picture = np.zeros((2, 2, 3), np.uint8)
    with ThreadPoolExecutor(1) as elsewhere:
        client = Client(tmp_path / "socket")
        asked = elsewhere.submit(client.picture, picture, BoxNs(0), "a.png")
        with pytest.raises(ControlError, match="does not answer"):
            client.state()
        given_up.set()
        with pytest.raises(ControlError, match="looked at"):
            asked.result()
    client.close()
    server.close()
