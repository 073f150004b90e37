"""Energy of points by local month: sums of the days that triggers keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from storage.intervals import LoadSum


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthLoad(LoadSum):
    """Energy of a point in one local month of its account."""

    point_id: int
    month: date
    """Its first day."""
    hours: float
    """Length of the month: an hour less or more where clocks change in it."""


# As the view load_monthly, but it only reads the days that are asked for.
SELECT_MONTHLY = """
    SELECT sums.*,
           extract(epoch FROM day_begins((month + interval '1 month')::date, time_zone)
                            - day_begins(month, time_zone))::double precision / 3600
           AS hours
      FROM (SELECT point_id, local_day - extract(day FROM local_day)::int + 1 AS month,
                   sum(round(import_kwh * 1e6)) / 1e6 AS import_kwh,
                   sum(round(export_kwh * 1e6)) / 1e6 AS export_kwh,
                   sum(round(lagging_kvarh * 1e6)) / 1e6 AS lagging_kvarh,
                   sum(round(leading_kvarh * 1e6)) / 1e6 AS leading_kvarh,
                   max(max_import_kw) AS max_import_kw,
                   sum(measured) AS measured, sum(estimated) AS estimated,
                   sum(edited) AS edited, sum(missing) AS missing
              FROM energy_day
             WHERE point_id = ANY(%(point_ids)s)
               AND local_day >= date_trunc('month', %(first)s::timestamp)::date
               AND local_day < date_trunc('month', %(last)s::timestamp)
                               + interval '1 month'
             GROUP BY point_id, month) AS sums
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     ORDER BY point_id, month
"""


def load_monthly(
    conn: Connection[TupleRow], point_ids: Sequence[int], first: date, last: date
) -> list[MonthLoad]:
    """Return the energy of points by local month, of the months first to last are in.

    By point and month; a month without any interval is absent.
    """
    asked = {"point_ids": list(point_ids), "first": first, "last": last}
    with conn.cursor(row_factory=class_row(MonthLoad)) as cur:
        return cur.execute(SELECT_MONTHLY, asked).fetchall()
