"""How polled meters fare, for Prometheus: by bus, and those alone that are not well."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.modbus.polled import PolledMeter

_BUS = {
    "meters": "Meters that are asked on a bus",
    "meters_in_trouble": "Of these, those that are not read now",
    "meters_backing_off": "Of these, those that are left alone for a while",
    "reachable": "1 = it can be reached, or was not tried since it could",
}


@dataclass(slots=True)
class _Bus:
    meters: int = 0
    meters_in_trouble: int = 0
    meters_backing_off: int = 0
    reachable: int = 1


class FaringMetrics(Collector):
    """Four series a bus, and two at most for each meter that is not well."""

    def __init__(self, polled: Mapping[int, PolledMeter], *, per_meter: bool) -> None:
        self._polled, self._per_meter = polled, per_meter

    def describe(self) -> list[Metric]:
        """Name the families, so that one can be asked for alone."""
        return self._families([])

    def collect(self) -> list[Metric]:
        """Take the numbers of this moment."""
        return self._families(list(self._polled.values()))

    def _families(self, polled: Sequence[PolledMeter]) -> list[Metric]:
        buses: dict[str, _Bus] = {}
        for one in polled:
            bus = buses.setdefault(one.meter.bus.place, _Bus())
            bus.meters += 1
            bus.meters_in_trouble += bool(one.health.trouble)
            bus.meters_backing_off += bool(one.health.breaker.failures)
            bus.reachable = int(not one.bus.breaker.failures)
        families = [
            _filled(
                f"keywatt_bus_{name}",
                text,
                ("bus",),
                [((place,), getattr(bus, name)) for place, bus in buses.items()],
            )
            for name, text in _BUS.items()
        ]
        return [*families, *self._of_meters(polled)]

    def _of_meters(self, polled: Sequence[PolledMeter]) -> Iterator[Metric]:
        if not self._per_meter:
            return
        labels = ("bus", "meter")
        named = [
            ((one.meter.bus.place, one.meter.serial), one.health) for one in polled
        ]
        yield _filled(
            "keywatt_meter_in_trouble_since_seconds",
            "Since when a meter is not read, in seconds since 1970; only of those",
            labels,
            [
                (name, health.trouble_since.timestamp())
                for name, health in named
                if health.trouble and health.trouble_since is not None
            ],
        )
        yield _filled(
            "keywatt_meter_holes",
            "Quantities that a meter does not have though its type does; only of those",
            labels,
            [(name, len(health.missing)) for name, health in named if health.missing],
        )


def _filled(
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Sequence[tuple[tuple[str, ...], float]],
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
