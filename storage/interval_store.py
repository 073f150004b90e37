"""Storing settled intervals: what changed gets a new version, the old one is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.intervals import Intervals, Quality
from meters.reading import IntArray, from_utc_us
from storage.binary import (
    IntColumn,
    energy_column,
    float_column,
    int_column,
    time_column,
)

ENSURE_PARTITIONS = "SELECT ensure_time_partitions(%(first)s, %(last)s)"
_QUALITIES = tuple(quality.value for quality in Quality)
_DAY = timedelta(days=1)

# Where nothing was ever settled, as at first: twice as fast as looking at each row.
ANYTHING_SETTLED = """
    SELECT EXISTS (SELECT FROM energy_interval
                    WHERE point_id = %(point_id)s
                      AND start BETWEEN %(first)s AND %(last)s)
        OR EXISTS (SELECT FROM energy_interval_past
                    WHERE point_id = %(point_id)s
                      AND start BETWEEN %(first)s AND %(last)s),
           kept_since('readings', %(settled_at)s) + interval '1 day'
"""
INSERT_INTERVALS = """
    INSERT INTO energy_interval (
        point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
        leading_kvarh, quality, method, settled_at, confidence, status, firm)
    SELECT %(point_id)s, start, %(length_min)s, import_kwh, export_kwh, lagging_kvarh,
           leading_kvarh, (%(qualities)s::text[])[quality + 1],
           nullif((%(methods)s::text[])[method + 1], ''), %(settled_at)s,
           confidence::real, status::smallint, firm = 1
      FROM unnest(%(start)s, %(import_kwh)s, %(export_kwh)s, %(lagging_kvarh)s,
                  %(leading_kvarh)s, %(quality)s, %(method)s, %(confidence)s,
                  %(status)s, %(firm)s)
           AS given (start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
                     quality, method, confidence, status, firm)
"""
# A row that was taken away and comes back counts its versions on. Workers' clocks
# differ: a version begins no earlier than the one before it ends.
STORE_INTERVALS = """
    WITH settled AS MATERIALIZED (
        SELECT start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
               (%(qualities)s::text[])[quality + 1] AS quality,
               nullif((%(methods)s::text[])[method + 1], '') AS method,
               confidence::real AS confidence, status::smallint AS status,
               firm = 1 AS firm
          FROM unnest(%(start)s, %(import_kwh)s, %(export_kwh)s, %(lagging_kvarh)s,
                      %(leading_kvarh)s, %(quality)s, %(method)s, %(confidence)s,
                      %(status)s, %(firm)s)
               AS given (start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
                         quality, method, confidence, status, firm)),
    old AS MATERIALIZED (
        SELECT * FROM energy_interval
         WHERE point_id = %(point_id)s AND start BETWEEN %(first)s AND %(last)s),
    gone AS MATERIALIZED (
        SELECT start, max(version) AS version, max(replaced_at) AS replaced_at
          FROM energy_interval_past
         WHERE point_id = %(point_id)s AND start BETWEEN %(first)s AND %(last)s
         GROUP BY start),
    new AS MATERIALIZED (
        SELECT settled.*, old.start IS NOT NULL AS replaces,
               coalesce(old.version, gone.version, 0) + 1 AS version,
               greatest(%(settled_at)s, old.settled_at, gone.replaced_at) AS settled_at
          FROM settled
          LEFT JOIN old USING (start)
          LEFT JOIN gone USING (start)
         WHERE old.start IS NULL
            OR (old.length_min, old.import_kwh, old.export_kwh, old.lagging_kvarh,
                old.leading_kvarh, old.quality, old.method, old.confidence,
                old.status, old.firm)
               IS DISTINCT FROM
               (%(length_min)s, settled.import_kwh, settled.export_kwh,
                settled.lagging_kvarh, settled.leading_kvarh, settled.quality,
                settled.method, settled.confidence, settled.status, settled.firm)),
    kept AS (
        INSERT INTO energy_interval_past (
            point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
            leading_kvarh, quality, method, version, settled_at, confidence, status,
            firm, replaced_at)
        SELECT old.point_id, start, old.length_min, old.import_kwh, old.export_kwh,
               old.lagging_kvarh, old.leading_kvarh, old.quality, old.method,
               old.version, old.settled_at, old.confidence, old.status, old.firm,
               new.settled_at
          FROM old JOIN new USING (start)),
    stored AS (
        INSERT INTO energy_interval (
            point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
            leading_kvarh, quality, method, version, settled_at, confidence, status,
            firm)
        SELECT %(point_id)s, start, %(length_min)s, import_kwh, export_kwh,
               lagging_kvarh, leading_kvarh, quality, method, version, settled_at,
               confidence, status, firm
          FROM new
        ON CONFLICT (point_id, start) DO UPDATE
           SET length_min = excluded.length_min, import_kwh = excluded.import_kwh,
               export_kwh = excluded.export_kwh,
               lagging_kvarh = excluded.lagging_kvarh,
               leading_kvarh = excluded.leading_kvarh, quality = excluded.quality,
               method = excluded.method, version = excluded.version,
               settled_at = excluded.settled_at, confidence = excluded.confidence,
               status = excluded.status, firm = excluded.firm
        RETURNING start)
    SELECT count(*), min(start) FROM stored
