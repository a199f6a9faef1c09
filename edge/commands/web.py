"""`edge web`: the page, until stopped."""

import argparse
import logging
import signal
import threading
from dataclasses import replace
from pathlib import Path

from edge import config
from edge.control import Client
from edge.systemd import ServiceManager, listening_sockets
from edge.web.app import make_app
from edge.web.server import Server, listen

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file, and address and port in place of its own."""
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="configuration file"
    )
    parser.add_argument("--host", help="address to listen on, in place of [web] host")
    parser.add_argument("--port", type=int, help="port, in place of [web] port")
    parser.add_argument("--debug", action="store_true", help="log every request")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until SIGTERM or Ctrl-C."""
    settings = config.load(arguments.config)
    web = replace(
        settings.web,
        host=arguments.host or settings.web.host,
        port=arguments.port or settings.web.port,
    )
    settings = replace(settings, web=web)
    level = logging.DEBUG if arguments.debug else logging.INFO
    logging.basicConfig(level=level, format="%(message)s")
    return serve(settings)


def serve(settings: config.Settings) -> int:
    """Serve until a signal comes; 0."""
    manager = ServiceManager()
    client = Client(settings.control_socket)
    app = make_app(settings.database, client, settings)
    host, port = settings.web.host, settings.web.port
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    server = Server(app, listen(host, port, listening_sockets()))
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    manager.ready(f"page at {address}")
    logger.info("The page: %s", address)
    asked.wait()
    manager.stopping()
    server.stop()
    return 0
