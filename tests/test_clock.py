"""Box time never steps; the ledger tells what the wall clock did."""

import random

import numpy as np
import pytest

from edge.clock import BoxClock, LedgerKeeper, Wall, read_wall
from edge.ledger import Ledger
from edge.records import BoxNs, ClockReading, Event, MonotonicNs, Session, UtcNs

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z."""
YEAR = 365 * 86_400 * SECOND


class Kernel:
    """A machine's clocks: time passes by `sleep`, the wall clock is set by `step`."""

    def __init__(self, utc: int = NOON, synchronised: bool = False) -> None:
        self.monotonic = 5 * SECOND
        self.offset = utc - self.monotonic
        self.synchronised = synchronised

    def sleep(self, ns: int) -> None:
        self.monotonic += ns

    def step(self, ns: int) -> None:
        self.offset += ns

    def reboot(self, utc: int) -> None:
        self.monotonic = 1 * SECOND
        self.offset = utc - self.monotonic

    def wall(self) -> Wall:
        utc = UtcNs(self.monotonic + self.offset)
        return Wall(MonotonicNs(self.monotonic), utc, self.synchronised)

    def clock(self, last: BoxNs | None = None) -> BoxClock:
        return BoxClock.start(last, self.wall, lambda: self.monotonic)


def readings(records: tuple[ClockReading | Event, ...]) -> list[ClockReading]:
    return [record for record in records if isinstance(record, ClockReading)]


def test_wall_clock_is_read_with_its_monotonic_instant() -> None:
    first, second = read_wall(), read_wall()

    assert first.monotonic <= second.monotonic
    assert abs((second.utc - second.monotonic) - (first.utc - first.monotonic)) < SECOND
    assert isinstance(first.synchronised, bool)


def test_box_time_starts_at_utc() -> None:
    kernel = Kernel()

    assert kernel.clock().now() == NOON


def test_box_time_starts_above_what_is_stored_when_the_date_is_lost() -> None:
    kernel = Kernel(utc=0)

    clock = kernel.clock(last=BoxNs(NOON))

    assert clock.now() == NOON + 1


def test_box_time_ignores_a_wall_clock_of_the_far_future() -> None:
    assert Kernel(utc=9_000_000_000 * SECOND).clock(BoxNs(NOON)).now() == NOON + 1


def test_box_time_rises_over_1000_reboots_with_any_date() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    kernel, last = Kernel(), BoxNs(0)
    for _ in range(1000):
        kernel.reboot(dice.choice([0, NOON + dice.randrange(-20 * YEAR, 20 * YEAR)]))
        clock = kernel.clock(last)
        for _ in range(3):
            assert clock.now() > last
            last = clock.now()
            kernel.step(dice.randrange(-YEAR, YEAR))
            kernel.sleep(dice.randrange(1, 3600 * SECOND))


def test_ledger_gets_a_line_at_the_start_and_every_minute() -> None:
    kernel = Kernel()
    keeper = LedgerKeeper(1, kernel.clock(), kernel.wall)
    lines: list[ClockReading | Event] = []
    for _ in range(121):
        lines += keeper.observe()
        kernel.sleep(SECOND)

    assert [line.box - NOON for line in readings(tuple(lines))] == [
        0,
        60 * SECOND,
        120 * SECOND,
    ]
    assert len(lines) == 3


def test_ledger_tells_a_step_at_once_with_its_size() -> None:
    kernel = Kernel()
    keeper = LedgerKeeper(1, kernel.clock(), kernel.wall)
    keeper.observe()
    for step in (1_000_000, -1_000_000, 20 * YEAR, -3600 * SECOND):
        kernel.sleep(SECOND)
        kernel.step(step)

        reading, event = keeper.observe()

        assert isinstance(reading, ClockReading)
        assert reading.step_ns == step
        assert isinstance(event, Event)
        assert event.kind == "clock step"
        assert event.detail["step_ns"] == step
        assert keeper.observe() == ()


