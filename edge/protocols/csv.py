"""
Boards that send lines: numbers between commas, a line a sample.

Which column is what is a matter of configuration; without one it is the eight fields
of the original system. A line with the names of columns is a header and sets their
order until the port is lost, or until a line fits only the order before it: then the
header was damaged. The leads are sent in millivolts and kept in nanovolts, so nothing
is lost. A line that holds ``!`` says that an electrode is off (SparkFun AD8232 sketch,
`Heart_Rate_Display_Arduino.ino`).

Lines carry no checksum and no counter; the board sends at its own pace. The first
line may have lost its beginning, so it counts only as a header that begins with a
column or names all that are used, or when it starts with a whole timestamp.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.protocols import Board, Packets, Tally
from edge.protocols.vitals import (
    NOT_STATED,
    RANGES,
    REFUSED,
    Stated,
    judge_pressure,
)
from edge.records import MISSING

COLUMNS = (
    "timestamp",
    "heart_rate",
    "ecg_lead1",
    "ecg_lead2",
    "ecg_lead3",
    "blood_pressure_systolic",
    "blood_pressure_diastolic",
    "oxygen_saturation",
)
"""The original system's fields; a board's own timestamp is not used."""

LEADS = {"ecg_lead1": "I", "ecg_lead2": "II", "ecg_lead3": "III"}
"""Columns whose lead has another name; any other column's lead is called like it."""

IGNORED = ("timestamp", "")
NANOVOLTS = 1e6  # counts per millivolt
LONGEST_LINE_BYTES = 1024
LEAD_OFF = -np.inf  # in place of a lead's millivolts

WORDS_FOR_NONE = {  # to what is kept in place of a number
    b"": NOT_STATED,
    b"--": NOT_STATED,
    b"nan": NOT_STATED,  # Arduino's Print.cpp, `printFloat`; C's printf has the signs
    b"-nan": NOT_STATED,
    b"inf": REFUSED,
    b"-inf": REFUSED,
    b"ovf": REFUSED,
}

NUMERIC = b"0123456789+-.eE \t"
PLAIN = NUMERIC + b",\r\nTZ:/"  # with those of a timestamp
WORDS = re.compile(rb"[ -~]*[A-Za-z]{3}[ -~]*")
NO_NAME = re.compile("[-+.0-9]")  # how numbers begin, and no column's name
TIMESTAMP = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^,]*,")
NOTES_AT_MOST = 8  # a call; a board that talks without end is not quoted in full

Table = NDArray[np.float64]
"""A row a line: millivolts of the leads, then the vitals, as configured."""


