from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from accounts.account import Installation, Sector
from accounts.site import Site, SiteError
from meters.meter import BusAddress, Framing, Meter, Transport
from storage.database import connect
from storage.master import (
    UnknownAccountError,
    apply_site,
    load_account,
    load_accounts,
    load_installations,
    load_meters,
    load_point,
    load_points,
    load_processes,
    load_tariff,
)
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write

PROCESS = {
    "name": "Pre-heater",
    "power_kw": 180.0,
    "duration_min": 120,
    "usual_start": "09:00",
    "earliest_start": "00:00",
    "latest_end": "24:00",
}
BUS = {"transport": "modbus", "host": "192.0.2.10", "port": 502, "poll_every_s": 5.0}
MODBUS = {"profile": "eastron-sdm630"}


def test_a_site_comes_back_as_it_was_entered(store: Store) -> None:
    one = meter("A", **MODBUS, connection=BUS | {"unit": 1}, ratio=60)
    entered = site(points=[point(one, contract_demand_kw=2400.0, processes=[PROCESS])])
    with connect(store.url) as conn:
        apply_site(conn, entered)
        (account,) = load_accounts(conn)
        assert (account.code, account.sector) == ("steel", Sector.STEEL)
        assert account.time_zone.key == "Asia/Shanghai"
        assert account.currency == "CNY"
        assert load_account(conn, "steel") == load_account(conn, 1) == account
        assert load_accounts(conn, manager="Li Wei") == [account]
        assert load_accounts(conn, manager="Nobody") == []
        (main,) = load_points(conn, account.account_id)
        assert (main.name, main.contract_demand_kw) == ("Main supply", 2400)
        assert load_point(conn, main.point_id) == main
        assert load_tariff(conn, account.account_id) == entered.tariffs[0]
        assert load_tariff(conn, account.account_id, NOON) == entered.tariffs[0]
        (process,) = load_processes(conn, main.point_id)
        assert process == entered.accounts[0].points[0].processes[0].as_process()
        assert (process.usual_start, process.latest_end) == (time(9), time(0))
        assert load_meters(conn) == [
            Meter(
                meter_id=1,
                serial="A",
                profile="eastron-sdm630",
                transport=Transport.MODBUS,
                host="192.0.2.10",
                port=502,
                unit=1,
                poll_every_s=5.0,
                installed_at=datetime(2018, 1, 1, tzinfo=UTC),
            )
        ]
        assert load_installations(conn, main.point_id) == [
            Installation(
                installation_id=1,
                point_id=1,
                meter_id=1,
                installed_at=datetime(2018, 1, 1, tzinfo=UTC),
                removed_at=None,
                ratio=60,
                register_digits=8,
                register_resolution=0.01,
            )
        ]


def everything(conn) -> list[list[tuple[object, ...]]]:
    tables = ("account", "tariff", "contract", "point", "meter", "shiftable_process")
    return [
        conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in (*tables, "installation")
        if table != "contract"
    ] + [
        conn.execute("SELECT account_id, tariff_id, valid_to FROM contract").fetchall()
    ]


def test_applying_twice_changes_nothing(store: Store) -> None:
    entered = site(points=[point(meter("A"), processes=[PROCESS])])
    with connect(store.url) as conn:
        apply_site(conn, entered)
        before = everything(conn)
        apply_site(conn, entered)
        assert everything(conn) == before


HOUR = timedelta(hours=1)


def priced(entered: Site, flat: str) -> Site:
    """Give the site's tariff another price under its old code."""
    (tariff,) = entered.tariffs
    prices = tariff.price_per_kwh.model_copy(update={"flat": Decimal(flat)})
    changed = tariff.model_copy(update={"price_per_kwh": prices})
    return entered.model_copy(update={"tariffs": (changed,)})


def test_another_tariff_ends_the_contract(store: Store) -> None:
    first = site()
    more = first.tariffs[0].model_copy(update={"code": "new", "currency": "EUR"})
    changed = first.model_copy(
        update={
            "tariffs": (*first.tariffs, more),
            "accounts": (first.accounts[0].model_copy(update={"tariff": "new"}),),
        }
    )
    with connect(store.url) as conn:
        apply_site(conn, first, NOON - HOUR)
        apply_site(conn, changed, NOON)
        assert load_tariff(conn, 1) == load_tariff(conn, 1, NOON) == more
        assert load_tariff(conn, 1, NOON - HOUR) == first.tariffs[0]
        assert load_account(conn, "steel").currency == "EUR"
        assert conn.execute("SELECT count(*) FROM contract").fetchone() == (2,)


