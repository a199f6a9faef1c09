"""The supervision of the vision process, without the rest of the box."""

import threading
from typing import Self

from box import WITHIN_S, wait_for

from edge import config
from edge.clock import BoxClock
from edge.records import Event, Pose, Record
from edge.streams import Stream
from edge.vision.supervision import Supervision
from edge.worker import Worker


class Watched:
    """A supervision in its thread, and all it said."""

    def __init__(self, camera: config.Camera, pose: config.Pose) -> None:
        self.records: list[Record] = []
        clock = BoxClock(0)
        self.camera = Stream("camera", clock.now())
        self.pose = Stream("pose", clock.now())
        self.supervision = Supervision(
            config.Settings(camera=camera, pose=pose),
            clock,
            self.records.extend,
            self.camera,
            self.pose,
        )
        self.failed = threading.Event()
        self.worker = Worker("vision", self.supervision.work, self.failed.set)
        self.worker.start()

    def poses(self, device: str) -> int:
        return sum(isinstance(r, Pose) and r.device == device for r in self.records)

    def causes(self) -> list[str]:
        return [record.cause for record in self.records if isinstance(record, Event)]

    def wait_for_poses(self, device: str, more: int = 3) -> None:
        wanted = self.poses(device) + more
        wait_for(
            lambda: self.poses(device) >= wanted or None, lambda: str(self.causes())
        )

    def stop(self) -> None:
        assert self.worker.stop(WITHIN_S)
        assert not self.failed.is_set(), self.worker.failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
