"""A measured file as intervals, for a meter to appear with.

What can be repaired without doubt is repaired and said as a finding; what cannot raises
`ReplayError`, one sentence with the file, the column and the row.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from meters.quantity import REGISTERS, Quantity
from meters.reading import FloatArray, IntArray, from_utc_us, utc_us
from simulators.replay_form import ENERGY_OF_POWER, ReplayError, ReplayForm
from simulators.replay_times import Finding, in_order, to_utc_us

_MINUTE_US = 60_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Measured intervals in order of time, none twice."""

    start_us: IntArray
    """shape (n,), interval starts in microseconds since 1970 UTC"""
    step_us: int
    """Length of each interval."""
    energy: FloatArray
    """shape (4, n): what each interval added to each register, rows in the order of
    `REGISTERS`; NaN where the file has none of a register. [kWh, kvarh]"""
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        """Count the intervals."""
        return int(self.start_us.size)


def read_series(file: Path, form: ReplayForm) -> Series:
    """Read the intervals of a CSV or Parquet file.

    Raises
    ------
    ReplayError
        If it cannot be read, or holds what cannot be understood or repaired.

    """
    table = _chosen_rows(_read(file, form), form, file)
    columns = {q: _numbers(table, name, file) for q, name in form.columns.items()}
    times, findings = _times_us(table, form, file)
    if form.stamp == "end":
        times = times - form.step_min * _MINUTE_US
    order, ordering = in_order(times, np.array(list(columns.values())), str(file))
    findings += ordering
    start_us = times[order]
    energy = _energy({q: column[order] for q, column in columns.items()}, form)
    given = ~np.isnan(energy).all(axis=1)
    if not given.any():
        raise ReplayError(f"{file}: the columns hold no value at all.")
    whole = ~np.isnan(energy[given]).any(axis=0)
    if not whole.all():
        text = f"{int((~whole).sum())} intervals lack a value and are left out."
        findings.append(Finding(code="empty-values", text=text))
    start_us, energy = start_us[whole], energy[:, whole]
    findings += _gaps(start_us, form.step_min, file)
    return Series(
        start_us=start_us,
        step_us=form.step_min * _MINUTE_US,
        energy=energy,
        findings=tuple(findings),
    )


def _read(file: Path, form: ReplayForm) -> pa.Table:
    """Read the columns that are asked for, and no others."""
    wanted = list(dict.fromkeys([form.time, *form.columns.values(), *form.where]))
    try:
        if file.suffix == ".parquet":
            names = pa.parquet.read_schema(file).names
            _refuse_missing(wanted, names, file)
            return pa.parquet.read_table(file, columns=wanted)
        with pa.csv.open_csv(file) as lines:
            _refuse_missing(wanted, lines.schema.names, file)
        kinds = dict.fromkeys([form.time, *form.where], pa.string())
        options = pa.csv.ConvertOptions(
            column_types=kinds, include_columns=wanted, strings_can_be_null=True
        )
        return pa.csv.read_csv(file, convert_options=options)
    except OSError as exc:
        reason = exc.strerror or "it is not a Parquet file"
        raise ReplayError(f"{file}: cannot be read: {reason}.") from None
    except pa.ArrowException as exc:
        reason = str(exc).splitlines()[0].rstrip(".")
        raise ReplayError(f"{file}: cannot be read: {reason}.") from None


def _refuse_missing(wanted: list[str], names: list[str], file: Path) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ReplayError(
            f"{file}: there is no column {', '.join(missing)}; "
            f"the file has {', '.join(names)}."
        )


def _chosen_rows(table: pa.Table, form: ReplayForm, file: Path) -> pa.Table:
    for name, text in form.where.items():
        table = table.filter(pc.equal(table[name].cast(pa.string()), text))
    if table.num_rows == 0:
        chosen = " and ".join(f"{name} = {text}" for name, text in form.where.items())
        raise ReplayError(f"{file}: has no rows{f' with {chosen}' if chosen else ''}.")
    return table


