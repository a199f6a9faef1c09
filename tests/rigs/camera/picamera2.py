"""
Stands where picamera2 is looked for: the package's own fake of a Pi camera, which does
what the file that FAKE_CAMERA names says, read at every capture:

  ok      frames come
  stall   none comes, each wait ends: libcamera's frontend timeout
  freeze  one picture with one stamp, again and again
  hang    a capture never returns, whatever its limit
  unplug  each capture fails
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.sources.fakepicamera2 import FakePicamera2, FakeRequest

LOOK_S = 0.02
MOOD = Path(os.environ["FAKE_CAMERA"])


class Picamera2(FakePicamera2):
    """A camera that fails when it is told to."""

    @contextmanager
    def captured_request(
        self, wait: Any = None, flush: Any = None
    ) -> Iterator[FakeRequest]:
        """Yield the next frame, unless the file says otherwise."""
        mood = MOOD.read_text()
        while mood == "hang":
            time.sleep(LOOK_S)
        if mood == "freeze" and self._frozen is None:
            self.freeze()
        elif mood == "unplug":
            self.unplug()
        self.cover(mood == "stall")
        with super().captured_request(wait, flush) as request:
            yield request
