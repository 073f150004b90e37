"""PostgreSQL's own programs: found, run, and one sentence when they fail.

RuntimeError
BackupError     what a person can mend, in one sentence
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from keywatt.embedded import EmbeddedError, binary
from storage.database import connect


class BackupError(RuntimeError):
    """Something cannot be backed up or restored; one sentence for people."""


def program_for(url: str, name: str) -> Path:
    """Return one of PostgreSQL's programs that is no older than the server.

    Raises
    ------
    BackupError
        None is installed, or only an older one.

    """
    with connect(url) as conn:
        least = conn.info.server_version // 10_000
    found = {}
    for path in _candidates(name):
        said = _run([str(path), "--version"]).stdout
        if match := re.search(r"\(PostgreSQL\) (\d+)", said):
            found[path] = int(match[1])
            if found[path] >= least:
                return path
    had = ", ".join(
        f"{path} is of version {version}" for path, version in found.items()
    )
    raise BackupError(
        f"{name} of PostgreSQL {least} or newer is needed"
        f"{f' ({had})' if had else ' and none is installed'}: install "
        f"postgresql-client-{least}, or 'keywatt[embedded]', which brings 18."
    )


def _candidates(name: str) -> list[Path]:
    found = [Path(path)] if (path := shutil.which(name)) else []
    try:
        ours = binary(name)
    except EmbeddedError:
        return found
    return [*found, ours]


def run_on(url: str, *command: str | Path) -> str:
    """Run a program on a database and return what it printed.

    The password goes to it by its environment: command lines can be read by others.

    Raises
    ------
    BackupError
        It failed; with the first thing that it said about it.

    """
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    secret = {"PGPASSWORD": str(password)} if password else {}
    address = f"--dbname={make_conninfo('', **parts)}"
    name, *arguments = (str(part) for part in command)
    return checked([name, address, *arguments], secret)


def checked(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a program and return what it printed; raise `BackupError` if it failed."""
    done = _run(command, environment)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        wrong = [line for line in lines if "error" in line.lower()] or lines
        said = wrong[0] if wrong else f"it ended with code {done.returncode}"
        raise BackupError(f"{Path(command[0]).name} failed: {said.rstrip('.')}.")
    return done.stdout


def _run(
    command: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  PostgreSQL's programs and our arguments
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
