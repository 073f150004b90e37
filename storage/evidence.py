"""What settlement asks of a point, in few statements.

How far it is settled, what people entered about it, and the history that rules and
estimates lean on. Pages and commands ask `storage.settlement_master` instead.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Point
from accounts.calendar import SiteCalendar
from analytics.settlement.evidence import Outage, Series, StatedMultiplier
from meters.quantity import Quantity
from meters.reading import utc_us
from storage.binary import energies_of, times_of
from storage.settlement_master import site_calendar

Change = tuple[datetime, Fraction]
SwapCounts = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far a point is settled."""

    today: date
    """In the account's time zone."""
    settled_from: datetime | None
    """Start of the oldest interval; None = there is none."""
    open_from: date | None
    """Local day in which the newest interval ends."""


# The first and the last interval each by itself: an index has them at its ends.
SELECT_STANDING = """
    SELECT (%(now)s AT TIME ZONE time_zone)::date,
           (SELECT start FROM energy_interval
             WHERE point_id = %(point_id)s ORDER BY start LIMIT 1),
           (SELECT start + make_interval(mins => length_min) FROM energy_interval
             WHERE point_id = %(point_id)s ORDER BY start DESC LIMIT 1)
           AT TIME ZONE time_zone
      FROM point JOIN account USING (account_id)
     WHERE point_id = %(point_id)s
"""


def load_standing(conn: Connection[TupleRow], point_id: int, now: datetime) -> Standing:
    """Return how far a point is settled; LookupError if there is none."""
    asked = {"point_id": point_id, "now": now}
    row = conn.execute(SELECT_STANDING, asked).fetchone()
    if row is None:
        raise LookupError(f"There is no point {point_id}.")
    today, settled_from, ends = row
    return Standing(
        today=today,
        settled_from=settled_from,
        open_from=None if ends is None else ends.date(),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """What people entered about a point, besides its meters."""

    point: Point
    account: str
    """Code of the point's account."""
    calendar: SiteCalendar
    multipliers: Mapping[int, Sequence[Change]]
    """Later multipliers by installation, each by time."""
    swap_counts: Mapping[tuple[int, Quantity], SwapCounts]
    """Opening and closing counts, by installation and register."""
    outages: tuple[Outage, ...]
    rule_sets: str | None
    """As they were entered; None = none were."""
    stated: tuple[StatedMultiplier, ...]
    """What its meters state, by time: no person's entry, but asked with them."""
    is_edited: bool
    """Whether any of its intervals is."""
    has_profile: bool
    """Whether any of its meters counts intervals itself."""


# One statement, since settlement asks it of every point each quarter of an hour; so it
# also tells what need not be asked of most of them.
SELECT_ENTERED = """
    SELECT point_id, account_id, point.name, contract_demand_kw, contract_kva, feeds,
           code, time_zone, country,
           (SELECT jsonb_agg(jsonb_build_array(installation_id, since,
                                               multiplier::text) ORDER BY since)
              FROM multiplier_change JOIN installation USING (installation_id)
             WHERE point_id = %(point_id)s),
           (SELECT jsonb_agg(jsonb_build_array(installation_id, quantity,
                                               opening_counts, closing_counts))
              FROM swap_reading JOIN installation USING (installation_id)
             WHERE point_id = %(point_id)s),
           (SELECT jsonb_agg(jsonb_build_array(start, stop) ORDER BY start)
              FROM supply_outage
             WHERE point_id = %(point_id)s AND removed_at IS NULL),
           (SELECT array_agg(local_day)
              FROM closure
             WHERE closure.account_id = point.account_id AND removed_at IS NULL),
           (SELECT definition FROM rule_sets ORDER BY rule_sets_id DESC LIMIT 1),
           (SELECT jsonb_agg(jsonb_build_array(meter_id, since_at, multiplier)
                             ORDER BY since_at)
              FROM stated_multiplier
             WHERE meter_id IN (SELECT meter_id FROM installation
                                 WHERE point_id = %(point_id)s)),
           EXISTS (SELECT FROM interval_edit
                    WHERE point_id = %(point_id)s AND undone_at IS NULL),
           EXISTS (SELECT FROM installation JOIN meter_interval USING (meter_id)
                    WHERE point_id = %(point_id)s)
      FROM point JOIN account USING (account_id)
     WHERE point_id = %(point_id)s
"""


def load_entered(conn: Connection[TupleRow], point_id: int) -> Entered:
    """Return what people entered about a point, besides its meters.

    Raises
    ------
    LookupError
        There is no such point.

    """
    row = conn.execute(SELECT_ENTERED, {"point_id": point_id}).fetchone()
    if row is None:
        raise LookupError(f"There is no point {point_id}.")
    *point, account, zone, country, changes, swaps, outages, closures = row[:13]
    rule_sets, stated, is_edited, has_profile = row[13:]
    multipliers: dict[int, list[Change]] = defaultdict(list)
    for installation_id, since, multiplier in changes or ():
        moment = datetime.fromisoformat(since)
        multipliers[installation_id].append((moment, Fraction(multiplier)))
    return Entered(
        point=Point(**dict(zip(_POINT, point, strict=True))),
        account=account,
        calendar=site_calendar(ZoneInfo(zone), country, closures or ()),
        multipliers=multipliers,
        swap_counts={
            (installation_id, Quantity(quantity)): (opening, closing)
            for installation_id, quantity, opening, closing in swaps or ()
        },
        outages=tuple(
            Outage(start_us=_us(a), stop_us=_us(b)) for a, b in outages or ()
        ),
        rule_sets=rule_sets,
        stated=tuple(
            StatedMultiplier(meter_id=meter_id, since_us=_us(since), value=value)
            for meter_id, since, value in stated or ()
        ),
        is_edited=is_edited,
        has_profile=has_profile,
    )


_POINT = (
    "point_id",
    "account_id",
    "name",
    "contract_demand_kw",
    "contract_kva",
    "feeds",
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
