from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from accounts.meter_change import What
from meters.meter import Transport
from storage.database import connect
from storage.dirty import mark_days, take_dirty
from storage.interval_store import store_intervals
from storage.master import apply_site, load_meters, load_points, master_version
from storage.meter_list import apply_meter_list, load_entries
from tests.accounts.meter_lists import entry
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, intervals, meter, point, site, write

DAY = timedelta(days=1)
SINCE = datetime(2018, 1, 1, tzinfo=UTC)
MQTT = {"profile": "keywatt-json", "transport": "mqtt", "host": None, "port": None}


def listed(number: int, serial: str, **keys: object):
    """One line of a meter behind the unit of that number; its point may be new."""
    told = {
        "serial": serial,
        "point": f"P{number}",
        "unit": number,
        "installed_at": SINCE,
        "new_point": True,
        "register_digits": 8,
    }
    return entry(number + 1, **told | keys)


def apply(conn, *lines, **options):
    return apply_meter_list(conn, lines, NOON, **options)


def counts(plan) -> dict[str, int]:
    return {what.value: n for what in What if (n := plan.count(what))}


def test_a_list_becomes_points_meters_and_installations(store: Store) -> None:
    lines = [
        listed(1, "A", ratio=60, removed_at=NOON + DAY),
        listed(2, "B", **MQTT, unit=None, poll_every_s=60.0),
    ]
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(meter("ST-1"))]))
        assert counts(apply(conn, *lines)) == {"added": 2}
        known = [replace(one, line=0, new_point=False) for one in lines]
        main, *others = sorted(load_entries(conn), key=lambda one: -len(one.point))
        assert (main.serial, others) == ("ST-1", known)
        assert [p.name for p in load_points(conn)] == ["Main supply", "P1", "P2"]
        asked, told = load_meters(conn, NOON)[1:]
        assert (asked.address, asked.removed_at) == ("192.0.2.10:502/1", NOON + DAY)
        assert (told.transport, told.poll_every_s) == (Transport.MQTT, 60.0)
        assert counts(apply(conn, *lines)) == {"unchanged": 2}
        assert load_entries(conn, NOON + DAY) == [main, known[1]]


def everything(conn) -> list[list[tuple[object, ...]]]:
    tables = ("point", "meter", "installation", "dirty_point_day", "master_version")
    queries = [f"SELECT * FROM {table} ORDER BY 1, 2" for table in tables]
    return [conn.execute(query).fetchall() for query in queries]


@pytest.mark.parametrize(
    "options", [{}, {"dry_run": True}], ids=["twice", "only to see"]
)
def test_what_changes_nothing_writes_nothing(store: Store, options) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
        apply(conn, listed(1, "A"))
        conn.commit()
        before = everything(conn)
        lines = [listed(1, "A")] if not options else [listed(1, "A", ratio=9)]
        plan = apply(conn, *lines, **options)
        assert everything(conn) == before
    assert counts(plan) == ({"changed": 1} if options else {"unchanged": 1})


def test_meters_that_were_confused_change_places(store: Store) -> None:
    # With the same time at both points, which a point holds once.
    lines = listed(1, "A"), listed(2, "B")
    with connect(store.url) as conn:
        apply_site(conn, site())
        apply(conn, *lines)
        swapped = [listed(1, "B", unit=2), listed(2, "A", unit=1)]
        assert counts(apply(conn, *swapped)) == {"moved": 2}
        found = {e.serial: (e.point, e.unit) for e in load_entries(conn)}
    assert found == {"ST-1": ("Main supply", None), "A": ("P2", 1), "B": ("P1", 2)}


