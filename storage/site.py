"""Writing what people enter: a site file becomes master data, again and again.

Errors: `accounts.site.SiteError` where another file forbids it.
"""

from collections.abc import Mapping
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.site import (
    MqttConnection,
    Site,
    SiteAccount,
    SiteMeter,
    SitePoint,
)
from accounts.tariff import Tariff
from storage.other_files import refuse_elsewhere, refuse_shared_address

# A version is never changed, so that a figure can be traced to what it was made with.
FIND_TARIFF = """
    SELECT tariff_id FROM tariff
     WHERE code = %(code)s AND definition = %(definition)s::jsonb
"""
INSERT_TARIFF = """
    INSERT INTO tariff (code, version, definition)
    SELECT %(code)s, coalesce(max(version), 0) + 1, %(definition)s::jsonb
      FROM tariff WHERE code = %(code)s
    RETURNING tariff_id
"""
UPSERT_ACCOUNT = """
    INSERT INTO account (code, name, sector, time_zone, country, manager, currency)
    VALUES (%(code)s, %(name)s, %(sector)s, %(time_zone)s, %(country)s, %(manager)s,
            %(currency)s)
    ON CONFLICT (code) DO UPDATE
       SET name = excluded.name, sector = excluded.sector,
           time_zone = excluded.time_zone, country = excluded.country,
           manager = excluded.manager, currency = excluded.currency
    RETURNING account_id
"""
FIND_CONTRACT = """
    SELECT FROM contract
     WHERE account_id = %(account_id)s AND tariff_id = %(tariff_id)s
       AND valid_to IS NULL
"""
# What would only have held from now on never held.
DELETE_LATER_CONTRACTS = """
    DELETE FROM contract
     WHERE account_id = %(account_id)s
       AND valid_from >= coalesce(%(now)s, now())
"""
END_CONTRACT = """
    UPDATE contract SET valid_to = coalesce(%(now)s, now())
     WHERE account_id = %(account_id)s
       AND coalesce(valid_to > coalesce(%(now)s, now()), true)
"""
# The first contract has held for ever; a later one holds from now on.
INSERT_CONTRACT = """
    INSERT INTO contract (account_id, tariff_id, valid_from)
    SELECT %(account_id)s, %(tariff_id)s,
           CASE WHEN EXISTS (SELECT FROM contract WHERE account_id = %(account_id)s)
                THEN coalesce(%(now)s, now()) ELSE '-infinity' END
"""
UPSERT_POINT = """
    INSERT INTO point (account_id, name, contract_demand_kw)
    VALUES (%(account_id)s, %(name)s, %(contract_demand_kw)s)
    ON CONFLICT (account_id, name) DO UPDATE
       SET contract_demand_kw = excluded.contract_demand_kw
    RETURNING point_id
"""
DELETE_PROCESSES = "DELETE FROM shiftable_process WHERE point_id = %(point_id)s"
INSERT_PROCESS = """
    INSERT INTO shiftable_process (point_id, name, power_kw, duration_min,
                                   usual_start, earliest_start, latest_end)
    VALUES (%(point_id)s, %(name)s, %(power_kw)s, %(duration_min)s,
            %(usual_start)s, %(earliest_start)s, %(latest_end)s)
"""
UPSERT_METER = """
    INSERT INTO meter (serial, profile, transport, framing, host, port, device,
                       baud_rate, parity, stop_bits, unit, poll_every_s)
    VALUES (%(serial)s, %(profile)s, %(transport)s, %(framing)s, %(host)s, %(port)s,
            %(device)s, %(baud_rate)s, %(parity)s, %(stop_bits)s, %(unit)s,
            %(poll_every_s)s)
    ON CONFLICT (serial) DO UPDATE
       SET profile = excluded.profile, transport = excluded.transport,
           framing = excluded.framing, host = excluded.host, port = excluded.port,
           device = excluded.device, baud_rate = excluded.baud_rate,
           parity = excluded.parity, stop_bits = excluded.stop_bits,
           unit = excluded.unit, poll_every_s = excluded.poll_every_s
    RETURNING meter_id
"""
# Days that a meter's readings were settled under an installation that is no longer
# what was entered, or will be under a new one.
MARK_DIRTY = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT %(point_id)s, (measured_at AT TIME ZONE time_zone)::date
      FROM reading, point JOIN account USING (account_id)
     WHERE meter_id = ANY(%(meter_ids)s) AND point_id = %(point_id)s
"""
# Those of the point from which a meter moves to this one, as another part of the site.
MARK_DIRTY_BEFORE = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT point_id, (measured_at AT TIME ZONE time_zone)::date
      FROM installation
      JOIN point USING (point_id)
      JOIN account USING (account_id)
      JOIN reading USING (meter_id)
     WHERE meter_id = %(meter_id)s AND installed_at = %(installed_at)s
       AND point_id <> %(point_id)s
"""
DELETE_OTHER_INSTALLATIONS = """
    DELETE FROM installation
     WHERE point_id = %(point_id)s
       AND (meter_id, installed_at) NOT IN (
               SELECT * FROM unnest(%(meter_ids)s::int[],
                                    %(installed_at)s::timestamptz[]))
    RETURNING meter_id
"""
UPSERT_INSTALLATION = """
    INSERT INTO installation AS old (point_id, meter_id, installed_at, removed_at,
                                     ratio, register_digits, register_resolution)
    VALUES (%(point_id)s, %(meter_id)s, %(installed_at)s, %(removed_at)s, %(ratio)s,
            %(register_digits)s, %(register_resolution)s)
    ON CONFLICT (meter_id, installed_at) DO UPDATE
       SET point_id = excluded.point_id, removed_at = excluded.removed_at,
           ratio = excluded.ratio, register_digits = excluded.register_digits,
           register_resolution = excluded.register_resolution
     WHERE (old.point_id, old.removed_at, old.ratio, old.register_digits,
            old.register_resolution)
           IS DISTINCT FROM
           (excluded.point_id, excluded.removed_at, excluded.ratio,
            excluded.register_digits, excluded.register_resolution)
    RETURNING meter_id
"""
# Two people who enter meters at once wait for each other: else neither would see that
# the other's are at the same address. Whoever reads or writes readings waits for none.
LOCK_METERS = "LOCK TABLE meter IN SHARE ROW EXCLUSIVE MODE"


