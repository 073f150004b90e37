"""Polls that are started and stopped as meters come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from collector.counting.counts import TransportCounts
from collector.modbus.polls import Polls
from collector.parcel import Parcel
from meters.meter import Meter
from meters.profile import PROFILES
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.modbus.polling import AT, meter
from tests.collector.waiting import until


class Sluggish:
    """A sink that goes on keeping a parcel though its poll was cancelled."""

    def __init__(self) -> None:
        self.opens, self.kept, self.waiting = asyncio.Event(), 0, 0

    async def put(self, parcel: Parcel) -> None:
        self.waiting += 1
        while not self.opens.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.opens.wait()
        self.waiting -= 1
        self.kept += len(parcel.batch)


@contextlib.asynccontextmanager
async def polls_into(out: Sluggish) -> AsyncIterator[Callable]:
    """Yield what has meters gone and come, and returns the polls."""
    async with asyncio.TaskGroup() as group:
        polls = Polls(
            *(group, out, TransportCounts(), lambda: AT),
            timeout_s=0.05,
            on_drift=lambda _drift: None,
            on_events=lambda _told: None,
            on_stated=lambda _told: None,
        )

        async def follow(gone: list[Meter], come: list[Meter]) -> Polls:
            await polls.follow(gone, come, {}, {})
            return polls

        try:
            yield follow
        finally:
            out.opens.set()
        await follow([one.meter for one in polls.polled.values()], [])
        polls.close()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    texts = [record.getMessage() for record in caplog.records]
    return [text for text in texts if "cannot be polled" in text]


def test_what_was_mended_and_broke_again_is_said_again(tmp_path: Path, caplog) -> None:
    profile = tmp_path / "own.toml"
    shipped = (PROFILES / "eastron-sdm630.toml").read_text("utf-8")
    good = shipped.replace('"eastron-sdm630"', '"own"')

    async def run() -> None:
        async with gateway(Unit(1)) as port, polls_into(Sluggish()) as follow:
            broken = meter(1, port, profile=str(profile))
            await follow([], [broken])
            await follow([], [])
            assert len(complaints(caplog)) == 1
            profile.write_text(good, "utf-8")
            await follow([], [])
            profile.unlink()
            await follow([broken], [broken])
            await follow([], [])
            assert len(complaints(caplog)) == 2

    asyncio.run(run())


def test_a_meter_that_comes_back_while_its_old_poll_ends_keeps_its_place() -> None:
    async def run() -> None:
        out = Sluggish()
        async with gateway(Unit(1)) as port, polls_into(out) as follow:
            before = meter(1, port, poll_every_s=1.0)
            after = meter(1, port, poll_every_s=4.0)
            await follow([], [before])
            await until(lambda: out.waiting)  # so its poll cannot end yet
            # Another one on the bus: it stays the same bus.
            await follow([], [meter(2, port, poll_every_s=60.0)])
            polls = await follow([before], [after])
            turns = polls.polled[1].bus.turns
            await asyncio.sleep(0)
            assert turns.round_s == 1.0  # the old one still has its place
            out.opens.set()
            await until(lambda: turns.round_s == 4.0)

    asyncio.run(run())