def test_a_new_price_holds_from_now_on_and_the_old_one_before(store: Store) -> None:
    first = site()
    dearer = priced(first, "0.7")
    with connect(store.url) as conn:
        apply_site(conn, first, NOON - HOUR)
        apply_site(conn, dearer, NOON)
        apply_site(conn, dearer, NOON + HOUR)
        for at, expected in (
            (datetime(2018, 1, 1, tzinfo=UTC), first),
            (NOON - timedelta(microseconds=1), first),
            (NOON, dearer),
            (None, dearer),
        ):
            assert load_tariff(conn, 1, at) == expected.tariffs[0]
        versions = conn.execute(
            "SELECT code, version FROM tariff ORDER BY 2"
        ).fetchall()
        assert versions == [("flat", 1), ("flat", 2)]
        # The old price again is the old version again, for a third period.
        apply_site(conn, first, NOON + 2 * HOUR)
        assert load_tariff(conn, 1, NOON + HOUR) == dearer.tariffs[0]
        assert load_tariff(conn, 1) == first.tariffs[0]
        assert conn.execute("SELECT max(version) FROM tariff").fetchone() == (2,)


def test_a_tariff_of_the_same_code_in_another_file_is_that_files(store: Store) -> None:
    mine = site()
    other = priced(site(code="mill", points=[]), "9")
    with connect(store.url) as conn:
        apply_site(conn, mine, NOON)
        apply_site(conn, other, NOON + HOUR)
        apply_site(conn, mine, NOON + 2 * HOUR)
        for code, expected in (("steel", mine), ("mill", other)):
            account_id = load_account(conn, code).account_id
            assert load_tariff(conn, account_id) == expected.tariffs[0]
        assert conn.execute("SELECT count(*) FROM contract").fetchone() == (2,)


def test_what_is_entered_later_wins_even_if_the_clock_went_back(store: Store) -> None:
    first, second, third = site(), priced(site(), "0.7"), priced(site(), "0.8")
    with connect(store.url) as conn:
        apply_site(conn, first, NOON)
        apply_site(conn, second, NOON + HOUR)
        apply_site(conn, third, NOON + HOUR)  # at the same moment
        assert load_tariff(conn, 1, NOON + HOUR) == third.tariffs[0]
        apply_site(conn, second, NOON)
        assert load_tariff(conn, 1, NOON - HOUR) == first.tariffs[0]
        assert load_tariff(conn, 1, NOON) == second.tariffs[0]
        assert load_tariff(conn, 1, NOON + HOUR) == second.tariffs[0]


@pytest.mark.parametrize("turn", [1, -1], ids=["old first", "new first"])
def test_a_meter_moves_to_another_point(store: Store, turn: int) -> None:
    here = point(meter("A", removed_at=NOON))
    there = point(meter("A", installed_at=NOON), name="Second supply")
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(meter("A"))]))
        apply_site(conn, site(points=[here, there][::turn]))
        left, came = [
            load_installations(conn, at.point_id)
            for at in sorted(load_points(conn), key=lambda at: at.name)
        ]
        assert [row.removed_at for row in left] == [NOON]
        assert [(row.installed_at, row.removed_at) for row in came] == [(NOON, None)]
        assert [found.serial for found in load_meters(conn, NOON)] == ["A"]
        (staying,) = load_meters(conn, NOON - timedelta(seconds=1))
        assert staying.removed_at is None


def test_two_meters_exchange_their_addresses(store: Store) -> None:
    a, b = meter("A", **MODBUS), meter("B", **MODBUS)

    def at(first: int, second: int):
        one = point(a | {"connection": BUS | {"unit": first}})
        two = point(b | {"connection": BUS | {"unit": second}}, name="Second")
        return site(points=[one, two])

    with connect(store.url) as conn:
        apply_site(conn, at(1, 2))
        apply_site(conn, at(2, 1))
        assert [m.unit for m in load_meters(conn)] == [2, 1]


def test_a_swapped_meter_is_no_longer_collected(store: Store) -> None:
    old, new = meter("A", removed_at=NOON), meter("B", installed_at=NOON)
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(old, new)]))
        assert [m.serial for m in load_meters(conn, NOON)] == ["B"]
        before = NOON - timedelta(seconds=1)
        coming = load_meters(conn, before)
        assert [(m.serial, m.removed_at) for m in coming] == [("A", NOON), ("B", None)]
        assert len(load_installations(conn, 1)) == 2


