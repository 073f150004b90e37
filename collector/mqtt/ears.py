"""All by which one collector listens to the broker.

What a broker keeps for us comes over one link, in a persistent session. What does not
say when it was measured comes over another that keeps nothing: had it waited, it would
be given a fresh time.
"""

import asyncio
from collections.abc import Callable, Iterable

from collector.mqtt.broker import BrokerAddress
from collector.mqtt.link import Handler, MqttLink
from meters.listening import Wanted


class Ears:
    """Two links to one broker, the second only where something needs it."""

    def __init__(
        self,
        broker: BrokerAddress,
        on_messages: Handler,
        *,
        client_id: str,
        share: str | None,
        hears_ordered: bool,
        on_subscribed: Callable[[], None],
    ) -> None:
        self._share, self._hears_ordered = share, hears_ordered
        self._kept = _ReadyLink(broker, client_id=client_id, on_message=on_messages)
        self._live = _ReadyLink(
            broker,
            client_id=f"{client_id}-live",
            on_message=on_messages,
            is_persistent=False,
        )
        self._on_subscribed = on_subscribed
        self._group: asyncio.TaskGroup | None = None
        self._needs_live = self._is_live = False

    @property
    def is_hearing(self) -> bool:
        """Whether the broker is reached, by each link that is needed."""
        links = [self._kept, self._live] if self._is_live else [self._kept]
        return all(link.is_connected for link in links)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Connect, and stay connected for as long as the group runs.

        `on_subscribed` is called once, when all is subscribed that is wanted by now.
        """
        self._group = group
        waited_for = {self._kept, self._live} if self._needs_live else {self._kept}

        def one_more(link: MqttLink) -> None:
            if link in waited_for:
                waited_for.remove(link)
                if not waited_for:
                    self._on_subscribed()

        self._kept.on_subscribed = self._live.on_subscribed = one_more
        group.create_task(self._kept.keep(), name="mqtt")
        self._start_live()

    def listen(self, wanted: Iterable[Wanted]) -> None:
        """Subscribe to what is wanted, and to nothing else any more.

        What must be heard in order is never shared: one collector takes it alone.
        """
        kept: list[str] = []
        live: list[str] = []
        again: set[str] = set()
        for each in wanted:
            if each.is_again:
                again.add(each.topic)
            if each.is_ordered:
                kept += [each.topic] * self._hears_ordered
            else:
                (live if each.is_live else kept).append(self._shared(each.topic))
        self._kept.listen(tuple(dict.fromkeys(kept)), again)
        self._live.listen(tuple(dict.fromkeys(live)))
        self._needs_live |= bool(live)
        self._start_live()

    def publish_soon(self, topic: str, payload: bytes) -> None:
        """Publish without anybody waiting for it."""
        if self._group is not None:
            self._group.create_task(self._kept.publish(topic, payload), name=topic)

    def stop_reading(self) -> None:
        """Take no more messages; those taken can still be acknowledged."""
        self._kept.stop_reading()
        self._live.stop_reading()

    async def close(self) -> None:
        """Send what is due, above all acknowledgements, and disconnect."""
        await self._kept.close()
        await self._live.close()

    def _start_live(self) -> None:
        if self._needs_live and not self._is_live and self._group is not None:
            self._group.create_task(self._live.keep(), name="mqtt live")
            self._is_live = True

    def _shared(self, topic: str) -> str:
        return topic if self._share is None else f"$share/{self._share}/{topic}"


class _ReadyLink(MqttLink):
    """Tells each time that its topics are subscribed."""

    on_subscribed: Callable[[MqttLink], None]

    async def connect(self) -> None:
        """Connect once and subscribe."""
        await super().connect()
        self.on_subscribed(self)
