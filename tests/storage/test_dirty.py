import asyncio
from datetime import date

from storage.database import connect, connect_async
from storage.dirty import DirtyDay, mark_days, take_dirty
from storage.master import apply_site
from storage.readings import load_readings, write_batch
from tests.fix_timescale import Store
from tests.storage_data import NOON, QUARTER, batch, site

FIRST, SECOND = DirtyDay(1, date(2026, 3, 1)), DirtyDay(1, date(2026, 3, 2))


def test_days_are_taken_once_in_their_order(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
        mark_days(conn, 1, FIRST.local_day, SECOND.local_day)
        mark_days(conn, 1, SECOND.local_day, SECOND.local_day)
        assert take_dirty(conn, limit=1) == [FIRST]
        assert take_dirty(conn, point_id=2) == []
        assert take_dirty(conn) == [SECOND]
        assert take_dirty(conn) == []


def test_what_is_not_settled_stays_dirty(database: str) -> None:
    with connect(database) as one, connect(database) as other:
        apply_site(one, site())
        mark_days(one, 1, FIRST.local_day, SECOND.local_day)
        one.commit()
        assert take_dirty(one, limit=1) == [FIRST]
        assert take_dirty(other) == [SECOND]  # passes over what another has in hand
        other.commit()
        one.rollback()
        assert take_dirty(one) == [FIRST]


def test_a_day_is_not_taken_before_its_readings_can_be_seen(database: str) -> None:
    """A day is dirty already, a writer adds to it, and only then somebody settles.

    Were the writer's mark a no-op on the existing row, the day would be taken here,
    without the writer's readings, and never again.
    """

    async def write_while_settling() -> None:
        writer = await connect_async(database)
        async with writer:
            async with writer.transaction():
                await write_batch(
                    writer, batch(1, start=NOON + QUARTER), transport="mqtt"
                )
                with connect(database) as settler:
                    assert take_dirty(settler) == []
            with connect(database) as settler:
                (day,) = take_dirty(settler)
                seen = load_readings(settler, 1, NOON, NOON + 2 * QUARTER)
            assert day == SECOND
            assert len(seen) == 1

    with connect(database) as conn:
        apply_site(conn, site())
        mark_days(conn, 1, SECOND.local_day, SECOND.local_day)
        conn.execute("SELECT ensure_time_partitions(%s, %s)", (NOON, NOON))
    asyncio.run(write_while_settling())