class Csv:
    """Decoder of one stream."""

    def __init__(self, columns: tuple[str, ...], baud: int) -> None:
        leads = [name for name in columns if name not in (*RANGES, *IGNORED)]
        self._vitals = [name for name in columns if name in RANGES]
        self._names = [*leads, *self._vitals]
        self._stated = Stated(self._vitals)
        self.board = Board(
            name="csv",
            leads=tuple(LEADS.get(name, name) for name in leads),
            gain=(NANOVOLTS,) * len(leads),
            baseline=(0,) * len(leads),
            sampling_rate_hz=0.0,
            counter_modulus=0,
            checked=False,
            baud=baud,
        )
        self._configured = columns
        self._proven = columns  # the order that lines had, whatever a header says now
        self._order(columns)
        self._rest = b""
        self._whole = False  # the next line begins where the board began it
        self._overlong = False
        self._lines = self._damaged = self._skipped_bytes = 0
        self._first = 0  # lines before this call
        self._noted = 0  # damaged ones before the last line
        self._lost: dict[int, int] = {}  # by line of this call, those just before it

    @property
    def tally(self) -> Tally:
        """Return what was accepted and what was dropped so far."""
        return Tally(self._lines, self._damaged, self._skipped_bytes)

    def feed(self, data: bytes) -> Packets:
        """Return the lines that *data* completes."""
        before = len(self._rest)
        stream = self._rest + data
        self._lost = {}
        self._first = self._lines
        stop = stream.rfind(b"\n") + 1
        notes: list[str] = []
        table, ends = self._at_once(stream[:stop]) or self._one_by_one(
            stream[:stop], notes
        )
        self._keep(stream[stop:])
        return self._packets(table, ends - before, tuple(notes[:NOTES_AT_MOST]))

    def restart(self) -> None:
        """Forget what is half read."""
        self._skipped_bytes += len(self._rest)
        self._rest = b""
        self._whole = self._overlong = False
        self._noted = self._damaged
        self._proven = self._configured
        self._order(self._configured)
        self._stated.restart()

    def _keep(self, rest: bytes) -> None:
        """Keep the beginning of a line, unless it is too long to be one."""
        if self._overlong or len(rest) > LONGEST_LINE_BYTES:
            self._overlong = True
            self._skipped_bytes += len(rest)
            rest = b""
        self._rest = rest

    def _order(self, columns: Sequence[str]) -> None:
        """Take the columns in this order from now on."""
        self._columns = tuple(columns)
        used = [name for name in columns if name in self._names]
        self._unused = [
            index for index, name in enumerate(columns) if name not in self._names
        ]
        # a column that the header left out is found behind the last
        self._places = [
            used.index(name) if name in used else len(used) for name in self._names
        ]
        self._complete = len(used) == len(self._names)

    def _at_once(self, block: bytes) -> tuple[Table, NDArray[np.int64]] | None:
        """Return the table of *block* and where its lines end, if all are in order."""
        if not self._whole or self._overlong or block.translate(None, PLAIN):
            return None
        if not block:
            return np.empty((0, len(self._names))), np.empty(0, np.int64)
        data = np.frombuffer(block, np.uint8)
        newlines = data == ord("\n")
        separators = np.flatnonzero(newlines | (data == ord(",")))
        ends = separators[len(self._columns) - 1 :: len(self._columns)]
        if (
            len(separators) != len(ends) * len(self._columns)
            or not newlines[ends].all()  # each line has these columns, no multiple
            or np.count_nonzero(newlines) != len(ends)
            or block.count(b"\r") != block.count(b"\r\n")
            or (len(block) > LONGEST_LINE_BYTES and longest(ends) > LONGEST_LINE_BYTES)
        ):
            return None
        fields = block.replace(b"\r\n", b"\n").replace(b"\n", b",").split(b",")
        del fields[-1]
        for removed, index in enumerate(self._unused):
            del fields[index - removed :: len(self._columns) - removed]
        try:
            numbers = [float(field or b"nan") for field in fields]
        except ValueError:
            return None
        self._count(len(ends))
        return self._table(numbers, len(ends)), ends + 1

    def _count(self, lines: int) -> None:
        """Count *lines* that fit the present order of columns."""
        if self._damaged > self._noted:
            self._lost[self._lines - self._first] = self._damaged - self._noted
            self._noted = self._damaged
        self._lines += lines
        self._proven = self._columns

    def _table(self, numbers: list[float], lines: int) -> Table:
        """Return *numbers*, sent line by line, with the columns as configured."""
        table = np.maximum(np.array(numbers, np.float64), -1e300)  # no -inf
        table = table.reshape(lines, -1)
        if self._complete:
            return table[:, self._places]
        return np.column_stack([table, np.full(lines, NOT_STATED)])[:, self._places]

    def _one_by_one(
        self, block: bytes, notes: list[str]
    ) -> tuple[Table, NDArray[np.int64]]:
        """Return the table of *block* and where its lines end, without the bad ones."""
        rows = []
        ends = []
        end = 0
        for line in block.split(b"\n")[:-1]:
            end += len(line) + 1
            row = self._row(line, notes)
            self._whole = True
            self._overlong = False
            if row is None:
                self._skipped_bytes += len(line) + 1
            else:
                self._count(1)
                rows.append(row)
                ends.append(end)
        table = np.concatenate(rows) if rows else np.empty((0, len(self._names)))
        return table, np.array(ends, np.int64)

    def _row(self, line: bytes, notes: list[str]) -> Table | None:
        """Return the one row of *line*, or ``None`` if it is not one."""
        text = line.strip(b"\r")  # before it: of a line that ended with \n\r
        fields = text.split(b",")
        torn = self._overlong or len(line) >= LONGEST_LINE_BYTES or not line.isascii()
        if not torn and self._header(fields, notes):
            return None
        if not self._whole and not TIMESTAMP.match(text):
            return None
        if not torn and not text and len(self._columns) > 1:
            return None
        if fields == [b"!"] and len(self._names) == 1:
            return np.array([[LEAD_OFF]])
        if not torn and (numbers := self._fitting(fields, notes)):
            return self._table(numbers, 1)
        if not torn and len(fields) == 1 and says_something(text):
            notes.append(text.decode("ascii").strip()[:80])
        else:
            self._damaged += 1
        return None

    def _header(self, fields: list[bytes], notes: list[str]) -> bool:
        """Return whether *fields* are names of columns; take their order if so."""
        names = [field.strip().decode("ascii").lower() for field in fields]
        known = [name for name in names if name in self._names]
        begun = self._whole or names[0] in (*self._names, "timestamp")
        if (
            not known
            or len(set(known)) < len(known)
            or not (begun or len(known) == len(self._names))
            or any(NO_NAME.match(name) for name in names if name not in self._names)
        ):
            return False
        if self._lines:
            notes.append("a header line again: the board has started anew")
        self._order(names)
        return True

    def _fitting(self, fields: list[bytes], notes: list[str]) -> list[float] | None:
        """Return the numbers in *fields*, in the order of the header or before it."""
        header = self._columns
        if (numbers := self._numbers(fields)) or header == self._proven:
            return numbers
        self._order(self._proven)
        if numbers := self._numbers(fields):
            notes.append("a damaged header line: the columns are as before it")
        else:
            self._order(header)
        return numbers

    def _numbers(self, fields: list[bytes]) -> list[float] | None:
        """Return the numbers in *fields*, without the columns that are not used."""
        if len(fields) != len(self._columns):
            return None
        used = [f for index, f in enumerate(fields) if index not in self._unused]
        return numbers_in([field.strip(b" \t").lower() for field in used])

    def _packets(
        self, table: Table, ends: NDArray[np.int64], notes: tuple[str, ...]
    ) -> Packets:
        leads = len(self.board.leads)
        names = self._vitals
        if {"blood_pressure_systolic", "blood_pressure_diastolic"} <= set(names):
            judge_pressure(
                table[:, leads + names.index("blood_pressure_systolic")],
                table[:, leads + names.index("blood_pressure_diastolic")],
            )
        nanovolts = table[:, :leads] * NANOVOLTS
        sent = np.abs(nanovolts) < -MISSING  # false for no number
        counts = np.rint(np.where(sent, nanovolts, MISSING)).astype(np.int32)
        return Packets(
            counts=counts,
            counter=np.empty(0, np.int64),
            ends=ends,
            readings=self._stated.feed(table[:, leads:]),
            notes=notes,
            reasons=reasons(nanovolts, sent),
            lost=self._damaged_before(len(table)),
        )

    def _damaged_before(self, lines: int) -> NDArray[np.int64]:
        """Return how many damaged lines came just before each, empty if none did."""
        lost = np.zeros(lines if self._lost else 0, np.int64)
        for line, damaged in self._lost.items():
            lost[line] = damaged
        return lost


