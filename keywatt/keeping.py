"""Dropping what is no longer kept, once a day."""

from datetime import datetime, timedelta

from storage.database import connect
from storage.retention import Retention, drop_expired, set_retention

_EVERY = timedelta(days=1)


class Keeper:
    """One worker's share: each has its own day, and any number may do it at once."""

    def __init__(self, database_url: str, keep: Retention) -> None:
        self._url = database_url
        self._keep = keep
        self._due: datetime | None = None

    def look(self, now: datetime) -> None:
        """Drop what has expired, if that was not done today.

        Parameters
        ----------
        now : datetime
            By the site's clock.

        """
        if self._due is not None and now < self._due:
            return
        with connect(self._url) as conn:
            set_retention(conn, self._keep)
            conn.commit()
            drop_expired(conn, now)
            conn.commit()
        self._due = now + _EVERY
