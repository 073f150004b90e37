"""What disturbs collecting: a collector, a broker or a gateway that is not there."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from reports.wording import sentence
from reports.writing import Figure, Reader
from storage.site_alerts import SiteAlert, load_site_alerts


@dataclass(frozen=True, kw_only=True, slots=True)
class Disturbance:
    """The standing alert of what many meters depend on."""

    code: str
    figures: Mapping[str, Figure]

    def told(self, reader: Reader) -> str:
        """Say it."""
        return sentence(self.code, self.figures, reader)


def disturbances(conn: Connection[TupleRow]) -> tuple[Disturbance, ...]:
    """Return what stands, newest first."""
    return tuple(disturbance_of(alert) for alert in load_site_alerts(conn))


def disturbance_of(alert: SiteAlert) -> Disturbance:
    """Return an alert as it is told."""
    said = {k: v for k, v in alert.figures.items() if isinstance(v, str | int | float)}
    return Disturbance(code=alert.code, figures=said)
