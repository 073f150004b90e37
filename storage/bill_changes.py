"""Which bills are not what is believed now, without looking at each of their intervals.

What was believed of a billed interval and is no longer was replaced since: its row is
among the few of `energy_interval_past`. Only where some of a period was not settled
when it was billed, intervals are looked at that came since.
"""

from dataclasses import dataclass
from datetime import date

from psycopg import Connection
from psycopg.rows import TupleRow, class_row


@dataclass(frozen=True, kw_only=True, slots=True)
class BillChange:
    """A bill that differs from what is believed now."""

    bill_id: int
    account_id: int
    first_day: date
    last_day: date
    intervals: int
    """How many are not what was billed, in energy or quality."""
    change_kwh: float
    """By how much their import is more than was billed; what is not known is 0."""


SELECT_BOUNDS = """
    SELECT min(first_day)::timestamp AT TIME ZONE 'UTC' - interval '1 day',
           max(last_day)::timestamp AT TIME ZONE 'UTC' + interval '2 days'
      FROM billed_period
     WHERE withdrawn_at IS NULL
       AND (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
"""
# Energy is stored in binary steps, and is what it is to the millionth.
# The outer bounds, as constants, leave out partitions before anything is read.
SELECT_CHANGES = """
    WITH pinned AS MATERIALIZED (
        SELECT bill_id, account_id, first_day, last_day, as_of, point_id,
               day_begins(first_day, time_zone) AS starts_at,
               day_begins(last_day + 1, time_zone) AS stops_at,
               measured + estimated + edited + missing AS settled
          FROM billed_period
          JOIN account USING (account_id)
          JOIN billed_energy USING (bill_id)
         WHERE withdrawn_at IS NULL
           AND (%(account_id)s::int IS NULL OR account_id = %(account_id)s)),
    changed AS (
        SELECT bill_id, round(was.import_kwh * 1e6) AS was_millionths,
               round(now.import_kwh * 1e6) AS now_millionths
          FROM pinned
          JOIN energy_interval_past AS was
            ON was.point_id = pinned.point_id
           AND was.start >= starts_at AND was.start < stops_at
           AND was.start >= %(start)s AND was.start < %(stop)s
           AND was.settled_at <= as_of AND was.replaced_at > as_of
          LEFT JOIN energy_interval AS now
            ON now.point_id = was.point_id AND now.start = was.start
           AND now.start >= %(start)s AND now.start < %(stop)s
         WHERE (round(was.import_kwh * 1e6), round(was.export_kwh * 1e6),
                round(was.lagging_kvarh * 1e6),
                round(was.leading_kvarh * 1e6), was.quality)
               IS DISTINCT FROM
               (round(now.import_kwh * 1e6), round(now.export_kwh * 1e6),
                round(now.lagging_kvarh * 1e6),
                round(now.leading_kvarh * 1e6), now.quality)
         UNION ALL
        SELECT bill_id, NULL, round(now.import_kwh * 1e6)
          FROM pinned
          JOIN energy_interval AS now
            ON now.point_id = pinned.point_id
           AND now.start >= starts_at AND now.start < stops_at
           AND now.start >= %(start)s AND now.start < %(stop)s
           AND now.settled_at > as_of
         WHERE settled < extract(epoch FROM stops_at - starts_at) / 900
           AND NOT EXISTS (
                   SELECT FROM energy_interval_past AS was
                    WHERE was.point_id = now.point_id AND was.start = now.start
                      AND was.start >= %(start)s AND was.start < %(stop)s
                      AND was.settled_at <= as_of AND was.replaced_at > as_of))
    SELECT bill_id, account_id, first_day, last_day, intervals, change_kwh
      FROM (SELECT DISTINCT bill_id, account_id, first_day, last_day FROM pinned)
           AS bill
      JOIN (SELECT bill_id, count(*) AS intervals,
                   sum(coalesce(now_millionths, 0) - coalesce(was_millionths, 0)) / 1e6
                       AS change_kwh
              FROM changed GROUP BY bill_id) AS its USING (bill_id)
     ORDER BY first_day, bill_id
"""


def load_bill_changes(
    conn: Connection[TupleRow], account_id: int | None = None
) -> list[BillChange]:
    """Return the bills of an account, or all, that are not what is believed now.

    By their days; withdrawn ones are left out. `reports.billed_difference` says the
    same of one bill, interval by interval.
    """
    asked: dict[str, object] = {"account_id": account_id}
    start, stop = conn.execute(SELECT_BOUNDS, asked).fetchone() or (None, None)
    if start is None:
        return []
    asked |= {"start": start, "stop": stop}
    with conn.cursor(row_factory=class_row(BillChange)) as cur:
        return cur.execute(SELECT_CHANGES, asked).fetchall()


SELECT_WAITING = """
    SELECT bill_id, count(DISTINCT (point_id, local_day))
      FROM billed_period
      JOIN point USING (account_id)
      JOIN dirty_point_day USING (point_id)
     WHERE withdrawn_at IS NULL AND local_day BETWEEN first_day AND last_day
       AND (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
     GROUP BY bill_id
     ORDER BY bill_id
"""


def load_bills_waiting(
    conn: Connection[TupleRow], account_id: int | None = None
) -> dict[int, int]:
    """Return how many point-days of bills wait to be settled, by bill; 0 is absent."""
    asked = {"account_id": account_id}
    return dict(conn.execute(SELECT_WAITING, asked).fetchall())
