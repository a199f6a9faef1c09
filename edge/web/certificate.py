"""
The box's own certificate, made at the first start.

By the `openssl` command: signing needs a library that is ten times larger than this
program, and the command is on every Debian.
"""

import hashlib
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from edge.database.folder import sync_folder
from edge.errors import ConfigError
from edge.web.statefile import replace_whole

DAYS = 3650


def context(folder: Path, names: tuple[str, ...]) -> ssl.SSLContext:
    """
    Return what TLS needs, from `certificate.pem` and `key.pem` in *folder*.

    :raises ConfigError: if there is no certificate and none can be made
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (filled(certificate) and filled(key)):
        make(certificate, key, names)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    try:
        made.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{certificate} and {key} do not make a certificate ({error}): "
            f"remove both and start again"
        ) from error
    return made


def filled(path: Path) -> bool:
    """Return whether there is anything in *path*: a power cut can leave it empty."""
    return path.exists() and path.stat().st_size > 0


def make(certificate: Path, key: Path, names: tuple[str, ...]) -> None:
    """
    Put a key and a certificate for *names* that signs itself on the card.

    The key first and the certificate last: where that one is, both are.
    """
    folder = certificate.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as made:
            made_key, made_certificate = Path(made) / "key", Path(made) / "certificate"
            sign(made_certificate, made_key, names)
            replace_whole(key, made_key.read_bytes())
            replace_whole(certificate, made_certificate.read_bytes())
        sync_folder(folder)
    except OSError as error:
        raise ConfigError(f"no certificate could be made: {error}") from error


def sign(certificate: Path, key: Path, names: tuple[str, ...]) -> None:
    """Have openssl write a key and a certificate for *names* and this machine."""
    machine = socket.gethostname()
    every = dict.fromkeys((machine, f"{machine}.local", "localhost", *names))
    alternatives = ",".join(f"DNS:{name}" for name in every)
    command = [
        "openssl", "req", "-x509", "-newkey", "ec",
        "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
        "-days", str(DAYS), "-subj", f"/CN={machine[:60]}",
        "-addext", f"subjectAltName={alternatives}",
        "-addext", "extendedKeyUsage=serverAuth",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except FileNotFoundError as error:
        raise ConfigError("openssl is missing: apt-get install openssl") from error
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or str(error)
        raise ConfigError(f"no certificate could be made: {said.strip()}") from error


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of the certificate as browsers show it."""
    pem = (folder / "certificate.pem").read_text()
    first = pem[: pem.index("-----END CERTIFICATE-----") + 26]
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest().upper()
    return ":".join(found[at : at + 2] for at in range(0, 64, 2))
