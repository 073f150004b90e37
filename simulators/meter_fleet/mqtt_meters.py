"""Light meters that publish by themselves: when, what, and everything that goes wrong.

Each meter has an instant of its own in every period, so that they spread evenly over
it; a reading is measured at just that instant, even if it leaves a little later.
"""

import heapq
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from meters.mqtt_profile import MqttProfile
from meters.payload import encode_batch, encode_payload
from meters.quantity import REGISTERS, Quantity
from meters.reading import from_utc_us
from meters.registers import wrapped
from meters.topic import topic_of
from simulators.meter_fleet.faults import Fault, Spell
from simulators.meter_fleet.ledger import Given, Ledger
from simulators.meter_fleet.meter import LightMeter, Shown, registers_of
from simulators.meter_fleet.mqtt_line import Message

_MOST_AT_ONCE = 250
_BURST_BATCH = 100
"""Readings a message after an outage."""
_MB = 1_000_000
_SILENT = frozenset({Fault.DEAD, Fault.LAST_WILL})
_KEEPS = frozenset({Fault.BURST, Fault.OUT_OF_ORDER})


class Line(Protocol):
    """Whatever messages go over."""

    def post(self, message: Message) -> None:
        """Publish a message, now or as soon as that can be."""
        ...

    def flush(self) -> None:
        """Send what waits."""
        ...