"""
# What was settled from readings that may be dropped by now (those up to a day before it
# may count) stays where nothing better is known: an estimate is only replaced by one
# that leans on a register too, and is surer. The newest that nobody set by hand is what
# comes back where an edit is undone, and what an edit leaves of other registers. What
# was settled from a file that was taken back since is not among it.
STORE_OUTLIVING = STORE_INTERVALS.replace(
    "WITH settled AS MATERIALIZED (", "WITH given AS MATERIALIZED ("
).replace(
    "    old AS MATERIALIZED (",
    """    known AS MATERIALIZED (
        SELECT DISTINCT ON (start) *
          FROM (SELECT start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
                       quality, method, confidence, status, firm, version, settled_at
                  FROM energy_interval
                 WHERE point_id = %(point_id)s AND start BETWEEN %(first)s AND %(last)s
                UNION ALL
                SELECT start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
                       quality, method, confidence, status, firm, version, settled_at
                  FROM energy_interval_past
                 WHERE point_id = %(point_id)s AND start BETWEEN %(first)s AND %(last)s)
               AS every
         WHERE quality <> 'edited' AND start < %(outlives_until)s
           AND NOT settled_of_undone(%(point_id)s, start, settled_at)
         ORDER BY start, version DESC),
    weighed AS MATERIALIZED (
        SELECT given.start,
               known.start IS NULL OR known.quality = 'missing'
               OR given.quality IN ('edited', 'measured')
               OR (given.quality = 'estimated' AND known.quality = 'estimated'
                   AND given.method IN ('interpolated', 'scaled')
                   AND given.confidence > known.confidence) AS gains
          FROM given LEFT JOIN known USING (start)),
    settled AS MATERIALIZED (
        SELECT start, given.import_kwh,
               CASE WHEN given.quality = 'edited'
                    THEN coalesce(given.export_kwh, known.export_kwh)
                    ELSE given.export_kwh END AS export_kwh,
               CASE WHEN given.quality = 'edited'
                    THEN coalesce(given.lagging_kvarh, known.lagging_kvarh)
                    ELSE given.lagging_kvarh END AS lagging_kvarh,
               CASE WHEN given.quality = 'edited'
                    THEN coalesce(given.leading_kvarh, known.leading_kvarh)
                    ELSE given.leading_kvarh END AS leading_kvarh,
               given.quality, given.method, given.confidence, given.status, given.firm
          FROM weighed JOIN given USING (start) LEFT JOIN known USING (start)
         WHERE gains
        UNION ALL
        SELECT start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh, quality,
               method, confidence, status, firm
          FROM weighed JOIN known USING (start)
         WHERE NOT gains),
    old AS MATERIALIZED (""",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing settled intervals changed."""

    changed: int
    """New intervals, old ones that are not what they were, deleted ones."""
    first_start: datetime | None
    """Start of the oldest of them."""


def store_intervals(
    conn: Connection[TupleRow],
    point_id: int,
    intervals: Intervals,
    *,
    settled_at: datetime,
) -> Stored:
    """Store settled intervals of a point where they say something new.

    The caller owns the transaction: the one in which it took the dirty days. What is
    replaced moves to the past in the same statement.

    Readings are dropped after 13 months, or what settings say, and intervals are not. A
    late reading, an edit or an outage of such a time has its day settled again from
    what little is there: it may fill a gap or turn an estimate into a measurement, but
    nothing known becomes missing, nothing measured an estimate, and what registers
    counted over a hole stays its sum. An edit that is undone there leaves what was
    before it. Within those months the newest settlement
    holds, also where it knows less, as after a meter turned out not to have been there.
    """
    if len(intervals) == 0:
        return Stored(0, None)
    first = from_utc_us(int(intervals.start_us.min()))
    last = from_utc_us(int(intervals.start_us.max()))
    ensure_partitions(conn, first, last)
    methods, method = _coded(intervals)
    settled = {
        "point_id": point_id,
        "first": first,
        "last": last,
        "start": time_column(intervals.start_us),
        "length_min": intervals.length_min,
        "import_kwh": energy_column(intervals.import_kwh),
        "export_kwh": energy_column(intervals.export_kwh),
        "lagging_kvarh": energy_column(intervals.lagging_kvarh),
        "leading_kvarh": energy_column(intervals.leading_kvarh),
        "qualities": list(_QUALITIES),
        "quality": _numbers(sum(n * (intervals.quality == q) for n, q in _NUMBERED)),
        "methods": methods,
        "method": method,
        "confidence": float_column(intervals.confidence),
        "status": _numbers(intervals.status),
        "firm": _numbers(intervals.firm),
        "settled_at": settled_at,
    }
    row = conn.execute(ANYTHING_SETTLED, settled).fetchone()
    anything, outlives_until = row or (True, first)
    if not anything:
        conn.execute(INSERT_INTERVALS, settled)
        return Stored(len(intervals), first)
    settled["outlives_until"] = outlives_until
    statement = STORE_OUTLIVING if first < outlives_until else STORE_INTERVALS
    row = conn.execute(statement, settled).fetchone()
    return Stored(0, None) if row is None else Stored(*row)


_NUMBERED = tuple(enumerate(_QUALITIES))


def _numbers(values: object) -> IntColumn:
    return int_column(np.asarray(values, dtype=np.int32))


def _coded(intervals: Intervals) -> tuple[list[str], IntColumn]:
    """Return the methods there are, and the number of each interval's."""
    if not (intervals.method != "").any():
        return [""], _numbers(np.zeros(len(intervals)))
    methods, number = np.unique(intervals.method, return_inverse=True)
    return methods.tolist(), _numbers(number)


def ensure_partitions(
    conn: Connection[TupleRow], first: datetime, last: datetime
) -> None:
    """Make room for rows of [first, last] and of the local days they lie in."""
    conn.execute(ENSURE_PARTITIONS, {"first": first - _DAY, "last": last + _DAY})


DELETE_INTERVALS = """
    WITH gone AS (
        DELETE FROM energy_interval
         WHERE point_id = %(point_id)s AND start BETWEEN %(first)s AND %(last)s
           AND start = ANY(%(starts)s)
        RETURNING *),
    kept AS (
        INSERT INTO energy_interval_past (
            point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
            leading_kvarh, quality, method, version, settled_at, confidence, status,
            firm, replaced_at)
        SELECT point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
               leading_kvarh, quality, method, version, settled_at, confidence, status,
               firm, greatest(%(at)s, settled_at)
          FROM gone
        RETURNING start)
    SELECT count(*), min(start) FROM kept
"""


def delete_intervals(
    conn: Connection[TupleRow], point_id: int, starts_us: IntArray, *, at: datetime
) -> Stored:
    """Take away what was settled of a point at times at which none was metered there.

    It moves to the past. The caller owns the transaction.
    """
    if starts_us.size == 0:
        return Stored(0, None)
    wrong = {
        "point_id": point_id,
        "first": from_utc_us(int(starts_us.min())),
        "last": from_utc_us(int(starts_us.max())),
        "starts": time_column(starts_us),
        "at": at,
    }
    row = conn.execute(DELETE_INTERVALS, wrong).fetchone()
    return Stored(0, None) if row is None else Stored(*row)
