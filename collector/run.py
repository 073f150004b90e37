"""The collector: every meter in the database, read over its transport, written.

One task group holds a poller for each Modbus meter, the MQTT link, the writer, and the
watch that notices meters which were added, changed or removed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import psycopg

from collector.counting.clocks import Clocks
from collector.counting.counts import Counters, new_counters
from collector.counting.ledger import Ledger
from collector.heartbeat import Heartbeat
from collector.journal.feeder import Journaled
from collector.journal.journal import Journal
from collector.meter_watch import Changes, MeterWatch
from collector.modbus.faring import Faring
from collector.modbus.polled import PolledMeter
from collector.modbus.polls import Polls
from collector.modbus.recorded import RecordedIntervals
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.ears import Ears
from collector.mqtt.intake import Intake
from collector.mqtt.link import Message
from collector.mqtt.presences import Presences
from collector.parcel import ParcelQueue
from collector.telling import Teller
from collector.writer import Writer
from meters.meter import Meter, Transport
from storage.database import DatabaseError

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
_MODBUS, _MQTT = Transport.MODBUS, Transport.MQTT
_LOOK_AT_MOST_EVERY_S = 1.0
DRAIN_S = 1.5
"""At the end, so long for what was read to be written."""


async def collect(
    database_url: str,
    broker: BrokerAddress | None,
    now: Now,
    *,
    journal: Journal | None = None,
    counts: Counters | None = None,
    polled: dict[int, PolledMeter] | None = None,
    on_ready: Callable[[], None] = lambda: None,
    on_meters: Callable[[Sequence[Meter]], None] = lambda _meters: None,
    client_id: str = "keywatt-collector",
    share: str | None = None,
    polls: bool = True,
    refresh_every_s: float = 2.0,
    timeout_s: float = 2.0,
) -> None:
    """Read all meters until cancelled; then write what was read, and stop.

    Parameters
    ----------
    database_url : str
        Of a migrated database; while it is away, collecting goes on.
    broker : BrokerAddress or None
        None where no meter speaks MQTT.
    now : callable
        The time by which readings are stamped and judged.
    journal : Journal, optional
        Where polled readings are kept until they are committed; closed at the end.
        Without it a kill loses those that are not.
    counts : Counters, optional
        From `new_counters`: what the caller wants to watch.
    polled : dict, optional
        Holds the meters that are asked, by `meter_id`, for the caller to see how they
        fare.
    on_ready : callable
        Called once, when the meters are known and the broker keeps their messages for
        us: what was published before may be lost.
    on_meters : callable
        Told the meters each time that they have been looked up.
    client_id : str
        Names the collector, and the session that the broker keeps: the same at every
        start, and only one collector's at a time.
    share : str, optional
        Collectors of the same share divide the messages among them.
    polls : bool
        Whether Modbus meters are asked, and what must be heard in order is heard: of
        collectors that share, by one.
    refresh_every_s : float
        How often the database is asked whether meters are new, gone or changed: a
        question of one row. [s]
    timeout_s : float
        How long a Modbus meter may take to answer. [s]

    """
    counts = counts or new_counters()
    collector = _Collector(
        database_url,
        now,
        counts,
        journal=journal,
        polled=polled,
        on_ready=on_ready,
        timeout_s=timeout_s,
    )
    collector.tellers.append(
        Heartbeat(
            database_url,
            now,
            client_id,
            polls=polls,
            broker=broker,
            is_hearing=collector.is_hearing,
        )
    )
    collector.refresh_every_s, collector.polls = refresh_every_s, polls
    collector.on_meters = on_meters
    if broker is not None:
        collector.ears = Ears(
            broker,
            collector.on_messages,
            client_id=client_id,
            share=share,
            hears_ordered=polls,
            on_subscribed=collector.is_ready,
        )
    await collector.run()


class _Collector:
    """What the tasks share."""

    refresh_every_s: float
    polls: bool
    on_meters: Callable[[Sequence[Meter]], None]

    def __init__(
        self,
        database_url: str,
        now: Now,
        counts: Counters,
        *,
        journal: Journal | None,
        polled: dict[int, PolledMeter] | None,
        on_ready: Callable[[], None],
        timeout_s: float,
    ) -> None:
        self._counts = counts
        self._watch = MeterWatch(database_url, now)
        self._on_ready: Callable[[], None] | None = on_ready
        self._queue = ParcelQueue()
        self._writer = Writer(self._queue, database_url, counts)
        self._clocks = Clocks(database_url)
        self._journaled: Journaled | None = None
        if journal is not None:
            self._journaled = Journaled(journal, self._queue, now)
            counts[_MODBUS].carry_over(self._journaled.waiting)
        self._presences = Presences(database_url)
        faring = Faring(database_url)
        self._intake = Intake(
            now,
            counts[Transport.MQTT].unassigned,
            self._publish,
            self._presences.note,
            faring.note_multiplier,
        )
        self._stranger_came = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._polls = Polls(
            self._group,
            self._journaled or self._queue,
            counts[_MODBUS],
            now,
            timeout_s=timeout_s,
            on_drift=self._clocks.note,
            on_events=faring.note,
            on_stated=faring.note_multiplier,
            store=RecordedIntervals(database_url).store,
            polled=polled,
        )
        faring.troubles = self._polls.troubles
        self.tellers: list[Teller] = [
            Ledger(database_url, counts, now),
            self._clocks,
            self._presences,
            faring,
        ]
        self.ears: Ears | None = None

    def is_ready(self) -> None:
        """Tell it the first time."""
        if self._on_ready is not None:
            self._on_ready()
        self._on_ready = None

    def is_hearing(self) -> bool:
        """Whether the connection to the broker stands."""
        return self.ears is not None and self.ears.is_hearing

    def on_messages(
        self, messages: Sequence[Message], done: Callable[[], None]
    ) -> None:
        """Queue MQTT messages, and have meters looked up that are not known."""
        parcel = self._intake.parcel(messages, done)
        if parcel is not None:
            self._queue.put_nowait(parcel)
        if self._intake.held:
            self._stranger_came.set()

    def _publish(self, topic: str, payload: bytes) -> None:
        """Send something to the broker, soon: a request to be born again."""
        if self.ears is not None:
            self.ears.publish_soon(topic, payload)

    async def run(self) -> None:
        """Run all tasks until cancelled, then stop in order."""
        try:
            async with self._group as group:
                group.create_task(self._watch_meters(), name="watch of the meters")
                group.create_task(self._writer.run(), name="writer")
                for teller in self.tellers:
                    group.create_task(teller.run(), name=teller.name)
                if self._journaled is not None:
                    group.create_task(self._journaled.run(), name="journal")
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """Take nothing more, write and acknowledge what was taken, disconnect."""
        if self.ears is not None:
            self.ears.stop_reading()
        self._counts[_MODBUS].give_up()
        self._polls.close()
        # A task of its own, to be cancelled apart from this one, which is already.
        draining = asyncio.create_task(self._drain(), name="drain")
        try:
            await asyncio.wait([draining], timeout=DRAIN_S)
        finally:
            draining.cancel()
            await asyncio.wait([draining])
            if len(self._queue):
                log.warning(
                    "Stopped with %d readings unwritten; the broker keeps MQTT's, the "
                    "journal those that were polled.",
                    len(self._queue),
                )
            if self._journaled is not None:
                await self._journaled.close()
            if self.ears is not None:
                await self.ears.close()
        if not draining.cancelled():
            draining.result()

    async def _drain(self) -> None:
        """Write what is in the queue and in the journal."""
        feeding = None
        if self._journaled is not None:
            feeding = asyncio.create_task(self._journaled.feed_last(), name="last feed")
        try:
            await self._writer.drain(feeding)
            for teller in self.tellers:
                await teller.tell()
        finally:
            if feeding is not None:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)

    async def _watch_meters(self) -> None:
        """Bring polls and topics in line with the database, again and again."""
        said, is_first = "", True
        self._bind(())
        while True:
            self._stranger_came.clear()
            strangers = self._intake.held
            try:
                changes = await asyncio.to_thread(self._watch.look)
            except (DatabaseError, psycopg.Error) as exc:
                if str(exc) != said:
                    log.warning("The list of meters cannot be read: %s", exc)
                said = str(exc)
            else:
                said = ""
                if changes:
                    log.info("Meters: %s.", changes)
                    self.on_meters(list(self._watch.meters.values()))
                self._listen(changes)
                for parcel in self._intake.released(strangers):
                    self._queue.put_nowait(parcel)
                if self.polls:
                    await self._polls.follow(
                        [each for each in changes.gone if each.transport is _MODBUS],
                        [each for each in changes.come if each.transport is _MODBUS],
                        self._watch.newest if changes else {},
                        self._watch.gaps if changes else {},
                    )
                if is_first:  # only now: before, every meter would be unknown
                    self._start_link()
                is_first = False
            await asyncio.sleep(min(_LOOK_AT_MOST_EVERY_S, self.refresh_every_s))
            if not said:
                await self._stranger_or_time()

    async def _stranger_or_time(self) -> None:
        """Wait until a message comes from a meter not known, or it is time anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.refresh_every_s - _LOOK_AT_MOST_EVERY_S):
                await self._stranger_came.wait()

    def _start_link(self) -> None:
        if self.ears is None:
            self.is_ready()
        else:
            self.ears.start(self._group)

    def _listen(self, changes: Changes) -> None:
        """Bind topics to their meters, where something is new about those."""
        known = self._watch.meters.values()
        news = [*changes.gone, *changes.come]
        if any(meter.transport is _MQTT for meter in news) or self._intake.unheard:
            self._bind(meter for meter in known if meter.transport is _MQTT)

    def _bind(self, meters: Iterable[Meter]) -> None:
        wanted = self._intake.bind(meters)
        if self.ears is not None:
            self.ears.listen(wanted)
