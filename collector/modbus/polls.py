"""The polls of all Modbus meters, started and stopped as meters come and go."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from collector.counting.counts import TransportCounts
from collector.modbus.backfill import Store
from collector.modbus.bus import ModbusBus
from collector.modbus.drift import ClockDrift
from collector.modbus.polled import PolledMeter
from collector.modbus.poller import Sink, poll
from meters.meter import Meter
from meters.profile import ModbusProfile, ProfileError, load_profile
from storage.meter_events import ToldEvents
from storage.meter_troubles import Trouble
from storage.stated_multipliers import ToldMultiplier

log = logging.getLogger(__name__)

_STARTED_AT_ONCE = 20
"""A few milliseconds' work."""


class Polls:
    """A task for each meter that can be polled, and the buses that they share."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        out: Sink,
        counts: TransportCounts,
        now: Callable[[], datetime],
        *,
        timeout_s: float,
        on_drift: Callable[[ClockDrift], None],
        on_events: Callable[[ToldEvents], None],
        on_stated: Callable[[ToldMultiplier], None],
        store: Store | None = None,
        polled: dict[int, PolledMeter] | None = None,
    ) -> None:
        self._group, self._out, self._counts, self._now = group, out, counts, now
        self._timeout_s = timeout_s
        self._on_drift, self._on_events, self._store = on_drift, on_events, store
        self._on_stated = on_stated
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.polled: dict[int, PolledMeter] = {} if polled is None else polled
        """Those that are asked, by `meter_id`, for whoever shows how they fare."""
        self._unpolled: dict[int, Meter] = {}
        """Those that should be, but cannot."""
        self._buses: dict[str, ModbusBus] = {}
        self._newest: dict[int, datetime] = {}
        self._gaps: dict[int, Sequence[tuple[datetime, datetime]]] = {}
        self._said: dict[int, Trouble] = {}
        """Why each of those that cannot be polled is not, as it was said."""

    async def follow(
        self,
        gone: Sequence[Meter],
        come: Iterable[Meter],
        newest: Mapping[int, datetime],
        gaps: Mapping[int, Sequence[tuple[datetime, datetime]]],
    ) -> None:
        """Stop and start polls, but leave alone those of which nothing is new.

        Parameters
        ----------
        gone, come : of Meter
            As they were, and as they are.
        newest : mapping of int to datetime
            When the newest stored reading of those that come was measured, by
            `meter_id`: what is missing since then may be in a meter's memory.
        gaps : mapping of int to sequence of (datetime, datetime)
            Between which earlier readings of theirs some are missing.

        """
        await self._stop(gone)
        self._newest, self._gaps = {**self._newest, **newest}, {**self._gaps, **gaps}
        waiting, self._unpolled = [*self._unpolled.values(), *come], {}
        for number, meter in enumerate(waiting, start=1):
            self._start(meter)
            if number % _STARTED_AT_ONCE == 0:
                await asyncio.sleep(0)  # the others go on meanwhile

    def troubles(self) -> dict[int, Trouble | None]:
        """Return what ails each meter that should be polled; None: nothing."""
        fares = {meter_id: trouble_of(one) for meter_id, one in self.polled.items()}
        return fares | self._said

    def close(self) -> None:
        """Close all buses."""
        for bus in self._buses.values():
            bus.close()

    async def _stop(self, gone: Sequence[Meter]) -> None:
        stopping: set[asyncio.Task[None]] = set()
        for meter in gone:
            self._unpolled.pop(meter.meter_id, None)
            self._said.pop(meter.meter_id, None)
            self.polled.pop(meter.meter_id, None)
            task = self._tasks.pop(meter.meter_id, None)
            if task is not None:
                task.cancel()
                stopping.add(task)
        if stopping:  # one that is just connecting would leave its connection open
            await asyncio.wait(stopping, timeout=self._timeout_s)
            self._counts.give_up([meter.meter_id for meter in gone])
        used = {polled.meter.bus.place for polled in self.polled.values()}
        for place in self._buses.keys() - used:
            self._buses.pop(place).close()

    def _start(self, meter: Meter) -> None:
        """Start to poll one meter; where it cannot be, it is tried again later."""
        polled = self._readable(meter)
        if isinstance(polled, str):
            self._say_once(meter, polled)
            self._unpolled[meter.meter_id] = meter
            return
        self._said.pop(meter.meter_id, None)
        self.polled[meter.meter_id] = polled
        self._tasks[meter.meter_id] = self._group.create_task(
            poll(polled, self._out, self._counts.of(meter.meter_id), self._now),
            name=f"poll of {meter.serial}",
        )

    def _readable(self, meter: Meter) -> PolledMeter | str:
        """Plan how to read a meter, or say why it cannot be."""
        try:
            profile = load_profile(meter.profile)
        except ProfileError as exc:
            return str(exc)
        address = meter.bus
        if not isinstance(profile, ModbusProfile) or not address.is_complete:
            return (
                f"profile {meter.profile} is not one of Modbus, or its address is not "
                "complete."
            )
        bus = self._buses.get(address.place)
        if bus is None:
            bus = ModbusBus(address, timeout_s=self._timeout_s)
            self._buses[address.place] = bus
        if bus.at != address:
            return (
                f"{address.place} is already spoken to in another way; give all meters "
                "there one framing, baud rate, parity and stop bits."
            )
        polled = PolledMeter.of(meter, profile, bus)
        polled.on_drift, polled.on_events = self._on_drift, self._on_events
        polled.on_stated, polled.store = self._on_stated, self._store
        polled.newest = self._newest.pop(meter.meter_id, None)
        polled.gaps = self._gaps.pop(meter.meter_id, ())
        return polled

    def _say_once(self, meter: Meter, why: str) -> None:
        """Complain, but not again of the same before it was mended."""
        said = self._said.get(meter.meter_id)
        if said is None or said.text != why:
            log.error("Meter %s cannot be polled: %s", meter.serial, why)
            self._said[meter.meter_id] = Trouble(since_at=self._now(), text=why)


def trouble_of(polled: PolledMeter) -> Trouble | None:
    """Return what ails a meter that is polled; None: nothing."""
    health = polled.health
    since = health.trouble_since or health.missing_since
    if since is None or not (health.trouble or health.missing):
        return None
    return Trouble(since_at=since, text=health.trouble, holes=health.missing)
