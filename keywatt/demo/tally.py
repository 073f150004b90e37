"""Whether every reading that a meter gave has been accounted for."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from keywatt.demo.history import Filled
from meters.meter import Transport
from storage.health import load_outcomes


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What the database's ledger says of one transport, in readings."""

    stored: int = 0
    repeated: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """All that arrived."""
        return self.stored + self.repeated + self.refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Readings of one transport: sent = stored + repeated + refused + lost."""

    sent: int
    """Given whole by the meters, as they counted themselves."""
    stored: int
    repeated: int
    refused: int
    lost: int


Ledger = dict[Transport, Collected]


def read_ledger(conn: Connection[TupleRow]) -> Ledger:
    """Return what became of all readings that ever arrived."""
    counts = {transport: {"stored": 0, "repeated": 0} for transport in Transport}
    refused = dict.fromkeys(Transport, 0)
    for row in load_outcomes(conn):
        transport = Transport(row.transport)
        if row.outcome in counts[transport]:
            counts[transport][row.outcome] = row.readings
        else:
            refused[transport] += row.readings
    return {t: Collected(**counts[t], refused=refused[t]) for t in Transport}


def since(then: Ledger, now: Ledger, history: Filled) -> Ledger:
    """Return what the collector made of the readings since `then`, history apart."""
    return {
        t: Collected(
            stored=now[t].stored - then[t].stored - history.stored[t],
            repeated=now[t].repeated - then[t].repeated - history.repeated[t],
            refused=now[t].refused - then[t].refused,
        )
        for t in Transport
    }


def tally(sent: dict[Transport, int], collected: Ledger) -> dict[str, dict[str, int]]:
    """Hold what meters gave against what arrived, by transport.

    Examples
    --------
    >>> arrived = {t: Collected(stored=7, refused=1) for t in Transport}
    >>> tally({Transport.MODBUS: 9, Transport.MQTT: 8}, arrived)["modbus"]["lost"]
    1

    """
    return {
        str(t): asdict(
            Tally(
                sent=sent[t],
                stored=collected[t].stored,
                repeated=collected[t].repeated,
                refused=collected[t].refused,
                lost=sent[t] - collected[t].total,
            )
        )
        for t in Transport
    }


def write_sent(file: Path, sent: dict[Transport, int]) -> None:
    """Leave for the demo how many readings the simulated meters gave."""
    file.write_text(json.dumps(sent), "utf-8")


def read_sent(file: Path) -> dict[Transport, int]:
    """Inverse of `write_sent`."""
    content = json.loads(file.read_text("utf-8"))
    return {transport: int(content[transport]) for transport in Transport}