def apply_site(
    conn: Connection[TupleRow], site: Site, now: datetime | None = None
) -> None:
    """Make the database say what a site says, in one transaction.

    What is there already stays as it is; a second time changes nothing. The site is
    the whole truth for the points it names: processes and installations that it no
    longer holds go. Accounts and meters it does not name stay. A tariff that is not
    what it was is a new version, which its accounts here have from `now` (None: the
    server's) on; the past and the accounts of other files keep the one they had.

    Raises
    ------
    SiteError
        One of its meters is at a point of another file at the same time, or would be
        at the address of another meter while that one is there. Nothing is stored then.

    """
    with conn.transaction():
        conn.execute(LOCK_METERS)
        refuse_elsewhere(conn, site)
        tariff_ids = {t.code: _apply_tariff(conn, t) for t in site.tariffs}
        for account in site.accounts:
            _apply_account(
                conn,
                account,
                currency=site.tariff_of(account).currency,
                tariff_id=tariff_ids[account.tariff],
                now=now,
            )
        refuse_shared_address(conn, [meter.serial for meter in site.meters()])


def _apply_tariff(conn: Connection[TupleRow], tariff: Tariff) -> int:
    entered = {"code": tariff.code, "definition": tariff.model_dump_json()}
    known = conn.execute(FIND_TARIFF, entered).fetchone()
    return _one(conn, INSERT_TARIFF, entered) if known is None else int(known[0])


def _apply_contract(
    conn: Connection[TupleRow], account_id: int, tariff_id: int, now: datetime | None
) -> None:
    contract = {"account_id": account_id, "tariff_id": tariff_id, "now": now}
    if conn.execute(FIND_CONTRACT, contract).fetchone() is None:
        for change in (DELETE_LATER_CONTRACTS, END_CONTRACT, INSERT_CONTRACT):
            conn.execute(change, contract)


def _apply_account(
    conn: Connection[TupleRow],
    account: SiteAccount,
    *,
    currency: str,
    tariff_id: int,
    now: datetime | None,
) -> None:
    account_id = _one(
        conn,
        UPSERT_ACCOUNT,
        {
            "code": account.code,
            "name": account.name,
            "sector": account.sector,
            "time_zone": account.time_zone.key,
            "country": account.country,
            "manager": account.manager,
            "currency": currency,
        },
    )
    _apply_contract(conn, account_id, tariff_id, now)
    for point in account.points:
        _apply_point(conn, account_id, point)


def _apply_point(conn: Connection[TupleRow], account_id: int, point: SitePoint) -> None:
    point_id = _one(
        conn,
        UPSERT_POINT,
        {
            "account_id": account_id,
            "name": point.name,
            "contract_demand_kw": point.contract_demand_kw,
        },
    )
    conn.execute(DELETE_PROCESSES, {"point_id": point_id})
    for process in point.processes:
        conn.execute(INSERT_PROCESS, process.model_dump() | {"point_id": point_id})
    _apply_installations(conn, point_id, point.meters)


def _apply_installations(
    conn: Connection[TupleRow], point_id: int, meters: tuple[SiteMeter, ...]
) -> None:
    meter_ids = [_apply_meter(conn, meter) for meter in meters]
    entered = {
        "point_id": point_id,
        "meter_ids": meter_ids,
        "installed_at": [meter.installed_at for meter in meters],
    }
    changed = conn.execute(DELETE_OTHER_INSTALLATIONS, entered).fetchall()
    for meter_id, meter in zip(meter_ids, meters, strict=True):
        row = {
            "point_id": point_id,
            "meter_id": meter_id,
            "installed_at": meter.installed_at,
            "removed_at": meter.removed_at,
            "ratio": meter.ratio,
            "register_digits": meter.register_digits,
            "register_resolution": meter.register_resolution,
        }
        conn.execute(MARK_DIRTY_BEFORE, row)
        changed += conn.execute(UPSERT_INSTALLATION, row).fetchall()
    if changed:
        touched = {"point_id": point_id, "meter_ids": [row[0] for row in changed]}
        conn.execute(MARK_DIRTY, touched)


def _apply_meter(conn: Connection[TupleRow], meter: SiteMeter) -> int:
    row: dict[str, object] = {
        "serial": meter.serial,
        "profile": meter.profile,
        "transport": meter.connection.transport,
        "framing": "tcp",
        "host": None,
        "port": None,
        "device": None,
        "baud_rate": 9600,
        "parity": "none",
        "stop_bits": 1,
        "unit": None,
    }
    if isinstance(meter.connection, MqttConnection):
        row["poll_every_s"] = meter.connection.report_every_s
    else:
        row |= meter.connection.model_dump()
    return _one(conn, UPSERT_METER, row)


def _one(
    conn: Connection[TupleRow], query: str, parameters: Mapping[str, object]
) -> int:
    row = conn.execute(query, parameters).fetchone()
    if row is None:
        raise AssertionError(f"nothing came back from {query}")
    return int(row[0])
