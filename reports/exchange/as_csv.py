"""Settled intervals as CSV, in a form that can be imported again. Pure."""

import csv
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TextIO

import numpy as np

from reports.exchange.form import ENERGIES
from reports.exchange.outgoing import IntArray, Outgoing, offset_text
from reports.exchange.times import wall_of

COLUMNS = (
    *("account", "point", "start", "length_min"),
    *ENERGIES,
    *("quality", "method", "estimated_energies"),
    *("confidence", "version", "settled_at"),
)


def write_csv(points: Sequence[Outgoing], file: TextIO) -> None:
    """Write the intervals of points, one a line.

    Times are the account's, with their offset; what is not known is empty. A number is
    as short as it can be and still the same.
    """
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(COLUMNS)
    for one in points:
        lines.writerows(_lines(one))


def _lines(one: Outgoing) -> Iterator[tuple[object, ...]]:
    rows = one.rows
    energies = [
        ["" if np.isnan(value) else repr(value) for value in column.tolist()]
        for column in rows.values.T
    ]
    columns = (
        _local(one),
        rows.length_min.tolist(),
        *energies,
        rows.quality.tolist(),
        rows.method.tolist(),
        one.estimated_energies(),
        [f"{confidence:.4g}" for confidence in rows.confidence.tolist()],
        rows.version.tolist(),
        [f"{moment}Z" for moment in _seconds(rows.settled_us)],
    )
    for values in zip(*columns, strict=True):
        yield one.account.code, one.point.name, *values


def _local(one: Outgoing) -> list[str]:
    wall_us = wall_of(one.rows.start_us, one.account.time_zone)
    offsets = ((wall_us - one.rows.start_us) // 60_000_000).tolist()
    text = {
        minutes: offset_text(timedelta(minutes=minutes)) for minutes in set(offsets)
    }
    shown = np.datetime_as_string(wall_us.astype("M8[us]"), unit="m").tolist()
    return [f"{at}{text[each]}" for at, each in zip(shown, offsets, strict=True)]


def _seconds(moments_us: IntArray) -> list[str]:
    seconds: list[str] = np.datetime_as_string(
        moments_us.astype("M8[us]"), unit="s"
    ).tolist()
    return seconds
