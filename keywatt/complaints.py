"""What goes wrong again and again is logged once."""

import logging

from alerts.notice import DeliveryError
from storage.database import DatabaseError

log = logging.getLogger(__name__)

_SAY_IT_ALL = (DeliveryError, DatabaseError)
"""Their text is one sentence for people: no traceback."""


class Complaints:
    """Logs an error when it first appears and when it is over, not in between."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def about(self, subject: str, exc: Exception) -> None:
        """Log an error unless it is the subject's last one."""
        text = str(exc).partition("\n")[0] or type(exc).__name__
        if self._last.get(subject) == text:
            return
        self._last[subject] = text
        trace = None if isinstance(exc, _SAY_IT_ALL) else exc
        log.warning("%s: %s", subject, text, exc_info=trace)

    def over(self, subject: str) -> None:
        """Log that a subject works again, if it did not."""
        if self._last.pop(subject, None) is not None:
            log.info("%s: works again", subject)
