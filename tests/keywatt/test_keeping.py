import asyncio
from datetime import timedelta

from keywatt.jobs import Pace, run_worker
from keywatt.keeping import Keeper
from keywatt.settings import load_settings
from storage.database import connect
from storage.retention import Retention
from tests.collector.waiting import until
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, write

DAY = timedelta(days=1)
READINGS = "SELECT count(*) FROM reading"


def readings(url: str) -> int:
    with connect(url) as conn:
        return conn.execute(READINGS).fetchone()[0]


def test_what_has_expired_goes_once_a_day(plain_database: str) -> None:
    keeper = Keeper(plain_database, Retention(readings_months=3))
    write(Store(plain_database), batch(1, start=NOON - 200 * DAY))
    keeper.look(NOON)
    assert readings(plain_database) == 0
    write(Store(plain_database), batch(1, start=NOON - 200 * DAY))
    keeper.look(NOON + 0.9 * DAY)
    assert readings(plain_database) == 1
    keeper.look(NOON + DAY)
    assert readings(plain_database) == 0


def test_a_worker_does_it_as_settings_say(plain_database: str, monkeypatch) -> None:
    monkeypatch.setenv("KEYWATT_KEEP_READINGS_MONTHS", "4")
    monkeypatch.setenv("KEYWATT_KEEP_INTERVALS_YEARS", "7")
    monkeypatch.setenv("KEYWATT_KEEP_QUARANTINE_MONTHS", "5")
    keep = load_settings(None).retention()
    assert keep == Retention(readings_months=4, intervals_years=7, quarantine_months=5)
    for age in (100, 200):
        write(Store(plain_database), batch(1, start=NOON - age * DAY))

    async def main() -> None:
        stop = asyncio.Event()
        work = run_worker(
            plain_database,
            lambda: NOON,
            lambda _topic, _payload: None,
            None,
            stop,
            pace=Pace(look_every_s=0.1, meters_every_s=0.1),
            keep=keep,
        )
        working = asyncio.create_task(work)
        try:
            await until(lambda: readings(plain_database) == 1)
        finally:
            stop.set()
            await working

    asyncio.run(main())
    with connect(plain_database) as conn:
        kept = conn.execute("SELECT keep FROM retention ORDER BY what").fetchall()
    assert [keep.days for (keep,) in kept] == [7 * 365, 150, 120]
