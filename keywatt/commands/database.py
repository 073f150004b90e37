"""`keywatt migrate` and `keywatt database`: its shape, its backups, its return.

Two kinds of backup: a dump is one file of one moment, good for any server. A copy of
the files with the log since then goes back to any moment, on servers of one version.
"""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from rich.status import Status

_MIGRATE = epilogue(
    "Every service does this by itself at its start; doing it twice changes nothing.",
    examples=(
        "KEYWATT_DATABASE_URL=postgresql://keywatt@127.0.0.1/keywatt keywatt migrate",
    ),
)
_BACKUP = epilogue(
    "Everything goes into it, as it is at one moment; services may go on. Restoring "
    "takes an empty database. Uses pg_dump, no older than the server.",
    examples=(
        "keywatt database backup keywatt-2026-11-26.dump",
        "keywatt --config .keywatt/settings.toml database backup demo.dump",
    ),
)
_RESTORE = epilogue(
    "Wholly or not at all. A dump from TimescaleDB needs TimescaleDB of the same "
    "version. Start the services when it is done.",
    examples=("keywatt database restore keywatt-2026-11-26.dump",),
)
_COPY = epilogue(
    "For going back to a moment with `keywatt database recover`; services may go on. "
    "The server must keep its log in an archive: KEYWATT_LOG_ARCHIVE_DIR has the "
    "demo's do so. Uses pg_basebackup, and a user that may replicate.",
    examples=(
        "keywatt database copy base-2026-11-26",
        "keywatt --config .keywatt/settings.toml database copy base",
    ),
)
_RECOVER = epilogue(
    "Makes a folder for the demo's database from a copy and the log since then; "
    "neither is changed. What was committed up to the moment is there, what came "
    "later is not; without --to, all that the log has.",
    examples=(
        "keywatt database recover base --log log --into new/postgres --to 2026-11-26",
        "keywatt demo --state new",
    ),
)

NewFile = Annotated[Path, typer.Argument(metavar="FILE", help="Not there yet.")]
Dump = Annotated[Path, typer.Argument(metavar="FILE", help="From `backup`.")]
NewFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Not there yet, or empty.")
]
Base = Annotated[Path, typer.Argument(metavar="FOLDER", help="From `copy`.")]
Archive = Annotated[
    Path, typer.Option("--log", metavar="DIR", help="The archive of the log.")
]
Into = Annotated[
    Path, typer.Option("--into", metavar="DIR", help="Not there yet, or empty.")
]
Moment = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="ISO 8601; without a zone, in UTC."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Back up, restore, and go back to a moment.")
    app.add_typer(group, name="database", no_args_is_help=True)
    _add_migrate(app)
    _add_dumps(group)
    _add_copies(group)


def _add_migrate(app: typer.Typer) -> None:
    @app.command("migrate", epilog=_MIGRATE)
    def migrate_database(ctx: typer.Context, *, as_json: AsJson = False) -> None:
        """Apply the migrations that the database does not have yet."""
        from storage.database import connect, place
        from storage.migrate import migrate

        url = settings_of(ctx).database()
        with connect(url) as conn:
            applied = migrate(conn)
        if as_json:
            print_json({"applied": applied})
        elif applied:
            print(f"Applied to {place(url)}: {', '.join(applied)}.")
        else:
            print(f"Nothing to do: {place(url)} has every migration.")


def _add_dumps(group: typer.Typer) -> None:
    @group.command("backup", epilog=_BACKUP)
    def backup(ctx: typer.Context, file: NewFile, *, as_json: AsJson = False) -> None:
        """Dump the database into one file."""
        from keywatt.backup import back_up
        from storage.database import place

        url = settings_of(ctx).database()
        with _working(f"Dumping {place(url)}"):
            size = back_up(url, file)
        if as_json:
            print_json({"file": file, "bytes": size})
        else:
            print(f"{place(url)} is in {file}, {size / 1e6:,.1f} MB.")

    @group.command("restore", epilog=_RESTORE)
    def restore(ctx: typer.Context, file: Dump, *, as_json: AsJson = False) -> None:
        """Fill an empty database from a dump."""
        from keywatt import backup
        from storage.database import connect, place
        from storage.migrate import pending

        url = settings_of(ctx).database()
        with _working(f"Restoring {place(url)}"):
            backup.restore(url, file)
        with connect(url) as conn:
            waiting = pending(conn)
        if as_json:
            print_json({"pending": waiting})
        elif waiting:
            print(f"{place(url)} is restored; `keywatt migrate` brings it up to date.")
        else:
            print(f"{place(url)} is restored.")


def _add_copies(group: typer.Typer) -> None:
    @group.command("copy", epilog=_COPY)
    def copy(ctx: typer.Context, folder: NewFolder, *, as_json: AsJson = False) -> None:
        """Copy the files of the running database server."""
        from keywatt.recovery import copy_files
        from storage.database import place

        url = settings_of(ctx).database()
        with _working(f"Copying the files of {place(url)}"):
            copy_files(url, folder)
        if as_json:
            print_json({"folder": folder})
        else:
            print(f"The files of {place(url)} are in {folder}.")

    @group.command("recover", epilog=_RECOVER)
    def recover(
        base: Base,
        *,
        log: Archive,
        into: Into,
        to: Moment = None,
        as_json: AsJson = False,
    ) -> None:
        """Make the database of a moment from a copy and the log."""
        from keywatt import recovery

        moment = _moment(to)
        with _working("Replaying the log"):
            recovery.recover(base, log.absolute(), moment, into.absolute())
        if as_json:
            print_json({"folder": into, "to": moment})
        else:
            print(f"The database as of {to or 'the end of its log'} is in {into}.")


def _moment(told: str | None) -> datetime | None:
    if told is None:
        return None
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise typer.BadParameter(
            f"{told} is no time: write it as 2026-11-26T13:05:00+01:00.",
            param_hint="--to",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _working(what: str) -> "AbstractContextManager[Status]":
    """Show on a terminal that something goes on."""
    from rich.console import Console

    return Console(stderr=True).status(f"{what} ...")
