"""A database in one file, and an empty database from it: pg_dump and pg_restore.

A dump is of one moment, whatever is written meanwhile, and holds everything: readings,
settlement with its versions, master data, jobs and the ledger of migrations.
"""

from pathlib import Path

from keywatt.postgres_programs import BackupError, checked, program_for, run_on
from storage.database import connect, place
from storage.restoring import (
    analyse,
    begin_timescale_restore,
    end_timescale_restore,
    is_empty,
    offers_timescale,
)

_PART = ".part"
_LET_ANYONE = ("--no-owner", "--no-privileges")
"""Who restores need not be called as who dumped."""


def back_up(url: str, file: Path, *options: str) -> int:
    """Dump a database into a new file and return its size in bytes.

    The file appears when it is whole.

    Parameters
    ----------
    url : str
    file : Path
    options
        More of pg_dump's own.

    Raises
    ------
    BackupError
        There is such a file already, no pg_dump, or it failed.

    """
    if file.exists():
        raise BackupError(f"{file} is there already: name another file.")
    pg_dump = program_for(url, "pg_dump")
    part = file.with_name(file.name + _PART)
    part.touch(mode=0o600)  # it holds what only the database's users may read
    try:
        run_on(
            url, pg_dump, "--format=custom", f"--file={part}", *_LET_ANYONE, *options
        )
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def restore(url: str, file: Path) -> None:
    """Fill an empty database from a dump, wholly or not at all.

    Raises
    ------
    BackupError
        The database is not empty, the file is no dump, or its server lacks what the
        dump needs.

    """
    if not file.is_file():
        raise BackupError(f"{file} is not there, or is no file.")
    pg_restore = program_for(url, "pg_restore")
    needs_timescale = _needs_timescale(pg_restore, file)
    with connect(url, autocommit=True) as conn:
        if not is_empty(conn):
            raise BackupError(
                f"{place(url)} is not empty: make a new database (createdb) and "
                "restore into that."
            )
        if needs_timescale and not offers_timescale(conn):
            raise BackupError(
                f"{file} is from TimescaleDB, which {place(url)} does not have: "
                "restore it on a server with TimescaleDB of the same version."
            )
        if needs_timescale:
            begin_timescale_restore(conn)
    try:
        whole = ("--exit-on-error", "--single-transaction")
        run_on(url, pg_restore, *whole, *_LET_ANYONE, str(file))
    finally:
        if needs_timescale:
            with connect(url, autocommit=True) as conn:
                end_timescale_restore(conn)
    with connect(url, autocommit=True) as conn:
        analyse(conn)


def _needs_timescale(pg_restore: Path, file: Path) -> bool:
    listed = checked([str(pg_restore), "--list", str(file)])
    return any(
        "EXTENSION" in line and line.rstrip().endswith("timescaledb")
        for line in listed.splitlines()
    )
