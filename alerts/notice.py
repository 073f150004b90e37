"""What is told of one event of an alert, whoever is told. Pure.

DeliveryError(Exception)    a channel did not take it; one sentence, no secrets
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from alerts.lifecycle import Action
from reports import wording
from reports.writing import Reader

Figure = str | int | float | None


class DeliveryError(Exception):
    """A channel did not take a notice; the message is one sentence without secrets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One event with all a reader needs to act on it."""

    event_id: int
    alert_id: int
    action: Action
    at: datetime
    who: str
    why: str
    """In words, as `sentence`."""
    kind: str
    code: str
    figures: dict[str, Figure]
    opened_at: datetime
    account_code: str
    account_name: str
    point: str
    time_zone: ZoneInfo
    """The account's: sentences tell times in it."""


class Channel(Protocol):
    """One way to tell people."""

    name: str
    """Stable: it stands in the delivery table."""

    def send(self, notice: Notice) -> None:
        """Tell one event; raise DeliveryError if it was not taken."""
        ...


def sentence(notice: Notice) -> str:
    """Say in English what the matter is, as the dashboard does."""
    reader = Reader(zone=notice.time_zone)
    try:
        return wording.sentence(notice.code, notice.figures, reader)
    except wording.WordingError:  # stored by another version; it must still be told
        known = {"kind": notice.kind, "code": notice.code}
        return wording.sentence("alert-unknown", known, reader)


def as_json(notice: Notice) -> bytes:
    """Write what crews get; alerts/notify/crew_alert.schema.json describes it."""
    return json.dumps(
        {
            "event_id": notice.event_id,
            "action": notice.action.value,
            "at": _written(notice.at),
            "who": notice.who,
            "why": notice.why,
            "alert_id": notice.alert_id,
            "opened_at": _written(notice.opened_at),
            "kind": notice.kind,
            "code": notice.code,
            "text": sentence(notice),
            "figures": notice.figures,
            "account": {"code": notice.account_code, "name": notice.account_name},
            "point": notice.point,
        },
        ensure_ascii=False,
    ).encode()


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
