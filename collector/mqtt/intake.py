"""MQTT messages to parcels: whose message it is, what it says, whether it is believed.

A topic is bound to its meter: a meter may only speak for itself. Nothing here raises;
what is wrong with a message becomes a refusal with its raw bytes. A message of an
unknown meter is held, unacknowledged, until the meters were looked up afresh: it may
have been entered a moment ago.

Plain messages that came together are judged together, by the column
(`collector.mqtt.sheet`); all others one by one (`meters.listening`).
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from collector.counting.counts import Counts
from collector.mqtt.packets import Message as Received
from collector.mqtt.sheet import Judged, Sheet, as_heard
from collector.mqtt.speaker import Speaker, refusals_of
from collector.mqtt.stated import Statements
from collector.parcel import Parcel
from meters.bounds import Stay
from meters.heard import Heard, Message
from meters.listening import Listener, Wanted
from meters.meter import Meter, Transport
from meters.payload_error import PayloadError
from meters.payload_rows import RowReader, row_reader
from meters.presence import Presence
from meters.profile import MqttProfile, ProfileError, load_profile, profile_names
from meters.reading import batch_of
from meters.refusal import Reason
from meters.topic import topic_of
from storage.stated_multipliers import ToldMultiplier

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
Done = Callable[[], None]
Publish = Callable[[str, bytes], None]
"""Called with topic and payload; must neither raise nor wait."""
OnPresence = Callable[[Presence], None]
"""As `Publish`."""
OnStated = Callable[[ToldMultiplier], None]
"""As `Publish`."""


class _Held(NamedTuple):
    """One message of a meter that is not known yet."""

    message: Message
    done: Done


class _Known(NamedTuple):
    """A meter that can be listened to."""

    meter: Meter
    profile: MqttProfile
    topic: str


class Intake:
    """Judges messages by the meters that are known at the moment."""

    def __init__(
        self,
        now: Now,
        counts: Counts,
        publish: Publish = lambda _topic, _payload: None,
        on_presence: OnPresence = lambda _presence: None,
        on_stated: OnStated = lambda _told: None,
    ) -> None:
        self._now, self._counts, self._publish = now, counts, publish
        self._on_presence = on_presence
        self._statements = Statements(on_stated)
        self._speakers: dict[str, Speaker] = {}
        """Of plain payloads, by topic: the fast way."""
        self._listener = Listener()
        self._known: dict[int, _Known] = {}
        """By `meter_id`: most are the same at the next `bind`."""
        self._held: list[_Held] = []
        self._said: dict[int, str] = {}
        """What was said of a meter that cannot be listened to; once each time."""
        self.unheard = 0
        """How many meters `bind` was given and cannot listen to: try them again."""

    @property
    def held(self) -> int:
        """How many messages wait for their meter; the sender's window bounds them."""
        return len(self._held)

    def bind(self, meters: Iterable[Meter]) -> tuple[Wanted, ...]:
        """Replace the known meters; return what is to be subscribed, and how.

        Those of the house's own payload are always among them, so that a meter nobody
        has entered yet is seen in quarantine.
        """
        shipped = [load_profile(name) for name in profile_names()]
        always = [
            profile
            for profile in shipped
            if isinstance(profile, MqttProfile) and profile.strangers == "quarantine"
        ]
        given = [self._known_of(meter) for meter in meters]
        known = [one for one in given if one is not None]
        self.unheard = len(given) - len(known)
        self._known = {one.meter.meter_id: one for one in known}
        pairs = [(meter, profile) for meter, profile, _ in known]
        self._speakers = _plain_speakers(known)
        return self._listener.bind(pairs, always)

    def parcel(self, messages: Sequence[Received], done: Done) -> Parcel | None:
        """Turn messages that came together into what is to be written.

        Returns
        -------
        Parcel or None
            None where all of them are held. `done` is called when none of them is
            waited for any more.

        """
        now, speakers = self._now(), self._speakers
        sheet = Sheet(now, self._listener)
        strangers: list[Message] = []
        for received in messages:
            speaker = speakers.get(received.topic)
            if speaker is not None:
                sheet.add(speaker, received)
                continue
            message = as_heard(received, now)
            heard = self._listener.hear(message)
            if heard is None:
                strangers.append(message)
            else:
                self._take(sheet, message, heard)
        if strangers:
            known = len(messages) > len(strangers)
            done = _after(len(strangers) + known, done)
            self._held += [_Held(message, done) for message in strangers]
            if not known:
                return None
        return self._packed(sheet.judged(), done)

    def _take(self, sheet: Sheet, message: Message, heard: Heard) -> None:
        """Judge what was heard of a message, pass on and publish what it calls for."""
        sheet.add_heard(message, heard)
        for topic, payload in heard.to_publish:
            self._publish(topic, payload)
        for presence in heard.presences:
            self._on_presence(presence)

    def released(self, looked_for: int) -> list[Parcel]:
        """Return what became of held messages, after `bind`.

        Parameters
        ----------
        looked_for : int
            What `held` was before the meters were read: so many are refused by now,
            where their meter is still not known.

        """
        parcels: list[Parcel] = []
        waiting, self._held = self._held, []
        for number, held in enumerate(waiting):
            message, done = held
            heard = self._listener.hear(message)
            if heard is not None:
                sheet = Sheet(message.arrived_at, self._listener)
                self._take(sheet, message, heard)
                parcels.append(self._packed(sheet.judged(), done))
            elif number < looked_for:
                text = f"No meter is known that reports to the topic {message.topic}."
                unknown = PayloadError(Reason.UNKNOWN_METER, text)
                refusals = refusals_of(message, [(None, unknown)])
                parcels.append(self._packed(Judged(batch_of([]), refusals), done))
            else:
                self._held.append(held)
        return parcels

    def _packed(self, judged: Judged, done: Done) -> Parcel:
        """Pack and count what became of messages."""
        for stated in judged.stated:
            self._statements.take(stated, self._now())
        arrived = len(judged.batch) + sum(r.readings for r in judged.refusals)
        self._counts.asked += arrived
        self._counts.answered += arrived
        return Parcel(
            transport=Transport.MQTT,
            batch=judged.batch,
            refusals=judged.refusals,
            done=done,
        )

    def _known_of(self, meter: Meter) -> _Known | None:
        """Find a meter's profile and topic; say once what is wrong with it."""
        before = self._known.get(meter.meter_id)
        if before is not None and before.meter == meter:
            return before
        try:
            profile = load_profile(meter.profile)
            if isinstance(profile, MqttProfile):
                found = _Known(meter, profile, topic_of(profile, meter.serial))
                self._said.pop(meter.meter_id, None)
                return found
            text = f"profile {meter.profile} is not one of MQTT."
        except ProfileError as exc:
            text = str(exc)
        except ValueError as exc:
            text = f"{exc}."
        if self._said.get(meter.meter_id) != text:
            log.error("%s cannot be listened to: %s", meter.address, text)
        self._said[meter.meter_id] = text
        return None


def _plain_speakers(meters: Iterable[_Known]) -> dict[str, Speaker]:
    """Return who alone speaks on a topic, and plainly."""
    readers: dict[int, RowReader | None] = {}
    speakers: dict[str, Speaker] = {}
    shared: set[str] = set()
    for meter, profile, topic in meters:
        if id(profile) not in readers:
            readers[id(profile)] = row_reader(profile)
        reader = readers[id(profile)]
        if topic in speakers or reader is None:
            shared.add(topic)
        else:
            speakers[topic] = Speaker(meter, Stay.of(meter), reader)
    return {t: speaker for t, speaker in speakers.items() if t not in shared}


def _after(times: int, done: Done) -> Done:
    """Return what calls `done` when it was itself called so many times."""
    left = times

    def one_more() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    return one_more
