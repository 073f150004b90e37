"""Messages that came together, judged together: one array instead of many objects.

What is plain and right goes through as columns. Every other message is judged alone and
thoroughly, so that each refusal says what is wrong with it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from collector.mqtt.packets import Message
from collector.mqtt.speaker import Speaker
from meters.bounds import believable
from meters.payload_rows import Row
from meters.reading import ReadingBatch, batch_of, joined, utc_us
from meters.refusal import Refusal


class Judged(NamedTuple):
    """What became of messages."""

    batch: ReadingBatch
    refusals: Sequence[Refusal]


class Sheet:
    """Rows of the messages that came together."""

    def __init__(self, received_at: datetime) -> None:
        self._received_at = received_at
        self._times_us: list[int] = []
        self._rows: list[Row] = []
        self._heard: list[tuple[Speaker, Message]] = []
        self._ends: list[int] = []
        """How many rows there are after each of these messages."""
        self._odd: list[tuple[Speaker, Message]] = []

    def add(self, speaker: Speaker, message: Message) -> None:
        """Read one message."""
        reader = speaker.reader
        if reader is not None and reader.read(
            message.payload, speaker.meter.serial, self._times_us, self._rows
        ):
            self._heard.append((speaker, message))
            self._ends.append(len(self._rows))
        else:
            self._odd.append((speaker, message))

    def judged(self) -> Judged:
        """Sort all that was read into believed and refused."""
        batch = self._believed()
        if not self._odd:
            return Judged(batch, ())
        readings, refusals = [], []
        for speaker, message in self._odd:
            more_readings, more_refusals = speaker.judge(message, self._received_at)
            readings += more_readings
            refusals += more_refusals
        return Judged(joined([batch, batch_of(readings)]), refusals)

    def _believed(self) -> ReadingBatch:
        """Return the rows of all messages that are right; the others are odd."""
        if not self._rows:
            return batch_of([])
        try:
            values = np.array(self._rows, dtype=np.float64)
        except OverflowError:  # a whole number beyond all measure
            self._odd += self._heard
            return batch_of([])
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
        self._odd += [self._heard[number] for number in odd]
        return batch[~np.isin(of_message, odd)]
