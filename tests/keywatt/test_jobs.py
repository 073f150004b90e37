import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pytest

from collector.mqtt.link import Message, MqttLink
from collector.mqtt.publish import publish_now
from keywatt import jobs
from keywatt.jobs import Pace, run_worker
from keywatt.threads import in_thread
from storage.database import connect
from storage.dirty import mark_touched
from tests.fix_seeded_accounts import INSERT_READING, add_account
from tests.plant import FIRST_DAY, TODAY, at, usual_kw
from tests.registers import readings_of, write

NOW = at(TODAY, 12)
JOBS_OF_POINTS = "FROM procrastinate_jobs WHERE task_name <> 'judge_meters'"
PACE = Pace(
    look_every_s=0.1,
    meters_every_s=0.1,
    heartbeat_every_s=0.2,
    stalled_after_s=1.0,
    first_back_off_s=0.2,
    longest_back_off_s=0.4,
)


@dataclass
class Crews:
    """What crews would get, or what happens instead."""

    messages: list[dict[str, object]] = field(default_factory=list)

    def publish(self, _: str, payload: bytes) -> None:
        self.messages.append(json.loads(payload))


def add_plant(url: str, code: str) -> int:
    """Eight usual weeks, then a drop to 100 kW from 10:00 today on, all unsettled."""
    with connect(url) as conn:
        seeded = add_account(conn, code, name=code.title(), read_at=None)
    start = at(FIRST_DAY, 0)
    load_kw = usual_kw(start, NOW)
    load_kw[-8:] = 100.0
    write(url, readings_of(seeded.meter_id, start, load_kw))
    return seeded.point_id


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with connect(url) as conn:
        return conn.execute(query).fetchall()


async def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is awaited is elsewhere
            await asyncio.sleep(0.02)


@asynccontextmanager
async def worker(
    url: str,
    publish: Callable[[str, bytes], None],
    apprise_url: str | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    pace: Pace = PACE,
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a worker; it must stop within three seconds."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        run_worker(url, now, publish, apprise_url, stop, pace=pace)
    )
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(3):
            await task


def test_readings_become_an_alert_at_the_crews_and_in_a_web_service(
    database, iotcore, webhook, unique
) -> None:
    add_plant(database, unique)
    got: list[dict[str, object]] = []

    def take(messages: Sequence[Message], done: Callable[[], None]) -> None:
        got.extend(json.loads(message.payload) for message in messages)
        done()

    async def main() -> None:
        crew = MqttLink(iotcore, client_id=f"crew-{unique}", on_message=take)
        crew.listen((f"keywatt/crews/{unique}/alerts",))
        await crew.connect()
        keeper = asyncio.create_task(crew.keep())
        async with worker(database, partial(publish_now, iotcore), webhook.url()):
            await until(lambda: got and webhook.posts.qsize())
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await crew.close()

    asyncio.run(main())
    [message] = got
    assert (message["action"], message["code"]) == ("opened", "load-below-expected")
    assert message["opened_at"] == "2026-04-29T01:45:00Z"  # 10:45 in Seoul
    assert message["text"] in webhook.posts.get()["message"]
    told = rows(database, "SELECT channel, attempts, error FROM delivery ORDER BY 1")
    assert told == [("apprise", 1, None), ("crews", 1, None)]
    count = rows(database, "SELECT count(*) FROM energy_interval")[0][0]
    assert count == usual_kw(at(FIRST_DAY, 0), NOW).size
    assert rows(database, "SELECT * FROM dirty_point_day") == []
    assert rows(database, f"SELECT * {JOBS_OF_POINTS}") == []


def test_a_meter_that_falls_silent_is_told_though_no_message_comes(database) -> None:
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=NOW - timedelta(minutes=20))
    crews = Crews()

    async def main() -> None:
        async with worker(database, crews.publish):
            await until(lambda: crews.messages)
            with connect(database) as conn:
                heard = {"meter_id": seeded.meter_id, "at": NOW}
                conn.execute(INSERT_READING, heard)
            await until(lambda: len(crews.messages) == 2)

    asyncio.run(main())
    opened, resolved = crews.messages
    assert (opened["action"], opened["kind"]) == ("opened", "meter-silent")
    # 11:40 in Seoul; a quarter-hour later it counts as silent.
    assert opened["at"] == "2026-04-29T02:55:00Z"
    assert opened["text"] == (
        "Meter M-mill has given no reading since Wed 29 Apr 11:40; one is due every"
        " 10 s. Of 1 meters 1 are silent."
    )
    assert (resolved["action"], resolved["why"]) == ("resolved", "a reading came again")


def test_a_failing_channel_blocks_no_other_and_is_tried_again(
    database, webhook, caplog
) -> None:
    add_plant(database, "mill")
    webhook.status = 503
    crews = Crews()

    async def main() -> None:
        async with worker(database, crews.publish, webhook.url()):
            await until(lambda: crews.messages and webhook.tried >= 3)
            webhook.status = 200
            await until(webhook.posts.qsize)

    with caplog.at_level(logging.INFO, "keywatt"):
        asyncio.run(main())
    assert len(crews.messages) == webhook.posts.qsize() == 1
    said = [r.getMessage() for r in caplog.records if r.name.startswith("keywatt")]
    assert len([text for text in said if "did not take" in text]) == 1
    assert len([text for text in said if text == "channel apprise: works again"]) == 1


