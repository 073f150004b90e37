import asyncio
from datetime import date

from storage.database import connect, connect_async
from storage.dirty import DirtyDay, mark_days, mark_touched, take_dirty
from storage.master import apply_site
from storage.reading_store import write_batch
from storage.readings import load_readings
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


def test_what_a_writer_adds_meanwhile_is_settled_after_it_commits(
    database: str,
) -> None:
    """A day is dirty already, a writer adds to it, and only then somebody settles.

    Neither waits for the other, and the writer's readings are not passed over.
    """
    later = batch(1, start=NOON + QUARTER)

    async def write_while_settling() -> None:
        writer = await connect_async(database)
        async with writer:
            async with writer.transaction():
                await write_batch(writer, later, transport="mqtt")
                assert taken(database) == ([SECOND], 0)
            assert taken(database) == ([SECOND], 1)
        assert taken(database) == ([], 1)

    with connect(database) as conn:
        apply_site(conn, site())
        mark_days(conn, 1, SECOND.local_day, SECOND.local_day)
        conn.execute("SELECT ensure_time_partitions(%s, %s)", (NOON, NOON))
    asyncio.run(write_while_settling())


def taken(database: str) -> tuple[list[DirtyDay], int]:
    """Take dirty days as settling does; return them and how many readings it sees."""
    with connect(database) as settler:
        mark_touched(settler)
        settler.commit()
        days = take_dirty(settler)
        return days, len(load_readings(settler, 1, NOON, NOON + 2 * QUARTER))


def test_a_mark_that_comes_while_a_day_is_settled_stays(database: str) -> None:
    with connect(database) as settler, connect(database) as other:
        apply_site(settler, site())
        mark_days(settler, 1, FIRST.local_day, FIRST.local_day)
        settler.commit()
        assert take_dirty(settler) == [FIRST]
        mark_days(other, 1, FIRST.local_day, FIRST.local_day)
        other.commit()
        assert take_dirty(other) == []  # one at a time settles a day
        settler.commit()
        assert take_dirty(other) == [FIRST]


def test_what_is_touched_is_marked_once_by_whoever_comes_first(database: str) -> None:
    with connect(database) as one, connect(database) as other:
        apply_site(one, site())
        one.commit()
        asyncio.run(written(database))
        mark_touched(one)
        mark_touched(other)  # waits for nobody
        other.commit()
        one.rollback()  # killed: it is still to be marked
        assert take_dirty(other) == []
        mark_touched(other)
        assert take_dirty(other) == [SECOND]


async def written(database: str) -> None:
    conn = await connect_async(database)
    async with conn:
        await write_batch(conn, batch(1, start=NOON), transport="mqtt")