def at_point(*meters: dict[str, object], unit: int = 1, **account: object):
    """Return a site with these meters, all behind one gateway's unit."""
    placed = [one | MODBUS | {"connection": BUS | {"unit": unit}} for one in meters]
    return site(points=[point(*placed)], **account)


def test_the_new_meter_at_the_old_address_is_asked_from_its_time_on(
    store: Store,
) -> None:
    old, new = meter("A", removed_at=NOON), meter("B", installed_at=NOON)

    def asked(at: datetime) -> list[tuple[str, str, datetime | None]]:
        return [(m.serial, m.address, m.installed_at) for m in load_meters(conn, at)]

    with connect(store.url) as conn:
        apply_site(conn, at_point(meter("A")))
        apply_site(conn, at_point(old, new))
        before = NOON - timedelta(microseconds=1)
        since = datetime(2018, 1, 1, tzinfo=UTC)
        assert asked(since - timedelta(days=1)) == []
        assert asked(before) == [("A", "192.0.2.10:502/1", since)]
        assert asked(NOON) == [("B", "192.0.2.10:502/1", NOON)]
        assert len(load_installations(conn, 1)) == 2


def test_the_meter_of_another_file_at_ones_address_is_refused(store: Store) -> None:
    gap = timedelta(days=1)
    mill = {"code": "mill", "name": "Mill", "manager": "Zhang Min"}
    with connect(store.url) as conn:
        apply_site(conn, at_point(meter("A", removed_at=NOON)))
        before = everything(conn)
        with pytest.raises(SiteError) as refused:
            apply_site(conn, at_point(meter("B", installed_at=NOON - gap), **mill))
        assert str(refused.value) == (
            "Meter B cannot be at 192.0.2.10:502/1, where meter A of account steel is "
            "installed at the same time; give that one an earlier removed_at, or this "
            "one another address."
        )
        assert everything(conn) == before
        apply_site(conn, at_point(meter("B", installed_at=NOON), **mill))
        elsewhere = mill | {"code": "mine"}
        apply_site(conn, at_point(meter("C"), unit=2, **elsewhere))
        assert [m.serial for m in load_meters(conn, NOON)] == ["B", "C"]


LINE = {"transport": "modbus", "framing": "serial", "device": "/dev/ttyUSB0"}


def test_a_bus_of_each_kind_comes_back_as_it_was_entered(store: Store) -> None:
    line = LINE | {"baud_rate": 19200, "parity": "even", "stop_bits": 2, "unit": 7}
    server = BUS | {"framing": "rtu-over-tcp", "unit": 3}
    meters = (
        meter("A", **MODBUS, connection=line, removed_at=NOON),
        meter("B", **MODBUS, connection=server, installed_at=NOON),
    )
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(*meters)]))
        (on_line,) = load_meters(conn, NOON - timedelta(days=1))
        assert on_line.bus == BusAddress(
            framing=Framing.SERIAL,
            device="/dev/ttyUSB0",
            baud_rate=19200,
            parity="even",
            stop_bits=2,
        )
        assert on_line.address == "/dev/ttyUSB0/7"
        (behind,) = load_meters(conn, NOON)
        assert behind.bus == BusAddress(
            framing=Framing.RTU_OVER_TCP, host="192.0.2.10", port=502
        )
        # A meter that is taken from a line and put behind a gateway keeps none of it.
        now = meter("A", **MODBUS, connection=BUS | {"unit": 1})
        apply_site(conn, site(points=[point(now)]))
        (moved,) = load_meters(conn, NOON)
        assert moved.bus == BusAddress(host="192.0.2.10", port=502)


def test_a_unit_of_a_line_that_another_file_has_is_refused(store: Store) -> None:
    mine, other = (
        site(
            code=code,
            points=[point(meter(serial, **MODBUS, connection=LINE | {"unit": 7}))],
        )
        for code, serial in (("steel", "A"), ("mill", "B"))
    )
    with connect(store.url) as conn:
        apply_site(conn, mine)
        said = "Meter B cannot be at /dev/ttyUSB0/7, where meter A of account steel"
        with pytest.raises(SiteError, match=said):
            apply_site(conn, other)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=1)])
