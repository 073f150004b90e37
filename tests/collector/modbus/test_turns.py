import asyncio

import pytest

from collector.modbus.failure import Failure, MeterError
from collector.modbus.turns import Asking, Rank, Turns
from tests.collector.waiting import until


async def taken(turns: Turns, name: str, asking: Asking, order: list[str]) -> None:
    await turns.take(asking)
    order.append(name)
    turns.give()


def order_of(*waiting: tuple[str, Asking]) -> list[str]:
    """Have them wait for a taken bus, in this order; return theirs."""
    order: list[str] = []

    async def run() -> None:
        turns = Turns()
        await turns.take(Asking())
        tasks = [
            asyncio.create_task(taken(turns, name, asking, order))
            for name, asking in waiting
        ]
        await asyncio.sleep(0)
        turns.give()
        await asyncio.wait(tasks)

    asyncio.run(run())
    return order


def test_quick_ones_come_first_and_backfill_last() -> None:
    assert order_of(
        ("backfill", Asking(rank=Rank.BACKFILL, due=0.0)),
        ("costly", Asking(rank=Rank.COSTLY, due=1.0)),
        ("later", Asking(due=3.0)),
        ("sooner", Asking(due=2.0)),
    ) == ["sooner", "later", "costly", "backfill"]


def test_of_the_costly_those_come_first_that_were_left_over() -> None:
    assert order_of(
        ("served", Asking(rank=Rank.COSTLY, due=1.0)),
        ("missed", Asking(rank=Rank.COSTLY, due=2.0, missed=1)),
        ("missed twice", Asking(rank=Rank.COSTLY, due=3.0, missed=2)),
    ) == ["missed twice", "missed", "served"]


def test_who_has_no_turn_in_time_is_told_so_and_the_next_has_it() -> None:
    async def run() -> None:
        turns, loop = Turns(), asyncio.get_running_loop()
        await turns.take(Asking())
        order: list[str] = []
        late = asyncio.create_task(
            taken(turns, "late", Asking(latest=loop.time() + 0.02), order)
        )
        other = asyncio.create_task(taken(turns, "other", Asking(), order))
        with pytest.raises(MeterError) as caught:
            await late
        assert caught.value.failure is Failure.NO_TIME
        assert not other.done()
        turns.give()
        await other
        assert order == ["other"]

    asyncio.run(run())


def test_a_poll_that_has_begun_is_not_stopped_half_way() -> None:
    async def run() -> None:
        turns, loop = Turns(), asyncio.get_running_loop()
        await turns.take(Asking())
        asking = Asking(latest=loop.time() - 1.0, requests=1)
        going_on = asyncio.create_task(turns.take(asking))
        await asyncio.sleep(0.02)
        turns.give()
        await going_on

    asyncio.run(run())


@pytest.mark.parametrize("when", ["waiting", "just given it"])
def test_a_turn_of_one_that_is_cancelled_goes_to_the_next(when: str) -> None:
    async def run() -> None:
        turns = Turns()
        await turns.take(Asking())
        first = asyncio.create_task(turns.take(Asking(due=1.0)))
        second = asyncio.create_task(turns.take(Asking(due=2.0)))
        await asyncio.sleep(0)
        if when == "just given it":
            turns.give()
            first.cancel()
        else:
            first.cancel()
            await asyncio.wait([first])
            turns.give()
        await until(second.done, 2.0)

    asyncio.run(run())


def test_a_round_is_shared_by_all_meters_of_a_bus() -> None:
    turns = Turns()
    with turns.member(10.0):
        # Alone on its bus a meter may take its time.
        assert turns.most_s == turns.share_s == float("inf")
        with turns.member(4.0), turns.member(60.0), turns.member(10.0):
            # The shortest period, 4 s: half of it for one request, and half of it
            # shared by four quick ones, 0.5 s each.
            assert (turns.round_s, turns.most_s, turns.share_s) == (4.0, 2.0, 0.5)
        assert turns.round_s == 10.0


def test_a_round_is_not_shorter_than_meters_can_answer() -> None:
    turns = Turns()
    with turns.member(1e-6), turns.member(1e-6):
        assert (turns.round_s, turns.most_s) == (0.5, 0.25)


def test_a_meter_that_leaves_late_does_not_take_the_place_of_its_return() -> None:
    turns = Turns()
    late = turns.member(10.0)
    late.__enter__()
    with turns.member(4.0), turns.member(8.0):
        late.__exit__(None, None, None)
        # 4 s: half of a round for one request, shared by two.
        assert (turns.round_s, turns.most_s, turns.share_s) == (4.0, 2.0, 1.0)
