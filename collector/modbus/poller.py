"""Ask Modbus meters, each at its own pace.

A meter's poll reads its blocks, one after another, and becomes one parcel. The first
block without an answer ends it: a dead meter costs its bus one time-out. Then it is
left alone for a while (`breaker`), and tried again even between two polls. A failed
poll leaves a gap; it is said when a meter stops and when it answers again. What is
asked after the meter's removal, the next one at its address may answer.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Protocol

from collector.counting.counts import Counts
from collector.modbus.backfill import Backfill
from collector.modbus.failure import Failure, MeterError
from collector.modbus.polled import Bus, Now, PolledMeter
from collector.modbus.turns import Asking, Rank
from collector.parcel import Parcel
from meters.refusal import Reason

__all__ = ["Bus", "PolledMeter", "poll"]

log = logging.getLogger(__name__)

_GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, spread evenly however many there are."""
GAP_POLLS = 3.0
"""With no reading for more than so many periods there is a gap."""
_NO_FAULT_OF_ITS_OWN = {Failure.NO_CONNECTION, Failure.NO_TIME}
"""Other meters, or their gateway, are to blame."""


class Sink(Protocol):
    """Wherever parcels go: the journal, or a queue."""

    async def put(self, parcel: Parcel) -> None:
        """Take a parcel; what takes its time slows the poller."""
        ...


async def poll(polled: PolledMeter, out: Sink, counts: Counts, now: Now) -> None:
    """Read one meter at its pace until cancelled, or until it is removed.

    What is late is not made up for. Whatever goes wrong, the next poll is tried: one
    meter must not end the collecting of all.
    """
    meter = polled.meter
    with polled.bus.turns.member(meter.poll_every_s):
        try:
            await _Poll(polled, out, counts, now).run()
        finally:
            polled.bus.roll.forget(meter.unit or 0)


