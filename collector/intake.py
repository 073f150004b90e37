"""MQTT messages to parcels: whose message it is, what it says, whether it is believed.

A topic is bound to its meter: a meter may only speak for itself. Nothing here raises;
what is wrong with a message becomes a refusal with its raw bytes.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from collector.counts import Counts
from collector.parcel import Parcel
from meters.bounds import check
from meters.meter import Meter, Transport
from meters.payload import Parsed, PayloadError, split_payload
from meters.profile import MqttProfile, ProfileError, load_profile, profile_names
from meters.reading import Reading
from meters.refusal import MOST_RAW_BYTES, Reason, Refusal
from meters.topic import subscription, topic_of

log = logging.getLogger(__name__)

Now = Callable[[], datetime]


class _Message(NamedTuple):
    """One MQTT message as it came."""

    topic: str
    payload: bytes
    received_at: datetime

    def parcel(
        self,
        readings: list[Reading],
        refusals: list[Refusal],
        done: Callable[[], None],
    ) -> Parcel:
        """Pack what became of it."""
        return Parcel(
            transport=Transport.MQTT, readings=readings, refusals=refusals, done=done
        )

    def refusals(
        self, faults: Iterable[PayloadError], meter_id: int | None = None
    ) -> list[Refusal]:
        """Keep it for the quarantine: once for each reason, however much is wrong."""
        by_reason: dict[Reason, list[PayloadError]] = {}
        for fault in faults:
            by_reason.setdefault(fault.reason, []).append(fault)
        raw = self.payload[:MOST_RAW_BYTES]
        return [
            Refusal(
                reason=reason,
                text=_told(same),
                source=self.topic,
                transport=Transport.MQTT,
                received_at=self.received_at,
                raw=raw,
                meter_id=meter_id,
                readings=sum(fault.readings for fault in same),
            )
            for reason, same in by_reason.items()
        ]


def _told(faults: Sequence[PayloadError]) -> str:
    """Tell the first, and how many more there are."""
    more = len(faults) - 1
    first = faults[0].text
    return f"{first.removesuffix('.')} (and {more} more)." if more else first


@dataclass(frozen=True, slots=True)
class _Speaker:
    """The meter to which a topic is bound, and how it speaks."""

    meter: Meter
    profile: MqttProfile

    def judge(self, message: _Message) -> tuple[list[Reading], list[Refusal]]:
        """Sort a message's readings into those believed and those refused."""
        meter_id = self.meter.meter_id
        try:
            parsed, wrong = split_payload(self.profile, message.payload)
        except PayloadError as exc:
            parsed, wrong = [], [exc]
        readings: list[Reading] = []
        for one in parsed:
            fault = self._fault(one, message.received_at)
            if fault is not None:
                wrong.append(PayloadError(*fault))
                continue
            readings.append(
                Reading(
                    meter_id=meter_id,
                    measured_at=one.measured_at,
                    received_at=message.received_at,
                    values=one.values,
                )
            )
        return readings, message.refusals(wrong, meter_id) if wrong else []

    def _fault(self, one: Parsed, now: datetime) -> tuple[Reason, str] | None:
        """Say why a reading is not believed, if it is not."""
        if one.serial is not None and one.serial != self.meter.serial:
            return Reason.WRONG_TOPIC, (
                f"The payload speaks for meter {one.serial}, its topic belongs to "
                f"meter {self.meter.serial}."
            )
        return check(self.meter, one.measured_at, one.values, now)


class Intake:
    """Judges messages by the meters that are known at the moment."""

    def __init__(self, now: Now, counts: Counts) -> None:
        self._now = now
        self._counts = counts
        self._speakers: dict[str, _Speaker] = {}
        self._said: set[str] = set()

    def bind(self, meters: Iterable[Meter]) -> tuple[str, ...]:
        """Replace the known meters; return the topics to subscribe to.

        Those of the house's own profiles are always among them, so that a meter nobody
        has entered yet is seen in quarantine.
        """
        speakers: dict[str, _Speaker] = {}
        profiles = [load_profile(name) for name in profile_names()]
        for meter in meters:
            profile = self._profile_of(meter)
            if profile is not None:
                speakers[topic_of(profile, meter.serial)] = _Speaker(meter, profile)
                profiles.append(profile)
        self._speakers = speakers
        spoken = [profile for profile in profiles if isinstance(profile, MqttProfile)]
        return tuple(sorted({subscription(profile) for profile in spoken}))

    def parcel(self, topic: str, payload: bytes, done: Callable[[], None]) -> Parcel:
        """Turn one message into what is to be written."""
        message = _Message(topic, payload, self._now())
        speaker = self._speakers.get(topic)
        if speaker is None:
            text = f"No meter is known that reports to the topic {topic}."
            unknown = message.refusals([PayloadError(Reason.UNKNOWN_METER, text)])
            parcel = message.parcel([], unknown, done)
        else:
            parcel = message.parcel(*speaker.judge(message), done)
        arrived = len(parcel.readings)
        for refusal in parcel.refusals:
            arrived += refusal.readings
        self._counts.asked += arrived
        self._counts.answered += arrived
        return parcel

    def _profile_of(self, meter: Meter) -> MqttProfile | None:
        """Find a meter's profile; say once what is wrong with it."""
        try:
            profile = load_profile(meter.profile)
            if isinstance(profile, MqttProfile):
                return profile
            text = f"profile {meter.profile} is not one of MQTT."
        except ProfileError as exc:
            text = str(exc)
        said = f"{meter.address} cannot be listened to: {text}"
        if said not in self._said:
            log.error("%s", said)
        self._said.add(said)
        return None
