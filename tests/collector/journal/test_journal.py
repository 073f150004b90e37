"""The journal as pollers and the writer see it."""

import asyncio
import errno
import os
import signal
import sys
import threading
from contextlib import asynccontextmanager

import pytest

from collector.journal.feeder import Journaled
from collector.journal.journal import Journal, NotKeptError
from collector.journal.lock import JournalError
from collector.journal.reader import JournalReader
from collector.journal.record import decode
from collector.journal.toll import Toll
from collector.parcel import ParcelQueue
from meters.refusal import Reason
from tests.collector.made import AT, energies, many, parcel, refused
from tests.collector.waiting import until

MOST = 4_000_000


@asynccontextmanager
async def opened(folder, most_bytes: int = MOST, **options):
    journal = Journal.open(folder, most_bytes=most_bytes, **options)
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def feeding(folder, limit: int = 100, most_bytes: int = MOST):
    """Run a journal that feeds a queue which nobody empties."""
    queue = ParcelQueue(limit)
    journal = Journal.open(folder, most_bytes=most_bytes)
    journaled = Journaled(journal, queue, lambda: AT)
    running = asyncio.create_task(journaled.run())
    try:
        yield journaled, queue
    finally:
        running.cancel()
        await asyncio.wait([running])
        await journaled.close()


async def taken(queue: ParcelQueue, rows: int):
    """Take parcels until they have so many rows."""
    parcels = []
    async with asyncio.timeout(20):
        while sum(parcel.size for parcel in parcels) < rows:
            await until(lambda: len(queue))
            parcels += queue.take_nowait(1)
    return parcels


async def read_all(journal: Journal):
    return [decode(frame.record) for frame in [f async for f in frames(journal)]]


async def frames(journal: Journal):
    while pieces := await journal.read():
        for piece in pieces:
            yield piece


async def append_all(journal: Journal, count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(journal.append(parcel(number)))


def test_many_pollers_share_a_sync_and_come_back_in_order(
    tmp_path, monkeypatch
) -> None:
    synced: list[int] = []
    sync = os.fdatasync

    def counted(file: int) -> None:
        synced.append(file)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def run() -> None:
        async with opened(tmp_path / "j") as journal:
            await append_all(journal, 500)
            assert journal.waiting == 500
            assert energies(await read_all(journal)) == list(range(500))

    asyncio.run(run())
    # All 500 come in one turn of the loop: one group, one sync.
    assert len(synced) == 1


def test_append_returns_after_the_sync_and_holds_up_nobody(
    tmp_path, monkeypatch
) -> None:
    may_sync = threading.Event()
    sync = os.fdatasync

    def when_let(file: int) -> None:
        assert may_sync.wait(20)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", when_let)

    async def run() -> None:
        async with opened(tmp_path / "j") as journal:
            appending = asyncio.create_task(journal.append(parcel(1)))
            await asyncio.wait([appending], timeout=0.05)
            assert not appending.done()  # and we are still here: the loop is free
            assert journal.waiting == 0
            may_sync.set()
            await appending
            assert journal.waiting == 1

    asyncio.run(run())


def test_a_cancelled_poller_loses_nothing_of_the_others(tmp_path) -> None:
    async def run() -> None:
        async with opened(tmp_path / "j") as journal:
            tasks = [
                asyncio.create_task(journal.append(parcel(number)))
                for number in range(10)
            ]
            await asyncio.sleep(0)
            tasks[3].cancel()
            await asyncio.wait(tasks)
            assert tasks[3].cancelled()
            assert all(not t.exception() for t in tasks if t is not tasks[3])
            assert energies(await read_all(journal)) == list(range(10))

    asyncio.run(run())


APPENDER = """
import asyncio, sys
from pathlib import Path
from collector.journal.journal import Journal
from tests.collector.made import parcel

async def append(journal, meter_id):
    number = 0
    while True:
        await journal.append(parcel(number, meter_id))
        print(meter_id, number, flush=True)
        number += 1

async def main():
    journal = Journal.open(Path(sys.argv[1]), most_bytes=50_000_000)
    async with asyncio.TaskGroup() as group:
        for meter_id in range(20):
            group.create_task(append(journal, meter_id))

asyncio.run(main())
"""


def test_a_process_killed_while_it_appends_has_kept_all_that_it_was_told(
    tmp_path,
) -> None:
    said: dict[int, int] = {}

    async def run() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", APPENDER, str(tmp_path / "j")),
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2000):
            meter_id, number = map(int, (await process.stdout.readline()).split())
            said[meter_id] = number
        process.send_signal(signal.SIGKILL)
        rest = (await process.stdout.read()).splitlines()
        await process.wait()
        for line in rest:
            if len(numbers := line.split()) == 2:
                said[int(numbers[0])] = int(numbers[1])
        async with opened(tmp_path / "j") as journal:
            kept: dict[int, list[float]] = {}
            for each in await read_all(journal):
                meter_id = int(each.batch.meter_id[0])
                kept.setdefault(meter_id, []).extend(energies([each]))
        for meter_id, number in said.items():
            # In order and without a hole; perhaps one more, of which it was not told.
            assert kept[meter_id] == list(range(len(kept[meter_id])))
            assert len(kept[meter_id]) - 1 in (number, number + 1)

    asyncio.run(run())
    assert len(said) == 20


