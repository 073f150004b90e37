"""What an import would change, as a person and as a script is told."""

import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from accounts.calendar import SLOT_MIN
from reports.exchange.preview import Beside, FilePreview, Preview

_MOST_TOLD = 20


def as_json(preview: Preview) -> dict[str, object]:
    """Return all of a preview, with its sums, for scripts."""
    shown = asdict(preview)
    for name in ("new", "changed", "same", "repeated", "empty"):
        shown[name] = preview.count(name)
    shown["refused"] = len(preview.refused)
    shown["new_kwh"], shown["delta_kwh"] = preview.new_kwh, preview.delta_kwh
    return shown


def tell(preview: Preview) -> None:
    """Print a preview: counts, what is refused, days."""
    for one in preview.files:
        _tell_file(one)
    for row in preview.refused[:_MOST_TOLD]:
        print(row.told(), file=sys.stderr)
    if len(preview.refused) > _MOST_TOLD:
        more = len(preview.refused) - _MOST_TOLD
        print(f"and {more} more rows; --json lists them all.", file=sys.stderr)
    _tell_beside(preview.beside)
    _tell_days(preview)
    if preview.applied:
        print(f"Stored for {preview.account}, {preview.point}.")
    elif preview.why_not:
        print(f"Nothing is stored: {preview.why_not}", file=sys.stderr)
    else:
        print("Nothing is stored yet: give --apply.")


def _tell_file(one: FilePreview) -> None:
    rows = {
        "new": one.new,
        "changed": one.changed,
        "same as stored": one.same,
        "repeated": one.repeated,
        "refused": len(one.refused),
    }
    counts = ", ".join(f"{count:,} {what}" for what, count in rows.items())
    print(f"{one.file}: {counts}.")
    if one.first:
        every = f", every {one.length_min} min" if one.length_min else ""
        print(f"  From {one.first} to {one.last}{every}.")
    if one.length_min and one.length_min > SLOT_MIN:
        print(
            f"  Each is shared out over its {one.length_min // SLOT_MIN} quarter-hours "
            "as energy usually flows there; its sum stays."
        )
    for found in one.found:
        print(f"  {found.text}")


def _tell_beside(beside: Beside | None) -> None:
    """Say by how much the files differ from what is settled there."""
    if beside is None:
        return
    differs = beside.file_kwh - beside.settled_kwh
    share = (
        f" ({100 * differs / beside.settled_kwh:+.2f} %)" if beside.settled_kwh else ""
    )
    print(
        f"Of {beside.rows:,} rows something is settled: {beside.file_kwh:,.2f} kWh in "
        f"the files, {beside.settled_kwh:,.2f} kWh settled, {differs:+,.2f} kWh{share}."
    )


def _tell_days(preview: Preview) -> None:
    if not preview.days:
        return
    table = Table(header_style="bold")
    for title in ("day", "new", "new kWh", "changed", "by kWh"):
        table.add_column(title, justify="left" if title == "day" else "right")
    for day in preview.days[:_MOST_TOLD]:
        table.add_row(
            f"{day.day}",
            f"{day.new:,}",
            f"{day.new_kwh:,.2f}",
            f"{day.changed:,}",
            f"{day.delta_kwh:+,.2f}",
        )
    Console().print(table)
    if len(preview.days) > _MOST_TOLD:
        print(f"and {len(preview.days) - _MOST_TOLD} more days.")
    runs = [f"{a}" if a == b else f"{a} to {b}" for a, b in preview.settle]
    shown = ", ".join(runs[:_MOST_TOLD])
    more = f" and {len(runs) - _MOST_TOLD} more spans" if len(runs) > _MOST_TOLD else ""
    verb = "are" if preview.applied else "would be"
    print(f"Days that {verb} settled again: {shown}{more}.")