class MqttMeters:
    """All meters that publish; `publish_due` is to be called again and again."""

    def __init__(
        self,
        meters: Sequence[LightMeter],
        lines: Mapping[int, Line],
        ledger: Ledger,
        *,
        start_ms: int,
        every_ms: int,
        batch: int = 1,
        seed: int = 0,
    ) -> None:
        self._meters, self._lines, self._ledger = meters, lines, ledger
        """Lines by the meter's index."""
        self._start_ms, self._every_ms, self._batch = start_ms, every_ms, batch
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._topics = [topic_of(_mqtt(meter), meter.serial) for meter in meters]
        self._next = 0
        self._kept: dict[int, list[Shown]] = {}
        self._delayed: list[tuple[int, int, LightMeter, Message]] = []
        self._delays = 0
        self.missed = 0
        """Readings that this process was too late for by a whole period."""
        self.published = 0
        """Messages."""

    def begin(self, now_ms: int) -> None:
        """Leave out what was due before: nobody was connected yet."""
        if self._meters:
            self._next = self._count_due(now_ms)

    def publish_due(self, now_ms: int) -> bool:
        """Publish what is due, up to a fair share; say whether more is."""
        if not self._meters:
            return False
        self._skip_what_is_too_late(now_ms)
        until = min(self._count_due(now_ms), self._next + _MOST_AT_ONCE)
        for number in range(self._next, until):
            place = number % len(self._meters)
            self._measure(place, self._due_ms(number))
        self._next = until
        while self._delayed and self._delayed[0][0] <= now_ms:
            _, _, meter, message = heapq.heappop(self._delayed)
            self._post(meter, message)
        for line in set(self._lines.values()):
            line.flush()
        return self._next < self._count_due(now_ms)

    @property
    def kept(self) -> int:
        """Readings that meters hold back or are late with."""
        held = sum(len(shown) for shown in self._kept.values())
        return held + sum(len(message.given) for *_, message in self._delayed)

    def _due_ms(self, number: int) -> int:
        return self._start_ms + number * self._every_ms // len(self._meters)

    def _count_due(self, now_ms: int) -> int:
        """Return how many readings are due since the start."""
        passed = (now_ms - self._start_ms) * len(self._meters)
        return max(0, passed // self._every_ms + 1) if passed >= 0 else 0

    def _skip_what_is_too_late(self, now_ms: int) -> None:
        behind = self._count_due(now_ms) - self._next - len(self._meters)
        if behind > 0:
            self.missed += behind
            self._next += behind

    def _measure(self, place: int, at_ms: int) -> None:
        """Let one meter read itself at an instant, and do what its faults want."""
        meter = self._meters[place]
        shown = meter.show(at_ms)
        if not shown.faults and self._batch == 1 and meter.index not in self._kept:
            self._post(meter, self._message(place, [shown]))
            return
        silent = _SILENT.intersection(shown.faults)
        for fault in silent:
            self._ledger.withheld[fault] += 1
        if not silent and not self._mislead(place, shown):
            self._keep(place, shown)

    def _mislead(self, place: int, shown: Shown) -> bool:
        """Publish what is no reading of this meter, if its faults want that."""
        meter, topic = self._meters[place], self._topics[place]
        for fault in shown.faults:
            payload = self._nonsense(meter, shown, fault)
            if payload is not None:
                self._ledger.withheld[fault] += 1
                self._post(meter, Message(topic, payload))
                return True
        return False

    def _nonsense(self, meter: LightMeter, shown: Shown, fault: Fault) -> bytes | None:
        if fault is Fault.OVERSIZE:
            size = self._spell(meter, fault, shown).size
            return b'{"meter": "' + b"x" * round(size * _MB) + b'"}'
        moment, profile = _moment(shown), _mqtt(meter)
        if fault is Fault.WRONG_UNIT_ECHO:
            other = self._meters[(self._meters.index(meter) + 1) % len(self._meters)]
            serial = other.serial if other is not meter else f"{meter.serial}-other"
            return encode_payload(profile, serial, moment, shown.values)
        if fault is not Fault.GARBAGE:
            return None
        whole = encode_payload(profile, meter.serial, moment, shown.values)
        return self._chance.choice(
            (
                whole[: self._chance.randrange(1, len(whole))],
                self._chance.randbytes(64),
                whole.replace(b'"time":"', b'"time":"soon '),
                whole.replace(b":", b";"),
                b"",
            )
        )

    def _keep(self, place: int, shown: Shown) -> None:
        """Hold a reading back as long as batches or faults want it, then publish."""
        meter = self._meters[place]
        kept = self._kept.setdefault(meter.index, [])
        kept.append(shown)
        if Fault.BURST in shown.faults:
            return
        if Fault.OUT_OF_ORDER in shown.faults:
            if len(kept) < self._spell(meter, Fault.OUT_OF_ORDER, shown).size:
                return
            for each in reversed(kept):
                self._send(place, [each])
        elif len(kept) >= self._batch:
            most = max(self._batch, _BURST_BATCH if len(kept) > self._batch else 1)
            for at in range(0, len(kept), most):
                self._send(place, kept[at : at + most])
        else:
            return
        del self._kept[meter.index]

    def _send(self, place: int, shown: list[Shown]) -> None:
        """Publish readings, late, twice or retained as the faults of the last want."""
        meter, last = self._meters[place], shown[-1]
        message = self._message(place, shown)
        if Fault.RETAINED in last.faults:
            message = message._replace(retain=True)
        send = partial(self._post, meter)
        if Fault.SLOW in last.faults:
            self._ledger.withheld[Fault.SLOW] += 1
            delay_ms = round(self._spell(meter, Fault.SLOW, last).size * 1000)
            send = partial(self._post_later, last.shown_ms + delay_ms, meter)
        send(message)
        if Fault.DUPLICATE in last.faults:
            self._ledger.withheld[Fault.DUPLICATE] += 1
            send(message._replace(given=()))

    def _message(self, place: int, shown: Sequence[Shown]) -> Message:
        meter, topic = self._meters[place], self._topics[place]
        profile = _mqtt(meter)
        if len(shown) == 1:
            one = shown[0]
            payload = encode_payload(profile, meter.serial, _moment(one), one.values)
        else:
            readings = [(_moment(each), each.values) for each in shown]
            payload = encode_batch(profile, meter.serial, readings)
        return Message(topic, payload, [_given(meter, each) for each in shown])

    def _post(self, meter: LightMeter, message: Message) -> None:
        self.published += 1
        self._lines[meter.index].post(message)

    def _post_later(self, at_ms: int, meter: LightMeter, message: Message) -> None:
        self._delays += 1  # no two compare equal, and the order is kept
        heapq.heappush(self._delayed, (at_ms, self._delays, meter, message))

    def _spell(self, meter: LightMeter, fault: Fault, shown: Shown) -> Spell:
        spell = meter.spell(fault, shown.shown_ms)
        if spell is None:
            raise LookupError(f"{fault} is not on")
        return spell


def _mqtt(meter: LightMeter) -> MqttProfile:
    if not isinstance(meter.profile, MqttProfile):
        raise TypeError(f"{meter.serial} does not publish")
    return meter.profile


def _moment(shown: Shown) -> datetime:
    return from_utc_us(shown.measured_ms * 1000)


def _given(meter: LightMeter, shown: Shown) -> Given:
    registers: Sequence[float] = registers_of(shown.values)
    if shown.faults:  # which may have brought it beyond the register's digits
        registers = [
            _as_sent(meter, quantity, value)
            for quantity, value in zip(REGISTERS, registers, strict=True)
        ]
    return Given(meter, shown.measured_ms, shown.shown_ms, registers, shown.faults)


def _as_sent(meter: LightMeter, quantity: Quantity, value: float) -> float:
    if quantity not in meter.gives:
        return value
    profile = meter.profile
    return wrapped(value, profile.register_digits, profile.register_resolution)
