"""
Stands where picamera2 is looked for: `fakepicamera2`, a Pi camera that is none, which
does what the file that FAKE_CAMERA names says, read at every capture:

  ok      frames come
  stall   none comes, each wait ends: libcamera's frontend timeout
  freeze  one picture with one stamp, again and again
  hang    a capture never returns, whatever its limit
  unplug  each capture fails
"""

import os
import time
from pathlib import Path

from fakepicamera2 import FakePicamera2, FakeRequest

LOOK_S = 0.02
MOOD = Path(os.environ["FAKE_CAMERA"])


class Picamera2(FakePicamera2):
    """A camera that fails when it is told to."""

    def next_request(self, timeout: float) -> FakeRequest:
        """Return the next frame, unless the file says otherwise."""
        mood = MOOD.read_text()
        while mood == "hang":
            time.sleep(LOOK_S)
        if mood == "freeze" and self._frozen is None:
            self.freeze()
        elif mood == "unplug":
            self.unplug()
        self.cover(mood == "stall")
        return super().next_request(timeout)
