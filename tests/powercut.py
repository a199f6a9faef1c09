"""
What a disk may hold after the power went: states rebuilt from a log of operations.

What was synced is there. Of what was written since, anything may be: nothing, all, or
any of its writes, each torn at sectors. A sync that failed makes nothing durable, and
what it was asked to sync may never become so: the kernel takes it for clean.
"""

import random
from collections.abc import Iterator

from faultdisk import SECTOR, Op

State = dict[str, bytes]


class Medium:
    """One file: what is on the medium, and what waits to be."""

    def __init__(self, durable: bytes | None) -> None:
        self.durable = None if durable is None else bytearray(durable)
        self.pending: list[Op] = []

    def sync(self, op: Op) -> None:
        """Take what is pending for durable, or for lost if the sync failed."""
        if not op.failed:
            self.durable = applied(self.durable, self.pending)
        self.pending = []

    def is_deleted(self) -> bool:
        """Return whether the name was freed since the last sync."""
        return any(op.kind == "delete" for op in self.pending)

    def sync_folder(self) -> None:
        """Take a deletion that is pending for durable."""
        while self.is_deleted():
            self.durable = None
            self.pending.pop(0)


def applied(start: bytearray | None, ops: list[Op]) -> bytearray | None:
    """Return what *ops* make of *start*; ``None`` stands for no file."""
    data = None if start is None else bytearray(start)
    for op in ops:
        if op.kind == "delete":
            data = None
            continue
        data = bytearray() if data is None else data
        if op.kind == "truncate":
            del data[op.at :]
        end = op.at if op.kind == "truncate" else op.at + len(op.data)
        data.extend(bytes(max(end - len(data), 0)))
        data[op.at : op.at + len(op.data)] = op.data
    return data


def some_of(ops: list[Op], chance: random.Random) -> list[Op]:
    """Return a random part of *ops*: some left out, some torn at sectors."""
    share = chance.choice([0.1, 0.5, 0.9])
    part: list[Op] = []
    for op in ops:
        if chance.random() > share:
            continue
        if op.kind == "write" and chance.random() < 0.4:
            part += torn(op, chance)
        else:
            part.append(op)
    return part


def torn(op: Op, chance: random.Random) -> list[Op]:
    """Return the write *op* as the few of its sectors that were written."""
    first = op.at // SECTOR * SECTOR
    edges = range(first, op.at + len(op.data), SECTOR)
    parts = []
    for edge in edges:
        if chance.random() < 0.5:
            begin, end = max(edge, op.at), min(edge + SECTOR, op.at + len(op.data))
            data = op.data[begin - op.at : end - op.at]
            parts.append(op._replace(at=begin, data=data))
    return parts


def cuts(
    log: list[Op], begun: State, seed: int, acked: int = -1, every: int = 1
) -> Iterator[tuple[State, int]]:
    """
    Yield the states after each of *log*, with the newest note before that.

    *begun* is what the disk held at first. States that are the same as the last one of
    their sort are left out; with *every* only each so manieth operation is looked at.
    """
    chance = random.Random(seed)
    media = {name: Medium(data) for name, data in begun.items()}
    last: dict[str, State] = {}
    for number, op in enumerate(log):
        if op.kind == "note":
            acked = op.at
        elif op.kind == "sync":
            medium = media.setdefault(op.name, Medium(None))
            if medium.durable is None or medium.is_deleted():
                # SQLite syncs the folder with the first sync of a new log.
                for other in media.values():
                    other.sync_folder()
            medium.sync(op)
        else:
            media.setdefault(op.name, Medium(None)).pending.append(op)
        if number % every:
            continue
        for sort in ("nothing", "all", "some"):
            state = state_of(media, sort, chance)
            if last.get(sort) != state:
                last[sort] = state
                yield state, acked


def state_of(media: dict[str, Medium], sort: str, chance: random.Random) -> State:
    """Return the files if the power goes now."""
    state: State = {}
    for name, medium in media.items():
        ops = {"nothing": [], "all": medium.pending}.get(sort)
        if ops is None:
            ops = some_of(medium.pending, chance)
        data = applied(medium.durable, ops)
        if data is not None:
            state[name] = bytes(data)
    return state
