"""
ECG records that several clients post at the same time.

While the recorder commits some, those that come meanwhile gather, and go to it
together: each is answered after its commit, but not each has a commit of its own.
"""

import threading
from concurrent.futures import Future

from edge.control import Post
from edge.errors import ControlError
from edge.records import BoxNs
from edge.web.box import Recorder


class Posts:
    """The posts on their way to the *recorder*. Any thread may call."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._waiting: list[tuple[Post, Future[BoxNs]]] = []
        self._gathering = threading.Lock()
        self._asking = threading.Lock()

    def keep(self, post: Post) -> BoxNs:
        """
        Return the instant of *post* once it is on the card.

        :raises ControlError: if the recorder does not answer, or refuses
        """
        kept: Future[BoxNs] = Future()
        with self._gathering:
            self._waiting.append((post, kept))
        with self._asking:
            if not kept.done():  # else another thread has asked for it too
                self._ask()
        return kept.result(0)

    def _ask(self) -> None:
        """Ask the recorder to keep all that wait."""
        with self._gathering:
            waiting, self._waiting = self._waiting, []
        try:
            instants = self._recorder.ecg_records([post for post, _ in waiting])
        except ControlError as error:
            for _, kept in waiting:
                kept.set_exception(error)
            return
        for (_, kept), instant in zip(waiting, instants, strict=True):
            kept.set_result(instant)
