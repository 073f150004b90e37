import asyncio
from collections import Counter
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meters.reading import joined
from meters.refusal import Reason, Refusal
from storage.database import connect, connect_async
from storage.meter_counts import (
    FAILED,
    OUTCOMES,
    add_failed,
    fold_meter_counts,
    load_tallies,
    summed,
)
from storage.reading_store import write_batch
from storage.site import apply_site
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write

HOUR = timedelta(hours=1)
HOUR_US = 3_600_000_000


def refusal(meter_id: int | None, reason: Reason, readings: int = 1) -> Refusal:
    return Refusal(
        reason=reason,
        text="No.",
        source="somewhere",
        transport="mqtt",
        received_at=NOON,
        raw=b"",
        meter_id=meter_id,
        readings=readings,
    )


SELECT_HOURS = """
    SELECT meter_id, extract(epoch FROM hour - %(noon)s)::int / 3600, stored::int,
           repeated::int, refused::int, undecoded::int, failed::int, asked::int
      FROM meter_hour ORDER BY 1, 2
"""


def hours(store: Store) -> list[tuple[int, ...]]:
    """Return meter, hour after noon, the outcomes, and asked."""
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        return conn.execute(SELECT_HOURS, {"noon": NOON}).fetchall()


def fold(store: Store) -> int:
    """Fold, and return how many rows are left to be folded."""
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        fold_meter_counts(conn)
        return conn.execute("SELECT count(*) FROM meter_count_new").fetchone()[0]


def test_each_reading_is_counted_once_by_meter_and_hour(store: Store) -> None:
    # Quarter-hours, received a second later: 4 in the hour of noon, 2 in the next.
    write(store, batch(6, meter_id=1))
    # Two meters; of the first all are there already.
    refusals = [
        refusal(2, Reason.OUT_OF_RANGE, 3),
        refusal(2, Reason.NOT_JSON),
        refusal(None, Reason.UNKNOWN_METER),
        refusal(None, Reason.UNDECODABLE),
    ]
    both = joined([batch(5, meter_id=1), batch(1, meter_id=2)])
    written = write(store, both, refusals)
    assert (written.stored, written.repeated, written.refused) == (1, 5, 6)
    expected = [
        # meter, hour, stored, repeated, refused, undecoded, failed, asked
        (1, 0, 4, 4, 0, 0, 0, 8),
        (1, 1, 2, 1, 0, 0, 0, 3),
        (2, 0, 1, 0, 4, 1, 0, 5),
    ]
    assert hours(store) == expected
    assert fold(store) == 0
    assert hours(store) == expected
    write(store, batch(1, meter_id=1))
    expected[0] = (1, 0, 4, 5, 0, 0, 0, 9)
    assert hours(store) == expected
    fold(store)
    assert hours(store) == expected


def test_failed_polls_are_counted_by_meter_and_for_their_transport(
    store: Store,
) -> None:
    readings = np.zeros((3, len(OUTCOMES)), np.int64)
    readings[:, FAILED] = [5, 6, 7]
    noon_us = int(NOON.timestamp()) * 1_000_000
    at_us = np.array([noon_us, noon_us + HOUR_US, noon_us + HOUR_US])
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        with conn.transaction():
            add_failed(conn, summed(np.array([1, 1, 2]), at_us, readings), "modbus")
        counted = conn.execute(
            "SELECT hour, transport, outcome, readings FROM collection_count ORDER BY 1"
        ).fetchall()
    assert hours(store) == [
        (1, 0, 0, 0, 0, 0, 5, 5),
        (1, 1, 0, 0, 0, 0, 6, 6),
        (2, 1, 0, 0, 0, 0, 7, 7),
    ]
    assert counted == [
        (NOON, "modbus", "failed", 5),
        (NOON + HOUR, "modbus", "failed", 13),
    ]


def test_tallies_are_by_meter_since_an_hour(store: Store) -> None:
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        points = [point(meter("M1")), point(meter("M2"), name="Second")]
        apply_site(conn, site(points=points))
    write(store, batch(6, meter_id=1))
    write(store, batch(1, meter_id=2))
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        all_of_it = load_tallies(conn, NOON + timedelta(minutes=59))
        newest = load_tallies(conn, NOON + HOUR)
    assert [(t.serial, t.stored, t.failed) for t in all_of_it] == [
        ("M1", 6, 0),
        ("M2", 1, 0),
    ]
    assert [(t.serial, t.stored, t.transport, t.bus) for t in newest] == [
        ("M1", 2, "mqtt", None)
    ]


def test_two_writers_of_the_same_readings_count_each_as_stored_once(
    database: str,
) -> None:
    # They look which are new at the same time; who inserts later looks again.
    batches = [batch(90, start=NOON + n * timedelta(days=1)) for n in range(4)]

    async def work() -> list[int]:
        connections = [await connect_async(database) for _ in range(3)]
        stored = []
        try:
            for one in batches:
                written = await asyncio.gather(
                    *(
                        write_batch(conn, one, transport="mqtt", copy=False)
                        for conn in connections
                    )
                )
                stored.append(sum(each.stored for each in written))
        finally:
            for conn in connections:
                await conn.close()
        return stored

    assert asyncio.run(work()) == [90] * 4
    with connect(database) as conn:
        row = conn.execute("SELECT sum(stored), sum(repeated) FROM meter_hour")
        assert row.fetchone() == (360, 720)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.integers(-3, 3),
            st.sampled_from(range(len(OUTCOMES))),
            st.integers(0, 5),
        )
    )
)
def test_summed_is_a_count_by_meter_and_hour(rows) -> None:
    readings = np.zeros((len(rows), len(OUTCOMES)), np.int64)
    expected: Counter[tuple[int, int, int]] = Counter()
    for number, (meter_id, hour, outcome, count) in enumerate(rows):
        readings[number, outcome] = count
        expected[meter_id, hour, outcome] += count
    counts = summed(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] * HOUR_US + 7 for row in rows], np.int64),
        readings,
    )
    pairs = list(zip(counts.meter_id.tolist(), counts.hour_us.tolist(), strict=True))
    assert pairs == sorted({(row[0], row[1] * HOUR_US) for row in rows})
    found = {
        (meter_id, hour_us // HOUR_US, outcome): int(counts.readings[row, outcome])
        for row, (meter_id, hour_us) in enumerate(pairs)
        for outcome in range(len(OUTCOMES))
    }
    assert {k: v for k, v in found.items() if v} == dict(+expected)
