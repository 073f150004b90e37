import asyncio
from datetime import timedelta

from storage.clocks import (
    KEPT,
    ClockHour,
    forget_drifts,
    load_clock_hours,
    store_drifts,
)
from storage.database import connect, connect_async
from storage.master import apply_site
from storage.watching import load_watched
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, compare, meter, point, site, write

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def hours(store: Store, meter_id: int = 1) -> list[ClockHour]:
    with connect(store.url) as conn:
        return load_clock_hours(conn, meter_id)


def test_an_hour_keeps_its_newest_its_least_and_its_most(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
    # In two batches, the second with one that comes late.
    compare(store, 1, [(NOON + 2 * MINUTE, 5.0), (NOON - MINUTE, 9.0)])
    compare(store, 1, [(NOON + 9 * MINUTE, -4.0), (NOON + MINUTE, 7.5)])
    compare(store, 1, [(NOON + 8 * MINUTE, 1.0)])
    newest, before = hours(store)
    assert newest == ClockHour(
        hour=NOON,
        compared_at=NOON + 9 * MINUTE,
        drift_s=-4.0,
        least_s=-4.0,
        most_s=7.5,
    )
    assert (before.hour, before.drift_s) == (NOON - HOUR, 9.0)
    with connect(store.url) as conn:
        counted = "SELECT compared FROM meter_clock ORDER BY hour"
        assert conn.execute(counted).fetchall() == [(1,), (4,)]


def test_a_batch_of_many_meters_goes_in_at_once_and_strangers_are_left_out(
    store: Store,
) -> None:
    two = [point(meter("A")), point(meter("B"), name="Hall")]
    with connect(store.url) as conn:
        apply_site(conn, site(points=two))

    async def work() -> None:
        async with await connect_async(store.url) as conn:
            await store_drifts(conn, [], [], [])
            ids = [2, 999, 1, 2]
            at = [NOON, NOON, NOON, NOON + MINUTE]
            await store_drifts(conn, ids, at, [1.0, 2.0, 3.0, 4.0])

    asyncio.run(work())
    assert [one.drift_s for one in hours(store, 1)] == [3.0]
    assert [one.drift_s for one in hours(store, 2)] == [4.0]
    assert hours(store, 999) == []


def test_what_is_old_is_forgotten(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
    compare(store, 1, [(NOON - KEPT - HOUR, 1.0), (NOON - KEPT, 2.0), (NOON, 3.0)])
    with connect(store.url) as conn:
        forget_drifts(conn, NOON)
    assert [one.drift_s for one in hours(store)] == [3.0, 2.0]


def test_who_is_installed_is_watched(store: Store) -> None:
    gone = meter("GONE", removed_at=NOON)
    came = meter("CAME", installed_at=NOON)
    pace = {"transport": "mqtt", "report_every_s": 900.0}
    hourly = point(meter("HALL", connection=pace), name="Hall")
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(gone, came), hourly]))
    write(store, batch(2, start=NOON, meter_id=2))
    compare(store, 3, [(NOON, 3.0), (NOON - 2 * HOUR, 9.0)])
    with connect(store.url) as conn:
        before = load_watched(conn, NOON - HOUR)
        hall, main = load_watched(conn, NOON + HOUR)
        assert load_watched(conn, NOON, account_id=1) == [hall, main]
        assert load_watched(conn, NOON, account_id=2) == []
    assert [one.serial for one in before] == ["HALL", "GONE"]
    assert (main.serial, main.installed_at, main.drift_s) == ("CAME", NOON, None)
    # It was measured at 12:15, and came a second later.
    assert main.measured_at == NOON + 15 * MINUTE
    assert main.heard_at == NOON + 15 * MINUTE + timedelta(seconds=1)
    assert (hall.every_s, hall.heard_at) == (900.0, None)
    assert (hall.compared_at, hall.drift_s) == (NOON, 3.0)
