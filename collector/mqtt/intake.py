"""MQTT messages to parcels: whose message it is, what it says, whether it is believed.

A topic is bound to its meter: a meter may only speak for itself. Nothing here raises;
what is wrong with a message becomes a refusal with its raw bytes. A message of an
unknown meter is held, unacknowledged, until the meters were looked up afresh: it may
have been entered a moment ago.

Messages that came together are judged together, by the column (`collector.mqtt.sheet`).
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from collector.counts import Counts
from collector.mqtt.packets import Message
from collector.mqtt.sheet import Judged, Sheet
from collector.mqtt.speaker import Speaker, refusals_of
from collector.parcel import Parcel
from meters.meter import Meter, Transport
from meters.payload import PayloadError
from meters.profile import MqttProfile, ProfileError, load_profile, profile_names
from meters.reading import batch_of
from meters.refusal import Reason
from meters.topic import subscription, topic_of

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
Done = Callable[[], None]


class _Held(NamedTuple):
    """One message of a meter that is not known yet."""

    message: Message
    received_at: datetime
    done: Done


class Intake:
    """Judges messages by the meters that are known at the moment."""

    def __init__(self, now: Now, counts: Counts) -> None:
        self._now = now
        self._counts = counts
        self._speakers: dict[str, Speaker] = {}
        self._held: list[_Held] = []
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
        speakers: dict[str, Speaker] = {}
        profiles = [load_profile(name) for name in profile_names()]
        for meter in meters:
            profile = self._profile_of(meter)
            if profile is not None:
                speakers[topic_of(profile, meter.serial)] = Speaker.of(meter, profile)
                profiles.append(profile)
        self._speakers = speakers
        spoken = [profile for profile in profiles if isinstance(profile, MqttProfile)]
        return tuple(sorted({subscription(profile) for profile in spoken}))

    def parcel(self, messages: Sequence[Message], done: Done) -> Parcel | None:
        """Turn messages that came together into what is to be written.

        Returns
        -------
        Parcel or None
            None where all of them are held. `done` is called when none of them is
            waited for any more.

        """
        now, speakers = self._now(), self._speakers
        sheet = Sheet(now)
        strangers: list[Message] = []
        for message in messages:
            speaker = speakers.get(message.topic)
            if speaker is None:
                strangers.append(message)
            else:
                sheet.add(speaker, message)
        if strangers:
            known = len(messages) > len(strangers)
            done = _after(len(strangers) + known, done)
            self._held += [_Held(message, now, done) for message in strangers]
            if not known:
                return None
        return self._packed(sheet.judged(), done)

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
        for number, one in enumerate(held):
            message, received_at, done = one
            speaker = self._speakers.get(message.topic)
            if speaker is not None:
                sheet = Sheet(received_at)
                sheet.add(speaker, message)
                parcels.append(self._packed(sheet.judged(), done))
            elif number < looked_for:
                text = f"No meter is known that reports to the topic {message.topic}."
                unknown = PayloadError(Reason.UNKNOWN_METER, text)
                refusals = refusals_of(message, received_at, [unknown])
                parcels.append(self._packed(Judged(batch_of([]), refusals), done))
            else:
                self._held.append(one)
        return parcels

    def _packed(self, judged: Judged, done: Done) -> Parcel:
        """Pack and count what became of messages."""
        arrived = len(judged.batch) + sum(r.readings for r in judged.refusals)
        self._counts.asked += arrived
        self._counts.answered += arrived
        return Parcel(
            transport=Transport.MQTT,
            batch=judged.batch,
            refusals=judged.refusals,
            done=done,
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


def _after(times: int, done: Done) -> Done:
    """Return what calls `done` when it was itself called so many times."""
    left = times

    def one_more() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    return one_more
