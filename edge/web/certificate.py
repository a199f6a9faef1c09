"""
The box's own certificate, made at the first start.

By the `openssl` command: signing needs a library that is ten times larger than this
program, and the command is on every Debian.
"""

import hashlib
import os
import socket
import ssl
import subprocess
from pathlib import Path

from edge.errors import ConfigError

DAYS = 3650


def context(folder: Path, names: tuple[str, ...]) -> ssl.SSLContext:
    """
    Return what TLS needs, from `certificate.pem` and `key.pem` in *folder*.

    :raises ConfigError: if there is no certificate and none can be made
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.exists() and key.exists()):
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


def make(certificate: Path, key: Path, names: tuple[str, ...]) -> None:
    """Make a key and a certificate for *names* that signs itself."""
    machine = socket.gethostname()
    every = dict.fromkeys((machine, f"{machine}.local", "localhost", *names))
    alternatives = ",".join(f"DNS:{name}" for name in every)
    certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = key.with_suffix(".part")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec",
        "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
        "-days", str(DAYS), "-subj", f"/CN={machine[:60]}",
        "-addext", f"subjectAltName={alternatives}",
        "-addext", "extendedKeyUsage=serverAuth",
        "-keyout", str(part), "-out", str(certificate),
    ]  # fmt: skip
    before = os.umask(0o077)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        part.replace(key)
    except FileNotFoundError as error:
        raise ConfigError("openssl is missing: apt-get install openssl") from error
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise ConfigError(f"no certificate could be made: {said.strip()}") from error
    finally:
        os.umask(before)


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of the certificate as browsers show it."""
    pem = (folder / "certificate.pem").read_text()
    first = pem[: pem.index("-----END CERTIFICATE-----") + 26]
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest().upper()
    return ":".join(found[at : at + 2] for at in range(0, 64, 2))