class _Poll:
    """The polling of one meter."""

    def __init__(
        self, polled: PolledMeter, out: Sink, counts: Counts, now: Now
    ) -> None:
        self._polled, self._out, self._counts, self._now = polled, out, counts, now
        self._health = polled.health
        self._backfill = Backfill(
            *(polled.meter, polled.profile, polled.bus, now, self._put),
            store=polled.store,
        )
        for since, until in polled.gaps:
            self._backfill.want(since, until)
        self._newest = polled.newest
        self._answered_s: float | None = None
        self._time: Callable[[], float] = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Poll when it is time."""
        meter = self._polled.meter
        every_s, task = meter.poll_every_s, asyncio.current_task()
        due = self._time() + meter.meter_id * _GOLDEN % 1.0 * every_s
        while True:
            again_at = self._again_at()
            is_due = not self._time() < again_at < due
            at = due if is_due else again_at
            await asyncio.sleep(at - self._time())
            if meter.removed_at is not None and self._now() >= meter.removed_at:
                return
            await self._once(at)
            # Python 3.11's wait_for, of which pymodbus is made, forgets a cancellation
            # that comes at the same moment as the answer.
            if task is not None and task.cancelling():
                raise asyncio.CancelledError
            if is_due:
                due += every_s
            missed = max(0.0, self._time() - due + every_s) // every_s
            due += missed * every_s
            if self._backfill.waits and not self._health.trouble:
                await self._fill(due)

    def _again_at(self) -> float:
        """When to try again what failed, in loop time; infinite: when it is due."""
        breakers = self._health.breaker, self._polled.bus.breaker
        return max(
            (each.opens_until for each in breakers if each.failures), default=math.inf
        )

    async def _once(self, due: float) -> None:
        """Poll once; never fails."""
        health = self._health
        health.asked += 1
        self._counts.asked += 1
        if health.breaker.is_open(self._time()):
            self._count(Failure.BACKING_OFF)
            return
        asking = self._asking(due)
        try:
            parcel = await self._polled.read(self._now, asking)
        except MeterError as exc:
            self._has_failed(exc)
        except Exception as exc:  # at the outermost: it says so, and others go on
            self._count(Failure.FAULT)
            if not health.trouble:
                log.exception("Meter %s cannot be read.", self._polled.meter.serial)
            health.ails(repr(exc), self._now())
        else:
            self._has_answered(parcel)
            await self._hand_on(parcel)
            self._notice_gap()
        finally:
            health.requests += asking.requests
            if asking.requests:
                health.took(asking.spent_s)

    async def _hand_on(self, parcel: Parcel) -> None:
        """Hand a poll's parcel on; a fault of ours there costs this one, no more."""
        try:
            await self._out.put(parcel)
        except Exception:  # at the outermost, as above
            self._counts.answered -= 1
            self._count(Failure.FAULT)
            log.exception("What meter %s said was not kept.", self._polled.meter.serial)

    def _notice_gap(self) -> None:
        """See whether polls were missed before this one, and have them filled.

        Between two polls by our steady clock: the time that readings bear may run at
        another speed. Since the last run only that is known.
        """
        newest, before = self._polled.newest, self._newest
        if newest is None or newest == before:  # refused, or told again
            return
        longest_s = GAP_POLLS * self._polled.meter.poll_every_s
        if self._answered_s is not None:
            was_away = self._time() - self._answered_s > longest_s
        else:
            away_s = 0.0 if before is None else (newest - before).total_seconds()
            was_away = away_s > longest_s
        if before is not None and was_away:
            self._backfill.want(before, newest)
        self._newest, self._answered_s = newest, self._time()

    async def _fill(self, latest: float) -> None:
        """Read some of the meter's memory; never fails."""
        try:
            await self._backfill.some(latest)
        except Exception:  # at the outermost, as above
            serial = self._polled.meter.serial
            log.exception("The memory of meter %s cannot be read.", serial)
            self._backfill.forget()

    async def _put(self, parcel: Parcel) -> None:
        """Hand on what a memory brought."""
        self._counts.asked += parcel.size
        self._counts.answered += parcel.size
        await self._out.put(parcel)

    def _asking(self, due: float) -> Asking:
        """Say how this poll asks."""
        health, turns = self._health, self._polled.bus.turns
        manners = self._polled.profile
        timeout_ms = manners.timeout_ms
        return Asking(
            rank=Rank.COSTLY if health.cost_s > turns.share_s else Rank.QUICK,
            missed=health.missed,
            due=due,
            latest=max(due, self._time()) + turns.round_s,
            timeout_s=None if timeout_ms is None else timeout_ms / 1000,
            pause_s=manners.pause_ms / 1000,
        )

    def _has_failed(self, exc: MeterError) -> None:
        health, serial = self._health, self._polled.meter.serial
        self._count(exc.failure)
        health.missed = health.missed + 1 if exc.failure is Failure.NO_TIME else 0
        if exc.failure not in _NO_FAULT_OF_ITS_OWN:
            health.breaker.failed(self._time())
        if not health.trouble and exc.failure is Failure.NO_TIME:
            log.warning("Meter %s could not be asked: %s.", serial, exc)
        elif not health.trouble:
            log.warning("Meter %s stopped answering: %s.", serial, exc)
        health.ails(str(exc), self._now())

    def _has_answered(self, parcel: Parcel) -> None:
        health = self._health
        health.answered += 1
        self._counts.answered += 1
        health.missed, health.answered_at = 0, self._now()
        if any(r.reason is Reason.UNDECODABLE for r in parcel.refusals):
            health.breaker.failed(self._time())  # garbage, and each a row in quarantine
        else:
            health.breaker.succeeded()
        if health.trouble:
            log.info("Meter %s answers again.", self._polled.meter.serial)
        health.trouble, health.trouble_since = "", None
        if health.missing and health.missing_since is None:
            health.missing_since = health.answered_at

    def _count(self, failure: Failure) -> None:
        self._health.failed[failure] += 1
        self._counts.failed += 1
