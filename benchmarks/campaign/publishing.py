"""The meters that publish: what they send, heard by the collector's own intake.

Packets are those of the wire. There is no broker in between that could lose or order
anything; what it would do by itself (tell a last will, keep a message for whoever comes
later) is done here.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from benchmarks.campaign.collected import Collected
from collector.counting.counts import Counts
from collector.mqtt.intake import Intake
from collector.mqtt.packets import PacketStream
from meters.meter import Meter, Transport
from meters.profile import MqttProfile
from meters.reading import from_utc_us
from simulators.meter_fleet.faults import FOR_EVER_MS, Fault
from simulators.meter_fleet.ledger import Ledger
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.mqtt_frames import publish_packet
from simulators.meter_fleet.mqtt_line import Message
from simulators.meter_fleet.mqtt_meters import MqttMeters
from simulators.meter_fleet.plan import FleetPlan

_UNDER_WAY_MS = 1000
_DELAYED_MS = 30_000
"""After its time, what a slow meter is late with is out too."""
_MOST_AT_ONCE = 1000


class ShortCircuit:
    """Line, broker and subscription in one."""

    def __init__(self, meters: Sequence[Meter], collected: Collected) -> None:
        self.now_ms = 0
        self._collected = collected
        self._stream = PacketStream()
        self._intake = Intake(
            lambda: from_utc_us((self.now_ms + _UNDER_WAY_MS) * 1000), Counts()
        )
        self._intake.bind(meters)
        self._retained: dict[str, Message] = {}

    def post(self, message: Message) -> None:
        """Bring a message to the collector."""
        if message.retain:
            self._retained[message.topic] = message
        self._bring(message._replace(retain=False))

    def flush(self) -> None:
        """Bring what waits: nothing does."""

    def subscribe_again(self) -> None:
        """Tell a collector that comes anew what was kept for it."""
        for message in self._retained.values():
            self._bring(message)

    def _bring(self, message: Message) -> None:
        packet = publish_packet(
            message.topic, message.payload, 1, retain=message.retain
        )
        self._stream.feed(packet)
        messages, _ = self._stream.take(_MOST_AT_ONCE)
        parcel = self._intake.parcel(messages, lambda: None)
        if parcel is not None:
            self._collected.take(parcel)
        for released in self._intake.released(self._intake.held):
            self._collected.take(released)


class _Moment(NamedTuple):
    """Something that happens to a meter."""

    at_ms: int
    act: Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Publishing:
    """What all meters that publish have in common."""

    plan: FleetPlan
    meters: Sequence[Meter]
    offset_ms: Mapping[str, int]
    """When in each period a meter reads itself, by serial."""
    length_s: int

    def of(self, fleet: Sequence[LightMeter]) -> Iterator[Collected]:
        """Let meter by meter publish for the whole time; yield what came of each."""
        known = [one for one in self.meters if one.transport is Transport.MQTT]
        with Ledger(fleet) as ledger:
            for meter in fleet:
                collected = Collected()
                line = ShortCircuit(known, collected)
                publishing = MqttMeters(
                    [meter],
                    {meter.index: line},
                    ledger,
                    start_ms=self.plan.start_ms + self.offset_ms[meter.serial],
                    every_ms=self.plan.every_ms,
                    seed=self.plan.seed + meter.index,
                )
                for moment in heapq.merge(
                    self._dues(meter, publishing, line),
                    sorted(_strikes(meter, line), key=lambda moment: moment.at_ms),
                    key=lambda moment: moment.at_ms,
                ):
                    line.now_ms = moment.at_ms
                    moment.act()
                yield collected

    def _dues(
        self, meter: LightMeter, publishing: MqttMeters, line: ShortCircuit
    ) -> Iterator[_Moment]:
        """Yield when a meter reads itself, and when what it delays is out."""

        def publish() -> None:
            publishing.publish_due(line.now_ms)

        begin_ms = self.plan.start_ms + self.offset_ms[meter.serial]
        end_ms = self.plan.start_ms + self.length_s * 1000
        for at_ms in range(begin_ms, end_ms, self.plan.every_ms):
            yield _Moment(at_ms, publish)
            if meter.spell(Fault.SLOW, at_ms):
                yield _Moment(at_ms + _DELAYED_MS, publish)


def _strikes(meter: LightMeter, line: ShortCircuit) -> Iterator[_Moment]:
    """Yield what a broker does by itself."""
    profile = meter.profile
    presence = profile.presence if isinstance(profile, MqttProfile) else None
    for spell in meter.spells:
        if spell.fault is Fault.RETAINED and spell.until_ms < FOR_EVER_MS:
            yield _Moment(spell.until_ms, line.subscribe_again)
        if spell.fault is Fault.LAST_WILL and presence is not None:
            topic = presence.topic.replace("{serial}", meter.serial)
            for at_ms, said in (
                (spell.from_ms, presence.offline),
                (spell.until_ms, presence.online),
            ):
                message = Message(topic, said.encode(), retain=True)
                yield _Moment(at_ms, partial(line.post, message))
