"""How collectors and meters fare, for `keywatt status` and `keywatt doctor`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.collector_silent import limit_of, transports_of
from reports.disturbance import disturbance_of
from reports.writing import Reader
from storage.collector_beats import CollectorBeat, load_beats
from storage.meter_events import LastingEvent, load_lasting
from storage.meter_troubles import TroubledMeter, load_troubles
from storage.site_alerts import SiteAlert, load_site_alerts


@dataclass(frozen=True, kw_only=True, slots=True)
class Faring:
    """One look at them."""

    now: datetime
    collectors: Sequence[CollectorBeat]
    troubles: Sequence[TroubledMeter]
    """Meters that are not read now, then those that are not read whole."""
    events: Sequence[LastingEvent]
    alerts: Sequence[SiteAlert]
    """Of collectors, brokers and gateways."""
    speed: float = 1.0
    """How much faster than the machine's the site's clock runs."""

    def is_there(self, beat: CollectorBeat) -> bool:
        """Whether a collector has said lately that it is there."""
        return self.now - beat.beat_at < limit_of(self.speed)

    def sentences(self) -> list[str]:
        """Say the standing alerts of collectors and gateways."""
        return [disturbance_of(alert).told(Reader()) for alert in self.alerts]

    def shown(self) -> dict[str, object]:
        """Lay it out for scripts."""
        return {
            "collectors": [
                {
                    "collector": beat.collector,
                    "transports": list(transports_of(beat)),
                    "is_there": self.is_there(beat),
                    "since_at": beat.since_at.isoformat(),
                    "beat_at": beat.beat_at.isoformat(),
                    "broker": beat.broker,
                    "heard_at": None
                    if beat.heard_at is None
                    else beat.heard_at.isoformat(),
                }
                for beat in self.collectors
            ],
            "troubles": [
                asdict(one) | {"since_at": one.since_at.isoformat()}
                for one in self.troubles
            ],
            "events": [
                {
                    "meter": one.serial,
                    "code": one.code,
                    "since_at": one.at.isoformat(),
                    "where": one.text,
                }
                for one in self.events
            ],
            "alerts": [
                {
                    "kind": alert.kind,
                    "subject": alert.subject,
                    "opened_at": alert.opened_at.isoformat(),
                    "text": disturbance_of(alert).told(Reader()),
                }
                for alert in self.alerts
            ],
        }


def load_faring(
    conn: Connection[TupleRow], now: datetime, speed: float = 1.0
) -> Faring:
    """Look once; the time is the site's."""
    return Faring(
        now=now,
        speed=speed,
        collectors=load_beats(conn, now),
        troubles=load_troubles(conn),
        events=load_lasting(conn, now),
        alerts=load_site_alerts(conn),
    )
