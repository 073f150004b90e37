from datetime import timedelta

from meters.refusal import Reason, Refusal
from storage.database import connect
from storage.dirty import mark_touched
from storage.health import (
    Outcome,
    load_backlog,
    load_meter_health,
    load_outcomes,
    load_refused,
    load_server,
)
from storage.master import apply_site
from storage.migrate import Flavour, is_timescale
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write


def test_the_server_is_named(store: Store) -> None:
    with connect(store.url) as conn:
        server = load_server(conn)
        assert int(server.version.split(".")[0]) >= 16
        assert (server.flavour is Flavour.TIMESCALE) == is_timescale(conn)
        assert (server.timescale_version is not None) == is_timescale(conn)
        assert server.pending_migrations == ()
        assert server.size_bytes > 0


def test_late_and_silent_meters_come_first(store: Store) -> None:
    with connect(store.url) as conn:
        meters = [
            point(meter("A")),
            point(meter("B"), name="Second"),
            point(
                meter("OLD", removed_at=NOON),
                meter("NEXT", installed_at=NOON + timedelta(hours=1)),
                name="Third",
            ),
        ]
        apply_site(conn, site(points=meters))
    write(store, batch(1))
    write(store, batch(1, start=NOON - timedelta(days=9)))  # a late one is not newest
    with connect(store.url) as conn:
        silent, late = load_meter_health(conn, NOON + timedelta(minutes=10))
    assert (silent.serial, silent.newest_measured_at, silent.late_s) == (
        "B",
        None,
        None,
    )
    assert (late.serial, late.newest_measured_at, late.late_s) == ("A", NOON, 600)
    assert (late.account_name, late.point_name) == ("Riverside Steel", "Main supply")


def test_a_meter_is_asked_about_only_while_it_is_there(store: Store) -> None:
    later = NOON + timedelta(hours=1)
    swap = point(meter("OLD", removed_at=NOON), meter("NEW", installed_at=later))
    with connect(store.url) as conn:
        apply_site(conn, site(points=[swap]))
        conn.execute(
            "INSERT INTO meter (serial, profile, transport)"
            " VALUES ('SPARE', '-', 'mqtt')"
        )
        for at, there in (
            (NOON - timedelta(microseconds=1), ["OLD"]),
            (NOON, []),
            (later, ["NEW"]),
        ):
            assert [m.serial for m in load_meter_health(conn, at)] == there


def test_everything_is_counted(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
    refused = Refusal(
        reason=Reason.NOT_JSON,
        text="The payload is not JSON.",
        source="keywatt/ST-1/readings",
        transport="mqtt",
        received_at=NOON,
        raw=b"{",
        readings=2,
    )
    write(store, batch(2), [refused, refused])
    write(store, batch(3), transport="modbus")
    with connect(store.url) as conn:
        assert load_outcomes(conn) == [
            Outcome(transport="modbus", outcome="repeated", readings=2),
            Outcome(transport="modbus", outcome="stored", readings=1),
            Outcome(transport="mqtt", outcome="not-json", readings=4),
            Outcome(transport="mqtt", outcome="stored", readings=2),
        ]
        assert load_outcomes(conn, NOON + timedelta(hours=1)) == []
        (heap,) = load_refused(conn)
        assert (heap.reason, heap.pieces, heap.readings) == ("not-json", 2, 4)
        assert heap.newest_source == "keywatt/ST-1/readings"
        assert load_refused(conn, NOON + timedelta(seconds=1)) == []
        assert load_backlog(conn).oldest_marked_at is not None
        mark_touched(conn)
        assert load_backlog(conn).days == 1