def test_ledger_gets_a_line_when_synchronisation_comes() -> None:
    kernel = Kernel()
    keeper = LedgerKeeper(1, kernel.clock(), kernel.wall)
    keeper.observe()
    kernel.sleep(SECOND)
    kernel.synchronised = True

    (reading,) = keeper.observe()

    assert isinstance(reading, ClockReading)
    assert reading.synchronised
    assert reading.step_ns == 0


def test_late_date_dates_the_whole_session() -> None:
    kernel = Kernel(utc=0)
    clock = kernel.clock()
    keeper = LedgerKeeper(1, clock, kernel.wall)
    lines = readings(keeper.observe())
    began = clock.now()
    kernel.sleep(3600 * SECOND)
    before = Ledger(lines).utc(1, began)
    kernel.step(NOON)
    kernel.synchronised = True
    lines += readings(keeper.observe())

    assert before == (0, False)
    assert Ledger(lines).utc(1, began) == (NOON, True)
    assert Ledger(lines).utc(1, clock.now()) == (NOON + 3600 * SECOND, True)


def test_wrong_date_set_by_hand_does_not_override_a_time_server() -> None:
    kernel = Kernel(synchronised=True)
    clock = kernel.clock()
    keeper = LedgerKeeper(1, clock, kernel.wall)
    lines = readings(keeper.observe())
    kernel.sleep(60 * SECOND)
    kernel.step(YEAR)
    kernel.synchronised = False
    lines += readings(keeper.observe())

    assert Ledger(lines).utc(1, clock.now()) == (NOON + 60 * SECOND, True)


def test_session_without_a_ledger_is_dated_by_box_time() -> None:
    assert Ledger([]).utc(3, BoxNs(NOON)) == (NOON, False)


def test_sessions_of_one_boot_share_what_they_learnt() -> None:
    """The program restarts before the date is known: the first session gains it too."""
    early, late = (
        Session(1, "boot", BoxNs(100), 100, "", "", "{}"),
        Session(2, "boot", BoxNs(7000), 900, "", "", "{}"),
    )
    lines = [
        ClockReading(1, BoxNs(100), UtcNs(5), False, 0),
        ClockReading(2, BoxNs(7000), UtcNs(NOON), True, 0),
    ]

    assert Ledger(lines, [early, late]).utc(1, BoxNs(100)) == (NOON - 6100, True)
    assert Ledger(lines).utc(1, BoxNs(100)) == (5, False)


def a_session(number: int, started_s: int) -> Session:
    return Session(number, "", BoxNs(started_s * SECOND), 0, "", "", "{}")


def a_reading(
    session: int, box_s: int, utc_s: int, synchronised: bool = False
) -> ClockReading:
    box, utc = BoxNs(box_s * SECOND), UtcNs(utc_s * SECOND)
    return ClockReading(session, box, utc, synchronised, 0)


def test_noise_of_reading_two_clocks_moves_no_label() -> None:
    lines = [
        ClockReading(1, BoxNs(minute * 60 * SECOND), UtcNs(at), True, 0)
        for minute in range(9)
        for at in [NOON + minute * 60 * SECOND + (minute % 3) * 20_000]
    ]

    assert Ledger(lines).utc(1, BoxNs(500 * SECOND)) == (NOON + 500 * SECOND, True)


