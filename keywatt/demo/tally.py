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
    """Readings of one transport: sent is the sum of all the others."""

    sent: int
    """Given whole by the meters, as they counted themselves."""
    stored: int
    repeated: int
    refused: int
    unheard: int
    """Given by a polled meter when the collector had stopped waiting for them: such an
    answer must not be believed, and the next poll has what it said."""
    lost: int


Counted = dict[Transport, int]
Ledger = dict[Transport, Collected]


def read_ledger(conn: Connection[TupleRow]) -> Ledger:
    """Return what became of all readings that ever arrived."""
    counts = {transport: {"stored": 0, "repeated": 0} for transport in Transport}
    refused = dict.fromkeys(Transport, 0)
    for row in load_outcomes(conn):
        transport = Transport(row.transport)
        if row.outcome == "failed":  # it brought nothing
            continue
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


def tally(
    sent: Counted, fruitless: Counted, collected: Ledger
) -> dict[str, dict[str, int]]:
    """Hold what meters gave against what arrived, by transport.

    Parameters
    ----------
    sent
        By the meters' own count.
    fruitless
        Polls that brought the collector nothing, by its own count: no more readings
        than these can have gone unheard. A message is never asked for.
    collected
        What the database says of them.

    Examples
    --------
    >>> arrived = {t: Collected(stored=7, refused=1) for t in Transport}
    >>> sent = {Transport.MODBUS: 10, Transport.MQTT: 8}
    >>> found = tally(sent, {Transport.MODBUS: 1, Transport.MQTT: 0}, arrived)["modbus"]
    >>> found["unheard"], found["lost"]
    (1, 1)

    """
    result = {}
    for transport in Transport:
        arrived, given = collected[transport], sent[transport]
        unheard = max(0, min(given - arrived.total, fruitless[transport]))
        result[str(transport)] = asdict(
            Tally(
                sent=given,
                stored=arrived.stored,
                repeated=arrived.repeated,
                refused=arrived.refused,
                unheard=unheard,
                lost=given - unheard - arrived.total,
            )
        )
    return result


def write_counts(file: Path, counts: Counted) -> None:
    """Leave for the demo what a part has counted."""
    file.write_text(json.dumps(counts), "utf-8")


def read_counts(file: Path) -> Counted:
    """Inverse of `write_counts`."""
    content = json.loads(file.read_text("utf-8"))
    return {transport: int(content[transport]) for transport in Transport}
