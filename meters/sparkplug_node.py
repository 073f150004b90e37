"""What one Sparkplug B edge node has said: births, sequence, deaths. Pure.

A metric counts only under the birth that says which name its alias stands for. Births
are known of an edge node that is alive and of which no message is missing since its
NBIRTH. Where one is, all is refused until it is born again, for the missing message may
have been a birth that gave the aliases other names: a value under a wrong name would be
worse than none. The rebirth that is asked for brings all present values anyway.

A broker may give messages again after a reconnect (QoS 1). What was just said is known
by its number and bytes, and read under the birth of then.
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
MOST_DEVICES = 2_000
MOST_DEFINITIONS = 100_000
"""Of one edge node: what it may make us remember."""


class Definition(NamedTuple):
    """What a birth says of one metric."""

    name: str
    datatype: int | None


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
            definition = Definition(metric.name, metric.datatype)
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


class _Told(NamedTuple):
    """A message that was taken, to know it again."""

    device: str | None
    digest: int
    birth: Birth | None


class EdgeNode:
    """One edge node: feed it with its messages in the order in which they come."""

    def __init__(self) -> None:
        self._births: dict[str | None, Birth] = {}
        self._seq: int | None = None
        """Of the last message; None where messages are missing, or it is dead."""
        self._bd_seq: object = None
        self._told: dict[int, _Told] = {}
        self._why = PayloadError(Reason.NO_BIRTH, "The edge node's birth was not seen.")
        self._asked_at: datetime | None = None
        self._ask_again = _ASK_AGAIN

    def take(
        self, kind: Kind, device: str | None, message: SparkplugPayload, raw: bytes
    ) -> Said:
        """Take one message; return what it says."""
        if kind is Kind.NBIRTH:
            return self._born(message, raw)
        if kind is Kind.NDEATH:
            return self._dead(message)
        digest = hash((kind, device, raw))
        if self._seq is None:
            return self._unknown(message)
        if message.seq != seq_after(self._seq):
            told = self._told.get(-1 if message.seq is None else message.seq)
            if told is not None and (told.device, told.digest) == (device, digest):
                return self._again(kind, message, told)
            return self._gap(message)
        self._seq = seq_after(self._seq)
        said = self._in_order(kind, device, message)
        birth = self._births.get(device)
        self._told[self._seq] = _Told(device, digest, birth)
        return said

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

    def _born(self, message: SparkplugPayload, raw: bytes) -> Said:
        """Begin anew: an NBIRTH, whatever was before."""
        if message.seq is None or message.seq >= SEQUENCE:
            text = f"An NBIRTH has seq {message.seq}, not one of 0 to 255."
            return Said(faults=[PayloadError(Reason.NOT_SPARKPLUG, text)])
        birth = Birth.of(message.metrics)
        self._births = {None: birth}
        self._seq = message.seq
        session = metric_named(message.metrics, BIRTH_DEATH)
        self._bd_seq = None if session is None else session.value
        self._told = {message.seq: _Told(None, hash((Kind.NBIRTH, None, raw)), birth)}
        return _read(birth, message.metrics, is_birth=True)

    def _dead(self, message: SparkplugPayload) -> Said:
        """End it, but for a will of a session before the present one."""
        session = metric_named(message.metrics, BIRTH_DEATH)
        if session is None or self._bd_seq in (None, session.value):
            self._lose(Reason.NO_BIRTH, "The edge node died and was not born again.")
        return Said()

    def _lose(self, reason: Reason, text: str) -> None:
        """Believe nothing until it is born again."""
        self._births, self._told, self._seq = {}, {}, None
        self._why = PayloadError(reason, text)

    def _in_order(
        self, kind: Kind, device: str | None, message: SparkplugPayload
    ) -> Said:
        """Take a message whose number is right."""
        if kind is Kind.DDEATH:
            self._forget(device)
            return Said()
        if kind is Kind.DBIRTH:
            return self._device_born(device, message)
        known = self._births.get(device)
        if known is None:
            return _unborn(message, device)
        return _read(known, message.metrics)

    def _device_born(self, device: str | None, message: SparkplugPayload) -> Said:
        """Learn what a device measures."""
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
        return _read(birth, message.metrics, is_birth=True)

    def _forget(self, device: str | None) -> None:
        """Let go of a device's birth, and of what was said under it."""
        self._births.pop(device, None)
        for seq in [seq for seq, one in self._told.items() if one.device == device]:
            del self._told[seq]

    def _again(self, kind: Kind, message: SparkplugPayload, told: _Told) -> Said:
        """Read what was said before, under the birth of then; it changes nothing."""
        if kind is Kind.DDEATH:
            return Said()
        if told.birth is None:
            return _unborn(message, told.device)
        return _read(told.birth, message.metrics, is_birth=kind is Kind.DBIRTH)

    def _gap(self, message: SparkplugPayload) -> Said:
        """Refuse a message before which others are missing, and what follows."""
        expected = None if self._seq is None else seq_after(self._seq)
        self._lose(
            Reason.SEQUENCE_GAP,
            f"A message of the edge node is missing: seq is {message.seq}, not "
            f"{expected}. Its births may be others now.",
        )
        return _refused(message, self._why)

    def _unknown(self, message: SparkplugPayload) -> Said:
        """Refuse what comes while no birth is known."""
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


def _unborn(message: SparkplugPayload, device: str | None) -> Said:
    """Refuse data of a device that has told of no metrics."""
    text = f"Device {short(device)} sends data without a birth."
    return _refused(message, PayloadError(Reason.NO_BIRTH, text))


def _refused(message: SparkplugPayload, why: PayloadError) -> Said:
    """Refuse all of a message, and have the node born again."""
    times = {metric.timestamp_ms for metric in message.metrics}
    fault = PayloadError(why.reason, why.text, max(1, len(times)))
    return Said(faults=[fault], is_birth_missing=True)
