"""What happened around intervals that were not measured: for the ledger's causes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.completeness.circumstances import (
    FAR_US,
    Doubt,
    IntArray,
    MeterHours,
    NoSupply,
    Sitting,
)
from analytics.settlement.judging import DISTRUST
from analytics.settlement.verdict import Status
from meters.reading import utc_us
from storage.binary import int_column, time_column, times_of

SELECT_SITTINGS = """
    SELECT point_id, meter_id, transport, installed_at, removed_at
      FROM installation JOIN meter USING (meter_id)
     WHERE point_id = ANY(%(point_ids)s) AND role = 'main'
     ORDER BY point_id, installed_at
"""


def load_sittings(
    conn: Connection[TupleRow], point_ids: Sequence[int]
) -> Mapping[int, tuple[Sitting, ...]]:
    """Return which main meters sat at points, each point's by time."""
    found: dict[int, list[Sitting]] = defaultdict(list)
    for point_id, meter_id, transport, installed_at, removed_at in conn.execute(
        SELECT_SITTINGS, {"point_ids": list(point_ids)}
    ):
        sitting = Sitting(
            meter_id=meter_id,
            transport=transport,
            from_us=utc_us(installed_at),
            to_us=FAR_US if removed_at is None else utc_us(removed_at),
        )
        found[point_id].append(sitting)
    return {point_id: tuple(sat) for point_id, sat in found.items()}


SELECT_NO_SUPPLY = """
    SELECT point_id, start, stop, kind = 'planned', reason
      FROM supply_outage
     WHERE point_id = ANY(%(point_ids)s) AND removed_at IS NULL
       AND start < %(stop)s AND supply_outage.stop > %(start)s
     ORDER BY point_id, start
"""


def load_no_supply(
    conn: Connection[TupleRow],
    point_ids: Sequence[int],
    start: datetime,
    stop: datetime,
) -> Mapping[int, tuple[NoSupply, ...]]:
    """Return when points were without supply in [start, stop), and why."""
    asked = {"point_ids": list(point_ids), "start": start, "stop": stop}
    found: dict[int, list[NoSupply]] = defaultdict(list)
    for point_id, began, ended, planned, reason in conn.execute(
        SELECT_NO_SUPPLY, asked
    ):
        found[point_id].append(
            NoSupply(
                start_us=utc_us(began),
                stop_us=utc_us(ended),
                planned=planned,
                reason=reason,
            )
        )
    return {point_id: tuple(each) for point_id, each in found.items()}


# Of the newest word on each day, what makes counted energy unbelievable.
SELECT_DOUBTS = """
    SELECT point_id, verdict ->> 'rule', (verdict ->> 'start')::timestamptz,
           (verdict ->> 'stop')::timestamptz
      FROM (SELECT DISTINCT ON (point_id, local_day)
                   point_id, local_day, worst, verdicts
              FROM settled_day
             WHERE point_id = ANY(%(point_ids)s)
               AND local_day BETWEEN %(first)s AND %(last)s
             ORDER BY point_id, local_day, settled_at DESC) AS newest
     CROSS JOIN LATERAL jsonb_array_elements(verdicts) AS each (verdict)
     WHERE worst >= %(fail)s AND (verdict ->> 'status')::int = %(fail)s
       AND (verdict ->> 'rule' = ANY(%(rules)s)
            OR coalesce((verdict -> 'figures' ->> 'reversed')::float8, 0) <> 0)
     ORDER BY point_id, local_day
"""


def load_doubts(
    conn: Connection[TupleRow], point_ids: Sequence[int], first: date, last: date
) -> Mapping[int, tuple[Doubt, ...]]:
    """Return of points' local days what a rule says cannot have been counted."""
    asked = {
        "point_ids": list(point_ids),
        "first": first,
        "last": last,
        "fail": int(Status.FAIL),
        "rules": list(DISTRUST),
    }
    found: dict[int, list[Doubt]] = defaultdict(list)
    for point_id, rule, start, stop in conn.execute(SELECT_DOUBTS, asked):
        doubt = Doubt(rule=rule, start_us=utc_us(start), stop_us=utc_us(stop))
        found[point_id].append(doubt)
    return {point_id: tuple(each) for point_id, each in found.items()}


# Meters on one line are asked by one poller: on a line that is down all of them fail.
SELECT_HOURS = """
    WITH asked AS MATERIALIZED (
        SELECT meter_id, coalesce(device, host || ':' || port) AS line
          FROM meter WHERE meter_id = ANY(%(meter_ids)s)),
    beside AS MATERIALIZED (
        SELECT meter_id, line FROM asked
         UNION
        SELECT meter.meter_id, line
          FROM asked
          JOIN meter ON coalesce(meter.device, meter.host || ':' || meter.port) = line),
    counted AS (
        SELECT meter_id, line, hour, answered, failed,
               count(*) FILTER (WHERE line IS NOT NULL)
                   OVER (PARTITION BY line, hour) AS on_line,
               min(failed::float8 / asked) OVER (PARTITION BY line, hour)
                   AS least_failed
          FROM meter_hour JOIN beside USING (meter_id)
         WHERE hour = ANY(%(hours)s) AND asked > 0
           AND meter_id = ANY(ARRAY(SELECT meter_id FROM beside)))
    SELECT meter_id, hour, answered::bigint, failed::bigint, on_line, least_failed
      FROM counted
     WHERE meter_id = ANY(%(meter_ids)s)
     ORDER BY meter_id, hour
"""


