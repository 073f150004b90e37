"""What Prometheus is told, of a collector at work and of ten thousand meters."""

import asyncio
import socket
import urllib.request
from collections import defaultdict
from urllib.parse import urlencode

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.counting.counts import new_counters
from collector.counting.metrics import Metrics, MetricsError
from collector.journal.journal import Journal
from collector.run import collect
from meters.meter import Meter, Transport
from meters.refusal import Reason
from storage.database import connect
from tests.collector.master import enter_meters, outcomes
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.test_run import now, payload, send, subscribed, topic
from tests.collector.waiting import until
from tests.fix_broker import HOST

OUTCOMES = ("stored", "repeated", "refused", "failed")


def scraped(port: int, *names: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what is served: by series' name and labels in the order of their names."""
    query = urlencode([("name[]", name) for name in names])
    url = f"http://{HOST}:{port}/metrics?{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            found[sample.name][labels] = sample.value
    return found


def check_sums(found, prefix: str) -> None:
    """asked = stored + repeated + refused + failed + waiting, for all that is shown."""
    asked = found[f"{prefix}_asked_total"]
    assert asked
    for labels, readings in asked.items():
        parts = sum(found[f"{prefix}_{name}_total"][labels] for name in OUTCOMES)
        assert readings == parts + found[f"{prefix}_waiting"][labels], labels


SUMS = """
    SELECT serial, sum(asked)::int, sum(stored)::int, sum(repeated)::int,
           sum(refused)::int, sum(failed)::int
      FROM meter_hour JOIN meter USING (meter_id) GROUP BY serial ORDER BY serial
"""


def check_the_database(database, final) -> None:
    """What is counted there by meter is what is served."""
    with connect(database) as conn:
        rows = conn.execute(SUMS).fetchall()
    columns = ("asked", *OUTCOMES)
    for meter_, *numbers in rows:
        (labels,) = (
            each
            for each in final["keywatt_meter_readings_asked_total"]
            if each[1] == meter_
        )
        told = [final[f"keywatt_meter_readings_{c}_total"][labels] for c in columns]
        assert numbers == told, meter_
    assert len(rows) == 5


def test_the_sums_close_on_the_endpoint_and_in_the_database(
    database, broker, unique, tmp_path
) -> None:
    serial, stranger = f"C-{unique}", f"X-{unique}"
    good = [(topic(serial), payload(serial, n / 100, n)) for n in range(50)]
    bad = [
        (topic(serial), b"no JSON"),
        (topic(serial), payload(serial, 3, -1.0)),
        (topic(stranger), payload(stranger)),
    ]
    counts = new_counters()
    final: dict[str, dict[tuple[str, ...], float]] = {}

    async def run() -> None:
        journal = Journal.open(tmp_path / "j", most_bytes=2_000_000)
        metrics = Metrics(counts, journal)
        await subscribed(broker, unique)
        silent = Unit(1, delay_s=float("inf"))  # its poll is always under way
        async with gateway(Unit(1), Unit(2)) as port, gateway(silent) as silence:
            at = {"host": HOST, "port": port}
            enter_meters(
                database,
                {"serial": f"A-{unique}", **at, "unit": 1},
                {"serial": f"B-{unique}", **at, "unit": 2},
                {"serial": f"D-{unique}", "host": HOST, "port": 1, "unit": 3},
                {"serial": f"E-{unique}", "host": HOST, "port": silence, "unit": 1},
                {"serial": serial},
            )
            with metrics.serve(HOST, 0) as served:
                task = asyncio.create_task(
                    collect(
                        *(database, broker, now),
                        journal=journal,
                        counts=counts,
                        on_meters=metrics.know,
                        client_id=unique,
                        refresh_every_s=0.1,
                        timeout_s=20.0,
                    )
                )
                mqtt, modbus = counts[Transport.MQTT], counts[Transport.MODBUS]
                await until(lambda: modbus.failed and modbus.repeated)
                await until(lambda: silent.asked_at)
                await send(broker, *good, *bad, *good[:7])
                await until(lambda: mqtt.answered == 60 and not mqtt.waiting)
                found = await asyncio.to_thread(scraped, served)
                for prefix in ("", "_bus", "_meter"):
                    check_sums(found, f"keywatt{prefix}_readings")
                task.cancel()
                await asyncio.wait([task])
                final.update(await asyncio.to_thread(scraped, served))
                address = f"{HOST}:{port}"
        refused = final["keywatt_readings_refused_for_total"]
        assert refused["not-json", "mqtt"] == refused["unknown-meter", "mqtt"] == 1
        stored = final["keywatt_readings_stored_total"]
        assert stored["mqtt",] == 50
        assert final["keywatt_readings_repeated_total"]["mqtt",] == 7
        # Two were not even decoded: not JSON, and of no meter.
        assert final["keywatt_readings_decoded_total"]["mqtt",] == 58
        of_bus = final["keywatt_bus_readings_stored_total"]
        assert of_bus[address, "modbus"] == stored["modbus",] == 2
        of_meter = final["keywatt_meter_readings_refused_for_total"]
        assert of_meter["", serial, "negative-energy", "mqtt"] == 1
        assert final["keywatt_journal_readings"][()] == 0
        assert final["keywatt_journal_most_bytes"][()] == 2_000_000

    asyncio.run(run())
    for prefix in ("", "_bus", "_meter"):
        check_sums(final, f"keywatt{prefix}_readings")
        assert not any(final[f"keywatt{prefix}_readings_waiting"].values())
    check_the_database(database, final)
    counted = outcomes(database)
    for transport, of_it in counts.items():
        in_database = sum(n for (t, _), n in counted.items() if t == transport)
        assert in_database == of_it.asked
        assert counted[transport, "failed"] == of_it.failed


def meter(meter_id: int) -> Meter:
    return Meter(
        meter_id=meter_id,
        serial=f"M{meter_id}",
        profile="eastron-sdm630",
        transport=Transport.MODBUS,
        host="10.0.0.1",
        port=502 + meter_id % 50,
        unit=1,
    )


@pytest.mark.parametrize("per_meter", [True, False])
def test_ten_thousand_meters_can_be_served_or_left_out(per_meter) -> None:
    counts = new_counters()
    metrics = Metrics(counts, per_meter=per_meter)
    meters = [meter(number) for number in range(1, 10_001)]
    metrics.know(meters)
    for each in meters:
        one = counts[Transport.MODBUS].of(each.meter_id)
        one.asked = one.answered = one.stored = each.meter_id
    counts[Transport.MODBUS].reasons[7, Reason.OUT_OF_RANGE] = 3
    with metrics.serve(HOST, 0) as port:
        found = scraped(port)
        only = scraped(port, "keywatt_readings_stored_total")
    assert len(found["keywatt_meter_readings_stored_total"]) == 10_000 * per_meter
    assert len(found["keywatt_bus_readings_stored_total"]) == 50
    # 1 + 2 + … + 10,000 = 10,000 * 10,001 / 2.
    assert found["keywatt_readings_stored_total"]["modbus",] == 50_005_000
    assert sum(found["keywatt_bus_readings_stored_total"].values()) == 50_005_000
    assert set(only) == {"keywatt_readings_stored_total"}


def test_a_port_in_use_is_said() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(MetricsError) as said,
            Metrics(new_counters()).serve(HOST, port),
        ):
            pass
    assert str(said.value) == (
        f"Metrics cannot be served on {HOST}:{port} (Address already in use): choose "
        "another KEYWATT_METRICS_PORT or KEYWATT_METRICS_HOST."
    )
