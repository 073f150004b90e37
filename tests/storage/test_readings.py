import asyncio
import os
import signal
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import numpy as np
import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from meters.quantity import QUANTITIES
from meters.reading import ReadingBatch, joined, utc_us
from meters.refusal import Reason, Refusal
from storage.database import DatabaseError, connect, connect_async
from storage.dirty import mark_touched
from storage.master import apply_site
from storage.reading_store import COPY_READINGS, INSERT_READINGS, Written, write_batch
from storage.readings import load_readings
from tests.fix_timescale import Store
from tests.storage_data import NOON, QUARTER, batch, meter, point, site, write

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def stored(store: Store, meter_id: int = 1) -> ReadingBatch:
    with connect(store.url) as conn:
        return load_readings(conn, meter_id, *EVER)


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    with connect(store.url) as conn:
        return conn.execute(query.encode()).fetchall()


def assert_same(one: ReadingBatch, other: ReadingBatch) -> None:
    np.testing.assert_array_equal(one.meter_id, other.meter_id)
    np.testing.assert_array_equal(one.measured_us, other.measured_us)
    np.testing.assert_array_equal(one.received_us, other.received_us)
    np.testing.assert_array_equal(one.values, other.values)


def test_the_statements_name_all_quantities_in_their_order(store: Store) -> None:
    columns = ",".join(["meter_id", "measured_at", "received_at", *QUANTITIES])
    written = f"{columns},source"
    for statement in (COPY_READINGS, INSERT_READINGS):
        between = statement.partition("(")[2].partition(")")[0]
        assert "".join(between.split()) == written
    listed = rows(
        store,
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = 'reading' ORDER BY ordinal_position",
    )
    assert [name for (name,) in listed] == [
        *columns.split(","),
        "stored_at",
        "source",
    ]


def test_what_is_written_is_read_back_bit_for_bit(store: Store) -> None:
    written = batch(200)
    # Every fifth reading lacks the voltage, one lacks all: three patterns in a batch.
    written.values[::5, 11] = np.nan
    written.values[7] = np.nan
    written.values[8] = np.pi
    assert write(store, written) == Written(200, 0, 0)
    assert_same(stored(store), written)


def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert write(store, batch(0)) == Written(0, 0, 0)
    assert len(stored(store)) == 0
    assert stored(store).values.shape == (0, len(QUANTITIES))


def test_repeats_change_nothing_and_are_counted(store: Store) -> None:
    first, more = batch(10), batch(15)
    more.values[:10] += 1  # the same times with other values
    assert write(store, first) == Written(10, 0, 0)
    assert write(store, more) == Written(5, 10, 0)
    assert write(store, more) == Written(0, 15, 0)
    np.testing.assert_array_equal(stored(store).values[:10], first.values)
    assert rows(
        store,
        "SELECT outcome, sum(readings)::int FROM collection_count"
        " GROUP BY outcome ORDER BY outcome",
    ) == [("repeated", 25), ("stored", 15)]


def test_a_repeat_within_the_batch_counts_once(store: Store) -> None:
    assert write(store, joined([batch(3), batch(2)])) == Written(3, 2, 0)


def test_repeats_and_a_month_that_is_not_there_come_together(store: Store) -> None:
    write(store, batch(2))
    more = joined([batch(3), batch(2, start=NOON + timedelta(days=40))])
    assert write(store, more) == Written(3, 2, 0)


def test_months_far_apart_are_made_without_those_between(store: Store) -> None:
    both = joined([batch(2), batch(2, start=NOON - timedelta(days=3000))])
    assert write(store, both) == Written(4, 0, 0)
    assert len(stored(store)) == 4


def test_only_the_months_needed_become_partitions(plain_database: str) -> None:
    # 31 March 23:50 to 1 April 00:05 UTC, and nothing else.
    write(
        Store(plain_database), batch(2, start=datetime(2026, 3, 31, 23, 50, tzinfo=UTC))
    )
    with connect(plain_database) as conn:
        parts = conn.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'reading'::regclass ORDER BY 1"
        ).fetchall()
    assert parts == [("reading_2026_03",), ("reading_2026_04",)]


def test_a_window_brings_its_nearest_neighbours(store: Store) -> None:
    write(store, batch(10))
    write(store, batch(10, meter_id=2))
    with connect(store.url) as conn:
        # Readings 3, 4 and 5 lie in the window; 2 and 6 are the neighbours.
        inside = load_readings(
            conn, 1, NOON + 3 * QUARTER, NOON + 5 * QUARTER + timedelta(seconds=1)
        )
        assert inside.values[:, 0].tolist() == [1002, 1003, 1004, 1005, 1006]
        # A reading at the window's stop is not in it but the neighbour after.
        edge = load_readings(conn, 1, NOON, NOON + QUARTER)
        assert edge.values[:, 0].tolist() == [1000, 1001]
        gap = load_readings(conn, 1, NOON + timedelta(1), NOON + timedelta(2))
        assert gap.values[:, 0].tolist() == [1009]
        assert set(inside.meter_id.tolist()) == {1}


def dirty_days(store: Store) -> list[date]:
    """Local days that are marked, in their order, each mark a day."""
    with connect(store.url) as conn:
        mark_touched(conn)
    marked = rows(store, "SELECT local_day FROM dirty_point_day ORDER BY 1")
    return [day for (day,) in marked]


