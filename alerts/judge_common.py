"""Opens or closes alerts of what many meters need: collectors, brokers, gateways.

One alert for one cause: while it stands, none is opened for each meter behind it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts import broker_silent, collector_silent, gateway_silent
from alerts.broker_silent import judge_brokers
from alerts.collector_silent import Collecting, collecting_of, judge_collectors
from alerts.desk import take_step
from alerts.gateway_silent import BusVerdict, OnBus, judge_bus
from alerts.lifecycle import KEYWATT, Action, State, Step
from alerts.meter_silent import HEARD
from meters.meter import Transport
from storage.collector_beats import load_beats, note_look
from storage.site_alerts import (
    SiteAlert,
    load_site_alerts,
    lock_site_alert,
    open_site_alert,
)
from storage.watching import WatchedMeter

LEFT = "meters-left"
_REMEMBERED = timedelta(days=2)
"""A gateway that was back longer ago makes no difference to any meter."""


class CommonCauses:
    """One look at collectors, brokers and gateways."""

    def __init__(
        self,
        conn: Connection[TupleRow],
        meters: Sequence[WatchedMeter],
        now: datetime,
        *,
        speed: float,
    ) -> None:
        self._conn, self._meters, self._now = conn, meters, now
        self._limit = collector_silent.limit_of(speed)
        self._looking_since = note_look(conn, now, self._limit)
        self._beats = load_beats(conn, now)
        self._collecting = {t: collecting_of(t, self._beats, now) for t in Transport}
        known = load_site_alerts(conn, resolved_since=now - _REMEMBERED)
        self._standing = {
            (one.kind, one.subject): one for one in known if one.state != State.RESOLVED
        }
        self._back_at: dict[str, datetime] = {}
        for one in reversed(known):  # the oldest first
            if one.kind == gateway_silent.KIND and one.resolved_at is not None:
                self._back_at[one.subject] = one.resolved_at
        self.events: list[int] = []

    def collecting(self, meter: WatchedMeter) -> Collecting:
        """Return when a meter was collected last, without a break."""
        return self._collecting[Transport(meter.transport)]

    def back_at(self, meter: WatchedMeter) -> datetime | None:
        """Return since when a meter can be heard again, where it could not be."""
        times = [self.collecting(meter).since]
        if meter.bus is not None:
            times.append(self._back_at.get(meter.bus))
        return max((at for at in times if at is not None), default=None)

    def judge_collectors(self) -> None:
        """Open an alert for each silent collector; close those of who is back."""
        wanted = [Transport(meter.transport) for meter in self._meters]
        silent = judge_collectors(
            self._beats, wanted, self._looking_since, self._now, self._limit
        )
        there = {beat.collector: beat for beat in self._beats}
        for alert in self._standing_of(collector_silent.KIND):
            if alert.subject in {one.collector for one in silent}:
                continue
            beat = there.get(alert.subject)
            is_back = beat is not None and beat.beat_at > alert.opened_at
            at = beat.since_at if beat is not None and is_back else self._now
            why = collector_silent.BACK if is_back else collector_silent.REPLACED
            self._close(alert, why, at)
        for one in silent:
            figures = {
                "collector": one.collector,
                "since_at": one.since.isoformat(),
                "transports": ", ".join(one.transports),
                "meters": sum(transport in one.transports for transport in wanted),
            }
            self._open(
                collector_silent.KIND,
                one.collector,
                figures,
                why=collector_silent.OPENED,
                at=one.proven_at,
            )

    def judge_brokers(self) -> None:
        """Open an alert for each broker out of reach; close those of who is back."""
        meters = sum(meter.transport == Transport.MQTT for meter in self._meters)
        silent = judge_brokers(self._beats, self._looking_since, self._now, self._limit)
        for alert in self._standing_of(broker_silent.KIND):
            beats = [beat for beat in self._beats if beat.broker == alert.subject]
            heard = {beat.heard_at: beat.hearing_since for beat in beats}
            newest = max((at for at in heard if at is not None), default=None)
            if newest is not None and newest > alert.opened_at:
                self._close(alert, broker_silent.BACK, heard[newest] or newest)
            elif not beats or not meters:
                self._close(alert, LEFT, self._now)
        for one in silent if meters else ():
            figures = {
                "broker": one.broker,
                "since_at": one.since.isoformat(),
                "transports": Transport.MQTT.value,
                "meters": meters,
            }
            self._open(
                broker_silent.KIND,
                one.broker,
                figures,
                why=broker_silent.OPENED,
                at=one.proven_at,
            )

    def judge_gateways(self, on_bus: Mapping[int, OnBus]) -> set[str]:
        """Open an alert for each silent gateway; close those of who speaks.

        Parameters
        ----------
        on_bus : mapping of int to OnBus
            What is known of each polled meter, by `meter_id`.

        Returns
        -------
        set of str
            The buses whose silent meters get no alert of their own now.

        """
        buses: dict[str, list[WatchedMeter]] = defaultdict(list)
        for meter in self._meters:
            if meter.bus is not None and meter.meter_id in on_bus:
                buses[meter.bus].append(meter)
        for alert in self._standing_of(gateway_silent.KIND):
            self._close_if_over(alert, buses.get(alert.subject, []), on_bus)
        held = {alert.subject for alert in self._standing_of(gateway_silent.KIND)}
        until = self._collecting[Transport.MODBUS].until
        for bus, meters in buses.items():
            verdict = judge_bus([on_bus[meter.meter_id] for meter in meters], until)
            if verdict is BusVerdict.SILENT and bus not in held:
                self._open_gateway(bus, meters, on_bus)
            if verdict is not BusVerdict.SPEAKS:
                held.add(bus)
        return held

    def _close_if_over(
        self,
        alert: SiteAlert,
        meters: Sequence[WatchedMeter],
        on_bus: Mapping[int, OnBus],
    ) -> None:
        speaking = [m for m in meters if not on_bus[m.meter_id].is_silent]
        if not meters:
            self._close(alert, LEFT, self._now)
        elif speaking:
            heard = [m.heard_at for m in speaking if m.heard_at is not None]
            self._close(alert, HEARD, min(heard, default=self._now))

    def _open_gateway(
        self, bus: str, meters: Sequence[WatchedMeter], on_bus: Mapping[int, OnBus]
    ) -> None:
        since = max(on_bus[meter.meter_id].since for meter in meters)
        figures = {
            "gateway": bus,
            "since_at": since.isoformat(),
            "silent_meters": len(meters),
        }
        why = gateway_silent.OPENED
        self._open(gateway_silent.KIND, bus, figures, why=why, at=self._now)

    def _standing_of(self, kind: str) -> list[SiteAlert]:
        return [one for (its, _), one in self._standing.items() if its == kind]

    def _open(
        self,
        kind: str,
        subject: str,
        figures: Mapping[str, object],
        *,
        why: str,
        at: datetime,
    ) -> None:
        event_id = open_site_alert(
            self._conn,
            subject,
            kind=kind,
            code=kind,
            figures=figures,
            who=KEYWATT,
            why=why,
            at=at,
        )
        self.events += [] if event_id is None else [event_id]

    def _close(self, alert: SiteAlert, why: str, at: datetime) -> None:
        """Close an alert, unless another process was faster."""
        del self._standing[alert.kind, alert.subject]
        at = max(at, alert.opened_at)
        if alert.kind == gateway_silent.KIND:
            self._back_at[alert.subject] = at
        held = lock_site_alert(self._conn, alert.alert_id)
        if held is None or held.state == State.RESOLVED:
            return
        step = Step(action=Action.RESOLVED, who=KEYWATT, at=at, why=why)
        self.events.append(take_step(self._conn, held, step).event_id)
