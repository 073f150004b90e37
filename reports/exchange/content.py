"""What one file holds: energy of intervals, or registers at moments. Pure.

A row that cannot be taken is refused with its place in the file and one sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from meters.reading import from_utc_us
from reports.exchange.form import Found, Kind, Refused

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MINUTE_US = 60_000_000


_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Content:
    """The rows of a file that can be taken, by time, each moment once."""

    file: str
    sha256: str
    kind: Kind
    names: tuple[str, ...]
    """What the columns of `values` are: `ENERGIES`, or quantities."""
    at_us: IntArray
    """shape (n,), interval starts or moments. [microseconds since 1970 UTC]"""
    length_min: int | None
    """Of each interval; None of registers."""
    values: FloatArray
    """shape (n, k); NaN = not given. [kWh, kvarh; at the point, multipliers in them]"""
    places: IntArray
    """shape (n,), where each row stands in the file"""
    at: str = "line"
    zone: ZoneInfo = _UTC
    """Of the file's own clock: its rows are told of in it."""
    refused: tuple[Refused, ...] = ()
    found: tuple[Found, ...] = ()
    repeated: int = 0
    """Rows that say again what another one says."""
    empty: int = 0
    """Rows without any value."""

    def __len__(self) -> int:
        """Count the rows that can be taken."""
        return int(self.at_us.size)

    def when(self, row: int) -> str:
        """Tell the time of a row as the file's clock had it."""
        moment = from_utc_us(int(self.at_us[row])).astimezone(self.zone)
        return f"{moment:%Y-%m-%d %H:%M %Z}"

    def part(self, rows: npt.NDArray[np.generic]) -> "Content":
        """Return some of the rows."""
        return replace(
            self,
            at_us=self.at_us[rows],
            values=self.values[rows],
            places=self.places[rows],
        )

    def refuse(self, wrong: Mapping[int, str]) -> "Content":
        """Return the rows without those that are wrong, which are told."""
        kept = np.ones(len(self), dtype=np.bool_)
        kept[list(wrong)] = False
        told = tuple(
            Refused(self.file, int(self.places[row]), text, self.at)
            for row, text in wrong.items()
        )
        refused = sorted((*self.refused, *told), key=lambda one: one.place)
        return replace(self.part(kept), refused=tuple(refused))


def each_once(content: Content) -> Content:
    """Put rows in order of time; refuse all of one time of which two differ."""
    content = content.part(np.lexsort((content.places, content.at_us)))
    is_again = np.zeros(len(content), dtype=np.bool_)
    is_again[1:] = np.diff(content.at_us) == 0
    if not is_again.any():
        return content
    again = np.flatnonzero(is_again)
    group = np.cumsum(~is_again) - 1
    same = says_the_same(content.values[again], content.values[again - 1])
    wrong: dict[int, str] = {}
    for row in again[~same].tolist():
        members = np.flatnonzero(group == group[row]).tolist()
        wrong |= dict.fromkeys(members, _contradiction(content, row))
    is_wrong = np.zeros(len(content), dtype=np.bool_)
    is_wrong[list(wrong)] = True
    repeated = int((is_again & ~is_wrong).sum())
    found = content.found
    if repeated:
        text = f"{repeated} rows say again what another row says."
        found = (*found, Found("repeated", text))
    return replace(
        content.part(~is_again & ~is_wrong),
        refused=content.refuse(wrong).refused,
        repeated=repeated,
        found=found,
    )


def _contradiction(content: Content, row: int) -> str:
    first, second = (int(content.places[one]) for one in (row - 1, row))
    return (
        f"{content.at.capitalize()}s {first} and {second} say different things of "
        f"{content.when(row)}: {_shown(content, row - 1)} and {_shown(content, row)}; "
        "delete one."
    )


def _shown(content: Content, row: int) -> str:
    given = [f"{value:g}" for value in content.values[row] if not np.isnan(value)]
    return " / ".join(given)


def says_the_same(one: FloatArray, other: FloatArray) -> BoolArray:
    """Tell which rows say the same, shape (n,); how a number was computed aside.

    Parameters
    ----------
    one, other : arrays, shape (n, k)
        NaN = not given.

    """
    close = np.isclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True)
    same: BoolArray = np.logical_and.reduce(close, axis=1)
    return same
