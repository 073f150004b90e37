"""Servers that live as long as a block: for benchmarks, and for tests."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from keywatt.embedded import EmbeddedPostgres
from keywatt.parts import Part, Supervisor
from storage.database import DatabaseError, connect

CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Settings for data that nobody will miss after a power cut."""

_NODE = Path(__file__).parents[1] / "tests" / "timescale"


@contextmanager
def temporary_postgres(*settings: str, parent: Path | None = None) -> Iterator[str]:
    """Run an embedded PostgreSQL on an empty folder and yield its URL.

    Parameters
    ----------
    settings
        Of the server, such as "fsync=off".
    parent : Path, optional
        Where its folder is made; None = with temporary files.

    """
    folder = Path(tempfile.mkdtemp(prefix="keywatt-", dir=parent))
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


def can_run_timescale() -> bool:
    """Whether TimescaleDB in WebAssembly is installed (`make test` does it)."""
    return which("node") is not None and (_NODE / "node_modules").is_dir()


@contextmanager
def timescale_in_node() -> Iterator[str]:
    """Run TimescaleDB in WebAssembly and yield its URL.

    One session that all connections share; no COPY FROM STDIN, no background workers.
    """
    with tempfile.TemporaryDirectory(prefix="keywatt-") as folder:
        server = subprocess.Popen(
            ["node", _NODE / "server.mjs", folder],  # noqa: S607
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with server:
            assert server.stdout is not None  # noqa: S101  asked for above
            assert server.stdin is not None  # noqa: S101
            if server.stdout.readline() != b"ready\n":
                raise RuntimeError("TimescaleDB in WebAssembly does not start.")
            yield f"postgresql://postgres:any@/postgres?host={folder}&sslmode=disable"
            server.stdin.close()
            server.wait(10)
