import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from storage.database import connect
from storage.interval_store import store_intervals
from storage.intervals import load_intervals
from storage.reading_store import Written
from storage.readings import load_readings
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, intervals, write

LONG_AGO = NOON - timedelta(days=60)


def test_what_has_expired_goes_and_the_rest_stays(store: Store) -> None:
    # Kept: readings 13 months and intervals 10 years. At 2026-04-15 that is since
    # 2025-03-15 and 2016-04-15.
    at = datetime(2026, 4, 15, tzinfo=UTC)
    gone, kept = datetime(2025, 1, 10, tzinfo=UTC), datetime(2025, 3, 20, tzinfo=UTC)
    write(store, batch(1, start=gone))
    write(store, batch(1, start=kept))
    ancient, old = datetime(2016, 1, 10, tzinfo=UTC), gone
    with connect(store.url) as conn:
        for start in (ancient, old):
            store_intervals(conn, 1, intervals([1.0], start), settled_at=at)
        conn.commit()
        conn.execute("SELECT drop_expired(%s)", (at,))
        readings = conn.execute("SELECT measured_at FROM reading").fetchall()
        starts = conn.execute("SELECT start FROM energy_interval").fetchall()
    assert readings == [(kept,)]
    assert starts == [(old,)]


def test_a_month_that_went_can_come_again(plain_database: str) -> None:
    store = Store(plain_database)
    write(store, batch(1, start=LONG_AGO))
    with connect(plain_database) as conn:
        conn.execute("SELECT drop_expired(%s)", (NOON + timedelta(days=4000),))
        conn.commit()
    assert write(store, batch(1, start=LONG_AGO)) == Written(1, 0, 0)


def test_many_may_need_the_same_month_at_once(plain_database: str) -> None:
    gate = threading.Barrier(6)

    def ensure(_: int) -> None:
        with connect(plain_database) as conn:
            gate.wait(30)
            conn.execute("SELECT ensure_time_partitions(%s, %s)", (LONG_AGO, NOON))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(ensure, range(6)))
    with connect(plain_database) as conn:
        (count,) = conn.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'reading'::regclass"
        ).fetchone()
    # 2026-01-01 to 2026-03-02 touches January, February and March.
    assert count == 3


def test_a_new_month_does_not_wait_for_writers(plain_database: str) -> None:
    """Somebody writes to one month, uncommitted, while another month is made."""
    with connect(plain_database) as writer, connect(plain_database) as other:
        writer.execute("SELECT ensure_time_partitions(%s, %s)", (NOON, NOON))
        writer.commit()
        writer.execute(
            "INSERT INTO reading (meter_id, measured_at, received_at)"
            " VALUES (1, %(at)s, %(at)s)",
            {"at": NOON},
        )
        other.execute("SET lock_timeout = '2s'")
        other.execute("SELECT ensure_time_partitions(%s, %s)", (LONG_AGO, LONG_AGO))
        other.commit()


CHUNKS = "SELECT show_chunks(%s, older_than => %s::timestamptz)::text"


@pytest.mark.parametrize(
    ("table", "segment_by", "order_by"),
    [("reading", "meter_id", "measured_at"), ("energy_interval", "point_id", "start")],
)
def test_large_tables_are_hypertables_with_columnstore(
    timescale: Store, table: str, segment_by: str, order_by: str
) -> None:
    with connect(timescale.url) as conn:
        assert conn.execute(
            "SELECT column_name, time_interval FROM timescaledb_information.dimensions"
            " WHERE hypertable_name = %s",
            (table,),
        ).fetchall() == [(order_by, timedelta(days=7))]
        (settings,) = conn.execute(
            "SELECT row(segmentby, orderby)::text"
            "  FROM timescaledb_information.hypertable_columnstore_settings"
            " WHERE hypertable = %s::regclass",
            (table,),
        ).fetchone()
        assert settings == f'({segment_by},"{order_by} DESC")'


def test_policies_stand(timescale: Store) -> None:
    with connect(timescale.url) as conn:
        policies = conn.execute(
            "SELECT hypertable_name, proc_name,"
            "       coalesce(config->>'compress_after', config->>'drop_after')"
            "  FROM timescaledb_information.jobs"
            " WHERE proc_name IN ('policy_compression', 'policy_retention')"
            " ORDER BY 1, 2"
        ).fetchall()
    assert policies == [
        ("energy_interval", "policy_compression", "30 days"),
        ("energy_interval", "policy_retention", "10 years"),
        ("energy_interval_past", "policy_compression", "30 days"),
        ("energy_interval_past", "policy_retention", "10 years"),
        ("load_hourly", "policy_retention", "10 years"),
        ("meter_count", "policy_retention", "1 year 1 mon"),
        ("meter_interval", "policy_compression", "30 days"),
        ("meter_interval", "policy_retention", "1 year 1 mon"),
        ("reading", "policy_compression", "30 days"),
        ("reading", "policy_retention", "1 year 1 mon"),
        ("settled_day", "policy_compression", "60 days"),
        ("settled_day", "policy_retention", "10 years"),
    ]


def compress(conn, table: str) -> None:
    for (chunk,) in conn.execute(CHUNKS, (table, NOON)).fetchall():
        conn.execute("SELECT compress_chunk(%s::regclass)", (chunk,))
    compressed = conn.execute(
        "SELECT DISTINCT is_compressed FROM timescaledb_information.chunks"
        " WHERE hypertable_name = %s",
        (table,),
    ).fetchall()
    assert compressed == [(True,)]


def test_compressed_readings_read_the_same_and_take_late_ones(timescale: Store) -> None:
    written = batch(500, start=LONG_AGO)
    write(timescale, written)
    with connect(timescale.url, autocommit=True) as conn:
        compress(conn, "reading")
        again = load_readings(conn, 1, LONG_AGO, NOON)
        assert (again.values[:, 0] == written.values[:, 0]).all()
        assert (again.measured_us == written.measured_us).all()
    assert write(timescale, written) == Written(0, 500, 0)
    assert write(timescale, batch(500, meter_id=2, start=LONG_AGO)).stored == 500
    with connect(timescale.url) as conn:
        assert len(load_readings(conn, 2, LONG_AGO, NOON)) == 500


def test_compressed_intervals_take_a_new_version(timescale: Store) -> None:
    with connect(timescale.url, autocommit=True) as conn:
        first = intervals([1.0] * 200, LONG_AGO)
        store_intervals(conn, 1, first, settled_at=NOON)
        compress(conn, "energy_interval")
        first.import_kwh[7] = 2.0
        assert store_intervals(conn, 1, first, settled_at=NOON).changed == 1
        again = load_intervals(conn, 1, LONG_AGO, NOON)
    assert again.import_kwh.sum() == 201
    assert len(again) == 200