def test_a_meter_moves_and_another_comes_to_its_address(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
        apply(conn, listed(1, "A"))
        moved = listed(7, "A", installed_at=NOON - DAY, host="192.0.2.77")
        new = listed(1, "B", installed_at=NOON - DAY)
        assert counts(apply(conn, moved, new)) == {"added": 1, "moved": 1}
        found = {
            (e.serial, e.point, e.installed_at, e.removed_at)
            for e in load_entries(conn)
            if e.serial != "ST-1"
        }
        assert found == {
            ("A", "P1", SINCE, NOON - DAY),
            ("A", "P7", NOON - DAY, None),
            ("B", "P1", NOON - DAY, None),
        }
        at = {m.serial: m.address for m in load_meters(conn, NOON)}
        assert at["A"] == "192.0.2.77:502/7"
        assert at["B"] == "192.0.2.10:502/1"


def test_a_meter_at_the_address_of_a_site_files_is_refused_alone(store: Store) -> None:
    bus = {"transport": "modbus", "host": "192.0.2.10", "port": 502, "unit": 1}
    there = meter("ST-1", profile="eastron-sdm630", connection=bus)
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(there)]))
        plan = apply(conn, listed(1, "A"), listed(2, "B"))
        assert counts(plan) == {"added": 1}
        assert plan.refused[0].text.startswith(
            "meter ST-1 (in the database, account steel) is at 192.0.2.10:502/1 at the"
        )
        assert [m.serial for m in load_meters(conn, NOON)] == ["ST-1", "B"]
        plan = apply(conn, listed(1, "A", installed_at=NOON), remove_missing=True)
        assert counts(plan) == {"added": 1, "removed": 2}
        assert [m.serial for m in load_meters(conn, NOON)] == ["A"]


def dirty_days(conn, point_id: int = 1) -> list[date]:
    return [d.local_day for d in take_dirty(conn, point_id=point_id)]


def test_days_that_are_settled_otherwise_now_become_dirty(store: Store) -> None:
    # Readings on 1, 2 and 3 March in Shanghai; 12:00 UTC is 20:00 there.
    st_1 = listed(1, "ST-1", **MQTT, unit=None, point="Main supply")
    with connect(store.url) as conn:
        apply_site(conn, site())
    write(store, batch(3, start=NOON - DAY, every=DAY))
    with connect(store.url) as conn:
        dirty_days(conn)
        assert counts(apply(conn, replace(st_1, poll_every_s=60.0))) == {"changed": 1}
        assert dirty_days(conn) == []
        assert counts(apply(conn, replace(st_1, ratio=2))) == {"changed": 1}
        assert dirty_days(conn) == [date(2026, 3, n) for n in (1, 2, 3)]
        left = replace(st_1, ratio=2, removed_at=NOON)
        assert counts(apply(conn, left)) == {"removed": 1}
        # Only what came after it left is no longer the point's.
        assert dirty_days(conn) == [date(2026, 3, n) for n in (2, 3)]
        moved = replace(left, point="P1", removed_at=None)
        assert counts(apply(conn, moved)) == {"moved": 1}
        hall = load_points(conn)[-1].point_id
        assert dirty_days(conn) == [date(2026, 3, n) for n in (1, 2)]
        assert dirty_days(conn, hall) == [date(2026, 3, n) for n in (1, 2, 3)]


def test_intervals_of_a_silent_meter_that_had_left_are_settled_again(
    store: Store,
) -> None:
    st_1 = listed(1, "ST-1", **MQTT, unit=None, point="Main supply")
    nan = float("nan")
    with connect(store.url) as conn:
        apply_site(conn, site())
        store_intervals(conn, 1, intervals([nan] * 97), settled_at=NOON)
        mark_days(conn, 1, date(2026, 3, 1), date(2026, 3, 9))
        dirty_days(conn)
        apply(conn, replace(st_1, removed_at=NOON - DAY))
        # 97 quarter-hours from 20:00 on 2 March on.
        assert dirty_days(conn) == [date(2026, 3, n) for n in (2, 3)]


def test_a_list_waits_for_another_and_sees_it(plain_database: str) -> None:
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"

    def enter_the_second() -> object:
        with connect(plain_database) as conn:
            return apply(conn, listed(1, "B", point="P2"))

    with (
        ThreadPoolExecutor() as pool,
        connect(plain_database) as conn,
        connect(plain_database, autocommit=True) as watch,
    ):
        apply_site(conn, site())
        conn.commit()
        with conn.transaction():
            apply(conn, listed(1, "A"))
            second = pool.submit(enter_the_second)
            while watch.execute(waits).fetchone() == (0,) and not second.done():
                wait([second], timeout=0.01)
        (refused,) = second.result(timeout=30).refused
    assert refused.text.startswith("meter A (in the database, account steel)")


