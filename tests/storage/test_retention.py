from datetime import UTC, date, datetime

import pytest

from meters.refusal import Reason, Refusal
from storage.database import connect
from storage.interval_store import store_intervals
from storage.intervals import load_daily, load_hourly, refresh_hourly
from storage.master import apply_site
from storage.retention import Retention, drop_expired, set_retention
from tests.fix_timescale import Store
from tests.storage_data import batch, intervals, site, write

AT = datetime(2026, 4, 15, tzinfo=UTC)
LARGE = {
    "reading": "measured_at",
    "meter_interval": "start",
    "energy_interval": "start",
    "energy_interval_past": "start",
    "settled_day": "local_day::timestamp AT TIME ZONE 'UTC'",
    "meter_count": "hour",
    "quarantine": "received_at",
    "collection_count": "hour",
    "energy_day": "local_day::timestamp AT TIME ZONE 'UTC'",
}


def fill(store: Store, *times: datetime) -> None:
    """Put a row of each time into each of the tables that do not last."""
    for at in times:
        refused = Refusal(
            reason=Reason.NOT_JSON,
            text="The payload is not JSON.",
            source="keywatt/ST-1/readings",
            transport="mqtt",
            received_at=at,
            raw=b"{",
        )
        write(store, batch(1, start=at), [refused])
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site())
        for at in times:
            store_intervals(conn, 1, intervals([1.0], at), settled_at=AT)
            said = {"at": at}
            conn.execute("SELECT ensure_time_partitions(%(at)s, %(at)s)", said)
            conn.execute(
                "INSERT INTO energy_interval_past (point_id, start, length_min,"
                " quality, settled_at, replaced_at)"
                " VALUES (1, %(at)s, 15, 'missing', %(at)s, %(at)s)",
                said,
            )
            conn.execute(
                "INSERT INTO settled_day (point_id, local_day, settled_at, rules,"
                " worst, verdicts, held)"
                " VALUES (1, %(at)s::date, %(at)s, 'usual', 0, '[]', '{}')",
                said,
            )
            conn.execute(
                "INSERT INTO meter_interval (meter_id, start, received_at, length_min)"
                " VALUES (1, %(at)s, %(at)s, 15)",
                said,
            )
            conn.execute(
                "INSERT INTO meter_count (meter_id, hour, stored)"
                " VALUES (1, %(at)s, 1)",
                said,
            )


def years_left(conn) -> dict[str, list[int]]:
    """Return of each table the years from which rows are left."""
    return {
        table: [
            int(year)
            for (year,) in conn.execute(
                f"SELECT DISTINCT extract(year FROM {time} AT TIME ZONE 'UTC')"
                f"  FROM {table} ORDER BY 1"
            )
        ]
        for table, time in LARGE.items()
    }


def noon(year: int) -> datetime:
    """Return a moment that is nowhere near the edge of a month or chunk that goes."""
    return datetime(year, 1, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("keep", "readings", "refused", "settled"),
    [
        # Since 2025-03-15, and since 2016-04-15.
        pytest.param(Retention(), [2026], [2026], [2022, 2024, 2026], id="usual"),
        # Since 2023-04-15, 2025-10-15 and 2021-04-15.
        pytest.param(
            Retention(readings_months=36, intervals_years=5, quarantine_months=6),
            [2024, 2026],
            [2026],
            [2022, 2024, 2026],
            id="readings longer",
        ),
        # Since 2026-02-15, 2021-12-15 and 2024-04-15.
        pytest.param(
            Retention(readings_months=2, intervals_years=2, quarantine_months=52),
            [],
            [2022, 2024, 2026],
            [2026],
            id="short",
        ),
    ],
)
def test_each_class_is_kept_as_long_as_it_is_said(
    store: Store,
    keep: Retention,
    readings: list[int],
    refused: list[int],
    settled: list[int],
) -> None:
    fill(store, noon(2015), noon(2022), noon(2024), noon(2026))
    with connect(store.url, autocommit=True) as conn:
        refresh_hourly(conn, None, None)
        set_retention(conn, keep)
        assert drop_expired(conn, AT) > 0
        assert drop_expired(conn, AT) == 0
        assert years_left(conn) == {
            "reading": readings,
            "meter_interval": readings,
            "meter_count": readings,
            "collection_count": readings,
            "quarantine": refused,
            "energy_interval": settled,
            "energy_interval_past": settled,
            "settled_day": settled,
            "energy_day": settled,
        }
        hours = load_hourly(conn, 1, noon(2010), AT)
        days = load_daily(conn, 1, date(2010, 1, 1), AT.date())
    assert sorted({hour.hour.year for hour in hours}) == settled
    assert [day.local_day.year for day in days] == settled


def test_only_what_is_new_is_set(store: Store) -> None:
    with connect(store.url, autocommit=True) as conn:
        assert not set_retention(conn, Retention())
        assert set_retention(conn, Retention(readings_months=24))
        assert not set_retention(conn, Retention(readings_months=24))


def test_policies_follow(timescale: Store) -> None:
    with connect(timescale.url, autocommit=True) as conn:
        set_retention(conn, Retention(readings_months=24, intervals_years=7))
        policies = conn.execute(
            "SELECT hypertable_name, coalesce(config->>'drop_after',"
            "                                 config->>'start_offset')"
            "  FROM timescaledb_information.jobs"
            " WHERE proc_name IN ('policy_retention',"
            "                     'policy_refresh_continuous_aggregate')"
            " ORDER BY 1, proc_name"
        ).fetchall()
    assert policies == [
        ("energy_interval", "7 years"),
        ("energy_interval_past", "7 years"),
        # Brought up to date for a month less than the intervals last.
        ("load_hourly", "6 years 11 mons"),
        ("load_hourly", "7 years"),
        ("meter_count", "2 years"),
        ("meter_interval", "2 years"),
        ("reading", "2 years"),
        ("settled_day", "7 years"),
    ]


def test_while_one_drops_another_leaves_it(plain_database: str) -> None:
    with connect(plain_database) as one, connect(plain_database) as other:
        write(Store(plain_database), batch(1, start=noon(2020)))
        assert drop_expired(one, AT) == 2  # of reading and meter_interval
        assert drop_expired(other, AT) == 0
