"""Judges whether the meters speak and keep time, and opens or closes their alerts.

One alert for one meter and kind. A meter that is taken away takes its alerts with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts import meter_clock, meter_event, meter_silent
from alerts.alert_book import AlertBook
from alerts.gateway_silent import OnBus
from alerts.judge_common import CommonCauses
from alerts.judge_events import judge_events
from alerts.lifecycle import State
from alerts.meter_clock import ClockVerdict, judge_clock, off_since
from alerts.meter_silent import Silence, judge_silence, limit_of, overdue_of
from storage.alerts import (
    Alert,
    load_alerts,
    load_planned_changes,
)
from storage.clocks import load_clock_hours
from storage.meter_events import load_lasting
from storage.watching import WatchedMeter, load_watched

KINDS = (meter_silent.KIND, meter_clock.KIND, *meter_event.KINDS)
LEFT = "meter-left"
PLANNED_ENDED = "planned-time-ended"
_FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)


def judge_meters(
    conn: Connection[TupleRow],
    now: datetime,
    *,
    speed: float = 1.0,
    clock_limit_s: float = meter_clock.LIMIT_S,
) -> list[int]:
    """Judge all installed meters, and what they depend on.

    The caller's transaction holds it together.

    Parameters
    ----------
    conn : Connection
    now : datetime
        The site's time.
    speed : float
        Seconds of the site in one of the machine.
    clock_limit_s : float
        How far a meter's clock may be off.

    Returns
    -------
    list of int
        Ids of the alert events that came of it.

    """
    meters = load_watched(conn, now)
    standing = [alert for alert in load_alerts(conn) if alert.kind in KINDS]
    common = CommonCauses(conn, meters, now, speed=speed)
    common.judge_collectors()
    common.judge_brokers()
    judging = _Judging(conn, now, speed=speed, clock_limit_s=clock_limit_s)
    judging.close_left(standing, {(m.point_id, m.serial) for m in meters})
    open_ones = {(alert.point_id, alert.kind): alert for alert in standing}
    judging.judge_silences(meters, open_ones, common)
    judging.judge_clocks(meters, open_ones)
    judge_events(judging.book, meters, load_lasting(conn, now), open_ones)
    return [*common.events, *judging.book.events]


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A meter and its silence."""

    meter: WatchedMeter
    silence: Silence
    is_told: bool
    """Whether an alert stands for it."""


