"""Meters entered into a test's database, and what became of their readings."""

from collections import Counter
from datetime import UTC, datetime

import psycopg

from meters.meter import Meter
from storage.database import connect
from storage.master import load_meters

INSTALLED_AT = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = """
    INSERT INTO account (code, name, sector, time_zone, country, manager, currency)
    VALUES (%(code)s, 'Mill', 'steel', 'Europe/Paris', 'FR', 'ann', 'EUR')
    RETURNING account_id
"""
POINT = """
    INSERT INTO point (account_id, name) VALUES (%(account_id)s, 'main')
    RETURNING point_id
"""
METER = """
    INSERT INTO meter (serial, profile, transport, host, port, unit, poll_every_s)
    VALUES (%(serial)s, %(profile)s, %(transport)s, %(host)s, %(port)s, %(unit)s,
            %(poll_every_s)s)
    RETURNING meter_id
"""
INSTALLATION = """
    INSERT INTO installation (
        point_id, meter_id, installed_at, register_digits, register_resolution)
    VALUES (%(point_id)s, %(meter_id)s, %(installed_at)s, 9, 0.01)
"""


def enter_meters(url: str, *meters: dict[str, object]) -> list[Meter]:
    """Install meters, each at a point of its own; only `serial` must be given."""
    with connect(url) as conn:
        for meter in meters:
            _enter(conn, meter)
        return load_meters(conn)


def _enter(conn: psycopg.Connection, meter: dict[str, object]) -> None:
    row = {
        "profile": "keywatt-json" if "host" not in meter else "eastron-sdm630",
        "transport": "mqtt" if "host" not in meter else "modbus",
        "host": None,
        "port": None,
        "unit": None,
        "poll_every_s": 0.1,
        "installed_at": INSTALLED_AT,
        "code": str(meter["serial"]).lower(),
    } | meter
    for statement in (ACCOUNT, POINT, METER):
        returned = conn.execute(statement, row)
        row[returned.description[0].name] = returned.fetchone()[0]
    conn.execute(INSTALLATION, row)


def stored(url: str) -> list[tuple[str, datetime, float]]:
    """Return serial, time and imported energy of all that is stored, by time."""
    with connect(url) as conn:
        return conn.execute(
            "SELECT serial, measured_at, energy_import_kwh"
            "  FROM reading JOIN meter USING (meter_id) ORDER BY measured_at, serial"
        ).fetchall()


def outcomes(url: str) -> Counter[tuple[str, str]]:
    """Readings counted in the database, by transport and outcome."""
    with connect(url) as conn:
        rows = conn.execute(
            "SELECT transport, outcome, readings FROM collection_count"
        ).fetchall()
    counted: Counter[tuple[str, str]] = Counter()
    for transport, outcome, readings in rows:
        counted[transport, outcome] += readings
    return counted


def quarantined(url: str) -> list[tuple[str, str, bytes]]:
    """Return reason, source and raw bytes of what was refused, in order."""
    with connect(url) as conn:
        return conn.execute(
            "SELECT reason, source, raw FROM quarantine ORDER BY quarantine_id"
        ).fetchall()
