"""MQTT messages to readings: whose message it is, and what it says. Pure.

A topic is bound to its meter. Where one message bears the readings of several, the
profile says how each one's serial number is made of the topic and of what names it in
the message, so that a gateway can only speak for its own.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from meters.gathered import Parsed
from meters.heard import Heard, Message, Pattern
from meters.meter import Meter
from meters.mqtt_profile import MqttProfile
from meters.payload import split_payload
from meters.payload_error import PayloadError
from meters.presence import Presence, PresencePattern
from meters.ratios import Statement
from meters.refusal import Reason
from meters.sparkplug_host import SparkplugHost
from meters.topic import subscriptions


class Wanted(NamedTuple):
    """A topic filter to subscribe to, and how."""

    topic: str
    is_live: bool = False
    """Its messages do not say when: to be subscribed at QoS 0 in a session that keeps
    nothing for us, since what waited would get the time of its arrival."""
    is_ordered: bool = False
    """One collector must hear all of it in order: never by a shared subscription."""
    is_again: bool = False
    """Meters are new to it: to be subscribed once more, since the broker then tells
    what it has retained, and what it told before was of nobody we knew."""


class _Speaker(NamedTuple):
    """A meter, and one kind of its messages."""

    meter: Meter
    kind: MqttProfile


class Listener:
    """Knows the meters of the moment, and what Sparkplug B edge nodes have said."""

    def __init__(self) -> None:
        self._speakers: dict[str, list[_Speaker]] = {}
        self._patterns: list[Pattern] = []
        self._ignored: list[MqttProfile] = []
        self._presences: list[PresencePattern] = []
        self._sparkplug = SparkplugHost()

    def bind(
        self, meters: Iterable[tuple[Meter, MqttProfile]], always: Iterable[MqttProfile]
    ) -> tuple[Wanted, ...]:
        """Replace the known meters; return what to subscribe to.

        Parameters
        ----------
        meters : iterable of Meter and MqttProfile
            Each fits its profile (`topic_of` does not raise).
        always : iterable of MqttProfile
            Listened to without any meter, so that a stranger is seen.

        """
        known: dict[int, tuple[MqttProfile, dict[str, Meter]]] = {
            id(profile): (profile, {}) for profile in always
        }
        for meter, profile in meters:
            known.setdefault(id(profile), (profile, {}))[1][meter.serial] = meter
        self._speakers, self._patterns, self._ignored = {}, [], []
        nodes: list[Pattern] = []
        wanted: set[Wanted] = set()
        for profile, by_serial in known.values():
            if profile.strangers == "ignore":
                self._ignored += profile.messages
            if profile.format == "sparkplug-b":
                nodes.append(Pattern(profile, by_serial))
                topics = subscriptions(profile)
                wanted |= {Wanted(topic, is_ordered=True) for topic in topics}
                continue
            for kind in profile.messages:
                self._bind_kind(kind, by_serial)
                topic = kind.topic_form.wildcard
                wanted.add(Wanted(topic, is_live=kind.is_stamped_on_arrival))
        wanted |= self._bind_presences(known.values())
        self._sparkplug.bind(nodes)
        return tuple(sorted(wanted))

    def _bind_presences(
        self, known: Iterable[tuple[MqttProfile, Mapping[str, Meter]]]
    ) -> set[Wanted]:
        """Replace whose presence is told; strangers' concern nobody."""
        before, self._presences = self._presences, []
        news: dict[str, bool] = {}
        for profile, by_serial in known:
            form = profile.presence
            if form is None:
                continue
            self._presences.append(
                PresencePattern(form, profile.serial_form, by_serial)
            )
            if not by_serial:
                continue  # heard still, if something waited: not subscribed
            topic = form.topic_form.wildcard
            knew = {
                meter.meter_id
                for pattern in before
                if pattern.form == form
                for meter in pattern.meters.values()
            }
            is_new = any(meter.meter_id not in knew for meter in by_serial.values())
            news[topic] = news.get(topic, False) or is_new
        return {
            Wanted(topic, is_ordered=True, is_again=is_new)
            for topic, is_new in news.items()
        }

    def _bind_kind(self, kind: MqttProfile, by_serial: Mapping[str, Meter]) -> None:
        """Find each meter's topic; where that is no single one, find it by its form."""
        form = kind.topic_form
        if "+" in form.levels or kind.item_serial is not None:
            self._patterns.append(Pattern(kind, by_serial))
            return
        for serial, meter in by_serial.items():
            named = kind.serial_form.named(serial)
            if named is not None:
                speaking = self._speakers.setdefault(form.written(named), [])
                speaking.append(_Speaker(meter, kind))

    def hear(self, message: Message) -> Heard | None:
        """Take one message; None where nobody is known who may have sent it."""
        heard, is_known = Heard(), False
        for meter, kind in self._speakers.get(message.topic, ()):
            is_known = True
            _hear_one(heard, meter, kind, message)
        for pattern in self._patterns:
            named = pattern.kind.topic_form.names_in(message.topic)
            if named is None:
                continue
            if pattern.kind.item_serial is not None:
                is_known = True
                _hear_several(heard, pattern, named, message)
            elif (speaker := pattern.meter_named(named)) is not None:
                is_known = True
                _hear_one(heard, speaker, pattern.kind, message)
        if is_known:
            return heard
        if self._sparkplug.is_of_node(message.topic):
            return self._sparkplug.hear(message)
        if self._hear_presence(heard, message) or self._is_ignored(message.topic):
            return heard
        return None

    def _hear_presence(self, heard: Heard, message: Message) -> bool:
        """Take a message that a meter is online or not; False where it is no such.

        One that was retained is right: it says how things stand. A stranger's is passed
        over: retained, it would come into quarantine again at every start.
        """
        told_on = [one for one in self._presences if one.is_of(message.topic)]
        for pattern in told_on:
            meter = pattern.meter_on(message.topic)
            if meter is None:
                continue
            try:
                is_online = pattern.form.is_online(message.payload)
            except PayloadError as exc:
                heard.faults.append((meter, exc))
            else:
                told = Presence(meter.meter_id, is_online, message.arrived_at)
                heard.presences.append(told)
        return bool(told_on)

    def _is_ignored(self, topic: str) -> bool:
        """Whether strangers on a topic are none of our concern."""
        return any(
            kind.topic_form.names_in(topic) is not None for kind in self._ignored
        )


