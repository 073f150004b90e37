"""A disk that can be full: a small file system of our own, or a limit on a process."""

import contextlib
import errno
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil

_MB = 1 << 20
_NO_LIMIT = resource.RLIM_INFINITY


class Disk(Protocol):
    """Where a journal is kept."""

    def fill(self) -> None:
        """Let it take nothing more."""
        ...

    def free(self) -> None:
        """Let it take what it can again."""
        ...


class TinyFileSystem:
    """A file system of some megabytes in memory."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Write until nothing more goes in."""
        with self._ballast.open("wb", buffering=0) as ballast:
            for size in (_MB // 4, 1024, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)):
                        pass

    def free(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink(missing_ok=True)


class LimitedProcess:
    """What a process may write ends at the size that its files have."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    def fill(self) -> None:
        """Let no file of the process grow past its first bytes."""
        self._process.rlimit(psutil.RLIMIT_FSIZE, (1, _NO_LIMIT))

    def free(self) -> None:
        """Lift the limit."""
        self._process.rlimit(psutil.RLIMIT_FSIZE, (_NO_LIMIT, _NO_LIMIT))


@contextmanager
def tiny_file_system(folder: Path, megabytes: int) -> Iterator[TinyFileSystem | None]:
    """Mount one while the block lasts; yields None where we may not."""
    folder.mkdir(exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    if mount is None or umount is None or _fails(mount, *options):
        yield None
        return
    try:
        yield TinyFileSystem(folder)
    finally:
        _fails(umount, str(folder))


def _fails(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as exc:
        if exc.errno not in (errno.EACCES, errno.EPERM):
            raise
        return True
    return done.returncode != 0
