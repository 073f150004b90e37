"""What the collector counts, for Prometheus.

Served from a thread of its own. For each meter there are eight series and one more for
each reason of refusal that occurred: 10,000 meters make 80,000, which a site may leave
out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.counting.counts import Counters, Counts
from collector.counting.faring_metrics import FaringMetrics
from collector.journal.journal import Journal
from collector.modbus.polled import PolledMeter
from meters.meter import Meter, Transport

Labels = tuple[str, ...]

_HELP = {
    "asked": "Readings asked of meters, or brought by messages",
    "answered": "Readings that came",
    "decoded": "Readings that came and could be read",
    "stored": "Readings stored",
    "repeated": "Readings that were stored already",
    "refused": "Readings in quarantine",
    "failed": "Polls without an answer",
}
_WAITING = "Readings asked for that are not stored, repeated, refused or failed yet"
_REFUSED_FOR = "Readings in quarantine, by reason"


class MetricsError(RuntimeError):
    """The metrics cannot be served; one sentence for people."""


class Metrics:
    """The collector's counts under the names that Prometheus asks for."""

    def __init__(
        self,
        counts: Counters,
        journal: Journal | None = None,
        *,
        polled: Mapping[int, PolledMeter] | None = None,
        per_meter: bool = True,
    ) -> None:
        self.registry = CollectorRegistry()
        self._counts, self._journal = counts, journal
        self._meters: Mapping[tuple[Transport, int], Meter] = {}
        self._register("keywatt_readings", ("transport",), self._by_transport)
        self._register("keywatt_bus_readings", ("transport", "bus"), self._by_bus)
        if per_meter:
            labels = ("transport", "bus", "meter")
            self._register("keywatt_meter_readings", labels, self._by_meter)
        if polled is not None:
            self.registry.register(FaringMetrics(polled, per_meter=per_meter))
        if journal is not None:
            self.registry.register(_JournalMetrics(journal))

    def know(self, meters: Iterable[Meter]) -> None:
        """Learn the names of the meters, as they are now."""
        self._meters = {(meter.transport, meter.meter_id): meter for meter in meters}

    def serve(self, host: str, port: int) -> AbstractContextManager[int]:
        """Serve for the length of the block, which is given the port.

        Raises
        ------
        MetricsError
            Nothing can be served there.

        """
        return _serving(self.registry, host, port)

    def _register(
        self, prefix: str, labels: Labels, rows: Callable[[], "Iterable[_Row]"]
    ) -> None:
        self.registry.register(_CountsMetrics(prefix, labels, rows))

    def _by_transport(self) -> "Iterator[_Row]":
        for transport, counts in self._counts.items():
            reasons: dict[str, int] = {}
            for (_, reason), readings in list(counts.reasons.items()):
                reasons[reason] = reasons.get(reason, 0) + readings
            yield (transport,), counts.total, reasons

    def _by_bus(self) -> "Iterator[_Row]":
        buses: dict[Labels, tuple[list[Counts], dict[str, int]]] = {}
        for (transport, bus, _), counts, reasons in self._by_meter():
            its, by_reason = buses.setdefault((transport, bus), ([], {}))
            its.append(counts)
            for reason, readings in reasons.items():
                by_reason[reason] = by_reason.get(reason, 0) + readings
        for labels, (its, by_reason) in buses.items():
            if labels[1]:
                yield labels, Counts.sum_of(its), by_reason

    def _by_meter(self) -> "Iterator[_Row]":
        meters = self._meters
        for transport, all_counts in self._counts.items():
            refused: dict[int | None, dict[str, int]] = {}
            for (meter_id, reason), readings in list(all_counts.reasons.items()):
                refused.setdefault(meter_id, {})[reason] = readings
            for meter_id, counts in list(all_counts.meters.items()):
                meter = meters.get((transport, meter_id))
                name = meter.serial if meter is not None else f"id {meter_id}"
                bus = bus_of(meter) if meter is not None else ""
                # A copy: the collector goes on counting, and the sums must close.
                yield (transport, bus, name), copy(counts), refused.get(meter_id, {})


_Row = tuple[Labels, Counts, Mapping[str, int]]


def bus_of(meter: Meter) -> str:
    """Name the bus of a meter: what its requests share; empty where there is none."""
    return meter.bus.place if meter.transport is Transport.MODBUS else ""


class _CountsMetrics(Collector):
    """Counts of many, each with its labels."""

    def __init__(
        self, prefix: str, labels: Labels, rows: Callable[[], Iterable[_Row]]
    ) -> None:
        self._prefix, self._labels, self._rows = prefix, labels, rows

    def describe(self) -> list[Metric]:
        """Name the families, so that one can be asked for alone."""
        return self._families([])

    def collect(self) -> list[Metric]:
        """Take the numbers of this moment."""
        return self._families(list(self._rows()))

    def _families(self, rows: Sequence[_Row]) -> list[Metric]:
        families: list[Metric] = []
        for name, text in _HELP.items():
            counter = CounterMetricFamily(
                f"{self._prefix}_{name}", text, labels=self._labels
            )
            for labels, counts, _ in rows:
                counter.add_metric(labels, getattr(counts, name))
            families.append(counter)
        gauge = GaugeMetricFamily(
            f"{self._prefix}_waiting", _WAITING, labels=self._labels
        )
        refused = CounterMetricFamily(
            f"{self._prefix}_refused_for",
            _REFUSED_FOR,
            labels=(*self._labels, "reason"),
        )
        for labels, counts, reasons in rows:
            gauge.add_metric(labels, counts.waiting + counts.under_way)
            for reason, readings in reasons.items():
                refused.add_metric((*labels, reason), readings)
        return [*families, gauge, refused]


class _JournalMetrics(Collector):
    """How full the journal is."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def collect(self) -> list[Metric]:
        """Take the numbers of this moment."""
        journal = self._journal
        numbers = {
            "keywatt_journal_bytes": ("Bytes the journal takes", journal.used_bytes),
            "keywatt_journal_most_bytes": ("Bytes it may take", journal.most_bytes),
            "keywatt_journal_readings": ("Readings that wait in it", journal.waiting),
            "keywatt_journal_alarm": ("1 = nearly full", float(journal.is_alarmed)),
        }
        return [
            GaugeMetricFamily(name, text, value=value)
            for name, (text, value) in numbers.items()
        ]

    def describe(self) -> list[Metric]:
        """As in `collect`."""
        return self.collect()


@contextmanager
def _serving(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as exc:
        raise MetricsError(
            f"Metrics cannot be served on {host}:{port} ({exc.strerror}): choose "
            "another KEYWATT_METRICS_PORT or KEYWATT_METRICS_HOST."
        ) from exc
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
