"""Master data: accounts, points, meters, installations, tariffs, processes.

UnknownAccountError      no account has that code or number
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import TupleRow, class_row, dict_row

from accounts.account import Account, Installation, Point, Role, Sector
from accounts.equipment import ShiftableProcess
from accounts.tariff import Tariff
from meters.meter import Framing, Meter, Transport
from storage.site import apply_site

__all__ = [
    "UnknownAccountError",
    "apply_site",
    "load_account",
    "load_accounts",
    "load_installations",
    "load_meters",
    "load_point",
    "load_points",
    "load_processes",
    "load_tariff",
    "master_version",
    "next_turn",
]


class UnknownAccountError(LookupError):
    """No account has that code or number; the text names those there are."""


SELECT_ACCOUNT = """
    SELECT account_id, code, name, sector, time_zone, country, manager, currency
      FROM account
     WHERE (%(manager)s::text IS NULL OR manager = %(manager)s)
       AND (%(code)s::text IS NULL OR code = %(code)s)
       AND (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
     ORDER BY code
"""


def load_accounts(
    conn: Connection[TupleRow], manager: str | None = None
) -> list[Account]:
    """Return all accounts, or one manager's, by code."""
    return _accounts(conn, manager=manager)


def load_account(conn: Connection[TupleRow], account: str | int) -> Account:
    """Return one account by its code or its number.

    Raises
    ------
    UnknownAccountError
        There is none.

    """
    if isinstance(account, int):
        found = _accounts(conn, account_id=account)
    else:
        found = _accounts(conn, code=account)
    if not found:
        known = ", ".join(known.code for known in _accounts(conn)) or "none yet"
        raise UnknownAccountError(
            f"No account is called {account}; there are: {known}."
        )
    return found[0]


def _accounts(
    conn: Connection[TupleRow],
    *,
    manager: str | None = None,
    code: str | None = None,
    account_id: int | None = None,
) -> list[Account]:
    asked = {"manager": manager, "code": code, "account_id": account_id}
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(SELECT_ACCOUNT, asked).fetchall()
    return [_account(row) for row in rows]


def _account(row: dict[str, Any]) -> Account:  # Any: a database row
    return Account(
        **row
        | {"sector": Sector(row["sector"]), "time_zone": ZoneInfo(row["time_zone"])}
    )


SELECT_POINT = """
    SELECT point_id, account_id, name, contract_demand_kw, contract_kva, feeds
      FROM point
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(point_id)s::int IS NULL OR point_id = %(point_id)s)
     ORDER BY point_id
"""


def load_points(
    conn: Connection[TupleRow], account_id: int | None = None
) -> list[Point]:
    """Return the points of one account, or of all."""
    with conn.cursor(row_factory=class_row(Point)) as cur:
        asked = {"account_id": account_id, "point_id": None}
        return cur.execute(SELECT_POINT, asked).fetchall()


def load_point(conn: Connection[TupleRow], point_id: int) -> Point:
    """Return one point; LookupError if there is none."""
    with conn.cursor(row_factory=class_row(Point)) as cur:
        asked = {"account_id": None, "point_id": point_id}
        point = cur.execute(SELECT_POINT, asked).fetchone()
    if point is None:
        raise LookupError(f"There is no point {point_id}.")
    return point


SELECT_METERS = """
    SELECT meter_id, serial, profile, transport, framing, host, port, device,
           baud_rate, parity, stop_bits, unit, poll_every_s,
           next_or_present.installed_at, next_or_present.removed_at
      FROM (SELECT coalesce(%(now)s, now()) AS at) AS asked
     CROSS JOIN meter
     CROSS JOIN LATERAL (
               SELECT installed_at,
                      -- Where it stays, under other terms or at another point, it is
                      -- not removed.
                      CASE WHEN NOT EXISTS (
                               SELECT FROM installation AS following
                                WHERE following.meter_id = meter.meter_id
                                  AND following.installed_at = installation.removed_at)
                           THEN removed_at END AS removed_at
                 FROM installation
                WHERE installation.meter_id = meter.meter_id
                  AND coalesce(removed_at > asked.at, true)
                ORDER BY installed_at LIMIT 1) AS next_or_present
     -- Another meter may still be at the address; a message that comes early may hold
     -- what is measured later.
     WHERE transport = 'mqtt' OR next_or_present.installed_at <= asked.at
     ORDER BY meter_id
"""


def load_meters(conn: Connection[TupleRow], now: datetime | None = None) -> list[Meter]:
    """Return the meters under collection, each with its present or next installation.

    A Modbus meter is one from `installed_at` until `removed_at`, so that no address is
    there twice. One that publishes is known even before: it may begin a little early.
    """
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(SELECT_METERS, {"now": now}).fetchall()
    return [
        Meter(
            **row
            | {
                "transport": Transport(row["transport"]),
                "framing": Framing(row["framing"]),
            }
        )
        for row in rows
    ]


SELECT_VERSION = "SELECT version FROM master_version"


def master_version(conn: Connection[TupleRow]) -> int:
    """Return a number that is another once a meter or an installation is changed.

    Read it before the meters: what is changed in between then counts as news again.
    """
    row = conn.execute(SELECT_VERSION).fetchone()
    return 0 if row is None else int(row[0])


SELECT_NEXT_TURN = """
    SELECT min(turn)
      FROM installation
     CROSS JOIN LATERAL (VALUES (installed_at), (removed_at)) AS its (turn)
     WHERE turn > %(now)s
"""


def next_turn(conn: Connection[TupleRow], now: datetime) -> datetime | None:
    """Return when a meter comes or leaves next, as is entered already; None = never."""
    row = conn.execute(SELECT_NEXT_TURN, {"now": now}).fetchone()
    return None if row is None else row[0]


SELECT_INSTALLATIONS = """
    SELECT installation_id, point_id, meter_id, installed_at, removed_at,
           ratio, register_digits, register_resolution, role
      FROM installation
     WHERE point_id = %(point_id)s
     ORDER BY installed_at
"""


def load_installations(conn: Connection[TupleRow], point_id: int) -> list[Installation]:
    """Return which meters sat at a point, in either role, oldest first."""
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(SELECT_INSTALLATIONS, {"point_id": point_id}).fetchall()
    return [Installation(**row | {"role": Role(row["role"])}) for row in rows]


SELECT_TARIFF = """
    SELECT definition
      FROM contract JOIN tariff USING (tariff_id)
     WHERE account_id = %(account_id)s
       AND (%(at)s::timestamptz IS NULL
            OR (valid_from <= %(at)s AND coalesce(%(at)s < valid_to, true)))
     ORDER BY valid_from DESC LIMIT 1
"""


def load_tariff(
    conn: Connection[TupleRow], account_id: int, at: datetime | None = None
) -> Tariff | None:
    """Return the tariff in force at a time, or the newest; None without a contract."""
    asked = {"account_id": account_id, "at": at}
    row = conn.execute(SELECT_TARIFF, asked).fetchone()
    return None if row is None else Tariff.model_validate(row[0])


SELECT_PROCESSES = """
    SELECT name, power_kw, duration_min, usual_start, earliest_start, latest_end
      FROM shiftable_process
     WHERE point_id = %(point_id)s
     ORDER BY name
"""


def load_processes(conn: Connection[TupleRow], point_id: int) -> list[ShiftableProcess]:
    """Return the equipment of a point that can run at another time."""
    with conn.cursor(row_factory=class_row(ShiftableProcess)) as cur:
        return cur.execute(SELECT_PROCESSES, {"point_id": point_id}).fetchall()
