"""A machine that boots years off and is set right, and wrong, while it records."""

from pathlib import Path

from edge.history import History
from edge.records import BoxNs
from edge.simulator import SimulatedBoard
from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.vm import MARKS, SLOW, data_of, ecg_is, plug_board, saved_more, serial

pytestmark = MARKS
RATE_HZ = 250


def test_clock_that_is_years_off_and_set_later(
    disk: Disk, board: SimulatedBoard, tmp_path: Path
) -> None:
    options = [*serial(board), "-rtc", "base=2020-01-01T00:00:00"]
    with Machine(disk, disk.machine(tmp_path), options) as machine:
        plug_board(machine)
        machine.booted().until(saved_more(0), 60 * SLOW)
        first = machine.sh("date +%Y-%m")
        before = machine.state()
        count = before["saved"]["samples"]
        machine.sh("date -s '2031-03-04 05:06:07'")
        machine.until(saved_more(count + 8 * RATE_HZ), 60 * SLOW)
        machine.sh("date -s '2029-01-01 00:00:00'")
        machine.until(saved_more(count + 16 * RATE_HZ), 60 * SLOW)
        machine.until(ecg_is("ok"), 30 * SLOW)
        machine.off()
    with data_of(tmp_path) as database, History(database) as history:
        begin, end = history.span() or (BoxNs(0), BoxNs(0))
        events = list(history.events(begin, end))
        starts = [chunk.start for chunk in history.chunks(begin, end)]
    steps = [event.cause for event in events if event.kind == "clock step"]
    gaps = [event for event in events if event.kind == "gap"]
    later = [gap for gap in gaps if gap.began > before["now"]]
    print(
        f"booted in {first}; steps: {steps}; {len(starts)} chunks, "
        f"{len(gaps)} gaps of the start, then {later}"
    )
    assert len(steps) == 2
    assert later == []
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] < 600 * SLOW * 10**9
