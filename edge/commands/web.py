"""`edge web`: the page, until stopped."""

import argparse
import ipaddress
import logging
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

from edge import config
from edge.commands import port, take_config
from edge.control import Client
from edge.systemd import ServiceManager, listening_sockets
from edge.web import certificate
from edge.web.accounts import Accounts
from edge.web.app import make_app
from edge.web.guard import Door
from edge.web.server import Server, listen
from edge.worker import Ending

logger = logging.getLogger(__name__)

INSTALLED_STATE = Path("/var/lib/ecg-pose-edge-web")
"""StateDirectory= of edge-web.service, which alone is told of it by systemd."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file, and address and port in place of its own."""
    take_config(parser)
    parser.add_argument("--host", help="address to listen on, in place of [web] host")
    parser.add_argument(
        "--port", type=port, help="port, in place of [web] port; 0: a free one"
    )
    parser.add_argument("--debug", action="store_true", help="log every request")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until SIGTERM or Ctrl-C."""
    settings = config.load(arguments.config)
    web = replace(
        settings.web,
        host=arguments.host or settings.web.host,
        port=settings.web.port if arguments.port is None else arguments.port,
    )
    settings = replace(settings, web=web)
    level = logging.DEBUG if arguments.debug else logging.INFO
    logging.basicConfig(level=level, format="%(message)s")
    return serve(settings, state_folder(settings, arguments.config))


def serve(settings: config.Settings, state: Path) -> int:
    """Serve with the page's own folder *state* until a signal comes; 0."""
    manager = ServiceManager()
    asked = Ending()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    listener = listen(settings.web.host, settings.web.port, listening_sockets())
    door = door_of(settings, listener)
    context = certificate.context(state, door.hosts) if door.tls else None
    client = Client(settings.control_socket)
    accounts = Accounts(state)
    app = make_app(settings.database, client, settings, state, door, accounts)
    server = Server(app, listener, context)
    announce(door, listener, state)
    if not door.loopback and accounts.first_use_code:
        logger.info("No account yet. First-use code: %s", accounts.first_use_code)
    manager.ready(f"page on port {listener.getsockname()[1]}")
    asked.wait()
    manager.stopping()
    server.stop()
    return 0


def door_of(settings: config.Settings, listener: socket.socket) -> Door:
    """Return how the page is reached: open on loopback, else with accounts and TLS."""
    address = ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
    loopback = address.is_loopback
    return Door(loopback, settings.web.tls or not loopback, settings.web.hosts)


def state_folder(settings: config.Settings, file: Path) -> Path:
    """
    Return the page's own folder: systemd's, also in a shell that reads the
    configuration *file* of the installed box, else one beside the recording.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    installed = file.resolve() == config.INSTALLED.resolve()
    return INSTALLED_STATE if installed else settings.box.data_dir / "web"


def announce(door: Door, listener: socket.socket, state: Path) -> None:
    """Say on the console where the page is and how to get in."""
    host, port = listener.getsockname()[:2]
    name = host if door.loopback else socket.gethostname()
    name = f"[{name}]" if ":" in name else name
    logger.info("The page: %s://%s:%s/", "https" if door.tls else "http", name, port)
    if door.tls:
        logger.info("Certificate (SHA-256): %s", certificate.fingerprint(state))