class _Judging:
    """One look at all meters."""

    def __init__(
        self,
        conn: Connection[TupleRow],
        now: datetime,
        *,
        speed: float,
        clock_limit_s: float,
    ) -> None:
        self._conn, self._now, self._speed = conn, now, speed
        self._clock_limit_s = clock_limit_s
        self.book = AlertBook(conn, now)

    def close_left(self, standing: list[Alert], there: set[tuple[int, str]]) -> None:
        """Close the alerts of meters that are no longer there, and drop them."""
        for alert in list(standing):
            if (alert.point_id, str(alert.figures.get("serial"))) not in there:
                self.book.close(alert, LEFT, self._now)
            elif self._planned_time_is_over(alert):
                self.book.close(alert, PLANNED_ENDED, self._now)
            else:
                continue
            standing.remove(alert)

    def _planned_time_is_over(self, alert: Alert) -> bool:
        if alert.state != State.PLANNED:
            return False
        planned = load_planned_changes(
            self._conn, alert.point_id, alert.opened_at, _FAR_FUTURE
        )
        ends = [one.ends_at for one in planned if one.alert_id == alert.alert_id]
        return max(ends, default=self._now) <= self._now

    def judge_silences(
        self,
        meters: Sequence[WatchedMeter],
        standing: Mapping[tuple[int, str], Alert],
        common: CommonCauses,
    ) -> None:
        """Open an alert for each meter that fell silent; close those of who speaks.

        Where a gateway is silent, the alert is its.
        """
        quiet: dict[int, _Quiet] = {}
        for meter in meters:
            alert = standing.get((meter.point_id, meter_silent.KIND))
            silence = self._silence_of(meter, alert, common)
            if alert is not None and (ended := _end_of(alert, meter, silence)):
                self.book.close(alert, why=ended[1], at=ended[0])
                alert = None
            if silence is not None:
                quiet[meter.meter_id] = _Quiet(meter, silence, alert is not None)
        held = common.judge_gateways(
            {m.meter_id: self._on_bus(m, m.meter_id in quiet) for m in meters if m.bus}
        )
        for one in quiet.values():
            if not one.is_told and one.meter.bus not in held:
                self._open_silence(one, silent=len(quiet), meters=len(meters))

    def _on_bus(self, meter: WatchedMeter, is_silent: bool) -> OnBus:  # noqa: FBT001 - one of two fields
        heard_at = meter.heard_at or meter.installed_at
        return OnBus(
            since=max(heard_at, meter.installed_at),
            overdue=overdue_of(meter.every_s, self._speed),
            is_silent=is_silent,
        )

    def _silence_of(
        self, meter: WatchedMeter, alert: Alert | None, common: CommonCauses
    ) -> Silence | None:
        """Judge one meter; a silence that stands without a last will ends by a reading.

        Where the meter does no more than to connect again and again, it is as silent as
        before. One that does not stand yet can only be proven while the meter is
        collected.
        """
        by_will = alert is None or alert.code == meter_silent.OFFLINE
        return judge_silence(
            meter.heard_at,
            meter.installed_at,
            self._now if alert is not None else common.collecting(meter).until,
            limit_of(meter.every_s, self._speed),
            offline_at=meter.offline_now_at if by_will else None,
            online_at=meter.online_at if by_will else None,
            back_at=None if alert is not None else common.back_at(meter),
        )

    def _open_silence(self, one: _Quiet, *, silent: int, meters: int) -> None:
        meter, silence = one.meter, one.silence
        figures: dict[str, object] = {
            "serial": meter.serial,
            "since_at": silence.since.isoformat(),
            "every_s": meter.every_s,
            "silent_meters": silent,
            "meters": meters,
        }
        if silence.offline_at is not None:
            figures["offline_at"] = silence.offline_at.isoformat()
        self.book.open(
            meter,
            meter_silent.KIND,
            silence.code,
            figures,
            why=meter_silent.OPENED
            if silence.offline_at is None
            else meter_silent.LAST_WILL,
            at=silence.proven_at,
        )

    def judge_clocks(
        self,
        meters: Iterable[WatchedMeter],
        standing: Mapping[tuple[int, str], Alert],
    ) -> None:
        """Open an alert for each clock that is off; close those of clocks set right."""
        for meter in meters:
            if meter.drift_s is None or meter.compared_at is None:
                continue
            if meter.compared_at < meter.installed_at:
                continue  # where it sat before
            alert = standing.get((meter.point_id, meter_clock.KIND))
            verdict = judge_clock(
                meter.drift_s, is_open=alert is not None, limit_s=self._clock_limit_s
            )
            if verdict is ClockVerdict.OPEN:
                self._open_clock(meter, meter.drift_s, meter.compared_at)
            elif verdict is ClockVerdict.CLOSE and alert is not None:
                self.book.close(alert, verdict.value, meter.compared_at)

    def _open_clock(self, meter: WatchedMeter, drift_s: float, at: datetime) -> None:
        hours = load_clock_hours(self._conn, meter.meter_id)
        since = off_since(hours, self._clock_limit_s) if hours else at
        self.book.open(
            meter,
            meter_clock.KIND,
            meter_clock.AHEAD if drift_s > 0 else meter_clock.BEHIND,
            {
                "serial": meter.serial,
                "off_s": round(abs(drift_s), 1),
                "since_at": max(since, meter.installed_at).isoformat(),
                "limit_s": self._clock_limit_s,
            },
            why=ClockVerdict.OPEN.value,
            at=at,
        )


def _end_of(
    alert: Alert, meter: WatchedMeter, silence: Silence | None
) -> tuple[datetime, str] | None:
    """Say when and why a meter's silence ended; None where it did not.

    One that began with a last will ends, too, where the meter is online but gives no
    reading: that is another one.
    """
    if silence is not None and (
        silence.code == alert.code or alert.code != meter_silent.OFFLINE
    ):
        return None
    ends = [] if meter.heard_at is None else [(meter.heard_at, meter_silent.HEARD)]
    if alert.code == meter_silent.OFFLINE and meter.online_at is not None:
        ends.append((meter.online_at, meter_silent.ONLINE))
    return min(ends, key=lambda end: (end[0] < alert.opened_at, end[0]), default=None)