def test_instants_are_dated_by_the_session_they_lie_in() -> None:
    lines = [
        a_reading(1, 100, 1100, synchronised=True),
        a_reading(2, 200, 2200),
        a_reading(2, 250, 2350),
    ]

    ledger = Ledger(lines, [a_session(1, 100), a_session(2, 200)])
    dates = ledger.date(np.array([50, 100, 199, 200, 250, 260]) * SECOND)

    assert dates.session.tolist() == [0, 1, 1, 2, 2, 2]
    assert (dates.utc // SECOND).tolist() == [50, 1100, 1199, 2200, 2350, 2360]
    assert dates.synchronised.tolist() == [False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("utc_s", "box_s"), [(50, 50), (1150, 150), (2200, 200), (9000, 7000)]
)
def test_stated_utc_becomes_the_box_time_that_is_labelled_so(
    utc_s: int, box_s: int
) -> None:
    lines = [a_reading(1, 100, 1100, synchronised=True), a_reading(2, 200, 2200)]
    ledger = Ledger(lines, [a_session(1, 100), a_session(2, 200)])

    box = ledger.box(UtcNs(utc_s * SECOND))

    assert box == box_s * SECOND
    assert ledger.date(np.array([box])).utc.tolist() == [utc_s * SECOND]


def test_utc_that_was_skipped_becomes_the_end_of_the_stretch_before() -> None:
    lines = [a_reading(1, 100, 1100), a_reading(1, 200, 2200)]
    ledger = Ledger(lines, [a_session(1, 100)])

    assert ledger.box(UtcNs(1900 * SECOND)) == 200 * SECOND - 1


def test_where_the_clock_was_set_back_the_later_instant_is_meant() -> None:
    lines = [a_reading(1, 100, 1100), a_reading(1, 150, 1120)]
    ledger = Ledger(lines, [a_session(1, 100)])

    assert ledger.box(UtcNs(1130 * SECOND)) == 160 * SECOND


def dated_one_by_one(
    box: int, readings: list[ClockReading], sessions: list[Session]
) -> tuple[int, int, bool]:
    """Return session, UTC and whether it is synchronised, as `Ledger` describes it."""
    mine = [one for one in sessions if one.started <= box]
    if not mine:
        return 0, box, False
    offsets = {one.id: one.offset_ns for one in sessions}
    boots = {one.id: one.boot_id or one.id for one in sessions}
    known = [one for one in readings if boots[one.session] == boots[mine[-1].id]]
    trusted = [one for one in known if one.synchronised]
    told = sorted((one.box - offsets[one.session], one.utc) for one in trusted or known)
    if not told:
        return mine[-1].id, box, False
    at = box - mine[-1].offset_ns
    then, utc = max([one for one in told if one[0] <= at], default=told[0])
    return mine[-1].id, utc + at - then, bool(trusted)


@pytest.mark.parametrize("seed", range(40))
def test_any_ledger_dates_as_one_reading_after_the_other(seed: int) -> None:
    """Sessions of three boots, with and without a server, stepped to and fro."""
    draw = random.Random(seed)
    sessions, lines = [], []
    box, boots = NOON, {"a": 0, "b": 0, "": 0}
    for number in range(1, draw.randint(2, 6)):
        boot = draw.choice(list(boots))
        box += draw.randint(1, 50) * SECOND
        started, since_boot = BoxNs(box), boots[boot] + draw.randint(1, 30) * SECOND
        sessions.append(Session(number, boot, started, box - since_boot, "", "", "{}"))
        for _ in range(draw.randint(0, 5)):
            utc = UtcNs(box + draw.choice([-60, 0, 0, 5]) * SECOND)
            lines.append(ClockReading(number, BoxNs(box), utc, draw.random() < 0.4, 0))
            box += draw.randint(1, 40) * SECOND
        boots[boot] = since_boot + box - started
    edges = [one.box for one in lines] + [one.started for one in sessions]
    asked = sorted({at + by for at in edges for by in (-1, 0, 1, 20 * SECOND)})

    dates = Ledger(lines, sessions).date(np.array(asked))

    found = zip(dates.session, dates.utc, dates.synchronised, strict=True)
    assert list(found) == [dated_one_by_one(at, lines, sessions) for at in asked]


def test_without_sessions_box_time_is_the_date() -> None:
    assert Ledger([]).date(np.array([7])).utc.tolist() == [7]
    assert Ledger([]).box(UtcNs(7)) == 7
