"""What no single site file shows: a site that contradicts what another file entered.

Errors: `accounts.site.SiteError`, one sentence.
"""

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.site import Site, SiteError

# A point that the site names too is as the site says, whatever was there before.
FIND_ELSEWHERE = """
    SELECT serial, mine.point, mine.account, point.name, account.code
      FROM unnest(%(serials)s::text[], %(accounts)s::text[], %(points)s::text[],
                  %(installed_at)s::timestamptz[], %(removed_at)s::timestamptz[])
           AS mine (serial, account, point, installed_at, removed_at)
      JOIN meter USING (serial)
      JOIN installation AS its_time
        ON its_time.meter_id = meter.meter_id
       AND tstzrange(its_time.installed_at, its_time.removed_at)
        && tstzrange(mine.installed_at, mine.removed_at)
      JOIN point ON point.point_id = its_time.point_id
      JOIN account USING (account_id)
     WHERE (account.code, point.name) NOT IN (
               SELECT * FROM unnest(%(named_accounts)s::text[],
                                    %(named_points)s::text[]))
     ORDER BY its_time.installed_at LIMIT 1
"""


def refuse_elsewhere(conn: Connection[TupleRow], site: Site) -> None:
    """Refuse what no single file shows: one of its meters at a point of another."""
    named = [(a.code, point) for a in site.accounts for point in a.points]
    placed = [(code, point.name, m) for code, point in named for m in point.all_meters]
    entered = {
        "serials": [meter.serial for _, _, meter in placed],
        "accounts": [code for code, _, _ in placed],
        "points": [point for _, point, _ in placed],
        "installed_at": [meter.installed_at for _, _, meter in placed],
        "removed_at": [meter.removed_at for _, _, meter in placed],
        "named_accounts": [code for code, _ in named],
        "named_points": [point.name for _, point in named],
    }
    found = conn.execute(FIND_ELSEWHERE, entered).fetchone()
    if found is None:
        return
    serial, point, account, other_point, other_account = found
    raise SiteError(
        f"Meter {serial} cannot be at point {point} of account {account}: it is at"
        f" point {other_point} of account {other_account} at the same time; give it an"
        " earlier removed_at there, or take it from there first."
    )


FIND_SHARED_ADDRESS = """
    SELECT mine.serial, other.serial, account.code,
           coalesce(mine.device, format('%%s:%%s', mine.host, mine.port))
               || '/' || mine.unit
      FROM meter AS mine
      JOIN installation AS my_time ON my_time.meter_id = mine.meter_id
      JOIN meter AS other ON (other.device = mine.device
                              OR (other.host, other.port) = (mine.host, mine.port))
                         AND other.unit = mine.unit
                         AND other.meter_id <> mine.meter_id
      JOIN installation AS its_time
        ON its_time.meter_id = other.meter_id
       AND tstzrange(its_time.installed_at, its_time.removed_at)
        && tstzrange(my_time.installed_at, my_time.removed_at)
      JOIN point ON point.point_id = its_time.point_id
      JOIN account USING (account_id)
     WHERE mine.serial = ANY(%(serials)s)
     ORDER BY its_time.installed_at LIMIT 1
"""


def refuse_shared_address(conn: Connection[TupleRow], serials: list[str]) -> None:
    """Refuse what no single file shows: a meter of another file at one's address."""
    found = conn.execute(FIND_SHARED_ADDRESS, {"serials": serials}).fetchone()
    if found is None:
        return
    mine, other, account, address = found
    raise SiteError(
        f"Meter {mine} cannot be at {address}, where meter {other} of account {account}"
        " is installed at the same time; give that one an earlier removed_at, or this"
        " one another address."
    )
