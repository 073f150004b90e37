"""What is subscribed, by which session."""

import asyncio
import contextlib

import pytest

from collector.mqtt.broker import BrokerAddress
from collector.mqtt.ears import Ears
from meters.listening import Wanted
from tests.collector.mqtt.test_link import Inbox, send
from tests.collector.waiting import until


@contextlib.asynccontextmanager
async def listening(
    broker: BrokerAddress,
    name: str,
    inbox: Inbox,
    *wanted: Wanted,
    share: str | None = None,
    hears_ordered: bool = True,
):
    """Listen to what is wanted, until the block ends."""
    subscribed = asyncio.Event()
    ears = Ears(
        broker,
        inbox.take,
        client_id=name,
        share=share,
        hears_ordered=hears_ordered,
        on_subscribed=subscribed.set,
    )
    ears.listen(wanted)

    async def listen() -> None:
        async with asyncio.TaskGroup() as group:
            ears.start(group)

    task = asyncio.create_task(listen())
    await subscribed.wait()
    try:
        yield ears
    finally:
        task.cancel()
        await asyncio.wait([task])
        await ears.close()


def texts(inbox: Inbox) -> list[str]:
    return sorted(payload.decode() for _, payload in inbox.messages)


def test_what_says_no_time_does_not_wait_for_us(mosquitto, unique) -> None:
    # The broker keeps the one; what would get a fresh time is gone.
    kept, live = Wanted(f"{unique}/kept"), Wanted(f"{unique}/live", is_live=True)
    inbox = Inbox()

    async def run() -> None:
        async with listening(mosquitto, unique, inbox, kept, live):
            await _heard_live(mosquitto, unique, inbox)
        inbox.messages.clear()
        stale = [(f"{unique}/{which}", b"while away") for which in ("kept", "live")]
        await send(mosquitto, *stale)
        async with listening(mosquitto, unique, inbox, kept, live):
            await _heard_live(mosquitto, unique, inbox)

    asyncio.run(run())
    away = [topic for topic, payload in inbox.messages if payload == b"while away"]
    assert away == [f"{unique}/kept"]


async def _heard_live(broker: BrokerAddress, unique: str, inbox: Inbox) -> None:
    """Publish until it comes: that link says nothing when it is subscribed."""
    while b"now" not in [payload for _, payload in inbox.messages]:
        await send(broker, (f"{unique}/live", b"now"))


@pytest.mark.parametrize("hears_ordered", [True, False])
def test_what_must_be_heard_in_order_is_not_shared(
    mosquitto, unique, hears_ordered
) -> None:
    ordered = Wanted(f"{unique}/ordered", is_ordered=True)
    plain = Wanted(f"{unique}/plain")
    inbox, other = Inbox(), Inbox()

    async def run() -> None:
        async with (
            listening(
                mosquitto,
                f"{unique}-1",
                inbox,
                ordered,
                plain,
                share=unique,
                hears_ordered=hears_ordered,
            ),
            listening(
                mosquitto,
                f"{unique}-2",
                other,
                ordered,
                plain,
                share=unique,
                hears_ordered=not hears_ordered,
            ),
        ):
            for which in ("ordered", "plain"):
                numbered = ((f"{unique}/{which}", str(n).encode()) for n in range(40))
                await send(mosquitto, *numbered)
            await until(lambda: len(inbox.messages) + len(other.messages) >= 80)

    asyncio.run(run())
    alone, rest = (inbox, other) if hears_ordered else (other, inbox)
    in_order = [p for topic, p in alone.messages if topic.endswith("ordered")]
    assert in_order == [str(n).encode() for n in range(40)]
    assert not [topic for topic, _ in rest.messages if topic.endswith("ordered")]
    assert 0 < len(rest.messages) < 40


def test_what_is_wanted_no_more_does_not_come(mosquitto, unique) -> None:
    first, second = Wanted(f"{unique}/1"), Wanted(f"{unique}/2")
    inbox = Inbox()

    async def run() -> None:
        async with listening(mosquitto, unique, inbox, first, second) as ears:
            await send(mosquitto, (f"{unique}/1", b"a"), (f"{unique}/2", b"b"))
            await inbox.has(2)
            ears.listen([second])
            while "z" not in texts(inbox)[-1]:  # subscriptions go in their order
                await send(mosquitto, (f"{unique}/1", b"c"), (f"{unique}/2", b"z"))
            await send(mosquitto, (f"{unique}/1", b"late"), (f"{unique}/2", b"zz"))
            await until(lambda: texts(inbox)[-1] == "zz")

    asyncio.run(run())
    assert "late" not in texts(inbox)
