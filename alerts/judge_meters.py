"""Judges whether the meters speak and keep time, and opens or closes their alerts.

One alert for one meter and kind. A meter that is taken away takes its alerts with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts import meter_clock, meter_silent
from alerts.desk import take_step
from alerts.lifecycle import KEYWATT, Action, State, Step
from alerts.meter_clock import ClockVerdict, judge_clock, off_since
from alerts.meter_silent import Silence, judge_silence, limit_of
from storage.alerts import (
    Alert,
    load_alerts,
    load_planned_changes,
    lock_alert,
    open_alert,
)
from storage.clocks import load_clock_hours
from storage.watching import WatchedMeter, load_watched

KINDS = (meter_silent.KIND, meter_clock.KIND)
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
    """Judge all installed meters; the caller's transaction holds it together.

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
    judging = _Judging(conn, now, speed=speed, clock_limit_s=clock_limit_s)
    judging.close_left(standing, {(m.point_id, m.serial) for m in meters})
    open_ones = {(alert.point_id, alert.kind): alert for alert in standing}
    judging.judge_silences(meters, open_ones)
    judging.judge_clocks(meters, open_ones)
    return judging.events


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A meter and its silence."""

    meter: WatchedMeter
    silence: Silence


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
        self._closed: set[tuple[int, str]] = set()
        """Points and kinds whose alert was just closed: the next begins now."""
        self.events: list[int] = []

    def close_left(self, standing: list[Alert], there: set[tuple[int, str]]) -> None:
        """Close the alerts of meters that are no longer there, and drop them."""
        for alert in list(standing):
            if (alert.point_id, str(alert.figures.get("serial"))) not in there:
                self._close(alert, LEFT, self._now)
            elif self._planned_time_is_over(alert):
                self._close(alert, PLANNED_ENDED, self._now)
            else:
                continue
            standing.remove(alert)
            self._closed.add((alert.point_id, alert.kind))

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
        meters: Iterable[WatchedMeter],
        standing: Mapping[tuple[int, str], Alert],
    ) -> None:
        """Open an alert for each meter that fell silent; close those of who speaks."""
        meters, quiet = list(meters), []
        for meter in meters:
            alert = standing.get((meter.point_id, meter_silent.KIND))
            silence = self._silence_of(meter, alert)
            if alert is not None and (ended := _end_of(alert, meter, silence)):
                self._close(alert, why=ended[1], at=ended[0])
                self._closed.add((meter.point_id, meter_silent.KIND))
                alert = None
            if silence is not None:
                quiet.append((_Quiet(meter, silence), alert))
        for one, alert in quiet:
            if alert is None:
                self._open_silence(one, silent=len(quiet), meters=len(meters))

    def _silence_of(self, meter: WatchedMeter, alert: Alert | None) -> Silence | None:
        """Judge one meter; a silence that stands without a last will ends by a reading.

        Where the meter does no more than to connect again and again, it is as silent as
        before.
        """
        by_will = alert is None or alert.code == meter_silent.OFFLINE
        return judge_silence(
            meter.heard_at,
            meter.installed_at,
            self._now,
            limit_of(meter.every_s, self._speed),
            offline_at=meter.offline_now_at if by_will else None,
            online_at=meter.online_at if by_will else None,
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
        self._open(
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
                self._close(alert, verdict.value, meter.compared_at)

    def _open_clock(self, meter: WatchedMeter, drift_s: float, at: datetime) -> None:
        hours = load_clock_hours(self._conn, meter.meter_id)
        since = off_since(hours, self._clock_limit_s) if hours else at
        self._open(
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

    def _open(
        self,
        meter: WatchedMeter,
        kind: str,
        code: str,
        figures: Mapping[str, object],
        *,
        why: str,
        at: datetime,
    ) -> None:
        event_id = open_alert(
            self._conn,
            meter.point_id,
            kind=kind,
            code=code,
            figures=figures,
            who=KEYWATT,
            why=why,
            at=self._now if (meter.point_id, kind) in self._closed else at,
        )
        self.events += [] if event_id is None else [event_id]

    def _close(self, alert: Alert, why: str, at: datetime) -> None:
        """Close an alert, unless another process was faster."""
        held = lock_alert(self._conn, alert.alert_id)
        if held is None or held.state == State.RESOLVED:
            return
        at = max(at, held.opened_at)
        step = Step(action=Action.RESOLVED, who=KEYWATT, at=at, why=why)
        self.events.append(take_step(self._conn, held, step).event_id)


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
