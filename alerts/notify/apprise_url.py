"""Tells people by mail, chat or SMS: whatever one apprise URL reaches.

The only import of apprise. Such a URL holds passwords and tokens anywhere in it, and
apprise logs them, so its log and that of its HTTP client are silenced here; what is
told of a failure has every part of the URL blotted out.
"""

import logging
import re
import warnings
from functools import cached_property

import apprise

from alerts.lifecycle import Action
from alerts.notice import DeliveryError, Notice, done, sentence, title

_SHORTEST_SECRET = 4
_SILENT = ("apprise", "urllib3", "requests")


class AppriseUrl:
    """The channel to one apprise URL."""

    name = "apprise"

    def __init__(self, url: str) -> None:
        self._url = url

    def __repr__(self) -> str:
        """Name the service, never the URL."""
        return f"AppriseUrl({self._scheme}://…)"

    def send(self, notice: Notice) -> None:
        """Tell one event; raise DeliveryError if it was not taken."""
        capture = apprise.LogCapture(  # type: ignore[no-untyped-call]  # apprise's
            level=logging.WARNING, fmt="%(message)s"
        )
        with capture as said:
            taken = self._service.notify(title=title(notice), body=body(notice))
            reason = self._blotted(said.getvalue())
        if not taken:
            raise DeliveryError(
                f"The {self._scheme} service of KEYWATT_APPRISE_URL did not take the "
                f"message: {reason or 'it gave no reason'}"
            )

    @cached_property
    def _service(self) -> apprise.Apprise:
        for name in _SILENT:
            log = logging.getLogger(name)
            log.propagate = False
            log.addHandler(logging.NullHandler())
        service = apprise.Apprise()
        with warnings.catch_warnings():
            # The first address makes apprise load all its services, old ones too.
            warnings.simplefilter("ignore", DeprecationWarning)
            known = service.add(self._url)
        if not known:
            raise DeliveryError(
                f"KEYWATT_APPRISE_URL ({self._scheme}://…) is no address that apprise "
                "knows: see its list of services for the right form."
            )
        return service

    @property
    def _scheme(self) -> str:
        return self._url.partition("://")[0] if "://" in self._url else "unnamed"

    def _blotted(self, text: str) -> str:
        for part in re.split(r"[/@:?&=,]+", self._url.partition("://")[2]):
            if len(part) >= _SHORTEST_SECRET:
                text = text.replace(part, "***")
        return " ".join(text.split())


def body(notice: Notice) -> str:
    """Say what deviates, and what was done about it by whom and why."""
    lines = [sentence(notice)]
    if notice.action is not Action.OPENED:
        lines.append(done(notice))
    return "\n".join(lines)
