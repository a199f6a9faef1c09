"""A script of the original system's users, and what it may rely on."""

import csv
import io
from pathlib import Path
from typing import Any

from web_rig import Answer, StoringRecorder, ask, fields, form, picture

from edge.config import Settings
from edge.records import KEYPOINTS
from edge.web.app import make_app

ECG = {
    "heart_rate": 72,
    "ecg_lead1": 0.85,
    "ecg_lead2": 1.25,
    "ecg_lead3": -0.4,
    "blood_pressure_systolic": 120,
    "blood_pressure_diastolic": 80,
    "oxygen_saturation": 98,
}


POINTS = [f"{name}_{part}" for name in KEYPOINTS for part in ("y", "x", "confidence")]


COLUMNS = [
    "timestamp", "image_path", "pose_detected", *POINTS, "ecg_timestamp",
    "heart_rate", "ecg_lead1", "ecg_lead2", "ecg_lead3", "blood_pressure_systolic",
    "blood_pressure_diastolic", "oxygen_saturation", "ecg_matched",
]  # fmt: skip


STAMP = "2025-06-29T14:22:01.500000"


class Client:
    """A script of the original system's users."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.recorder = StoringRecorder(folder)
        self.app = make_app(
            self.recorder.path, self.recorder, settings or Settings(), folder / "web"
        )

    def ecg(self, **values: object) -> Answer:
        return ask(self.app, "POST", "/process_ecg", **fields(**values))

    def image(self, data: bytes | None = None, **more: Any) -> Answer:
        image = ("photo.bmp", picture() if data is None else data)
        return ask(self.app, "POST", "/process_image", **form(image=image, **more))

    def status(self) -> Any:
        return ask(self.app, "GET", "/status").json

    def export(self) -> Any:
        return ask(self.app, "GET", "/export").json

    def rows(self) -> list[dict[str, str]]:
        text = ask(self.app, "GET", "/export.csv").body.decode()
        return list(csv.DictReader(io.StringIO(text)))

    def uploads(self) -> list[Path]:
        folder = self.folder / "web" / "uploads"
        return sorted(folder.iterdir()) if folder.exists() else []
