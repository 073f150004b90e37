"""What one Sparkplug B edge node has said: births, sequence, deaths. Pure.

A metric counts only under the birth that says which name its alias stands for. Births
are known of an edge node that is alive and of which no message is missing since its
NBIRTH. Where one is, all is refused until it is born again, for the missing message may
have been a birth that gave the aliases other names: a value under a wrong name would be
worse than none. The rebirth that is asked for brings all present values anyway.

A broker may give messages again after a reconnect (QoS 1), and by chance such a one has
the very number that is expected. What was said lately is therefore known by its bytes,
and read again only while the birth under which it was said still holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from meters.payload_error import PayloadError, short
from meters.refusal import Reason
from meters.sparkplug import (
    BIRTH_DEATH,
    SEQUENCE,
    Kind,
    Metric,
    SparkplugPayload,
    metric_named,
    seq_after,
)

_ASK_AGAIN, _ASK_AGAIN_MOST = timedelta(seconds=10), timedelta(minutes=5)
"""A rebirth may take its time, or not help: asked for again after so long, doubling."""
_REMEMBERED = 255
"""Messages of one edge node: fewer than it takes for a number to come again."""
MOST_DEVICES = 2_000
MOST_DEFINITIONS = 100_000
"""Of one edge node: what it may make us remember."""


class Definition(NamedTuple):
    """What a birth says of one metric."""

    name: str
    datatype: int | None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Birth:
    """What a node or device said that it measures."""

    by_name: Mapping[str, Definition]
    by_alias: Mapping[int, Definition | None]
    """None of an alias that two metrics claim."""

    @classmethod
    def of(cls, metrics: Sequence[Metric]) -> "Birth":
        """Read it from the metrics of NBIRTH or DBIRTH."""
        by_name: dict[str, Definition] = {}
        by_alias: dict[int, Definition | None] = {}
        for metric in metrics:
            if metric.name is None:
                continue
            definition = Definition(metric.name, metric.datatype, metric.unit)
            by_name[metric.name] = definition
            if metric.alias is not None:
                known = by_alias.setdefault(metric.alias, definition)
                if known != definition:
                    by_alias[metric.alias] = None
        return cls(by_name, by_alias)

    def definition(self, metric: Metric) -> Definition | None:
        """Return what a metric is; None where the birth does not tell."""
        by_alias = None
        if metric.alias is not None:
            by_alias = self.by_alias.get(metric.alias)
            if by_alias is None:
                return None
        if metric.name is None or by_alias is None:
            return self.by_name.get(metric.name) if metric.name else by_alias
        return by_alias if by_alias.name == metric.name else None


class Named(NamedTuple):
    """A metric under its name."""

    definition: Definition
    metric: Metric


class Said(NamedTuple):
    """What a message says."""

    named: Sequence[Named] = ()
    faults: Sequence[PayloadError] = ()
    is_birth_missing: bool = False
    """Whether the edge node should be born again."""


class EdgeNode:
    """One edge node: feed it with its messages in the order in which they come."""

    def __init__(self) -> None:
        self._births: dict[str | None, Birth] = {}
        self._seq: int | None = None
        """Of the last message; None where messages are missing, or it is dead."""
        self._bd_seq: object = None
        self._numbers: dict[str | None, int] = {}
        """Of the births that hold: each is another one."""
        self._born_so_far = 0
        self._told: dict[int, int | None] = {}
        """What was said lately, by its digest: under which birth, if any."""
        self._why = PayloadError(Reason.NO_BIRTH, "The edge node's birth was not seen.")
        self._asked_at: datetime | None = None
        self._ask_again = _ASK_AGAIN

    def take(
        self, kind: Kind, device: str | None, message: SparkplugPayload, raw: bytes
    ) -> Said:
        """Take one message; return what it says."""
        if kind is Kind.NDEATH:
            return self._dead(message)
        digest = hash((kind, device, raw))
        if digest in self._told:
            return self._again(kind, device, message, self._told[digest])
        said = self._new(kind, device, message)
        # Without a time in it, another message may well have the same bytes.
        if message.timestamp_ms is not None or any(
            metric.timestamp_ms is not None for metric in message.metrics
        ):
            self._told[digest] = self._numbers.get(device)
            if len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
        return said

    def _new(self, kind: Kind, device: str | None, message: SparkplugPayload) -> Said:
        """Take a message that did not come before."""
        if kind is Kind.NBIRTH:
            return self._born(message)
        if self._seq is None:
            return _refused(message, self._why)
        if message.seq != seq_after(self._seq):
            return self._gap(message)
        self._seq = message.seq
        if kind is Kind.DDEATH:
            self._forget(device)
            return Said()
        if kind is Kind.DBIRTH:
            return self._device_born(device, message)
        return self._named(device, message)

    def asks_at(self, now: datetime) -> bool:
        """Say whether to ask for the rebirth now; counts as asked."""
        since = None if self._asked_at is None else now - self._asked_at
        if since is not None and timedelta(0) <= since < self._ask_again:
            return False
        if since is None or since > 2 * _ASK_AGAIN_MOST:
            self._ask_again = _ASK_AGAIN
        else:
            self._ask_again = min(2 * self._ask_again, _ASK_AGAIN_MOST)
        self._asked_at = now
        return True

    def _born(self, message: SparkplugPayload) -> Said:
        """Begin anew: an NBIRTH, whatever was before."""
        if message.seq is None or message.seq >= SEQUENCE:
            text = f"An NBIRTH has seq {message.seq}, not one of 0 to 255."
            return Said(faults=[PayloadError(Reason.NOT_SPARKPLUG, text)])
        self._births, self._numbers = {}, {}
        self._seq = message.seq
        session = metric_named(message.metrics, BIRTH_DEATH)
        self._bd_seq = None if session is None else session.value
        return self._device_born(None, message)

    def _dead(self, message: SparkplugPayload) -> Said:
        """End it, but for a will of a session before the present one."""
        session = metric_named(message.metrics, BIRTH_DEATH)
        if session is None or self._bd_seq in (None, session.value):
            self._lose(Reason.NO_BIRTH, "The edge node died and was not born again.")
        return Said()

    def _lose(self, reason: Reason, text: str) -> None:
        """Believe nothing until it is born again."""
        self._births, self._numbers, self._seq = {}, {}, None
        self._why = PayloadError(reason, text)

    def _device_born(self, device: str | None, message: SparkplugPayload) -> Said:
        """Learn what a device, or the node itself, measures."""
        birth = Birth.of(message.metrics)
        if birth != self._births.get(device):
            self._forget(device)
            known = sum(len(one.by_name) for one in self._births.values())
            if (
                len(self._births) >= MOST_DEVICES
                or known + len(birth.by_name) > MOST_DEFINITIONS
            ):
                text = "The edge node has more devices or metrics than can be believed."
                return Said(faults=[PayloadError(Reason.TOO_LARGE, text)])
            self._births[device] = birth
            self._born_so_far += 1
            self._numbers[device] = self._born_so_far
        return _read(birth, message.metrics, is_birth=True)

    def _forget(self, device: str | None) -> None:
        """Let go of a device's birth."""
        self._births.pop(device, None)
        self._numbers.pop(device, None)

    def _named(self, device: str | None, message: SparkplugPayload) -> Said:
        """Read data under its birth."""
        birth = self._births.get(device)
        if birth is None:
            text = f"Device {short(device)} sends data without a birth."
            return _refused(message, PayloadError(Reason.NO_BIRTH, text))
        return _read(birth, message.metrics)

    def _again(
        self,
        kind: Kind,
        device: str | None,
        message: SparkplugPayload,
        number: int | None,
    ) -> Said:
        """Read what was said before; it changes nothing."""
        if kind in {Kind.NBIRTH, Kind.DBIRTH}:
            return _read(Birth.of(message.metrics), message.metrics, is_birth=True)
        if kind is Kind.DDEATH:
            return Said()
        if number is None or number != self._numbers.get(device):
            text = "Data was given again whose birth does not hold any more, or never."
            fault = _refused(message, PayloadError(Reason.NO_BIRTH, text))
            return fault._replace(is_birth_missing=False)
        return self._named(device, message)

    def _gap(self, message: SparkplugPayload) -> Said:
        """Refuse a message before which others are missing, and what follows."""
        expected = None if self._seq is None else seq_after(self._seq)
        self._lose(
            Reason.SEQUENCE_GAP,
            f"A message of the edge node is missing: seq is {message.seq}, not "
            f"{expected}. Its births may be others now.",
        )
        return _refused(message, self._why)


def _read(birth: Birth, metrics: Sequence[Metric], *, is_birth: bool = False) -> Said:
    """Name the metrics of a message by a birth."""
    named: list[Named] = []
    faults: list[PayloadError] = []
    for metric in metrics:
        definition = birth.definition(metric)
        if definition is None:
            text = f"The birth tells of no metric {metric.label}, or of two."
            faults.append(PayloadError(Reason.UNKNOWN_METRIC, text))
        else:
            named.append(Named(definition, metric))
    # A birth that contradicts itself would be the same again.
    return Said(named, faults, bool(faults) and not is_birth)


def _refused(message: SparkplugPayload, why: PayloadError) -> Said:
    """Refuse all of a message, and have the node born again."""
    times = {metric.timestamp_ms for metric in message.metrics}
    fault = PayloadError(why.reason, why.text, max(1, len(times)))
    return Said(faults=[fault], is_birth_missing=True)