def test_full_it_keeps_the_oldest_says_so_and_tells_in_time(tmp_path, caplog) -> None:
    alarms: list[tuple[bool, float]] = []
    caplog.set_level("INFO", "collector.journal.journal")

    async def run() -> None:
        def on_alarm(is_raised: bool) -> None:  # noqa: FBT001
            alarms.append((is_raised, journal.used_bytes / journal.most_bytes))

        async with opened(tmp_path / "j", 2_000_000, on_alarm=on_alarm) as journal:
            with pytest.raises(NotKeptError) as said:  # noqa: PT012  in which is open
                while True:
                    await journal.append(many(1000))
            assert str(said.value) == (
                f"The journal in {tmp_path}/j is full (2 MB): bring the database back, "
                "or allow more in KEYWATT_JOURNAL_MOST_MB."
            )
            kept = [f async for f in frames(journal)]
            assert sum(f.readings for f in kept) == journal.waiting
            assert journal.used_bytes <= 2_000_000
            journal.drop(kept[len(kept) // 2].mark)
            await until(lambda: not journal.is_alarmed)
            await journal.append(many(100))

    asyncio.run(run())
    assert [is_raised for is_raised, _ in alarms] == [True, False]
    assert 0.8 <= alarms[0][1] < 0.85
    assert "81 % full, 58000 readings wait in it" in caplog.text
    assert "has room again" in caplog.text


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from collector.journal.journal import Journal, NotKeptError
from tests.collector.made import parcel

async def main():
    # A real refusal of the kernel, for which nobody needs a right: EFBIG.
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    journal = Journal.open(Path(sys.argv[1]), most_bytes=50_000_000)
    kept = 0
    try:
        while True:
            await journal.append(parcel(kept))
            kept += 1
    except NotKeptError as exc:
        print(kept, exc)
    pieces = await journal.read()
    journal.drop(pieces[9].mark)
    await journal.settle()
    print(journal.waiting)

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_is_said_and_what_was_kept_stays(tmp_path) -> None:
    folder = tmp_path / "j"

    async def run() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FULL_DISK, str(folder)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        said, waiting = output.decode().splitlines()
        count, _, text = said.partition(" ")
        assert text == (
            f"The journal in {folder} cannot be written ({os.strerror(errno.EFBIG)}): "
            "make room on its disk or mend it."
        )
        assert int(waiting) == int(count) - 10
        async with opened(folder) as journal:
            read = energies(await read_all(journal))
            assert read == list(range(10, int(count)))
            await journal.append(parcel(7))

    asyncio.run(run())


def test_the_feeder_keeps_little_in_memory_and_drops_what_is_done(tmp_path) -> None:
    async def run() -> None:
        async with opened(tmp_path / "j") as journal:
            for _ in range(10):
                await journal.append(many(1000))
        async with feeding(tmp_path / "j", limit=100) as (journaled, queue):
            assert journaled.waiting == 10_000
            await until(lambda: len(queue) >= 100)
            # One stretch of the files is at most in the queue, one beside it.
            assert len(queue) < 10_000
            parcels = await taken(queue, 10_000)
            assert energies(parcels) == [float(n) for n in range(1000)] * 10
            assert len(parcels) > 1
            # The second is committed first: nothing is dropped before the first is.
            parcels[1].done()
            await asyncio.sleep(0.01)
            assert journaled.waiting == 10_000
            for each in (parcels[0], *parcels[2:]):
                each.done()
            await until(lambda: journaled.waiting == 0)
            await journaled.put(parcel(5))
            assert energies(await taken(queue, 1)) == [5]
        async with feeding(tmp_path / "j") as (journaled, queue):
            assert energies(await taken(queue, 1)) == [5]  # it was never done

    asyncio.run(run())


def test_a_feeder_stopped_while_the_disk_is_read_misses_nothing_later(
    tmp_path, monkeypatch
) -> None:
    may_read = threading.Event()
    read = JournalReader.read

    def when_let(reader: JournalReader):
        assert may_read.wait(20)
        return read(reader)

    monkeypatch.setattr(JournalReader, "read", when_let)

    async def run() -> None:
        async with opened(tmp_path / "j") as journal:
            may_read.set()
            await append_all(journal, 3)
            may_read.clear()
            queue = ParcelQueue()
            journaled = Journaled(journal, queue, lambda: AT)
            feeding_ = asyncio.create_task(journaled.feed_rest())
            await asyncio.wait([feeding_], timeout=0.05)
            feeding_.cancel()
            await asyncio.wait([feeding_])
            may_read.set()
            await journaled.feed_rest()
            assert energies(queue.take_nowait(3)) == [0, 1, 2]

    asyncio.run(run())


def test_a_parcel_however_large_is_kept_whole(tmp_path) -> None:
    async def run() -> None:
        async with feeding(tmp_path / "j", limit=100_000) as (journaled, queue):
            refusals = [*refused().refusals] * 200
            large = many(10_000)
            large.refusals = refusals
            await journaled.put(large)
            parcels = await taken(queue, 10_200)
        assert energies(parcels) == list(range(10_000))
        assert [r for each in parcels for r in each.refusals] == refusals

    asyncio.run(run())


def test_what_a_full_journal_refuses_is_told_once_there_is_room(
    tmp_path, caplog
) -> None:
    async def run() -> None:
        async with feeding(tmp_path / "j", 100, 2_000_000) as (journaled, queue):
            for number in range(100):
                await journaled.put(many(1000, meter_id=number % 2))
            await journaled.tell_toll()
            assert queue.is_full  # so it is not told now
            given = 100 * 1000
            assert journaled.waiting == given
        # Stopped and started again: nothing is forgotten.
        async with feeding(tmp_path / "j", 100, 2_000_000) as (journaled, queue):
            assert journaled.waiting == given
            kept = 0
            while journaled.waiting > journaled.refused:
                parcels = queue.take_nowait(1)
                kept += sum(len(each.batch) for each in parcels)
                for each in parcels:
                    each.done()
                await asyncio.sleep(0.001)
            await journaled.tell_toll()
            (told,) = queue.take_nowait(1)
            assert {r.meter_id for r in told.refusals} == {0, 1}
            assert {r.reason for r in told.refusals} == {Reason.JOURNAL_FULL}
            assert sum(r.readings for r in told.refusals) == given - kept
            assert given > kept > 0
            told.done()
            assert journaled.waiting == 0
        async with feeding(tmp_path / "j", 100, 2_000_000) as (journaled, queue):
            assert journaled.waiting == 0

    asyncio.run(run())
    assert caplog.text.count("Polled readings are refused. The journal in") == 1


REFUSED = """
import asyncio, sys
from pathlib import Path
from collector.journal.feeder import Journaled
from collector.journal.journal import Journal
from collector.parcel import ParcelQueue
from tests.collector.made import AT, many, parcel

async def main():
    queue = ParcelQueue(1)
    queue.put_nowait(parcel(0))  # nobody takes it: the database is away
    journal = Journal.open(Path(sys.argv[1]), most_bytes=1_000_000)
    journaled = Journaled(journal, queue, lambda: AT)
    async def poller(meter_id):
        given = 0
        while True:
            await journaled.put(many(500, meter_id=meter_id))
            given += 500
            print(meter_id, given, journaled.refused, flush=True)
    await asyncio.gather(*(poller(meter_id) for meter_id in range(4)))

asyncio.run(main())
"""


def test_a_kill_forgets_nothing_that_a_full_journal_refused(tmp_path) -> None:
    async def run() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", REFUSED, str(tmp_path / "j")),
            stdout=asyncio.subprocess.PIPE,
        )
        said, refused = dict.fromkeys(range(4), 0), 0
        while min(said.values()) < 5_000 or refused < 20_000:
            line = await process.stdout.readline()
            meter_id, said[meter_id], refused = map(int, line.split())
        process.send_signal(signal.SIGKILL)
        rest = (await process.stdout.read()).splitlines()
        await process.wait()
        for line in rest:
            if len(numbers := line.split()) == 3:
                said[int(numbers[0])] = int(numbers[1])
        found = dict.fromkeys(said, 0)
        async with opened(tmp_path / "j", most_bytes=1_000_000) as journal:
            for each in await read_all(journal):
                found[int(each.batch.meter_id[0])] += len(each.batch)
            for told in Toll(journal.folder).told():
                for refusal in told.refusals:
                    found[refusal.meter_id] += refusal.readings
        for meter_id, given in said.items():
            # Perhaps one more parcel, of which its poller was not told.
            assert found[meter_id] - given in (0, 500), meter_id

    asyncio.run(run())


def test_with_no_disk_readings_go_straight_to_a_database_that_takes_them(
    tmp_path, monkeypatch, caplog
) -> None:
    def no_disk(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def run() -> None:
        async with feeding(tmp_path / "j", limit=5) as (journaled, queue):
            monkeypatch.setattr(os, "fdatasync", no_disk)
            for number in range(8):
                await journaled.put(parcel(number))
            assert energies(await taken(queue, 5)) == [0, 1, 2, 3, 4]
            assert journaled.waiting == 3  # refused: the queue was full, too
            monkeypatch.undo()

    asyncio.run(run())
    assert "go unkept to the database. The journal in" in caplog.text
    assert "(Input/output error): make room on its disk or mend it." in caplog.text


def test_a_harmed_stretch_is_set_aside_and_the_rest_goes_on(tmp_path, caplog) -> None:
    async def run() -> None:
        async with opened(tmp_path / "j") as journal:
            await append_all(journal, 9)
        (segment,) = (tmp_path / "j").glob("*.journal")
        data = bytearray(segment.read_bytes())
        data[len(data) // 2] ^= 4
        segment.write_bytes(data)
        async with feeding(tmp_path / "j") as (journaled, queue):
            assert journaled.waiting == 9
            parcels = await taken(queue, 9)
            assert energies(parcels) == [0, 1, 2, 3, 5, 6, 7, 8]
            (refusal,) = [r for each in parcels for r in each.refusals]
            assert (refusal.reason, refusal.readings) == (Reason.JOURNAL_DAMAGED, 1)
            assert bytes(refusal.raw) in bytes(data)
            for each in parcels:
                each.done()
            await until(lambda: journaled.waiting == 0)

    asyncio.run(run())
    assert caplog.text.count("; 1 readings were in it. It is set aside") == 1


def test_a_folder_that_this_user_may_not_write_is_said(tmp_path) -> None:
    folder = tmp_path / "j"
    folder.mkdir(mode=0o500)
    is_root = os.geteuid() == 0
    if is_root:  # who may do everything would not notice
        for above in (*tmp_path.parents, tmp_path):
            if above.owner() == "root" and str(above).startswith("/tmp/"):
                above.chmod(0o755)
        os.seteuid(65534)
    try:
        with pytest.raises(JournalError) as said:
            Journal.open(folder, most_bytes=MOST)
    finally:
        if is_root:
            os.seteuid(0)
    assert str(said.value) == (
        f"The journal cannot be kept in {folder} (Permission denied): let this user "
        "write there, or name another folder in KEYWATT_JOURNAL_DIR."
    )
