"""LibreOffice opens the tables: no formula, no mangled number, no lost text."""

import csv
import math
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from records_store import START, S, chunk, event, pose, segment, session, vital

from edge.__main__ import main
from edge.export.cells import FORMULA_STARTS
from edge.records import BoxNs, Event, Record
from edge.store import Store

SECONDS = 600 if "EDGE_CAMPAIGN" in os.environ else 8
"""Ten minutes are a million cells."""

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
UTF8 = "Text - txt - csv (StarCalc):44,34,76,1"
"""Comma, quotes, UTF-8, from the first line; columns as LibreOffice takes them."""
HOSTILE = [
    *(f"{start}1+1" for start in FORMULA_STARTS),
    "=HYPERLINK(\"http://example.org\")", "@SUM(1)", "'quoted", "a,b;c\"d", "",
    "−5", "Käthe\nMüller",
]  # fmt: skip


def recording(path: Path) -> None:
    random = np.random.default_rng(11)
    records: list[Record] = [session(), segment()]
    for second in range(SECONDS):
        at = START + second * S
        records.append(chunk(random, at))
        records += [pose(random, at + n * S // 15) for n in range(15)]
        records += [vital(random, at), event(random, at)]
    for number, text in enumerate(HOSTILE):
        at = BoxNs(START + number)
        records.append(Event(at, None, "marker", "", text, {"note": text}))
    with Store(path) as store:
        store.append(records)


def test_libreoffice_reads_every_cell_as_it_is(tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if not office:
        pytest.skip("soffice (package libreoffice-calc-nogui) is not installed")
    recording(tmp_path / "edge.db")
    out = tmp_path / "out"
    words = ["--database", str(tmp_path / "edge.db"), "--output", str(out)]
    assert main(["export", *words]) == 0
    tables = sorted(out.glob("*.csv"))
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    command = [office, home, "--headless", f"--infilter={UTF8}", "--convert-to", "fods"]
    subprocess.run(
        [*command, "--outdir", tmp_path, *tables],
        check=True,
        capture_output=True,
        timeout=300,
    )

    for table in tables:
        with table.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
        found = list(sheet(tmp_path / f"{table.stem}.fods"))
        assert len(found) == len(lines)
        for here, line in zip(found, lines, strict=True):
            here += [("", "")] * (len(line) - len(here))
            for (kind, value), text in zip(here, line, strict=True):
                assert same(kind, value, text), (table.name, kind, value, text)


def same(kind: str, value: str, text: str) -> bool:
    """Return whether a cell of *kind* with *value* is what the file says."""
    if kind == "float":
        return math.isclose(float(value), float(text), rel_tol=1e-14)
    if kind == "boolean":
        return value == text.lower()
    # The file's format has elements for tabs, and one line end.
    plain = text.replace("\t", "").replace("\r", "\n")
    return kind in ("string", "") and value == plain


def sheet(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Yield kind and value of the cells of each line; no cell has a formula."""
    for _, element in ET.iterparse(path):
        if element.tag == f"{TABLE}table-row":
            cells: list[tuple[str, str]] = []
            for cell in element.iter(f"{TABLE}table-cell"):
                assert f"{TABLE}formula" not in cell.attrib
                times = int(cell.get(f"{TABLE}number-columns-repeated", "1"))
                if times < 1000:  # the rest of the sheet is empty
                    cells += [content(cell)] * times
            repeated = int(element.get(f"{TABLE}number-rows-repeated", "1"))
            if any(kind for kind, _ in cells):
                yield from [cells] * repeated
            element.clear()


def content(cell: ET.Element) -> tuple[str, str]:
    """Return the kind and the value of *cell*."""
    kind = cell.get(f"{OFFICE}value-type", "")
    if kind == "string":
        lines = ["".join(part.itertext()) for part in cell.iter(f"{TEXT}p")]
        return kind, "\n".join(lines)
    name = "boolean-value" if kind == "boolean" else "value"
    return kind, cell.get(f"{OFFICE}{name}", "")