def test_news_that_is_not_taken_holds_up_no_other_of_its_channel(database) -> None:
    add_plant(database, "bad")
    crews, refused = Crews(), Counter[str]()

    def publish(topic: str, payload: bytes) -> None:
        if "/bad/" in topic:
            refused[topic] += 1
            raise ConnectionError("not allowed here")
        crews.publish(topic, payload)

    async def main() -> None:
        pace = replace(PACE, first_back_off_s=600.0, longest_back_off_s=600.0)
        async with worker(database, publish, pace=pace):
            await until(refused.total)
            await in_thread(partial(add_plant, database, "good"))
            await until(lambda: crews.messages)

    asyncio.run(main())
    assert [m["action"] for m in crews.messages] == ["opened"]
    assert refused.total() == 1
    [(error,)] = rows(database, "SELECT error FROM delivery WHERE error IS NOT NULL")
    assert "not allowed here" in error


def test_a_channel_that_hangs_does_not_hold_up_the_end(database) -> None:
    add_plant(database, "mill")
    hangs, release = threading.Event(), threading.Event()

    def publish(_: str, __: bytes) -> None:
        hangs.set()
        release.wait(30)

    async def main() -> None:
        async with worker(database, publish):
            await until(hangs.is_set)
            began = time.monotonic()
        assert time.monotonic() - began < 3

    asyncio.run(main())
    release.set()


CHILD = """
import asyncio, sys, time
from datetime import datetime
from keywatt.jobs import run_worker
from tests.keywatt.test_jobs import NOW, PACE

def publish(topic, payload):
    print("sending", flush=True)
    time.sleep(60)

asyncio.run(run_worker(
    sys.argv[1], lambda: NOW, publish, None, asyncio.Event(), pace=PACE))
"""


def child(url: str) -> subprocess.Popen[str]:
    """Start a worker in a process of its own; its crews' broker never answers."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_what_a_killed_worker_was_telling_is_told_by_the_next(database) -> None:
    add_plant(database, "mill")
    process = child(database)
    assert process.stdout is not None
    assert process.stdout.readline() == "sending\n"
    kill(process)
    crews = Crews()

    async def main() -> None:
        async with worker(database, crews.publish):
            await until(lambda: crews.messages)

    asyncio.run(main())
    assert [m["action"] for m in crews.messages] == ["opened"]
    assert len(rows(database, "SELECT * FROM alert")) == 1


def test_what_a_killed_worker_was_settling_is_settled_by_the_next(database) -> None:
    add_plant(database, "mill")
    with connect(database) as conn:
        mark_touched(conn)
    dirty = rows(database, "SELECT count(*) FROM dirty_point_day")
    waiting = "SELECT * FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    with connect(database) as gate:
        gate.execute("LOCK TABLE energy_interval IN EXCLUSIVE MODE")
        process = child(database)
        asyncio.run(until(lambda: rows(database, waiting)))
        kill(process)
        assert rows(database, f"SELECT status {JOBS_OF_POINTS}") == [("doing",)]
        gate.rollback()
    crews = Crews()
    assert rows(database, "SELECT count(*) FROM dirty_point_day") == dirty

    async def main() -> None:
        async with worker(database, crews.publish):
            await until(lambda: crews.messages)

    asyncio.run(main())
    count = rows(database, "SELECT count(*), max(version) FROM energy_interval")
    assert count == [(usual_kw(at(FIRST_DAY, 0), NOW).size, 1)]


def test_two_workers_do_not_work_on_a_point_at_once(database, monkeypatch) -> None:
    points = [add_plant(database, f"mill-{n}") for n in range(3)]
    running: Counter[int] = Counter()
    most: Counter[int] = Counter()
    settle_point, lock = jobs.settle_point, threading.Lock()

    def watched(conn, point_id, now):
        with lock:
            running[point_id] += 1
            most[point_id] = max(most[point_id], running[point_id])
        try:
            return settle_point(conn, point_id, now)
        finally:
            with lock:
                running[point_id] -= 1

    monkeypatch.setattr(jobs, "settle_point", watched)
    crews = Crews()

    async def main() -> None:
        async with (
            worker(database, crews.publish),
            worker(database, crews.publish),
        ):
            await until(lambda: len(crews.messages) == 3)

    asyncio.run(main())
    assert most == dict.fromkeys(points, 1)
    assert len(rows(database, "SELECT * FROM delivery WHERE attempts = 1")) == 3


def test_one_point_that_fails_holds_up_no_other(database, monkeypatch, caplog) -> None:
    bad, good = add_plant(database, "bad"), add_plant(database, "good")
    judge_point, tried = jobs.judge_point, Counter()

    def failing(conn, point_id, now):
        tried[point_id] += 1
        if point_id == bad and tried[bad] < 4:
            raise ArithmeticError("no figure")
        return judge_point(conn, point_id, now)

    monkeypatch.setattr(jobs, "judge_point", failing)
    crews = Crews()

    async def main() -> None:
        async with worker(database, crews.publish):
            await until(lambda: len(crews.messages) == 2)

    with caplog.at_level(logging.INFO, "keywatt"):
        asyncio.run(main())
    said = [r.getMessage() for r in caplog.records if r.name.startswith("keywatt")]
    assert said == [f"point {bad}: no figure", f"point {bad}: works again"]
    assert tried[good] >= 1


def test_without_a_database_it_waits_says_so_once_and_stops(caplog) -> None:
    async def main() -> None:
        async with worker("postgresql://127.0.0.1:1/none", Crews().publish):
            await until(lambda: caplog.records)
            await asyncio.sleep(1.2)  # it tries again meanwhile

    asyncio.run(main())
    [said] = [r.getMessage() for r in caplog.records if r.name.startswith("keywatt")]
    assert said.startswith("database: No PostgreSQL answers at 127.0.0.1:1/none")


@pytest.mark.parametrize("failures", [1, 5, 1000])
def test_back_off_is_bounded(failures) -> None:
    assert 5 <= Pace().back_off_s(failures) <= 600
    assert np.isfinite(Pace().back_off_s(failures))
