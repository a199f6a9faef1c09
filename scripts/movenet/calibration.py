"""
Squares of real people, upright and turned, to learn the ranges of activations from.

None of the pictures is one the model is measured on.
"""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

VIDEOS = {
    # in the packages, with the number of frames taken of each
    "Pose2Sim/Demo_SinglePerson/videos/cam0[1-4].mp4": 6,
    "Pose2Sim/Demo_MultiPerson/videos/cam0[1-4].mp4": 4,
    "Sports2D/Demo/demo.mp4": 10,
}
PHOTOGRAPHS = "package/demo/sample[1-6].jpg"

TURNS = [0, 0, 0, 90, 180, 270]  # degrees; half of the squares are about upright
TILT = 20  # degrees to either side of these
WHOLE = 0.3  # of the squares show all of a picture, between black bars
SMALLEST, LARGEST = 0.35, 1.05  # sides of the others, of the picture's longer side
OFF_CENTRE = 0.25  # of the picture, at most
DARKEST, BRIGHTEST = 0.6, 1.25


def pictures(folder: Path) -> list[Image.Image]:
    """Return the photographs and frames of the packages unpacked in *folder*."""
    found = [
        frame
        for pattern, count in VIDEOS.items()
        for path in sorted(folder.glob(pattern))
        for frame in frames(path, count)
    ]
    for path in sorted(folder.glob(PHOTOGRAPHS)):
        with Image.open(path) as photograph:
            found.append(photograph.convert("RGB"))
    if len(found) != 56:
        raise FileNotFoundError(f"{len(found)} of 56 pictures are in {folder}")
    return found


def frames(path: Path, count: int) -> list[Image.Image]:
    """Return *count* frames of the video *path*, evenly spread."""
    with av.open(str(path)) as video:
        length = video.streams.video[0].frames
        taken = {(2 * i + 1) * length // (2 * count) for i in range(count)}
        numbered = enumerate(video.decode(video=0))
        return [frame.to_image() for i, frame in numbered if i in taken]


def squares(
    people: list[Image.Image], rounds: int, seed: int, size: int
) -> list[NDArray[np.uint8]]:
    """
    Return *rounds* different squares of each picture of *people*: uint8 of shape
    (*size*, *size*, 3), RGB.
    """
    rng = np.random.default_rng(seed)
    return [square(picture, rng, size) for _ in range(rounds) for picture in people]


def square(
    picture: Image.Image, rng: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    """Return a square of *picture*: turned, moved, resized, lit and mirrored."""
    turn = float(rng.choice(TURNS))
    centre, side = np.array(picture.size) / 2, float(max(picture.size))
    if rng.random() >= WHOLE:
        turn += rng.uniform(-TILT, TILT)
        centre += rng.uniform(-OFF_CENTRE, OFF_CENTRE, 2) * picture.size
        side *= rng.uniform(SMALLEST, LARGEST)
    seen = np.float32(looked_at(picture, centre, side, turn, size))
    seen = np.clip(seen * rng.uniform(DARKEST, BRIGHTEST), 0, 255)
    return np.uint8(seen[:, ::-1] if rng.random() < 0.5 else seen)


def looked_at(
    picture: Image.Image,
    centre: NDArray[np.float64],
    side: float,
    turn: float,
    size: int,
) -> Image.Image:
    """
    Return the square of *side* around *centre*, turned by *turn* degrees, in *size*
    pixels.
    """
    reduced = picture.reduce(max(1, round(side / size / 1.2)))
    scale = side / size * reduced.width / picture.width
    x, y = centre * reduced.width / picture.width
    along = np.cos(np.deg2rad(turn)) * scale
    across = np.sin(np.deg2rad(turn)) * scale
    half = size / 2
    matrix = (
        *(along, -across, x - half * (along - across)),
        *(across, along, y - half * (across + along)),
    )
    return reduced.transform(
        (size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