def numbers_in(fields: list[bytes]) -> list[float] | None:
    """
    Return the numbers that *fields* are, or stand for; ``None`` if one is neither, or
    if there are words and no number.
    """
    words = [field for field in fields if field in WORDS_FOR_NONE]
    if len(words) == len(fields) and any(words):
        return None
    sent = [field for field in fields if field not in WORDS_FOR_NONE]
    if b"".join(sent).translate(None, NUMERIC):
        return None
    try:
        return [
            WORDS_FOR_NONE[field] if field in WORDS_FOR_NONE else float(field)
            for field in fields
        ]
    except ValueError:
        return None


def says_something(text: bytes) -> bool:
    """Return whether *text* is words, for people."""
    return text.strip().lower() not in WORDS_FOR_NONE and bool(WORDS.fullmatch(text))


def longest(ends: NDArray[np.int64]) -> int:
    """Return the length of the longest line, by where the lines end."""
    return int(np.diff(ends, prepend=-1).max(initial=0))


def reasons(nanovolts: Table, sent: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return for each lead why its first missing value is missing, "" if none is."""
    if sent.all():
        return ("",) * int(sent.shape[1])
    found: list[str] = []
    for lead, there in zip(nanovolts.T, sent.T, strict=True):
        value = 0.0 if there.all() else float(lead[~there][0])
        reason = "lead_off" if value == LEAD_OFF else "out_of_range"
        found.append("" if there.all() else "not_sent" if np.isnan(value) else reason)
    return tuple(found)


def decoder(columns: Sequence[str] = COLUMNS, baud: int = 115_200) -> Csv:
    """
    Return a decoder of lines with *columns*: names of records.VITALS, ``timestamp``
    or an empty name for what is not used, and leads in millivolts.

    :raises ConfigError: if there is no lead, or a name twice
    """
    names = tuple(name.strip().lower() for name in columns) or COLUMNS
    used = [name for name in names if name not in IGNORED]
    if len(set(used)) < len(used) or set(used) <= set(RANGES):
        raise ConfigError(
            f"columns {', '.join(names)}: name each once, and at least one ECG lead"
        )
    return Csv(names, baud)
