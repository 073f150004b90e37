"""Opens and closes the alerts of what meters say of themselves."""

from collections.abc import Iterable, Mapping

from alerts.alert_book import AlertBook
from alerts.meter_event import CLOSED, KINDS, OPENED, TOLD
from storage.alerts import Alert
from storage.meter_events import LastingEvent
from storage.watching import WatchedMeter


def judge_events(
    book: AlertBook,
    meters: Iterable[WatchedMeter],
    lasting: Iterable[LastingEvent],
    standing: Mapping[tuple[int, str], Alert],
) -> None:
    """Open an alert for what matters of what meters say; close what is over."""
    said = {(one.meter_id, one.code): one for one in lasting}
    for meter in meters:
        for kind, event in KINDS.items():
            one = said.get((meter.meter_id, event))
            alert = standing.get((meter.point_id, kind))
            if one is not None and alert is None:
                figures = {
                    "serial": meter.serial,
                    "since_at": one.at.isoformat(),
                    "severity": TOLD[event].value,
                    "where": one.text,
                }
                book.open(meter, kind, kind, figures, why=OPENED, at=one.at)
            elif one is None and alert is not None:
                book.close(alert, CLOSED, book.now)
