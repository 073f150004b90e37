"""MQTT messages to parcels: whose message it is, what it says, whether it is believed.

A topic is bound to its meter: a meter may only speak for itself. Nothing here raises;
what is wrong with a message becomes a refusal with its raw bytes. A message of an
unknown meter is held, unacknowledged, until the meters were looked up afresh: it may
have been entered a moment ago.
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
    done: Callable[[], None]

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
        self._held: list[_Message] = []
        self._said: set[str] = set()

    @property
    def held(self) -> int:
        """How many messages wait for their meter; the sender's window bounds them."""
        return len(self._held)

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

    def parcel(
        self, topic: str, payload: bytes, done: Callable[[], None]
    ) -> Parcel | None:
        """Turn one message into what is to be written; None where it is held."""
        message = _Message(topic, payload, self._now(), done)
        speaker = self._speakers.get(topic)
        if speaker is not None:
            return self._parcel(message, *speaker.judge(message))
        self._held.append(message)
        return None

    def released(self, looked_for: int) -> list[Parcel]:
        """Return what became of held messages, after `bind`.

        Parameters
        ----------
        looked_for : int
            What `held` was before the meters were read: so many are refused by now,
            where their meter is still not known.

        """
        parcels: list[Parcel] = []
        held, self._held = self._held, []
        for number, message in enumerate(held):
            speaker = self._speakers.get(message.topic)
            if speaker is not None:
                parcels.append(self._parcel(message, *speaker.judge(message)))
            elif number < looked_for:
                text = f"No meter is known that reports to the topic {message.topic}."
                unknown = PayloadError(Reason.UNKNOWN_METER, text)
                parcels.append(self._parcel(message, [], message.refusals([unknown])))
            else:
                self._held.append(message)
        return parcels

    def _parcel(
        self, message: _Message, readings: list[Reading], refusals: list[Refusal]
    ) -> Parcel:
        """Pack and count what became of a message."""
        arrived = len(readings)
        for refusal in refusals:
            arrived += refusal.readings
        self._counts.asked += arrived
        self._counts.answered += arrived
        return Parcel(
            transport=Transport.MQTT,
            readings=readings,
            refusals=refusals,
            done=message.done,
        )

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