def test_readings_make_their_local_days_dirty(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
    # 15:50 UTC is 23:50 in Shanghai: within 22.5 minutes of the next local day.
    # 15:30 is 23:30 and not.
    write(store, batch(1, start=datetime(2026, 3, 1, 15, 50, tzinfo=UTC)))
    write(store, batch(1, start=datetime(2026, 3, 5, 15, 30, tzinfo=UTC)))
    write(store, batch(1, meter_id=99))  # sits nowhere
    assert dirty_days(store) == [
        date(2026, 3, 1),
        date(2026, 3, 2),
        date(2026, 3, 5),
    ]


def test_only_the_point_where_the_meter_sat_then_becomes_dirty(store: Store) -> None:
    swapped_at = NOON
    with connect(store.url) as conn:
        old = meter("OLD", removed_at=swapped_at)
        new = meter("NEW", installed_at=swapped_at)
        apply_site(conn, site(points=[point(old, new)]))
    write(store, batch(1, meter_id=2, start=NOON - timedelta(days=3)))
    assert dirty_days(store) == []
    write(store, batch(1, meter_id=1, start=NOON - timedelta(days=3)))
    assert dirty_days(store) == [date(2026, 2, 27)]


def test_repeats_make_nothing_dirty(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
    write(store, batch(5))
    with connect(store.url) as conn:
        conn.execute("DELETE FROM touched")
    write(store, batch(5))
    assert dirty_days(store) == []


def refusal(**keys: object) -> Refusal:
    return Refusal(
        **{
            "reason": Reason.NOT_JSON,
            "text": "The payload is not JSON.",
            "source": "keywatt/ST-1/readings",
            "transport": "mqtt",
            "received_at": NOON,
            "raw": b"{",
        }
        | keys
    )


def test_what_is_refused_is_kept_and_counted(store: Store) -> None:
    refused = [
        refusal(raw=b"\xff" * 100_000),
        refusal(reason=Reason.NEGATIVE_ENERGY, readings=3, meter_id=1),
    ]
    assert write(store, batch(2), refused) == Written(2, 0, 4)
    assert rows(
        store,
        "SELECT reason, readings, octet_length(raw) FROM quarantine ORDER BY reason",
    ) == [("negative-energy", 3, 1), ("not-json", 1, 65536)]
    assert rows(
        store,
        "SELECT hour, transport, outcome, readings FROM collection_count"
        " ORDER BY outcome",
    ) == [
        (NOON, "mqtt", "negative-energy", 3),
        (NOON, "mqtt", "not-json", 1),
        (NOON, "mqtt", "stored", 2),
    ]


def test_refused_text_may_hold_anything(store: Store) -> None:
    assert (
        write(store, batch(0), [refusal(text="a\0b\ud800c", source="\0")]).refused == 1
    )
    assert rows(store, 'SELECT "text", source FROM quarantine') == [("a�b?c", "�")]


def test_two_writers_of_the_same_readings_share_them(database: str) -> None:
    """Each row is stored once, whoever was first, and no writer fails."""

    async def write_all(order: int) -> list[Written]:
        conn = await connect_async(database)
        async with conn:
            return [
                await write_batch(conn, part, transport="mqtt")
                for part in [batch(500, meter_id=i) for i in range(1, 9)][::order]
            ]

    async def both() -> list[list[Written]]:
        return await asyncio.gather(write_all(1), write_all(-1))

    written = [w for writer in asyncio.run(both()) for w in writer]
    assert sum(w.stored for w in written) == sum(w.repeated for w in written) == 4000


def test_writers_that_wait_for_each_other_try_again(database: str) -> None:
    """Two batches with the same rows in opposite orders deadlock; both come through.

    Rows that lack more come later: in one the first half of the time, in the other the
    second half.
    """
    forth, back = batch(4000), batch(4000)
    forth.values[:2000, 11] = np.nan
    back.values[2000:, 11] = np.nan

    async def one(part: ReadingBatch) -> Written:
        conn = await connect_async(database)
        async with conn:
            return await write_batch(conn, part, transport="mqtt")

    async def both() -> list[Written]:
        return await asyncio.gather(one(forth), one(back))

    written = asyncio.run(both())
    assert sorted((w.stored, w.repeated) for w in written) == [(0, 4000), (4000, 0)]


def test_a_backend_killed_in_mid_transaction_leaves_nothing(
    plain_database: str,
) -> None:
    async def write_and_kill() -> None:
        conn = await connect_async(plain_database)
        async with conn.transaction():
            # As a savepoint in ours: all is written, nothing committed.
            await write_batch(conn, batch(100), transport="mqtt", refusals=[refusal()])
            os.kill(conn.info.backend_pid, signal.SIGKILL)
            await conn.execute("SELECT 1")

    with connect(plain_database) as bystander:
        with pytest.raises(psycopg.OperationalError):
            asyncio.run(write_and_kill())
        wait_until_recovering(bystander)
    store = Store(plain_database)
    wait_until_up(plain_database)
    assert len(stored(store)) == 0
    assert rows(store, "SELECT * FROM collection_count") == []
    assert rows(store, "SELECT * FROM quarantine") == []
    assert write(store, batch(100)) == Written(100, 0, 0)


def wait_until_recovering(bystander: Connection[TupleRow]) -> None:
    """Every connection is ended then; before, the server would still let us in."""
    with suppress(psycopg.OperationalError):
        while True:
            bystander.execute("SELECT 1")


def wait_until_up(url: str) -> None:
    """A killed backend makes the whole server recover, which takes a moment."""
    for _ in range(10_000):
        with suppress(DatabaseError):
            connect(url).close()
            return


def test_readings_arrive_with_their_times_in_utc(store: Store) -> None:
    write(store, batch(1))
    assert rows(store, "SELECT measured_at FROM reading") == [(NOON,)]
    assert stored(store).measured_us.tolist() == [utc_us(NOON)]
