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
    """In the words of `language`."""
    kind: str
    code: str
    figures: dict[str, Figure]
    opened_at: datetime
    account_code: str
    account_name: str
    point: str
    time_zone: ZoneInfo
    """The account's: sentences tell times in it."""
    language: wording.Language = "en"

    @property
    def reader(self) -> Reader:
        """For whom it is written."""
        return Reader(language=self.language, zone=self.time_zone)


class Channel(Protocol):
    """One way to tell people."""

    name: str
    """Stable: it stands in the delivery table."""

    def send(self, notice: Notice) -> None:
        """Tell one event; raise DeliveryError if it was not taken."""
        ...


def sentence(notice: Notice) -> str:
    """Say what the matter is, as the dashboard does."""
    return _said(notice.code, notice)


def title(notice: Notice) -> str:
    """Say in a few words what happened, and where."""
    if notice.action is Action.OPENED:
        what = _said(f"alert-title-{notice.code}", notice).rstrip(".。")
    else:
        what = wording.sentence(f"state-{notice.action}", {}, notice.reader)
    return f"{what}: {notice.account_name}, {notice.point}"


def done(notice: Notice) -> str:
    """Say what was done about it, by whom, when and why."""
    told = wording.sentence(
        f"alert-{notice.action}", {"who": notice.who, "at": notice.at}, notice.reader
    )
    return f"{told}: {notice.why}" if notice.why else told


def _said(code: str, notice: Notice) -> str:
    try:
        return wording.sentence(code, notice.figures, notice.reader)
    except wording.WordingError:  # stored by another version; it must still be told
        known = {"kind": notice.kind, "code": notice.code}
        return wording.sentence("alert-unknown", known, notice.reader)


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
