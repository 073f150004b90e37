"""A simulated meter that publishes by itself, through the `publish` it is given."""

import asyncio
from collections.abc import Awaitable, Callable

from meters.mqtt_profile import MqttProfile
from meters.voice import voice_of
from simulators.display import ShowingMeter

Publish = Callable[[str, bytes], Awaitable[None]]
"""Returns when the broker has the message."""


async def publish_for_ever(
    meter: ShowingMeter,
    serial: str,
    profile: MqttProfile,
    publish: Publish,
    *,
    every_s: float,
    first_after_s: float = 0.0,
) -> None:
    """Publish what a meter shows at a fixed pace, until cancelled.

    A pace that cannot be kept is left out, not caught up: a meter shows what is, not
    what was.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + first_after_s
    voice = voice_of(profile, serial)
    while True:
        await asyncio.sleep(due - loop.time())
        display = meter.show()
        if display is not None:
            for topic, payload in voice.say(display.measured_at, display.values):
                await publish(topic, payload)
            meter.was_read()
        due = max(due + every_s, loop.time())
