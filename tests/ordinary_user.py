"""What a process may do in a folder when it is not root, also where the tests are."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def open_folder() -> Iterator[Path]:
    """Give a folder that everybody may look into, and into what is made meanwhile."""
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            yield folder
    finally:
        os.umask(before)


@contextmanager
def ordinary_user(folder: Path, mode: int) -> Iterator[None]:
    """Let this process do in *folder* only what *mode* allows for a while."""
    folder.chmod(mode)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
