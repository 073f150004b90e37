"""Which meters are online, as far as their last wills tell."""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from meters.presence import Presence

# Only a change is written: what is retained is told again at every start. A meter that
# was deleted meanwhile is nowhere.
UPSERT_PRESENCES = """
    INSERT INTO meter_presence AS known (meter_id, is_online, changed_at)
    SELECT meter_id, told.is_online, told.changed_at
      FROM unnest(%(meter_ids)s::int[], %(is_online)s::boolean[],
                  %(changed_at)s::timestamptz[])
           AS told (meter_id, is_online, changed_at)
      JOIN meter USING (meter_id)
     ORDER BY meter_id
    ON CONFLICT (meter_id) DO UPDATE
       SET is_online = excluded.is_online, changed_at = excluded.changed_at
     WHERE known.is_online <> excluded.is_online
"""


async def store_presences(
    conn: AsyncConnection[TupleRow], presences: Sequence[Presence]
) -> None:
    """Store the newest state of meters, each once, in one statement.

    The caller commits.
    """
    told = {
        "meter_ids": [one.meter_id for one in presences],
        "is_online": [one.is_online for one in presences],
        "changed_at": [one.told_at for one in presences],
    }
    await conn.execute(UPSERT_PRESENCES, told)
