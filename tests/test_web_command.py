"""`edge web` and `edge account` as programs."""

import http.client
import io
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from box import MORTAL, WITHIN_S
from server_rig import connect, echo, get

from edge.__main__ import main
from edge.commands.web import INSTALLED_STATE
from edge.errors import ConfigError
from edge.web import certificate
from edge.web.accounts import Accounts
from edge.web.server import Server, listen

PHRASE = "correct horse battery"

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl command on this machine"
)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "edge.toml"
    path.write_text('[box]\ndata_dir = "."\n')
    return path


def edge(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=WITHIN_S, **more
    )


@contextmanager
def page(settings: Path, *arguments: str) -> Iterator[tuple[int, list[str]]]:
    """Run `edge web` and give its port and what it said before it was ready."""
    command = [sys.executable, "-m", "edge", "web", "--config", str(settings)]
    with subprocess.Popen(
        [*MORTAL, *command, "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said, found = [], None
        try:
            for line in process.stderr:
                said.append(line.strip())
                if (found := re.search(r":(\d+)/$", line.strip())) is not None:
                    break
            assert found is not None, said
            yield int(found[1]), said
            process.send_signal(signal.SIGTERM)
            said += process.stderr.read().splitlines()
            assert process.wait(WITHIN_S) == 0, said
            assert "Traceback" not in "\n".join(said)
        finally:
            process.kill()


def test_web_serves_on_loopback_without_an_account(settings: Path) -> None:
    with page(settings) as (port, _):
        status, live = get(port, "/live")

    assert status == 200
    assert live["verdict"]["level"] == "bad"
    assert live["verdict"]["headline"] == "Not recording"


def test_web_names_a_port_that_is_taken(settings: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = edge("web", "--config", settings, "--port", port)

    assert done.returncode == 1
    assert done.stderr.startswith(f"edge: cannot listen on 127.0.0.1 port {port}")
    assert done.stderr.count("\n") == 1


def test_web_asks_for_an_address_that_the_machine_has() -> None:
    with pytest.raises(ConfigError, match=r"set \[web\] host to an address of this"):
        listen("192.0.2.1", 0)  # RFC 5737: nobody's


@needs_openssl
def test_web_on_the_network_speaks_tls_and_asks_for_a_code(settings: Path) -> None:
    with page(settings, "--host", "0.0.0.0") as (port, said):
        context = ssl.create_default_context(
            cafile=settings.parent / "web/certificate.pem"
        )
        connection = http.client.HTTPSConnection(
            "localhost", port, context=context, timeout=20
        )
        connection.request("GET", "/me", headers={"Host": f"127.0.0.1:{port}"})
        me = json.loads(connection.getresponse().read())
        connection.close()
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        plain.request("GET", "/export.csv?table=ecg")
        answer = plain.getresponse()
        assert answer.status == 308
        own = f"https://127.0.0.1:{port}"
        assert answer.headers["Location"] == f"{own}/export.csv?table=ecg"
        assert b"https://" in answer.read()  # for who does not follow it
        plain.close()

    assert me == {"first_use": True, "open": False}
    key = settings.parent / "web" / "key.pem"
    assert key.stat().st_mode & 0o077 == 0


@needs_openssl
def test_an_upload_without_tls_still_sees_where_to_go(tmp_path: Path) -> None:
    listener = listen("127.0.0.1", 0)
    server = Server(echo, listener, certificate.context(tmp_path, ()))
    with connect(listener.getsockname()[1]) as sock:
        head = b"POST /process_image HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n"
        sock.sendall(head + b"\r\n" + bytes(20_000))
        assert sock.recv(1, socket.MSG_PEEK)  # it has answered
        for _ in range(10):
            sock.sendall(bytes(20_000))
        assert b"\r\nLocation: https://x/process_image\r\n" in sock.recv(1000)
    server.stop()


@needs_openssl
def test_a_client_that_stalls_in_the_handshake_holds_up_nobody(tmp_path: Path) -> None:
    context = certificate.context(tmp_path, ())
    listener = listen("127.0.0.1", 0)
    server = Server(echo, listener, context)
    port = listener.getsockname()[1]
    trusting = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
    idle = [connect(port) for _ in range(40)]
    for sock in idle[::2]:
        sock.sendall(b"\x16\x03\x01\x02\x00")
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    with trusting.wrap_socket(sock, server_hostname="localhost") as secure:
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
        for number in range(3):
            body = b"x" * 70_000 * number
            head = b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
            secure.sendall(head % (number, len(body)) + body)
            assert b'"length": %d' % len(body) in secure.recv(1000)
    for sock in idle:
        sock.close()
    server.stop()


@needs_openssl
def test_the_fingerprint_is_that_of_the_certificate(tmp_path: Path) -> None:
    certificate.context(tmp_path, ("bed7.example.org",))
    command = ["openssl", "x509", "-in", str(tmp_path / "certificate.pem"), "-noout"]
    shown = subprocess.run(
        [*command, "-fingerprint", "-sha256", "-ext", "subjectAltName"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert certificate.fingerprint(tmp_path) in shown
    assert "DNS:bed7.example.org" in shown


@needs_openssl
@pytest.mark.parametrize("emptied", ["certificate.pem", "key.pem"])
def test_a_certificate_that_a_power_cut_emptied_is_made_again(
    emptied: str, tmp_path: Path
) -> None:
    certificate.context(tmp_path, ())
    before = certificate.fingerprint(tmp_path)
    certificate.context(tmp_path, ())
    assert certificate.fingerprint(tmp_path) == before
    (tmp_path / emptied).write_bytes(b"")

    certificate.context(tmp_path, ())

    assert certificate.fingerprint(tmp_path) != before
    assert {path.name for path in tmp_path.iterdir()} == {"certificate.pem", "key.pem"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_account_makes_lists_and_removes(settings: Path) -> None:
    account = ("account", "--config", settings)
    made = edge(*account, "--role", "admin", "add", "anna", input=PHRASE + "\n")
    token = edge(*account, "token", "nightly")
    listed = edge(*account, "list")
    weak = edge(*account, "add", "bert", input="short\n")
    gone = edge(*account, "remove", "anna")
    unknown = edge(*account, "remove", "anna")

    assert made.returncode == 0
    assert len(token.stdout.strip()) >= 43
    assert listed.stdout.split() == ["anna", "admin", "nightly", "viewer"]
    assert "15 to 128" in weak.stderr
    assert gone.returncode == 0
    assert unknown.stderr == "edge: there is no account 'anna'\n"


def test_account_that_is_there_keeps_its_role_and_its_kind(settings: Path) -> None:
    """The only admin would be locked out of the page."""
    account = ("account", "--config", settings)
    phrase = {"input": PHRASE + "\n"}
    new = edge(*account, "--role", "admin", "add", "anna", **phrase)
    as_script = edge(*account, "token", "anna")
    again = edge(*account, "add", "anna", input="another horse battery\n")
    edge(*account, "token", "nightly", "--role", "admin")
    as_person = edge(*account, "add", "nightly", **phrase)
    renewed = edge(*account, "token", "nightly", "--role", "viewer")
    accounts = Accounts(settings.parent / "web")

    assert new.stderr == "anna is new: admin\n"
    assert (as_script.returncode, as_script.stdout) == (1, "")
    assert "take another name for the script, e.g. anna-script" in as_script.stderr
    assert "the pass phrase is new, still admin" in again.stderr
    assert "'nightly' is a script with a token" in as_person.stderr
    assert "the token is new, was admin, is now viewer" in renewed.stderr
    assert accounts.names() == {"anna": "admin", "nightly": "viewer"}
    assert accounts.enter("anna", "another horse battery")
    assert accounts.bearer(renewed.stdout.strip())


def test_accounts_of_an_installed_box_are_those_of_its_page(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell has no STATE_DIRECTORY, and README's command no --config."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr("edge.config.INSTALLED", settings)
    monkeypatch.setattr("edge.commands.web.INSTALLED_STATE", tmp_path / "state")
    monkeypatch.setattr("sys.stdin", io.StringIO(PHRASE + "\n"))
    page = Accounts(tmp_path / "state")  # runs on
    assert page.names() == {}

    assert main(["account", "add", "anna", "--role", "admin"]) == 0
    assert page.names() == {"anna": "admin"}
    assert main(["account", "remove", "anna"]) == 0
    assert page.names() == {}


def test_the_folder_of_the_page_is_its_units() -> None:
    unit = Path(__file__).parent.parent / "systemd/edge-web.service"
    assert f"\nStateDirectory={INSTALLED_STATE.name}\n" in unit.read_text()
    assert str(INSTALLED_STATE.parent) == "/var/lib"


def test_accounts_that_cannot_be_read_are_told_in_a_line(settings: Path) -> None:
    (settings.parent / "web").write_text("no folder")
    done = edge("account", "--config", settings, "list")

    assert done.returncode == 1
    assert "accounts.json cannot be read" in done.stderr
    assert done.stderr.count("\n") == 1


def test_phrase_is_asked_for_twice_at_a_terminal(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who mistyped it unseen would be locked out."""
    typed = [PHRASE, PHRASE + "x", PHRASE, PHRASE]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: typed.pop(0))
    accounts = Accounts(settings.parent / "web")
    words = ["account", "--config", str(settings)]

    assert main([*words, "list"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "edge account add" in told.err
    assert main([*words, "add", "anna"]) == 1
    assert "not the same" in capsys.readouterr().err
    assert accounts.names() == {}
    assert main([*words, "add", "anna"]) == 0
    assert accounts.enter("anna", PHRASE)
    assert not typed
