"""Writing what people enter: a site file becomes master data, again and again.

Errors: `accounts.site.SiteError` where another file forbids it.
"""

from collections.abc import Mapping
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.site import Site, SiteAccount, SitePoint
from accounts.tariff import Tariff
from storage.marking import mark_time
from storage.other_files import refuse_elsewhere, refuse_shared_address
from storage.site_installations import apply_installations
from storage.site_settlement import (
    Entering,
    apply_closures,
    apply_details,
    apply_outages,
)

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
INSERT_POINT = """
    INSERT INTO point (account_id, name) VALUES (%(account_id)s, %(name)s)
    ON CONFLICT (account_id, name) DO NOTHING
"""
SELECT_POINT = """
    SELECT point_id FROM point WHERE account_id = %(account_id)s AND name = %(name)s
"""
# All of it bounds what can flow at the point.
UPDATE_POINT = """
    UPDATE point
       SET contract_demand_kw = %(contract_demand_kw)s, contract_kva = %(contract_kva)s,
           feeds = %(feeds)s
     WHERE point_id = %(point_id)s
       AND (contract_demand_kw, contract_kva, feeds)
           IS DISTINCT FROM (%(contract_demand_kw)s, %(contract_kva)s, %(feeds)s)
    RETURNING point_id
"""
DELETE_PROCESSES = "DELETE FROM shiftable_process WHERE point_id = %(point_id)s"
INSERT_PROCESS = """
    INSERT INTO shiftable_process (point_id, name, power_kw, duration_min,
                                   usual_start, earliest_start, latest_end)
    VALUES (%(point_id)s, %(name)s, %(power_kw)s, %(duration_min)s,
            %(usual_start)s, %(earliest_start)s, %(latest_end)s)
"""
# Two people who enter meters at once wait for each other: else neither would see that
# the other's are at the same address. Whoever reads or writes readings waits for none.
LOCK_METERS = "LOCK TABLE meter IN SHARE ROW EXCLUSIVE MODE"


def apply_site(
    conn: Connection[TupleRow],
    site: Site,
    now: datetime | None = None,
    *,
    by: str = "keywatt",
) -> None:
    """Make the database say what a site says, in one transaction.

    What is there already stays as it is; a second time changes nothing. The site is
    the whole truth for the points it names: processes and installations that it no
    longer holds go. Accounts and meters it does not name stay, and so do closures and
    outages that were entered otherwise than by a site file. A tariff that is not what
    it was is a new version, which its accounts here have from `now` on; the past and
    the accounts of other files keep the one they had. Days that are to be settled
    otherwise now are marked.

    Parameters
    ----------
    conn : Connection
    site : Site
    now : datetime or None
        None: the server's.
    by : str
        Who enters it.

    Raises
    ------
    SiteError
        One of its meters is at a point of another file at the same time, or would be
        at the address of another meter while that one is there. Nothing is stored then.

    """
    entering = Entering.of_file(by, now)
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
                entering=entering,
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
    entering: Entering,
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
    _apply_contract(conn, account_id, tariff_id, entering.now)
    for point in account.points:
        point_id = _apply_point(conn, account_id, point, entering)
        apply_outages(conn, point_id, account.outages_of(point.name), entering)
    apply_closures(conn, account_id, account.closures, entering)


def _apply_point(
    conn: Connection[TupleRow], account_id: int, point: SitePoint, entering: Entering
) -> int:
    row: dict[str, object] = {
        "account_id": account_id,
        "name": point.name,
        "contract_demand_kw": point.contract_demand_kw,
        "contract_kva": point.contract_kva,
        "feeds": point.feeds,
    }
    conn.execute(INSERT_POINT, row)
    point_id = _one(conn, SELECT_POINT, row)
    changed = conn.execute(UPDATE_POINT, row | {"point_id": point_id}).fetchone()
    conn.execute(DELETE_PROCESSES, {"point_id": point_id})
    for process in point.processes:
        conn.execute(INSERT_PROCESS, process.model_dump() | {"point_id": point_id})
    sitting = apply_installations(conn, point_id, point, entering.now)
    apply_details(conn, sitting, entering)
    if changed:
        mark_time(conn, point_id, None, None, entering.now)
    return point_id


def _one(
    conn: Connection[TupleRow], query: str, parameters: Mapping[str, object]
) -> int:
    row = conn.execute(query, parameters).fetchone()
    if row is None:
        raise AssertionError(f"nothing came back from {query}")
    return int(row[0])
