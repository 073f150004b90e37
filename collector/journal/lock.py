"""The journal's folder: made, and held by one collector at a time.

RuntimeError
    JournalError   the folder cannot be used; one sentence with the remedy
"""

import fcntl
import os
from pathlib import Path


class JournalError(RuntimeError):
    """The journal cannot be used; one sentence for people."""


def take(folder: Path) -> int:
    """Make the folder if need be, and lock it; closing what is returned unlocks it."""
    try:
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as exc:
        raise unusable(folder, exc) from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 20).decode("ascii", "replace").strip()
        os.close(lock)
        raise JournalError(
            f"Another collector (process {holder}) has the journal in {folder}: stop "
            "it, or give this one a folder of its own in KEYWATT_JOURNAL_DIR."
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def unusable(folder: Path, exc: OSError) -> JournalError:
    """Say what is wrong with the folder."""
    if isinstance(exc, FileNotFoundError):
        return JournalError(
            f"The journal's folder {folder} cannot be made, {folder.parent} is not "
            "there: make it, or name another in KEYWATT_JOURNAL_DIR."
        )
    return JournalError(
        f"The journal cannot be kept in {folder} ({exc.strerror}): let this user write "
        "there, or name another folder in KEYWATT_JOURNAL_DIR."
    )
