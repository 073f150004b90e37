"""The demo's folder: database, logs, ports, and the lock that keeps a second one out.

RuntimeError
    DemoError   the folder or a port cannot be used; one sentence with the remedy
"""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LEAST_FREE_MB = 400
"""Two months of eight meters, and PostgreSQL's own logs, take half of it."""
_MB = 1_000_000


class DemoError(RuntimeError):
    """The demo cannot run here; one sentence for people."""


@dataclass(frozen=True, slots=True)
class State:
    """Where things are in the demo's folder."""

    folder: Path
    """Absolute."""

    @property
    def postgres(self) -> Path:
        """The database's files."""
        return self.folder / "postgres"

    @property
    def logs(self) -> Path:
        """One log a part."""
        return self.folder / "logs"

    @property
    def settings_file(self) -> Path:
        """For other commands beside a running demo: `keywatt --config FILE ...`."""
        return self.folder / "settings.toml"

    def ready_file(self, part: str) -> Path:
        """Return what a part writes once it serves."""
        return self.folder / "run" / f"{part}.ready"

    def counts_file(self, part: str) -> Path:
        """Return where a part writes how many readings it has seen."""
        return self.folder / "run" / f"{part}.json"

    def clear_run(self) -> None:
        """Forget what was written of an earlier run."""
        self.settings_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        (self.folder / "run").mkdir()

    def forget(self) -> None:
        """Remove everything but the lock."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()


_LOCK = "lock"


@contextmanager
def hold(folder: Path) -> Iterator[State]:
    """Make the folder and keep it to ourselves for the length of the block.

    Raises
    ------
    DemoError
        The folder cannot be made or written, its disk is full, or another demo has it.

    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise DemoError(
            f"The demo cannot write to {folder} ({exc.strerror}): give it a folder of "
            "yours with --state DIR."
        ) from None
    try:
        _take(lock, folder)
        _check_room(folder)
        yield State(folder)
    finally:
        os.close(lock)


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 20).decode("ascii", "replace").strip()
        raise DemoError(
            f"Another demo (process {holder}) runs in {folder}: stop it, or give this "
            "one a folder of its own with --state DIR."
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


def _check_room(folder: Path) -> None:
    free_mb = shutil.disk_usage(folder).free // _MB
    if free_mb < LEAST_FREE_MB:
        raise DemoError(
            f"The disk of {folder} is nearly full ({free_mb} MB free, the demo needs "
            f"{LEAST_FREE_MB}): make room, or choose another disk with --state DIR."
        )


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    """Whether a server listens on the port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port(usual: int) -> int:
    """Return the usual port where it is free, else one that the system gives."""
    if is_free(usual):
        return usual
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_range(first: int, count: int) -> int:
    """Return the first of `count` free ports in a row, from `first` on."""
    for base in range(first, 65_000 - count, 100):
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise DemoError(
        f"There are no {count} free TCP ports in a row for the simulated meters: end "
        "programs that you no longer need."
    )
