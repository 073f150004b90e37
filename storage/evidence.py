"""What people entered about a point, and what was settled of it at other times.

Read by settlement alone: master data that change with time, outages, closures, rule
sets, and the history that estimates lean on.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.evidence import Outage, Series
from meters.quantity import Quantity
from meters.reading import utc_us
from storage.binary import energies_of, times_of

Change = tuple[datetime, Fraction]
SwapCounts = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """What people entered about a point, besides its meters."""

    multipliers: Mapping[int, Sequence[Change]]
    """Later multipliers by installation, each by time."""
    swap_counts: Mapping[tuple[int, Quantity], SwapCounts]
    """Opening and closing counts, by installation and register."""
    outages: tuple[Outage, ...]
    closures: frozenset[date]
    """Days on which the account's site alone does not work."""
    rule_sets: str | None
    """As they were entered; None = none were."""


# One statement, since settlement asks it of every point each quarter of an hour.
SELECT_ENTERED = """
    SELECT (SELECT jsonb_agg(jsonb_build_array(installation_id, since,
                                               multiplier::text) ORDER BY since)
              FROM multiplier_change JOIN installation USING (installation_id)
             WHERE point_id = %(point_id)s),
           (SELECT jsonb_agg(jsonb_build_array(installation_id, quantity,
                                               opening_counts, closing_counts))
              FROM swap_reading JOIN installation USING (installation_id)
             WHERE point_id = %(point_id)s),
           (SELECT jsonb_agg(jsonb_build_array(start, stop) ORDER BY start)
              FROM supply_outage WHERE point_id = %(point_id)s),
           (SELECT array_agg(local_day)
              FROM closure JOIN point USING (account_id)
             WHERE point_id = %(point_id)s),
           (SELECT definition FROM rule_sets ORDER BY rule_sets_id DESC LIMIT 1)
"""


def load_entered(conn: Connection[TupleRow], point_id: int) -> Entered:
    """Return what people entered about a point, besides its meters."""
    row = conn.execute(SELECT_ENTERED, {"point_id": point_id}).fetchone()
    changes, swaps, outages, closures, rule_sets = row or (None,) * 5
    multipliers: dict[int, list[Change]] = defaultdict(list)
    for installation_id, since, multiplier in changes or ():
        moment = datetime.fromisoformat(since)
        multipliers[installation_id].append((moment, Fraction(multiplier)))
    return Entered(
        multipliers=multipliers,
        swap_counts={
            (installation_id, Quantity(quantity)): (opening, closing)
            for installation_id, quantity, opening, closing in swaps or ()
        },
        outages=tuple(
            Outage(start_us=_us(a), stop_us=_us(b)) for a, b in outages or ()
        ),
        closures=frozenset(closures or ()),
        rule_sets=rule_sets,
    )


def _us(moment: str) -> int:
    return utc_us(datetime.fromisoformat(moment))


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
        kwh=energies_of(kwh),
        firm=np.frombuffer((firm or "").encode(), dtype=np.uint8) == ord("1"),
    )
