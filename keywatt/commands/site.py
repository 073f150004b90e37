"""`keywatt site`: check and apply the file that says whom to watch."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of
from keywatt.commands.entering import By, who

if TYPE_CHECKING:
    from accounts.site import Site

_HELP = "Check and apply a site file: accounts, points, meters, tariffs."
_EPILOGUE = epilogue(
    "One TOML file holds everything a person enters; the handbook has an example with "
    "every key explained (docs/handbook/example-site.toml).",
    "What can be used but costs something, such as a swap of meters without their "
    "readings, is warned of.",
    examples=(
        "keywatt site check my-site.toml",
        "keywatt site apply my-site.toml",
    ),
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="The site file (TOML).")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="site")

    @family.command("check", epilog=_EPILOGUE)
    def check(file: File, *, as_json: AsJson = False) -> None:
        """Read a site file and say whether it can be used; change nothing."""
        _report(_load(file), as_json=as_json, what=f"{file} can be used")

    @family.command("apply", epilog=_EPILOGUE)
    def apply(
        ctx: typer.Context, file: File, *, by: By = None, as_json: AsJson = False
    ) -> None:
        """Enter a site file into the database; what is there already is updated."""
        from storage.database import connect
        from storage.migrate import migrate
        from storage.site import apply_site

        site = _load(file)
        settings = settings_of(ctx)
        with connect(settings.database()) as conn:
            migrate(conn)
            apply_site(conn, site, settings.site_clock().now(), by=who(by))
        _report(site, as_json=as_json, what=f"{file} is in the database")


def _load(file: Path) -> "Site":
    from accounts.site import load_site

    return load_site(file)


def _report(site: "Site", *, as_json: bool, what: str) -> None:
    from accounts.site_findings import findings_of

    warnings = findings_of(site)
    counts = {
        "accounts": len(site.accounts),
        "points": sum(len(account.points) for account in site.accounts),
        "meters": len(site.meters()),
        "tariffs": len(site.tariffs),
    }
    if as_json:
        print_json(counts | {"warnings": [asdict(one) for one in warnings]})
    else:
        listed = ", ".join(f"{count} {name}" for name, count in counts.items())
        for warning in warnings:
            print(f"Warning: {warning.text}", file=sys.stderr)
        print(f"{what}: {listed}.")
