"""Several files of one point, laid together. Pure.

What two files say alike counts once; files that contradict each other are refused
whole, since only a person can say which one is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations

import numpy as np
import numpy.typing as npt

from reports.exchange.content import Content, says_the_same
from reports.exchange.form import ExchangeError, Found

IntArray = npt.NDArray[np.int64]


def merged(contents: Sequence[Content]) -> list[Content]:
    """Take of each file what no earlier one says.

    Raises
    ------
    ExchangeError
        Where two contradict each other, or are of different lengths or columns.

    """
    _refuse_unlike(contents)
    taken: list[Content] = []
    for content in contents:
        taken.append(reduce(_without, taken, content))
    return taken


def _refuse_unlike(contents: Sequence[Content]) -> None:
    for first, other in combinations(contents, 2):
        if other.sha256 == first.sha256:
            text = f"{other.file} is the same file as {first.file}; give it once."
            raise ExchangeError(text)
        if other.names != first.names:
            text = f"{other.file} has other columns than {first.file}; import it alone."
            raise ExchangeError(text)
        if other.length_min != first.length_min:
            raise ExchangeError(
                f"{first.file} has intervals of {first.length_min} min and "
                f"{other.file} of {other.length_min}; import them one after the other."
            )


@dataclass(frozen=True, slots=True)
class _Shared:
    mine: IntArray
    theirs: IntArray


def _without(content: Content, earlier: Content) -> Content:
    both = _shared(content, earlier)
    if not both.mine.size:
        return content
    same = says_the_same(content.values[both.mine], earlier.values[both.theirs])
    if not same.all():
        _contradict(content, earlier, both, np.flatnonzero(~same))
    kept = np.ones(len(content), dtype=np.bool_)
    kept[both.mine] = False
    text = f"{both.mine.size} rows say again what {earlier.file} says."
    return replace(
        content.part(kept),
        repeated=content.repeated + int(both.mine.size),
        found=(*content.found, Found("repeated", text)),
    )


def _shared(content: Content, earlier: Content) -> _Shared:
    _, mine, theirs = np.intersect1d(
        content.at_us, earlier.at_us, assume_unique=True, return_indices=True
    )
    return _Shared(mine, theirs)


def _contradict(
    content: Content, earlier: Content, both: _Shared, rows: npt.NDArray[np.intp]
) -> None:
    mine, theirs = int(both.mine[rows[0]]), int(both.theirs[rows[0]])
    when = content.when(mine)
    more = f", and of {rows.size - 1} more times" if rows.size > 1 else ""
    raise ExchangeError(
        f"{earlier.file}, {earlier.at} {earlier.places[theirs]}, and {content.file}, "
        f"{content.at} {content.places[mine]}, say different things of {when}{more}; "
        "import the right one alone."
    )
