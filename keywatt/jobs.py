"""The background worker: settles what is dirty, judges it, tells what happened.

What is left to do stands in tables: dirty days, load not yet judged, events not yet
told. A job only says that somebody should look there now, so a lost job loses nothing:
every worker's look-out defers it again. Any number of workers share one database;
procrastinate lets one of them at a time work on a point or a channel, and keeps at
most one job for it waiting. Each step is one transaction, so a worker killed in the
middle leaves nothing half done; its job is freed once its heartbeat is old.

(procrastinate's own schedule could look every second too, but writes a job for each
tick; and its retries cannot be joined with "one waiting at most".)
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from types import MappingProxyType

import psycopg
from procrastinate import App, PsycopgConnector, exceptions
from procrastinate.jobs import Status

from alerts.judge import judge_point
from alerts.judge_meters import judge_meters
from alerts.notice import Channel, DeliveryError
from alerts.notify.apprise_url import AppriseUrl
from alerts.notify.crew_topic import CrewTopic, Publish
from alerts.routing import tell_next, to_be_told
from keywatt.complaints import Complaints
from keywatt.keeping import Keeper
from keywatt.pace import Pace
from keywatt.settling import settle_point
from keywatt.threads import in_thread
from reports.wording import Language
from storage.clocks import forget_drifts
from storage.database import DatabaseError, KeptConnections, connect_async
from storage.dirty import mark_touched
from storage.intervals import refresh_hourly
from storage.judging import points_due
from storage.meter_events import forget_events
from storage.retention import Retention

log = logging.getLogger(__name__)
Now = Callable[[], datetime]

_SETTLE = "settle_and_judge"
_DELIVER = "deliver"
_WATCH = "judge_meters"
_METERS = "meters"
_HOUR = timedelta(hours=1)
_LATE = timedelta(days=1)
"""The hourly sums of older intervals are brought up to date at once."""


async def run_worker(
    database_url: str,
    now: Now,
    publish: Publish,
    apprise_url: str | None,
    stop: asyncio.Event,
    *,
    language: Language = "en",
    speed: float = 1.0,
    pace: Pace | None = None,
    keep: Retention | None = None,
) -> None:
    """Work until `stop` is set; without the database, wait for it to come back.

    Parameters
    ----------
    database_url : str
        Of a migrated database.
    now : callable
        The site's clock.
    publish : callable
        Publishes topic and payload at QoS 1 and returns once the broker has it.
    apprise_url : str or None
        Where alerts are also sent; None = nowhere.
    stop : asyncio.Event
        Ends the worker within three seconds. What a job has not committed by then is
        done by the next worker.
    language : str
        In which alerts are told.
    speed : float
        How much faster than the machine's the site's clock runs.
    pace : Pace or None
        Other than the usual one, for tests.
    keep : Retention or None
        How long what is kept, where that is not the usual.

    """
    # Every job is logged at INFO otherwise: several lines a second.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    channels: list[Channel] = [CrewTopic(publish)]
    if apprise_url:
        channels.append(AppriseUrl(apprise_url))
    pace = pace or Pace()
    keeper = Keeper(database_url, keep or Retention())
    worker = _Worker(
        database_url, now, channels, language, pace, speed=speed, keeper=keeper
    )
    failures = 0
    while not stop.is_set():
        try:
            await worker.run(stop)
            failures = 0
        except (DatabaseError, psycopg.Error, exceptions.ConnectorException) as exc:
            failures += 1
            worker.complaints.about("database", exc)
        with suppress(TimeoutError):
            wait_s = min(0.5 * 2 ** min(failures, 6), 15.0)
            await asyncio.wait_for(stop.wait(), wait_s)


class _Worker:
    """One process's share of the work."""

    def __init__(
        self,
        database_url: str,
        now: Now,
        channels: Sequence[Channel],
        language: Language,
        pace: Pace,
        *,
        speed: float,
        keeper: Keeper,
    ) -> None:
        self._speed = speed
        self._meters_due = 0.0
        self._url = database_url
        self._now = now
        self._channels = {channel.name: channel for channel in channels}
        self._language = language
        self._pace = pace
        self._stopping = threading.Event()
        self._keeper = keeper
        self.complaints = Complaints()
        self._kept: KeptConnections
        self._app = App(
            connector=PsycopgConnector(conninfo=database_url, min_size=1, timeout=2.0)
        )
        self._app.task(name=_SETTLE)(self._settle_and_judge)
        self._app.task(name=_DELIVER)(self._deliver)
        self._app.task(name=_WATCH)(self._watch_meters)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set or the database goes away."""
        # A clear error now instead of the pool's time-out.
        await (await connect_async(self._url)).close()
        with KeptConnections(self._url) as self._kept:
            await self._run_until(stop)

    async def _run_until(self, stop: asyncio.Event) -> None:
        async with self._app.open_async():
            self.complaints.over("database")
            tasks = (
                asyncio.create_task(self._run_jobs(), name="jobs"),
                asyncio.create_task(self._look_out(), name="look-out"),
                asyncio.create_task(stop.wait(), name="stop"),
            )
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if stop.is_set():
                    self._stopping.set()
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _run_jobs(self) -> None:
        await self._app.run_worker_async(
            concurrency=self._pace.concurrency,
            install_signal_handlers=False,
            delete_jobs="always",
            update_heartbeat_interval=self._pace.heartbeat_every_s,
            stalled_worker_timeout=self._pace.stalled_after_s,
            shutdown_graceful_timeout=self._pace.finish_within_s,
        )

    async def _look_out(self) -> None:
        """Defer a job for everything that is left to do and has none."""
        while True:
            await self._free_stalled()
            jobs = await self._app.job_manager.list_jobs_async()
            busy = {job.queueing_lock for job in jobs}
            points, channels = await in_thread(self._what_is_left)
            for point_id in points:
                if _point_key(point_id) not in busy:
                    await self._defer_point(point_id)
            for channel in channels:
                if _channel_key(channel) not in busy:
                    await self._defer_channel(channel)
            if monotonic() >= self._meters_due and _METERS not in busy:
                self._meters_due = monotonic() + self._pace.meters_every_s
                await self._defer(_WATCH, _METERS)
            await asyncio.sleep(self._pace.look_every_s)

    def _what_is_left(self) -> tuple[list[int], list[str]]:
        now = self._now()
        with self._kept.connection() as conn:
            mark_touched(conn)
            conn.commit()
            channels = to_be_told(conn, list(self._channels), now)
            return points_due(conn, now), channels

    async def _free_stalled(self) -> None:
        """Drop the jobs of dead workers; what they were for is still left to do."""
        manager = self._app.job_manager
        stalled = await manager.get_stalled_jobs(
            seconds_since_heartbeat=self._pace.stalled_after_s
        )
        for job in stalled:
            log.warning("freed %s of a worker that died", job.queueing_lock)
            with suppress(exceptions.ConnectorException):  # another was faster
                await manager.finish_job(job, Status.FAILED, delete_job=True)

    async def _settle_and_judge(self, point_id: int, failures: int = 0) -> None:
        if await self._tried(_point_key(point_id), partial(self._work_on, point_id)):
            return
        await self._defer_point(point_id, failures + 1)

    def _work_on(self, point_id: int) -> None:
        now = self._now()
        with self._kept.connection() as conn:
            settled = settle_point(conn, point_id, now)
            judge_point(conn, point_id, now)
            conn.commit()
            if settled.first_start and settled.first_start < now - _LATE:
                conn.autocommit = True
                refresh_hourly(conn, settled.first_start - _HOUR, now)

    async def _watch_meters(self, failures: int = 0) -> None:
        if not await self._tried(_METERS, self._judge_meters):
            await self._defer(_WATCH, _METERS, failures + 1)

    def _judge_meters(self) -> None:
        now = self._now()
        with self._kept.connection() as conn:
            judge_meters(conn, now, speed=self._speed)
            forget_drifts(conn, now)
            forget_events(conn, now)
            conn.commit()
        self._keeper.look(now)

    async def _deliver(self, channel: str, failures: int = 0) -> None:
        if channel not in self._channels:  # another worker has it
            return
        if await self._tried(_channel_key(channel), partial(self._tell_all, channel)):
            return
        await self._defer_channel(channel, failures + 1)

    def _tell_all(self, channel: str) -> None:
        """Tell a channel what it can be told now, also where it does not take some."""
        refused: DeliveryError | None = None
        more = True
        with self._kept.connection() as conn:
            while more and not self._stopping.is_set():
                try:
                    more = tell_next(
                        conn,
                        self._channels[channel],
                        self._now(),
                        self._language,
                        back_off_s=self._pace.back_off_s,
                    )
                except DeliveryError as exc:
                    refused = exc
        if refused:
            raise refused

    async def _tried(self, subject: str, work: Callable[[], None]) -> bool:
        """Do it; a failure is logged when it is new, and told by False.

        Except that a channel did not take an event: that waits by itself, while the
        channel's other news goes on.
        """
        try:
            await in_thread(work)
        except DeliveryError as exc:
            self.complaints.about(subject, exc)
            return True
        except Exception as exc:  # noqa: BLE001 (the outermost loop of all work)
            self.complaints.about(subject, exc)
            return False
        self.complaints.over(subject)
        return True

    async def _defer_point(self, point_id: int, failures: int = 0) -> None:
        key = _point_key(point_id)
        await self._defer(_SETTLE, key, failures, {"point_id": point_id})

    async def _defer_channel(self, channel: str, failures: int = 0) -> None:
        key = _channel_key(channel)
        await self._defer(_DELIVER, key, failures, {"channel": channel})

    async def _defer(
        self,
        task: str,
        key: str,
        failures: int = 0,
        about: Mapping[str, int | str] = MappingProxyType({}),
    ) -> None:
        """Put one job in the queue, after a back-off where it has failed before."""
        wait_s = self._pace.back_off_s(failures) if failures else 0.0
        deferrer = self._app.configure_task(
            task,
            lock=key,
            queueing_lock=key,
            schedule_in={"milliseconds": round(1000 * wait_s)},
        )
        # One is waiting already, or the database is away: the look-out will see to it.
        with suppress(exceptions.AlreadyEnqueued, exceptions.ConnectorException):
            await deferrer.defer_async(**about, failures=failures)


def _point_key(point_id: int) -> str:
    return f"point {point_id}"


def _channel_key(channel: str) -> str:
    return f"channel {channel}"
