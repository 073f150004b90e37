"""Alerts as people see them: what is the matter, since when, who did what."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from reports.texts import WordingError
from reports.wording import reason, sentence
from reports.writing import Figure, Reader
from storage.alerts import Alert
from storage.portfolio import load_alert_events

CLOSED = "resolved"


@dataclass(frozen=True, kw_only=True)
class AlertEventView:
    """One step in an alert's life."""

    at: datetime
    action: str
    """opened, acknowledged, planned or resolved"""
    who: str
    why: str
    """What a person wrote, or a code; `reason` says either."""

    def reason(self, reader: Reader) -> str:
        """Say why it was done; people's own words stay as they are."""
        return reason(self.why, reader)


@dataclass(frozen=True, kw_only=True)
class AlertView:
    """One alert with its whole history, oldest step first."""

    alert_id: int
    account_code: str
    point_name: str
    kind: str
    state: str
    """open, acknowledged, planned or resolved"""
    opened_at: datetime
    resolved_at: datetime | None
    code: str
    figures: Mapping[str, Figure]
    events: tuple[AlertEventView, ...]

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved; acknowledged and planned ones are open too."""
        return self.state != CLOSED

    @property
    def needs_someone(self) -> bool:
        """Whether nobody has taken it yet."""
        return self.state == "open"

    def title(self, reader: Reader) -> str:
        """Name what is the matter in a few words."""
        return self._said(f"alert-title-{self.code}", reader)

    def text(self, reader: Reader) -> str:
        """Say what is the matter."""
        return self._said(self.code, reader)

    @property
    def since_at(self) -> datetime:
        """When what it tells of began: before it opened, for it had to be proven."""
        since = self.figures.get("since_at")
        return (
            datetime.fromisoformat(since) if isinstance(since, str) else self.opened_at
        )

    def _said(self, code: str, reader: Reader) -> str:
        try:
            return sentence(code, self.figures, reader)
        except WordingError:
            # Stored by a newer or older version: the page must still show it.
            figures = {"kind": self.kind, "code": self.code}
            return sentence("alert-unknown", figures, reader)


def alerts_of(
    conn: Connection[TupleRow],
    alerts: Sequence[Alert],
    accounts: Sequence[Account],
    points: Sequence[Point],
) -> dict[int, tuple[AlertView, ...]]:
    """Return alerts with their steps by account, in their order."""
    codes = {account.account_id: account.code for account in accounts}
    names = {point.point_id: point.name for point in points}
    events: dict[int, list[AlertEventView]] = defaultdict(list)
    for step in load_alert_events(conn, [alert.alert_id for alert in alerts]):
        events[step.alert_id].append(
            AlertEventView(at=step.at, action=step.action, who=step.who, why=step.why)
        )
    found: dict[int, list[AlertView]] = {account_id: [] for account_id in codes}
    for alert in alerts:
        found[alert.account_id].append(
            AlertView(
                alert_id=alert.alert_id,
                account_code=codes[alert.account_id],
                point_name=names[alert.point_id],
                kind=alert.kind,
                state=alert.state,
                opened_at=alert.opened_at,
                resolved_at=alert.resolved_at,
                code=alert.code,
                figures=cast("Mapping[str, Figure]", alert.figures),
                events=tuple(events[alert.alert_id]),
            )
        )
    return {account_id: tuple(views) for account_id, views in found.items()}
