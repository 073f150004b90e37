"""Back to a moment: a copy of a running server's files, and its log since then.

The embedded server copies its log into an archive (`EmbeddedPostgres.archive`). Files
copied once and the log since then give the database of any moment after the copy.
"""

import json
import os
import shutil
import signal
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from keywatt.embedded import EmbeddedPostgres, restore_command
from keywatt.parts import Part, PartError, Supervisor
from keywatt.postgres_programs import BackupError, program_for, run_on
from storage.database import DatabaseError, connect
from storage.restoring import is_recovering


def copy_files(url: str, folder: Path) -> None:
    """Copy the files of a running server into a new folder: a base to go on from.

    Raises
    ------
    BackupError
        The folder is not empty, there is no pg_basebackup, or it failed.

    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: name another folder.")
    pg_basebackup = program_for(url, "pg_basebackup")
    run_on(url, pg_basebackup, f"--pgdata={folder}", "--checkpoint=fast")


def recover(base: Path, archive: Path, to: datetime | None, into: Path) -> None:
    """Make the database of a moment in a new folder, which is the embedded server's.

    Parameters
    ----------
    base : Path
        From `copy_files`, before that moment.
    archive : Path
        Where the server has copied its log.
    to : datetime or None
        What was committed up to then is there, what came later is not; None = all that
        the log has.
    into : Path
        Not there yet, or empty; absolute.

    Raises
    ------
    BackupError
        The folders are not what they should be, or the log does not reach so far.

    """
    if not (base / "backup_manifest").is_file():
        raise BackupError(f"{base} is no copy of a server's files.")
    if not archive.is_dir():
        raise BackupError(f"{archive}, the archive of the log, is not there.")
    if into.exists() and any(into.iterdir()):
        raise BackupError(f"{into} is not empty: name a new folder.")
    if to and to < (copied := _copied_at(base)):
        raise BackupError(
            f"{to.isoformat()} is before the files in {base} were copied "
            f"({copied.isoformat()}): recover from an older copy."
        )
    half_made = into.with_name(into.name + ".recovering")
    shutil.rmtree(half_made, ignore_errors=True)
    try:
        shutil.copytree(base, half_made)
        (half_made / "recovery.signal").touch()
        _replay(half_made, archive, to)
        if into.exists():
            into.rmdir()
        half_made.rename(into)
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def _copied_at(base: Path) -> datetime:
    """Return when copying began, by the server's clock.

    The server itself would go on from the copy, and call that the moment before it.
    """
    manifest = json.loads((base / "backup_manifest").read_text("utf-8"))
    for file in manifest["Files"]:
        if file.get("Path") == "backup_label":
            return datetime.fromisoformat(file["Last-Modified"].replace(" GMT", "Z"))
    raise BackupError(f"{base} does not say when it was copied: copy the files anew.")


def _replay(folder: Path, archive: Path, to: datetime | None) -> None:
    """Run the server until it has replayed its log, and stop it."""
    server = EmbeddedPostgres(folder)
    server.take_over()
    server.prepare()
    settings = {"restore_command": restore_command(archive)}
    if to:
        settings["recovery_target_time"] = to.astimezone(UTC).isoformat()
        settings["recovery_target_action"] = "promote"
    options = [f"--{name}={value}" for name, value in settings.items()]

    def is_done() -> bool:
        try:
            with connect(server.url) as conn:
                return not is_recovering(conn)
        except (DatabaseError, psycopg.OperationalError):
            return False

    part = Part(
        name="database",
        command=[*server.command(), *options],
        is_ready=is_done,
        user=server.system_user,
        folder=Path("/"),
        stop_signal=signal.SIGINT,
    )
    with (
        tempfile.TemporaryDirectory(prefix="keywatt-") as logs,
        Supervisor(Path(logs), os.environ) as parts,
    ):
        parts.launch(part)
        try:
            parts.watch(until=is_done)  # however long its log is
        except PartError:
            said = parts.log_of(part.name).read_text("utf-8", "replace")
            raise BackupError(_why(said, archive, to)) from None


def _why(log: str, archive: Path, to: datetime | None) -> str:
    """Say in one sentence why the server did not come to the moment."""
    if "before consistent recovery point" in log:
        return f"{to} is while the files were copied: name a later moment."
    if "recovery ended before" in log:
        return (
            f"The log in {archive} does not reach {to}: name an earlier moment, or "
            "none to have all that is there."
        )
    said = [line.partition("FATAL:")[2].strip() for line in log.splitlines()]
    reason = next((line for line in said if line), "it does not say why")
    return f"The server cannot replay its log from {archive}: {reason}."
