"""`keywatt profile`: the meter types that can be read."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from typing import Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json

_HELP = "List the meter types that can be read, or show one."
_EPILOGUE = epilogue(
    "A profile is a TOML file that says what must be known of one meter type; a file "
    "of your own can be shown, and so checked, by its path.",
    examples=(
        "keywatt profile list",
        "keywatt profile show eastron-sdm630",
        "keywatt profile show ./my-meter.toml",
    ),
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="profile")

    @family.command("list", epilog=_EPILOGUE)
    def list_profiles(*, as_json: AsJson = False) -> None:
        """List the profiles that come with Keywatt."""
        from meters.profile import load_profile, profile_names

        known = {name: str(load_profile(name).transport) for name in profile_names()}
        if as_json:
            print_json(known)
        else:
            for name, transport in known.items():
                print(f"{name:28} {transport}")

    @family.command("show", epilog=_EPILOGUE)
    def show(
        profile: Annotated[
            str,
            typer.Argument(metavar="NAME|FILE", help="A name, or a path to a file."),
        ],
    ) -> None:
        """Show one profile as JSON; a mistake in it is said in one sentence."""
        from meters.profile import load_profile

        print(load_profile(profile).model_dump_json(indent=2, exclude_none=True))
