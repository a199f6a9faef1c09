"""Picture files become pixels, or a sentence says why not."""

import io
import random
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from edge.errors import PictureError
from edge.pictures import MOST_BYTES, read_picture, shrink

SIDE = (48, 32)


def gradient() -> np.ndarray:
    """Return a picture that differs in every direction and colour."""
    y, x = np.mgrid[0 : SIDE[1], 0 : SIDE[0]]
    return np.stack([5 * x, 7 * y, 3 * x + 2 * y], axis=2).astype(np.uint8)


def saved(kind: str, pixels: np.ndarray | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gradient() if pixels is None else pixels).save(
        file, kind, **options
    )
    return file.getvalue()


@pytest.mark.parametrize("kind", ["BMP", "PNG"])
def test_lossless_files_give_their_pixels(kind: str) -> None:
    found = read_picture(saved(kind))

    assert found.dtype == np.uint8
    assert np.array_equal(found, gradient())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_other_files_come_close(kind: str) -> None:
    found = read_picture(saved(kind)).astype(int)

    assert found.shape == (SIDE[1], SIDE[0], 3)
    assert np.abs(found - gradient()).mean() < 25


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    file = io.BytesIO()
    image = Image.fromarray(gradient())
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    image.save(file, "JPEG" if mode == "CMYK" else "PNG")

    assert read_picture(file.getvalue()).shape == (SIDE[1], SIDE[0], 3)


def test_grey_of_16_bits_is_as_bright_as_grey_of_8() -> None:
    grey = gradient()[:, :, 0]
    fine = grey.astype(np.uint16) * 256 + np.arange(SIDE[0], dtype=np.uint16)
    turned = Image.Exif()
    turned[0x0112] = 6

    found = read_picture(saved("PNG", fine))
    upright = read_picture(saved("PNG", fine, exif=turned.tobytes()))

    assert found.dtype == np.uint8
    assert np.array_equal(found, np.stack([grey] * 3, axis=2))
    assert np.array_equal(upright, np.rot90(found, -1))


def test_a_picture_of_a_turned_camera_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is on the right: turn by 90° clockwise
    found = read_picture(saved("PNG", exif=exif.tobytes()))

    assert np.array_equal(found, np.rot90(gradient(), -1))


@pytest.mark.parametrize("kind", ["BMP", "PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.95])
def test_a_file_that_is_cut_off_is_refused(kind: str, part: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (*SIDE, 3), np.uint8)
    data = saved(kind, noise)

    with pytest.raises(PictureError):
        read_picture(data[: int(len(data) * part)])


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.4", b"GIF89a", b"SIMPLE  =   T" + bytes(2880), b"BM" * 40]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match="cannot be read"):
        read_picture(data)


def test_too_many_bytes_or_pixels_are_refused() -> None:
    huge = bytearray(saved("BMP"))
    huge[18:26] = (9000).to_bytes(4, "little") + (9000).to_bytes(4, "little")

    with pytest.raises(PictureError, match="9000 × 9000"):
        read_picture(bytes(huge))
    with pytest.raises(PictureError, match="20 MB"):
        read_picture(bytes(MOST_BYTES + 1))


@pytest.mark.parametrize("seed", range(8))
def test_damaged_bytes_raise_nothing_else(seed: int) -> None:
    draw = random.Random(seed)
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP"):
        whole = saved(kind)
        for _ in range(40):
            data = bytearray(whole)
            for _ in range(draw.randint(1, 8)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            with suppress(PictureError):
                assert read_picture(bytes(data)).ndim == 3


@pytest.mark.parametrize(("most", "side"), [(5000, 1), (1000, 2), (100, 4)])
def test_shrinking_averages_squares(most: int, side: int) -> None:
    whole = gradient()
    small, found = shrink(whole, most)
    height, width = SIDE[1] // side, SIDE[0] // side
    squares = whole.reshape(height, side, width, side, 3).mean(axis=(1, 3))

    assert found == side
    assert np.abs(small - squares).max() <= 1


def test_a_line_of_pixels_stays_one() -> None:
    line = np.zeros((1, 50_000, 3), np.uint8)

    assert shrink(line, 1000)[0].shape == line.shape


def test_long_thin_picture_is_refused_for_its_side() -> None:
    thin = saved("BMP", np.zeros((1, 70_000, 3), np.uint8))
    with pytest.raises(PictureError, match="70000 × 1 .* 65500 along a side"):
        read_picture(thin)
