"""The ledger check that every scenario ends with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from meters.refusal import Reason
from simulators.meter_fleet.ledger import Standing
from simulators.meter_fleet.ledger_file import GivenTable
from simulators.meter_fleet.reckoning import SLACK_US, Reckoning, reckon
from storage.database import connect
from storage.health import load_outcomes
from storage.stored import load_stored

_ON_ITS_WAY_US = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether every reading that a meter gave is stored once, and nothing else."""

    reckoning: Reckoning
    counted_stored: int
    """What collectors have counted as stored, in the same transactions."""
    refused: int
    repeated: int
    before: int
    """Breaches that an earlier check has found already."""

    @property
    def stored(self) -> int:
        """Readings in the database."""
        return self.reckoning.stored

    @property
    def holds(self) -> bool:
        """Whether nothing more is lost, invented, refused or miscounted."""
        return self.breaches <= self.before

    @property
    def breaches(self) -> int:
        """Count what should not be."""
        found = self.reckoning
        wrong = found.missing + found.invented + found.altered + found.misdated
        return wrong + self.refused + abs(self.counted_stored - self.stored)

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
    database_url: str,
    given: GivenTable,
    *,
    is_clock_believed: bool = True,
    before: int = 0,
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
        # Beside these there are polls that nobody answered.
        refused=sum(outcomes.get(reason, 0) for reason in Reason),
        repeated=repeated,
        before=before,
    )


def in_doubt(given: GivenTable, unsaved_us: Sequence[tuple[int, int]]) -> GivenTable:
    """Doubt what a broker confirmed after it last saved, before it was killed.

    Mosquitto confirms a message before it saves it, and does nothing else while it
    saves, which takes a busy machine seconds; only meters with a clock publish.

    Parameters
    ----------
    given : GivenTable
    unsaved_us : sequence of (int, int)
        When it last had saved, and when it was killed.
        [microseconds since 1970 UTC]

    """
    standing = given.standing.copy()
    for saved_us, killed_us in unsaved_us:
        lately = given.given_us > saved_us - _ON_ITS_WAY_US
        lately &= given.given_us < killed_us + _ON_ITS_WAY_US
        mine = lately & given.has_clock[given.meter]
        standing[mine & (standing == Standing.CERTAIN)] = Standing.DOUBTFUL
    return replace(given, standing=standing)