def test_the_version_counts_what_a_collector_must_follow(store: Store) -> None:
    with connect(store.url, autocommit=True) as conn:
        assert master_version(conn) == 0
        apply_site(conn, site())
        assert master_version(conn) == 1
        apply_site(conn, site())
        assert master_version(conn) == 1  # what is the same already is no change
        for change in (
            "UPDATE meter SET poll_every_s = 7",
            "UPDATE installation SET removed_at = '2030-01-01Z'",
            "DELETE FROM installation",
            "INSERT INTO meter (serial, profile, transport) VALUES ('X', 'y', 'mqtt')",
        ):
            before = master_version(conn)
            conn.execute(change)
            assert master_version(conn) == before + 1
        conn.execute("UPDATE meter SET poll_every_s = 7 WHERE serial = 'nobody'")
        conn.execute("UPDATE account SET manager = 'Anna'")
        assert master_version(conn) == before + 1


def test_the_version_is_seen_with_what_it_counts(plain_database: str) -> None:
    with connect(plain_database) as conn, connect(plain_database) as other:
        with conn.transaction():
            apply_site(conn, site())
            assert master_version(other) == 0
            assert load_meters(other, NOON) == []
            other.commit()
        assert master_version(other) == 1
        assert len(load_meters(other, NOON)) == 1


BY_HAND = """
    INSERT INTO installation (point_id, meter_id, installed_at, register_digits,
                              register_resolution)
    VALUES (%(point_id)s, %(meter_id)s, '2020-01-01Z', 8, 0.01)
"""
METER_BY_HAND = """
    INSERT INTO meter (serial, profile, transport, host, port, unit)
    VALUES ('X', 'eastron-sdm630', 'modbus', '192.0.2.10', 502, %(unit)s)
    RETURNING meter_id
"""


@pytest.mark.parametrize(
    ("unit", "point_id", "meter_id", "told"),
    [
        pytest.param(9, 3, None, None, id="where there is place"),
        pytest.param(1, 3, None, "stay at 192.0.2.10:502/1", id="address"),
        pytest.param(
            9, 2, None, "cannot both be the main meter of point 2", id="point"
        ),
        pytest.param(9, 3, 2, "Meter A cannot be at two points", id="meter"),
    ],
)
def test_what_cannot_be_is_refused_to_who_types_sql(
    store: Store, unit, point_id, meter_id, told
) -> None:
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None  # names of statements are shared in WebAssembly
        apply_site(conn, site())
        apply(conn, listed(1, "A"))
        conn.execute("INSERT INTO point (account_id, name) VALUES (1, 'Hall')")
        conn.execute("ALTER SEQUENCE meter_meter_id_seq RESTART 50")

        def by_hand() -> None:
            with conn.transaction():
                new = conn.execute(METER_BY_HAND, {"unit": unit}).fetchone()[0]
                row = {"point_id": point_id, "meter_id": meter_id or new}
                conn.execute(BY_HAND, row)

        if told is None:
            by_hand()
        else:
            with pytest.raises(psycopg.errors.ExclusionViolation, match=told):
                by_hand()
        found = conn.execute("SELECT count(*) FROM installation").fetchone()[0]
        assert found == (2 if told else 3)


def test_an_address_that_is_taken_is_refused_to_who_types_sql(store: Store) -> None:
    with connect(store.url, autocommit=True) as conn:
        conn.prepare_threshold = None
        apply_site(conn, site())
        apply(conn, listed(1, "A"), listed(2, "B"))
        with pytest.raises(psycopg.errors.ExclusionViolation, match="Meters B and A"):
            conn.execute("UPDATE meter SET unit = 1 WHERE serial = 'B'")
        with conn.transaction():  # the order does not matter, only how it ends
            conn.execute("UPDATE meter SET unit = 1 WHERE serial = 'B'")
            conn.execute("UPDATE meter SET unit = 2 WHERE serial = 'A'")
        found = {m.serial: m.unit for m in load_meters(conn, NOON)}
    assert (found["A"], found["B"]) == (2, 1)