def _numbers(table: pa.Table, name: str, file: Path) -> FloatArray:
    """One column as numbers, NaN where it is empty."""
    kind = table[name].type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        if not pa.types.is_null(kind):
            raise ReplayError(f"{file}: column {name} holds {kind}, not numbers.")
        return np.full(table.num_rows, np.nan)
    column: FloatArray = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
    if np.isinf(column).any():
        row = int(np.isinf(column).argmax()) + 1
        raise ReplayError(f"{file}: column {name} is infinite in row {row}.")
    return column


def _times_us(
    table: pa.Table, form: ReplayForm, file: Path
) -> tuple[IntArray, list[Finding]]:
    """Return the times of the rows in file order, microseconds since 1970 UTC."""
    column = table[form.time]
    if column.null_count:
        row = column.is_null().index(pa.scalar(value=True)).as_py() + 1
        raise ReplayError(f"{file}: column {form.time} is empty in row {row}.")
    if pa.types.is_timestamp(column.type):
        plain = column.cast(pa.timestamp("us"), safe=False).to_numpy()
        moments = plain.astype("datetime64[us]").astype(np.int64)
        if column.type.tz is not None:
            return moments, []
        return to_utc_us(moments, form.zone, str(file))
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(
        column.type
    ):
        raise ReplayError(f"{file}: column {form.time} holds {column.type}, not times.")
    return _parsed_us(column.to_pylist(), form, file)


def _parsed_us(
    texts: list[str], form: ReplayForm, file: Path
) -> tuple[IntArray, list[Finding]]:
    moments = []
    for row, text in enumerate(texts, start=1):
        try:
            if form.time_format is None:
                moments.append(datetime.fromisoformat(text))
            else:
                moments.append(
                    datetime.strptime(text, form.time_format)  # noqa: DTZ007 (below)
                )
        except ValueError:
            wanted = form.time_format or "ISO 8601"
            raise ReplayError(
                f"{file}: column {form.time} holds {text!r} in row {row}, "
                f"which is not a time ({wanted})."
            ) from None
    aware = {moment.tzinfo is not None for moment in moments}
    if len(aware) > 1:
        raise ReplayError(f"{file}: some times in {form.time} have a zone, some not.")
    if aware == {True}:
        return np.array([utc_us(moment) for moment in moments]), []
    wall_us = np.array([utc_us(moment.replace(tzinfo=UTC)) for moment in moments])
    return to_utc_us(wall_us, form.zone, str(file))


def _energy(columns: dict[Quantity, FloatArray], form: ReplayForm) -> FloatArray:
    """Lay the columns into the four registers."""
    size = next(iter(columns.values())).size
    energy = np.full((len(REGISTERS), size), np.nan)
    for quantity, column in columns.items():
        if quantity.is_register:
            energy[REGISTERS.index(quantity)] = column
            continue
        positive, negative = ENERGY_OF_POWER[quantity]
        per_interval = column * (form.step_min / 60)
        energy[REGISTERS.index(positive)] = np.maximum(per_interval, 0.0)
        energy[REGISTERS.index(negative)] = np.maximum(-per_interval, 0.0)
    return _refuse_falling(energy)


def _refuse_falling(energy: FloatArray) -> FloatArray:
    for register, added in zip(REGISTERS, energy, strict=True):
        if (added < 0).any():
            raise ReplayError(
                f"The column of {register} has negative energy, and a register never "
                "falls; name it as active_power_kw or reactive_power_kvar if it is a "
                "mean power with a sign."
            )
    return energy


def _gaps(start_us: IntArray, step_min: int, file: Path) -> list[Finding]:
    """Say where intervals are missing; refuse times off the grid."""
    steps, rest = np.divmod(np.diff(start_us), step_min * _MINUTE_US)
    if rest.any():
        odd = from_utc_us(start_us[int(rest.argmax() if rest.any() else 0) + 1])
        raise ReplayError(
            f"{file}: the interval at {odd:%Y-%m-%d %H:%M} UTC is not a whole number "
            f"of {step_min} min after the one before it; give the right step_min."
        )
    missing = int((steps - 1).sum())
    if not missing:
        return []
    first = int((steps > 1).argmax())
    since = from_utc_us(start_us[first]) + timedelta(minutes=step_min)
    text = (
        f"{missing} intervals are missing, the first at {since:%Y-%m-%d %H:%M} UTC; "
        "the registers stand still over them."
    )
    return [Finding(code="gap", text=text)]
