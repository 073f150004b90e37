"""What a database needs around a restore."""

from psycopg import Connection
from psycopg.rows import TupleRow

SELECT_OURS = """
    SELECT count(*) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
       AND NOT EXISTS (SELECT FROM pg_depend
                        WHERE objid = pg_class.oid AND deptype = 'e')
"""


def is_empty(conn: Connection[TupleRow]) -> bool:
    """Whether the database holds no tables yet."""
    return conn.execute(SELECT_OURS).fetchone() == (0,)


SELECT_OFFERED = """
    SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
"""


def offers_timescale(conn: Connection[TupleRow]) -> bool:
    """Whether the server has TimescaleDB, to be used or not."""
    return conn.execute(SELECT_OFFERED).fetchone() == (True,)


def begin_timescale_restore(conn: Connection[TupleRow]) -> None:
    """Let rows come into TimescaleDB's own tables. In autocommit."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    conn.execute("SELECT public.timescaledb_pre_restore()")


def end_timescale_restore(conn: Connection[TupleRow]) -> None:
    """Let TimescaleDB work again."""
    conn.execute("SELECT public.timescaledb_post_restore()")


def analyse(conn: Connection[TupleRow]) -> None:
    """Count what there is, so that the first questions are planned well."""
    conn.execute("ANALYZE")


IS_RECOVERING = "SELECT pg_is_in_recovery()"


def is_recovering(conn: Connection[TupleRow]) -> bool:
    """Whether the server still replays its log."""
    return conn.execute(IS_RECOVERING).fetchone() == (True,)
