"""The ledger check that every scenario ends with."""

from dataclasses import dataclass

from simulators.meter_fleet.ledger_file import GivenTable
from simulators.meter_fleet.reckoning import SLACK_US, Reckoning, reckon
from storage.database import connect
from storage.health import load_outcomes
from storage.stored import load_stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether every reading that a meter gave is stored once, and nothing else."""

    reckoning: Reckoning
    counted_stored: int
    """What collectors have counted as stored, in the same transactions."""
    refused: int
    repeated: int

    @property
    def stored(self) -> int:
        """Readings in the database."""
        return self.reckoning.stored

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, invented or miscounted."""
        return (
            self.reckoning.holds
            and self.counted_stored == self.stored
            and self.refused == 0
        )

    def told(self) -> str:
        """Say it in one line."""
        found = self.reckoning
        text = (
            f"{found.certain:,} certain, {found.missing:,} missing, "
            f"{found.invented:,} invented, {found.altered:,} altered, "
            f"{found.misdated:,} misdated; {found.doubtful:,} doubtful, "
            f"{found.doubtful_stored:,} of them stored; of {self.stored:,} stored "
            f"{self.counted_stored:,} are counted, {self.repeated:,} repeats, "
            f"{self.refused:,} refused"
        )
        return "; ".join((text, *found.examples))


def judge(
    database_url: str, given: GivenTable, *, is_clock_believed: bool = True
) -> Verdict:
    """Hold all that was given against the database."""
    with connect(database_url) as conn:
        stored = load_stored(conn, given.serials)
        outcomes: dict[str, int] = {}
        for row in load_outcomes(conn):
            outcomes[row.outcome] = outcomes.get(row.outcome, 0) + row.readings
    counted = outcomes.pop("stored", 0)
    repeated = outcomes.pop("repeated", 0)
    return Verdict(
        reckoning=reckon(
            given, stored, slack_us=SLACK_US if is_clock_believed else None
        ),
        counted_stored=counted,
        refused=sum(outcomes.values()),
        repeated=repeated,
    )