def load_meter_hours(
    conn: Connection[TupleRow], meter_ids: Iterable[int], hours_us: IntArray
) -> MeterHours:
    """Return what became of meters' readings in hours, and how their lines fared.

    Parameters
    ----------
    conn : Connection
    meter_ids
    hours_us : array, shape (h,)
        Starts of hours. [microseconds since 1970 UTC]

    """
    asked = {"meter_ids": sorted(meter_ids), "hours": time_column(hours_us)}
    rows = conn.execute(SELECT_HOURS, asked).fetchall()
    if not rows:
        return MeterHours.none()
    meter_id, hours, answered, failed, on_line, least = zip(*rows, strict=True)
    return MeterHours(
        meter_id=np.array(meter_id, dtype=np.int64),
        hour_us=np.array([utc_us(hour) for hour in hours], dtype=np.int64),
        answered=np.array(answered, dtype=np.int64),
        failed=np.array(failed, dtype=np.int64),
        on_line=np.array(on_line, dtype=np.int64),
        least_failed=np.array(least, dtype=np.float64),
    )


SELECT_REFUSED = """
    SELECT DISTINCT ON (meter_id, quarter) meter_id, quarter, reason
      FROM (SELECT meter_id, reason, sum(readings) AS readings,
                   date_bin('15 minutes', received_at, '2000-01-01Z') AS quarter
              FROM quarantine
             WHERE meter_id = ANY(%(meter_ids)s)
               AND received_at >= %(start)s AND received_at < %(stop)s
             GROUP BY meter_id, reason, quarter) AS refused
     ORDER BY meter_id, quarter, readings DESC, reason
"""


def load_refused(
    conn: Connection[TupleRow],
    meter_ids: Iterable[int],
    start: datetime,
    stop: datetime,
) -> dict[tuple[int, int], str]:
    """Return why most was refused, by meter and start of the quarter-hour. [µs]."""
    asked = {"meter_ids": sorted(meter_ids), "start": start, "stop": stop}
    return {
        (meter_id, utc_us(quarter)): reason
        for meter_id, quarter, reason in conn.execute(SELECT_REFUSED, asked)
    }


# Before anything was ever counted nobody knows whether the collector ran. Where one
# meter alone sends, its silence cannot be told from ours.
SELECT_IDLE = """
    SELECT begun.transport, string_agg(timestamptz_send(asked.hour), '')
      FROM (SELECT transport, min(hour) AS hour FROM collection_count
             GROUP BY transport) AS begun
      JOIN unnest(%(hours)s) AS asked (hour) ON asked.hour >= begun.hour
     WHERE (begun.transport <> 'mqtt'
            OR (SELECT count(*) FROM meter WHERE transport = 'mqtt') > 1)
       AND NOT EXISTS (SELECT FROM collection_count AS came
                        WHERE came.hour = asked.hour
                          AND came.transport = begun.transport)
     GROUP BY begun.transport
"""


def load_idle_hours(
    conn: Connection[TupleRow], hours_us: IntArray
) -> dict[str, IntArray]:
    """Return by transport in which of some hours nothing at all was counted.

    Neither did any meter send, nor was any asked: it was not the meter.
    """
    asked = {"hours": time_column(hours_us)}
    rows = conn.cursor(binary=True).execute(SELECT_IDLE, asked).fetchall()
    return {transport: times_of(hours) for transport, hours in rows}


SELECT_WITHOUT = """
    SELECT meter_id, string_agg(timestamptz_send(start), '')
      FROM unnest(%(meter_id)s, %(start)s) AS asked (meter_id, start)
     WHERE EXISTS (
               SELECT FROM reading
                WHERE reading.meter_id = asked.meter_id
                  AND measured_at >= asked.start
                  AND measured_at < asked.start + interval '15 minutes'
                  AND energy_import_kwh IS NULL)
     GROUP BY meter_id
"""


def load_without_register(
    conn: Connection[TupleRow], meter_id: IntArray, start_us: IntArray
) -> dict[int, IntArray]:
    """Return by meter in which quarter-hours one was read without its register.

    Parameters
    ----------
    conn : Connection
    meter_id, start_us : arrays, shape (n,)
        Which are asked about. [microseconds since 1970 UTC]

    """
    asked = {
        "meter_id": int_column(meter_id.astype(np.int32)),
        "start": time_column(start_us),
    }
    rows = conn.cursor(binary=True).execute(SELECT_WITHOUT, asked).fetchall()
    return {meter: times_of(starts) for meter, starts in rows}