def _hear_one(heard: Heard, meter: Meter, kind: MqttProfile, message: Message) -> None:
    """Take a message that can only be of one meter."""
    parsed, faults = _split(kind, message)
    for one in parsed:
        if one.serial is not None and one.serial != meter.serial:
            text = (
                f"The payload speaks for meter {one.serial}, its topic belongs to "
                f"meter {meter.serial}."
            )
            faults.append(PayloadError(Reason.WRONG_TOPIC, text))
        else:
            _take(heard, meter, kind, message, one)
    heard.faults += [(meter, fault) for fault in faults]


def _hear_several(
    heard: Heard, pattern: Pattern, named: Mapping[str, str], message: Message
) -> None:
    """Take a message that bears the readings of several meters."""
    kind = pattern.kind
    parsed, faults = _split(kind, message)
    heard.faults += [(None, fault) for fault in faults]
    for one in parsed:
        meter = pattern.meter_named({**named, "item": one.item or ""})
        if meter is not None:
            _take(heard, meter, kind, message, one)
        elif kind.strangers == "quarantine":
            text = f"No meter is known that is {one.item} of this message."
            heard.faults.append((None, PayloadError(Reason.UNKNOWN_METER, text)))


def _take(
    heard: Heard, meter: Meter, kind: MqttProfile, message: Message, one: Parsed
) -> None:
    """Take a reading, and what was stated with it.

    What the broker had retained may be long past. A meter that multiplies itself is
    entered with 1: what it states says nothing of that.
    """
    heard.readings.append((meter, one))
    is_of_now = not (kind.ratio_in_meter or message.is_retained)
    if one.multiplier is not None and is_of_now:
        said = Statement(meter.meter_id, one.measured_at, one.multiplier)
        heard.stated.append(said)


def _split(
    kind: MqttProfile, message: Message
) -> tuple[list[Parsed], list[PayloadError]]:
    """Sort a payload's readings into those that are right and those refused."""
    try:
        return split_payload(
            kind, message.whole(), message.arrived_at, is_retained=message.is_retained
        )
    except PayloadError as exc:
        return [], [exc]
