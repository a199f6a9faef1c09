"""
Picture files to pixels, with bounds on size and memory: the only user of Pillow.

A file is judged by its content, never by its name. Its size in pixels is known from
its header and checked before anything is unpacked.
"""

import io
import math
import struct
import threading
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.errors import PictureError

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
"""What is looked at; each with a parser of its own, so no more than are of use."""

MOST_BYTES = 20 * 1024 * 1024
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 65_500
"""Beyond one of them a file is refused."""

unpacking = threading.Lock()
"""One picture at a time: 50 megapixels take up to 505 MB while they are turned."""

REFUSALS = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError,
    OverflowError, ZeroDivisionError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for files that are none, cut off or made to harm."""


def read_picture(data: bytes) -> NDArray[np.uint8]:
    """
    Return the picture in the file content *data*: uint8 array of shape (height,
    width, 3), RGB, upright as its EXIF orientation says; of several frames the first.

    :raises PictureError: if it is no picture, damaged, cut off or too large
    """
    if len(data) > MOST_BYTES:
        raise PictureError(f"larger than {MOST_BYTES >> 20} MB")
    with unpacking, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata; damage is an error
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                check_size(*image.size)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return rgb(image)
        except PictureError:
            raise
        except UnidentifiedImageError as error:
            kinds = ", ".join(FORMATS)
            raise PictureError(f"it cannot be read as one of {kinds}") from error
        except REFUSALS as error:
            words = " ".join(str(error).split())[:80]
            raise PictureError(f"it cannot be read: {words}") from error


def rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of *image*, of any mode that a file of `FORMATS` has."""
    if image.mode == "RGB":
        return np.asarray(image, np.uint8)
    if image.mode.startswith("I"):
        # 16 bits of grey, as a PNG has them: `convert` makes all above 255 white.
        high = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(high[:, :, np.newaxis], 3, axis=2)
    return np.asarray(image.convert("RGB"), np.uint8)


def read_picture_file(path: Path) -> NDArray[np.uint8]:
    """
    Return the picture in the file *path* as `read_picture` does.

    :raises PictureError: if it cannot be read, is no picture, damaged or too large
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise PictureError(f"it cannot be read: {error.strerror}") from error
    return read_picture(data)


def shrink(pixels: NDArray[np.uint8], most: int) -> tuple[NDArray[np.uint8], int]:
    """
    Return *pixels* with at most about *most* of them, each the mean of a square, and
    the side of that square: 1 where nothing had to be done.
    """
    height, width, _ = pixels.shape
    side = math.ceil(math.sqrt(height * width / most))
    side = min(side, height, width)
    if side <= 1:
        return pixels, 1
    return np.asarray(Image.fromarray(pixels).reduce(side), np.uint8), side


def check_size(width: int, height: int) -> None:
    """
    Accept a picture of *width* × *height*.

    :raises PictureError: if it is too large
    """
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise PictureError(
            f"{width} × {height} pixels are too many: at most "
            f"{MOST_PIXELS // 1_000_000} megapixels, {LONGEST_SIDE} along a side"
        )
