"""ECG chunks and poses as rows, and back."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edge.database.packing import pack, unpack
from edge.database.sums import Damaged, Row, crc_of, real, text, whole
from edge.records import KEYPOINTS, BoxNs, EcgChunk, Pose, PoseState, Stamp

NO_KEYPOINTS = np.zeros((len(KEYPOINTS), 3), "<f4").tobytes()
"""What a picture without a body has; stored as no bytes."""


# Chunks: segment, start, last, period_ns, uncertainty_ns, samples, codes, counts,
# offsets_us, reasons, crc


def chunk_row(chunk: EcgChunk) -> Row:
    """
    Return the row of *chunk*, without its id.

    :raises ValueError: if its arrays do not fit together
    """
    counts = np.asarray(chunk.counts)
    if counts.ndim != 2 or not counts.size or counts.dtype != np.int32:
        raise ValueError(f"counts are {counts.dtype} of shape {counts.shape}")
    offsets = offsets_bytes(chunk, len(counts))
    codes, data = pack(counts)
    values = (
        whole(chunk.segment),
        whole(chunk.start),
        whole(last_sample(chunk)),
        real(chunk.period_ns),
        whole(chunk.uncertainty_ns),
        len(counts),
        codes,
    )
    reasons = json.dumps(list(chunk.reasons)) if any(chunk.reasons) else ""
    crc = crc_of((*values, reasons), data, offsets)
    return (*values, data, offsets, reasons, crc)


def offsets_bytes(chunk: EcgChunk, samples: int) -> bytes | None:
    """
    Return the offsets of *chunk* as bytes, ``None`` if it has a period.

    :raises ValueError: if there is not one for each of *samples*
    """
    if chunk.offsets_us is None:
        return None
    if chunk.offsets_us.shape != (samples,):
        raise ValueError(f"{chunk.offsets_us.shape} offsets for {samples} samples")
    return chunk.offsets_us.astype("<u4").tobytes()


def last_sample(chunk: EcgChunk) -> BoxNs:
    """Return the instant of the last sample of *chunk*, which has at least one."""
    if chunk.offsets_us is not None:
        return BoxNs(chunk.start + 1000 * int(chunk.offsets_us.max()))
    return BoxNs(chunk.start + round((len(chunk.counts) - 1) * chunk.period_ns))


def chunk_of(row: Row) -> EcgChunk:
    """
    Return the chunk that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    segment, start, _last, period, uncertainty, samples, codes = row[:7]
    data, offsets, reasons, crc = cast(tuple[bytes, bytes | None, str, int], row[7:])
    if crc_of((*row[:7], reasons), data, offsets) != crc:
        raise Damaged("wrong sum")
    return EcgChunk(
        cast(int, segment),
        BoxNs(cast(int, start)),
        cast(float, period),
        cast(int, uncertainty),
        unpack(cast(str, codes), data or b"", cast(int, samples)),
        None if offsets is None else np.frombuffer(offsets, "<u4").astype(np.uint32),
        tuple(json.loads(reasons)) if reasons else (),
    )


# Poses: exposed, uncertainty_ns, state, keypoints, width, height, inference_ms,
# picture, crc; origins: stamp, source, rotation, model, device


def pose_origin(pose: Pose) -> Row:
    """Return what *pose* shares with those before and after it."""
    return (
        text(pose.stamp),
        text(pose.source),
        whole(pose.rotation),
        text(pose.model),
        text(pose.device),
    )


def pose_row(pose: Pose, origin: Row) -> Row:
    """
    Return the row of *pose*, whose shared values are *origin*, without its id.

    :raises ValueError: if its keypoints have another shape
    """
    if pose.keypoints.shape != (len(KEYPOINTS), 3):
        raise ValueError(f"keypoints are of shape {pose.keypoints.shape}")
    keypoints = pose.keypoints.astype("<f4").tobytes()
    if keypoints == NO_KEYPOINTS:
        keypoints = b""
    before = (whole(pose.exposed), whole(pose.uncertainty_ns), text(pose.state))
    after = (
        whole(pose.width),
        whole(pose.height),
        real(pose.inference_ms),
        text(pose.picture),
    )
    crc = crc_of((*before, *after, *origin), keypoints)
    return (*before, keypoints, *after, crc)


def pose_of(row: Row, origin: Row) -> Pose:
    """
    Return the pose of *row* and the shared values *origin*.

    :raises Damaged: if they are not as they were written
    """
    check_pose(row, origin)
    exposed, uncertainty, state, keypoints, width, height, ms, picture, _ = row
    keypoints = cast(bytes, keypoints)
    stamp, source, rotation, model, device = cast(
        tuple[str, str, int, str, str], origin
    )
    points = np.frombuffer(keypoints or NO_KEYPOINTS, "<f4").astype(np.float32)
    return Pose(
        exposed=BoxNs(cast(int, exposed)),
        uncertainty_ns=cast(int, uncertainty),
        stamp=cast(Stamp, stamp),
        source=source,
        state=cast(PoseState, state),
        keypoints=points.reshape(-1, 3),
        width=cast(int, width),
        height=cast(int, height),
        rotation=rotation,
        model=model,
        device=device,
        inference_ms=cast(float, ms),
        picture=cast(str, picture),
    )


def check_pose(row: Row, origin: Row) -> None:
    """
    Compare the sum of a pose's *row* with what it and its *origin* hold.

    :raises Damaged: if they are not as they were written
    """
    keypoints = cast(bytes, row[3])
    if crc_of((*row[:3], *row[4:8], *origin), keypoints) != row[8]:
        raise Damaged("wrong sum")


class PoseBlock(NamedTuple):
    """Poses that follow one another, column by column; each as in `Pose`."""

    exposed: NDArray[np.int64]  # shape (poses,)
    uncertainty_ns: NDArray[np.int64]  # shape (poses,)
    state: Sequence[str]
    keypoints: NDArray[np.float32]  # shape (poses, 17, 3): x, y, score
    width: NDArray[np.int64]  # shape (poses,)
    height: NDArray[np.int64]  # shape (poses,)
    inference_ms: Sequence[float]
    picture: Sequence[str]
    stamp: Sequence[str]
    source: Sequence[str]
    rotation: NDArray[np.int64]  # shape (poses,)
    model: Sequence[str]
    device: Sequence[str]


def pose_block(rows: Sequence[Row]) -> PoseBlock:
    """Return the poses of sound *rows*, one at least, each with its origin behind."""
    columns: list[Any] = list(zip(*rows, strict=True))
    exposed, uncertainty, state, keypoints, width, height, ms, picture, _ = columns[:9]
    stamp, source, rotation, model, device = columns[9:]
    points = b"".join(blob or NO_KEYPOINTS for blob in keypoints)
    return PoseBlock(
        np.array(exposed, np.int64),
        np.array(uncertainty, np.int64),
        state,
        np.frombuffer(points, "<f4").reshape(len(rows), -1, 3),
        np.array(width, np.int64),
        np.array(height, np.int64),
        ms,
        picture,
        stamp,
        source,
        np.array(rotation, np.int64),
        model,
        device,
    )