def test_a_meter_that_another_file_has_elsewhere_is_refused(
    store: Store, later: timedelta
) -> None:
    since = datetime(2018, 1, 1, tzinfo=UTC)
    mill = {"code": "mill", "name": "Mill", "manager": "Zhang Min"}
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(meter("A"))]))
        before = everything(conn)
        again = point(meter("A", installed_at=since + later), name="Hall")
        with pytest.raises(SiteError) as refused:
            apply_site(conn, site(points=[again], **mill))
        assert str(refused.value) == (
            "Meter A cannot be at point Hall of account mill: it is at point Main "
            "supply of account steel at the same time; give it an earlier removed_at "
            "there, or take it from there first."
        )
        assert everything(conn) == before
        apply_site(conn, site(points=[point(meter("A", removed_at=NOON))]))
        moved = point(meter("A", installed_at=NOON), name="Hall")
        apply_site(conn, site(points=[moved], **mill))
        (hall,) = [p for p in load_points(conn) if p.name == "Hall"]
        (installation,) = load_installations(conn, hall.point_id)
        assert installation.installed_at == NOON


def test_a_meter_moves_from_point_to_point_within_a_file(store: Store) -> None:
    with connect(store.url) as conn:
        for here, there in (([meter("A")], []), ([], [meter("A")])):
            both = [point(*there, name="Second"), point(*here)]
            apply_site(conn, site(points=both))
        (second,) = [p for p in load_points(conn) if p.name == "Second"]
        (installation,) = load_installations(conn, second.point_id)
        assert installation.installed_at == datetime(2018, 1, 1, tzinfo=UTC)


def test_a_file_applied_meanwhile_is_seen(plain_database: str) -> None:
    # With nothing else in common, for which the second would have to wait.
    mill = at_point(meter("B"), code="mill")
    tariff = mill.tariffs[0].model_copy(update={"code": "mill"})
    account = mill.accounts[0].model_copy(update={"tariff": "mill"})

    def enter_the_mill() -> None:
        with connect(plain_database) as conn:
            apply_site(conn, Site(tariffs=(tariff,), accounts=(account,)))

    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
    with (
        ThreadPoolExecutor() as pool,
        connect(plain_database) as conn,
        connect(plain_database, autocommit=True) as watch,
    ):
        with conn.transaction():
            apply_site(conn, at_point(meter("A")))
            second = pool.submit(enter_the_mill)
            while watch.execute(waits).fetchone() == (0,) and not second.done():
                wait([second], timeout=0.01)
        with pytest.raises(SiteError, match="meter A of account steel is installed"):
            second.result(timeout=30)


def test_a_corrected_serial_leaves_no_meter_to_ask(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, at_point(meter("ST-10O1")))
        apply_site(conn, at_point(meter("ST-1001")))
        assert [m.serial for m in load_meters(conn)] == ["ST-1001"]


def test_a_moved_meter_is_asked_before_and_after(store: Store) -> None:
    move = """
        INSERT INTO installation (point_id, meter_id, installed_at, register_digits,
                                  register_resolution)
        SELECT point_id, 1, %(at)s, 8, 0.01 FROM point WHERE name = 'Second'
    """
    two = [point(meter("A", removed_at=NOON)), point(name="Second")]
    with connect(store.url) as conn:
        apply_site(conn, site(points=two))
        conn.execute(move, {"at": NOON})
        (earlier,) = load_meters(conn, NOON - timedelta(hours=1))
        assert earlier.installed_at == datetime(2018, 1, 1, tzinfo=UTC)
        (later,) = load_meters(conn, NOON)
        assert later.installed_at == NOON


def test_a_changed_ratio_makes_the_days_with_readings_dirty(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
    write(store, batch(1))
    write(store, batch(1, start=NOON - timedelta(days=40)))
    with connect(store.url) as conn:
        conn.execute("DELETE FROM dirty_point_day")
        apply_site(conn, site())
        dirty = "SELECT local_day FROM dirty_point_day ORDER BY 1"
        assert conn.execute(dirty).fetchall() == []
        apply_site(conn, site(points=[point(meter("ST-1", ratio=2))]))
        assert conn.execute(dirty).fetchall() == [
            (date(2026, 1, 21),),
            (date(2026, 3, 2),),
        ]


def test_an_installation_that_is_no_longer_entered_goes(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
        corrected = meter("ST-1", installed_at=datetime(2019, 1, 1, tzinfo=UTC))
        apply_site(conn, site(points=[point(corrected)]))
        (installation,) = load_installations(conn, 1)
        assert installation.installed_at == datetime(2019, 1, 1, tzinfo=UTC)


def test_an_unknown_account_is_named_with_those_there_are(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())
        with pytest.raises(UnknownAccountError) as caught:
            load_account(conn, "stel")
        assert str(caught.value) == "No account is called stel; there are: steel."
        with pytest.raises(LookupError, match="There is no point 7"):
            load_point(conn, 7)
