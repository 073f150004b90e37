"""Servers that live as long as a block: for benchmarks, and for tests."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keywatt.embedded import EmbeddedPostgres
from keywatt.parts import Part, Supervisor
from storage.database import DatabaseError, connect

CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Settings for data that nobody will miss after a power cut."""


@contextmanager
def temporary_postgres(*settings: str) -> Iterator[str]:
    """Run an embedded PostgreSQL on an empty folder and yield its URL.

    Parameters
    ----------
    settings
        Of the server, such as "fsync=off".

    """
    folder = Path(tempfile.mkdtemp(prefix="keywatt-"))
    folder.chmod(0o711)  # the server may run as another user: let it pass
    server = EmbeddedPostgres(folder / "postgres")

    def answers() -> bool:
        try:
            connect(server.url).close()
        except DatabaseError:
            return False
        return True

    try:
        server.prepare()
        options = [part for setting in settings for part in ("-c", setting)]
        postgres = Part(
            name="postgres",
            command=[*server.command(), *options],
            is_ready=answers,
            user=server.system_user,
            stop_signal=signal.SIGINT,
        )
        with Supervisor(folder / "logs", os.environ) as parts:
            parts.start(postgres)
            yield server.url
    finally:
        shutil.rmtree(folder)
