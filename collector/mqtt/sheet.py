"""Messages that came together, judged together: one array instead of many objects.

What is plain and right goes through as columns. Every other message is judged alone and
thoroughly, so that each refusal says what is wrong with it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from collector.mqtt.packets import Message as Received
from collector.mqtt.speaker import Speaker, judge
from meters.bounds import believable
from meters.heard import Heard, Message
from meters.listening import Listener
from meters.payload_rows import Row
from meters.quantity import QUANTITIES
from meters.ratios import Statement
from meters.reading import Reading, ReadingBatch, batch_of, joined, utc_us
from meters.refusal import Refusal


def as_heard(received: Received, arrived_at: datetime) -> Message:
    """Return a message as a listener takes it."""
    topic, payload, _, is_retained, size = received
    return Message(topic, payload, arrived_at, is_retained, size)


class Judged(NamedTuple):
    """What became of messages."""

    batch: ReadingBatch
    refusals: Sequence[Refusal]
    stated: Sequence[Statement] = ()


class Sheet:
    """Rows of the messages that came together."""

    def __init__(self, received_at: datetime, listener: Listener) -> None:
        self._received_at, self._listener = received_at, listener
        self._times_us: list[int] = []
        self._rows: list[Row] = []
        self._heard: list[tuple[Speaker, Received]] = []
        self._ends: list[int] = []
        """How many rows there are after each of these messages."""
        self._odd: list[Received] = []
        self._readings: list[Reading] = []
        self._refusals: list[Refusal] = []
        self._stated: list[Statement] = []

    def add(self, speaker: Speaker, message: Received) -> None:
        """Read one message that should be plain."""
        if speaker.reader.read(
            message.payload, speaker.meter.serial, self._times_us, self._rows
        ):
            self._heard.append((speaker, message))
            self._ends.append(len(self._rows))
        else:
            self._odd.append(message)

    def add_heard(self, message: Message, heard: Heard) -> None:
        """Judge what a listener heard of one message."""
        readings, refusals = judge(message, heard)
        self._readings += readings
        self._refusals += refusals
        self._stated += heard.stated

    def judged(self) -> Judged:
        """Sort all that was read into believed and refused."""
        batch = self._believed()
        for received in self._odd:
            message = as_heard(received, self._received_at)
            heard = self._listener.hear(message)
            if heard is not None:  # its topic has a speaker
                self.add_heard(message, heard)
        if self._readings:
            batch = joined([batch, batch_of(self._readings)])
        return Judged(batch, self._refusals, self._stated)

    def _believed(self) -> ReadingBatch:
        """Return the rows of all messages that are right; the others are odd."""
        if not self._rows:
            return batch_of([])
        values = np.frombuffer(b"".join(self._rows)).reshape(-1, len(QUANTITIES))
        counts = np.diff(self._ends, prepend=0)
        stays = [
            (speaker.meter.meter_id, speaker.stay.from_us, speaker.stay.until_us)
            for speaker, _ in self._heard
        ]
        meter_id, from_us, until_us = np.repeat(
            np.array(stays, dtype=np.int64), counts, axis=0
        ).T
        now_us = utc_us(self._received_at)
        batch = ReadingBatch(
            meter_id=meter_id.astype(np.int32),
            measured_us=np.array(self._times_us, dtype=np.int64),
            received_us=np.full(meter_id.size, now_us, dtype=np.int64),
            values=values,
        )
        right = believable(batch, from_us, until_us, now_us)
        right &= ~np.isnan(values).all(axis=1)  # a reading needs a value
        if right.all():
            return batch
        of_message = np.repeat(np.arange(counts.size), counts)
        odd = np.unique(of_message[~right])
        self._odd += [self._heard[number][1] for number in odd]
        return batch[~np.isin(of_message, odd)]
