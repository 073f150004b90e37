"""What people entered about a point, and what was settled of it at other times.

Read by settlement alone: master data that change with time, outages, closures, rule
sets, and the history that estimates lean on.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.evidence import Outage, Series
from meters.quantity import Quantity
from meters.reading import utc_us
from storage.binary import floats_of, times_of

Change = tuple[datetime, Fraction]
SwapCounts = tuple[int | None, int | None]

SELECT_MULTIPLIERS = """
    SELECT installation_id, since, multiplier
      FROM multiplier_change JOIN installation USING (installation_id)
     WHERE point_id = %(point_id)s
     ORDER BY installation_id, since
"""


def load_multipliers(
    conn: Connection[TupleRow], point_id: int
) -> Mapping[int, Sequence[Change]]:
    """Return the later multipliers of a point's installations, each by time."""
    found: dict[int, list[Change]] = defaultdict(list)
    for installation_id, since, multiplier in conn.execute(
        SELECT_MULTIPLIERS, {"point_id": point_id}
    ):
        found[installation_id].append((since, Fraction(Decimal(multiplier))))
    return found


SELECT_SWAPS = """
    SELECT installation_id, quantity, opening_counts, closing_counts
      FROM swap_reading JOIN installation USING (installation_id)
     WHERE point_id = %(point_id)s
"""


def load_swap_counts(
    conn: Connection[TupleRow], point_id: int
) -> Mapping[tuple[int, Quantity], SwapCounts]:
    """Return opening and closing counts by installation and register."""
    rows = conn.execute(SELECT_SWAPS, {"point_id": point_id}).fetchall()
    return {
        (installation_id, Quantity(quantity)): (opening, closing)
        for installation_id, quantity, opening, closing in rows
    }


SELECT_OUTAGES = """
    SELECT start, stop FROM supply_outage
     WHERE point_id = %(point_id)s
     ORDER BY start
"""


def load_outages(conn: Connection[TupleRow], point_id: int) -> tuple[Outage, ...]:
    """Return when a point was, or will be, without supply."""
    rows = conn.execute(SELECT_OUTAGES, {"point_id": point_id}).fetchall()
    return tuple(
        Outage(start_us=utc_us(start), stop_us=utc_us(stop)) for start, stop in rows
    )


SELECT_CLOSURES = "SELECT local_day FROM closure WHERE account_id = %(account_id)s"


def load_closures(conn: Connection[TupleRow], account_id: int) -> frozenset[date]:
    """Return the days on which an account's site alone does not work."""
    rows = conn.execute(SELECT_CLOSURES, {"account_id": account_id}).fetchall()
    return frozenset(day for (day,) in rows)


SELECT_RULE_SETS = """
    SELECT definition FROM rule_sets ORDER BY rule_sets_id DESC LIMIT 1
"""


def load_rule_sets_text(conn: Connection[TupleRow]) -> str | None:
    """Return the rule sets that count, as they were entered; None = none were."""
    row = conn.execute(SELECT_RULE_SETS).fetchone()
    return None if row is None else str(row[0])


SELECT_HISTORY = """
    SELECT string_agg(timestamptz_send(start), ''),
           string_agg(float8send(import_kwh), ''),
           string_agg(CASE WHEN firm THEN '1' ELSE '0' END, '')
      FROM (SELECT start, import_kwh, firm
              FROM energy_interval
             WHERE point_id = %(point_id)s AND import_kwh IS NOT NULL
               AND start >= %(start)s AND start < %(stop)s
             ORDER BY start) AS wanted
"""


def load_history(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> Series:
    """Return what is known of a point's import in [start, stop)."""
    window = {"point_id": point_id, "start": start, "stop": stop}
    row = conn.cursor(binary=True).execute(SELECT_HISTORY, window).fetchone()
    starts, kwh, firm = row or (None, None, None)
    return Series(
        start_us=times_of(starts),
        kwh=floats_of(kwh),
        firm=np.frombuffer((firm or "").encode(), dtype=np.uint8) == ord("1"),
    )
