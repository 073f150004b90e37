from pathlib import Path

import pytest

from storage.database import connect
from storage.migrate import (
    FOLDER,
    Flavour,
    MigrationError,
    is_timescale,
    migrate,
    migrations,
    pending,
)


@pytest.mark.parametrize("flavour", Flavour)
def test_numbers_have_no_gap_and_no_repeat(flavour: Flavour) -> None:
    *ours, jobs = migrations(flavour)
    assert jobs.name == "procrastinate/schema.sql"
    numbers = [int(migration.name[:4]) for migration in ours]
    assert numbers == list(range(1, len(ours) + 1))


def test_what_differs_by_server_comes_in_both_forms() -> None:
    plain = {p.name.split(".")[0] for p in FOLDER.glob("*.plain.sql")}
    timescale = {p.name.split(".")[0] for p in FOLDER.glob("*.timescale.sql")}
    assert plain == timescale >= {"0003_time_partitions", "0005_rollups"}


def test_a_misnamed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001-accounts.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match=r"0001-accounts\.sql is no name"):
        migrations(Flavour.PLAIN, tmp_path)


def test_migrating_twice_changes_nothing(empty_database: str) -> None:
    with connect(empty_database) as conn:
        waiting = pending(conn)
        conn.rollback()
        assert migrate(conn) == waiting
        assert waiting == [m.name for m in migrations(Flavour.PLAIN)]
        assert migrate(conn) == []
        assert pending(conn) == []


def test_an_edited_file_is_named(plain_database: str) -> None:
    with connect(plain_database) as conn:
        conn.execute(
            "UPDATE schema_migration SET checksum = 'other'"
            " WHERE name = '0004_alerts.sql'"
        )
        conn.commit()
        with pytest.raises(MigrationError) as caught:
            migrate(conn)
    assert str(caught.value) == (
        "0004_alerts.sql was changed after it was applied: restore the file "
        "and put the change in a new migration."
    )


def test_a_failed_file_leaves_nothing_behind(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a ();")
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (); SELECT nonsense;")
    monkeypatch.setattr("storage.migrate.FOLDER", tmp_path)
    monkeypatch.setattr("storage.migrate.migrations.__defaults__", (tmp_path,))
    with connect(empty_database) as conn:
        with pytest.raises(Exception, match="nonsense"):
            migrate(conn)
        left = conn.execute(
            "SELECT to_regclass('a') IS NOT NULL, to_regclass('b') IS NOT NULL"
        ).fetchone()
        assert left == (True, False)
        assert "0002_b.sql" in pending(conn)


def test_later_steps_of_the_jobs_library_are_applied(plain_database: str) -> None:
    name = "procrastinate/03.04.00_50_post_add_retry_failed_job_procedure.sql"
    with connect(plain_database) as conn:
        conn.execute("DELETE FROM schema_migration WHERE name = %s", (name,))
        conn.commit()
        assert pending(conn) == [name]
        conn.rollback()
        assert migrate(conn) == [name]


COLUMNS = """
    SELECT table_name, column_name, data_type
      FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name !~ '_[0-9]{4}_[0-9]{2}$'
     ORDER BY table_name, ordinal_position
"""
FUNCTIONS = """
    SELECT proname, pg_get_function_identity_arguments(oid), prorettype::regtype::text
      FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend
                        WHERE objid = pg_proc.oid AND deptype = 'e')
     ORDER BY 1, 2
"""


def test_both_flavours_offer_the_same(plain_database: str, timescale) -> None:
    with connect(plain_database) as plain, connect(timescale.url) as other:
        assert not is_timescale(plain)
        assert is_timescale(other)
        for query in (COLUMNS, FUNCTIONS):
            offered = plain.execute(query).fetchall()
            assert len(offered) > 10
            assert other.execute(query).fetchall() == offered
