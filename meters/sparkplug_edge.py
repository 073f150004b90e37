"""A Sparkplug B edge node as the simulators play it: births, data, deaths. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from meters.mqtt_profile import MqttProfile, PayloadField
from meters.quantity import Quantity
from meters.ratios import Ratios
from meters.reading import utc_us
from meters.registers import exact, wrapped
from meters.sparkplug import (
    BIRTH_DEATH,
    REBIRTH,
    Kind,
    Metric,
    SparkplugPayload,
    SparkplugTopic,
    encode_sparkplug,
    seq_after,
)
from meters.sparkplug_types import DataType

Sent = tuple[str, bytes]
"""Topic and payload."""
Values = Mapping[Quantity, float]


class SparkplugEdge:
    """One edge node whose devices are meters of one profile."""

    def __init__(
        self,
        profile: MqttProfile,
        group: str,
        node: str,
        ratios: Ratios | None = None,
    ) -> None:
        self._profile, self._ratios = profile, ratios
        self._namespace = profile.topic_form.levels[0]
        self._group, self._node = group, node
        self._devices: list[str | None] = []
        self._seq, self._session = 0, 0

    def will(self) -> Sent:
        """Return NDEATH, to be left with the broker before the node connects."""
        session = Metric(name=BIRTH_DEATH, datatype=DataType.INT64, value=self._session)
        return self._sent(Kind.NDEATH, None, SparkplugPayload(metrics=(session,)))

    def birth(
        self, at: datetime, devices: Mapping[str | None, Values | None]
    ) -> list[Sent]:
        """Return NBIRTH and a DBIRTH of each device.

        Parameters
        ----------
        at : datetime
            Of the values.
        devices : mapping
            What each device (None: the node itself) measures now; None where that is
            not known yet.

        """
        self._devices = [None, *(device for device in devices if device is not None)]
        self._seq = 255
        control = (
            Metric(name=BIRTH_DEATH, datatype=DataType.INT64, value=self._session),
            Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False),
        )
        return [
            self._numbered(
                Kind.NBIRTH if device is None else Kind.DBIRTH,
                device,
                at,
                (*(control if device is None else ()), *self._defined(device, values)),
            )
            for device, values in ({None: None} | dict(devices)).items()
        ]

    def data(
        self, device: str | None, readings: Sequence[tuple[datetime, Values]]
    ) -> Sent:
        """Return NDATA or DDATA: by alias, all but the last reading as history.

        Raises
        ------
        ValueError
            If the device was not born, or there is nothing to send.

        """
        metrics = [
            Metric(
                alias=self._alias(device, field),
                timestamp_ms=utc_us(at) // 1000,
                is_historical=number < len(readings),
                value=value,
            )
            for number, (at, values) in enumerate(readings, start=1)
            for field in self._profile.fields
            if (value := self._shown(field, values)) is not None
        ]
        if not metrics:
            raise ValueError("a reading needs a value")
        kind = Kind.NDATA if device is None else Kind.DDATA
        return self._numbered(kind, device, readings[-1][0], metrics)

    def death(self, device: str, at: datetime) -> Sent:
        """Return DDEATH."""
        self._devices.remove(device)
        return self._numbered(Kind.DDEATH, device, at, ())

    def _defined(self, device: str | None, values: Values | None) -> list[Metric]:
        """Return the metrics of a birth, null where not measured."""
        if values is None and device is None:
            return []
        given = values or {}
        measured = [
            Metric(
                name=field.path,
                alias=self._alias(device, field),
                datatype=DataType.DOUBLE,
                is_null=self._shown(field, given) is None,
                value=self._shown(field, given),
                unit=field.quantity.unit if field.scale == 1 else None,
            )
            for field in self._profile.fields
        ]
        return [*measured, *self._stated()]

    def _stated(self) -> list[Metric]:
        """Return what was set in the meters; told by births alone, so by name."""
        if self._ratios is None:
            return []
        return [
            Metric(
                name=one.path,
                datatype=DataType.DOUBLE,
                value=self._ratios.side(one.name),
            )
            for one in self._profile.ratio
        ]

    def _alias(self, device: str | None, field: PayloadField) -> int:
        """Return a metric's alias, unique in the edge node."""
        fields = self._profile.fields
        return self._devices.index(device) * len(fields) + fields.index(field)

    def _shown(self, field: PayloadField, values: Values) -> float | None:
        """Turn a value into the metric's unit, energy in whole counts."""
        value = values.get(field.quantity, math.nan)
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise ValueError(f"{field.quantity} is infinite")
        if field.quantity.is_register:
            digits = self._profile.register_digits
            value = wrapped(value, digits, self._profile.register_resolution)
        numerator, denominator = exact(field.scale)
        return value * denominator / numerator

    def _numbered(
        self,
        kind: Kind,
        device: str | None,
        at: datetime,
        metrics: Sequence[Metric],
    ) -> Sent:
        """Return a message with the next number."""
        self._seq = seq_after(self._seq)
        payload = SparkplugPayload(
            timestamp_ms=utc_us(at) // 1000, seq=self._seq, metrics=tuple(metrics)
        )
        return self._sent(kind, device, payload)

    def _sent(self, kind: Kind, device: str | None, payload: SparkplugPayload) -> Sent:
        topic = SparkplugTopic(self._namespace, self._group, kind, self._node, device)
        return str(topic), encode_sparkplug(payload)
