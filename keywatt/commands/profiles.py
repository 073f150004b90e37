"""`keywatt profile`: the meter types that can be read."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from typing import Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json

_HELP = "List the meter types that can be read; show or check one."
_EPILOGUE = epilogue(
    "A profile is a TOML file that says what must be known of one meter type; a file "
    "of your own can be shown, and so checked, by its path.",
    examples=(
        "keywatt profile list",
        "keywatt profile show eastron-sdm630",
        "keywatt profile show ./my-meter.toml",
        "keywatt profile check ./my-meter.toml",
    ),
)
_CHECK_EPILOGUE = epilogue(
    "A mistake is said in one sentence and ends with exit code 2. What is allowed but "
    "seldom meant is warned of, and with --strict ends with exit code 1; what is often "
    "meant, such as a request that runs over unused registers, is noted only.",
    "A poll's time is that of its requests: what the meter takes to answer, the pause "
    "after it, and with --baud the time on a serial line.",
    examples=(
        "keywatt profile check eastron-sdm630",
        "keywatt profile check ./my-meter.toml --baud 9600",
        "keywatt profile check ./my-meter.toml --strict --json",
    ),
)
_Profile = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A name, or a path to a file.")
]


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
    def show(profile: _Profile) -> None:
        """Show one profile as JSON; a mistake in it is said in one sentence."""
        from meters.profile import load_profile

        print(load_profile(profile).model_dump_json(indent=2, exclude_none=True))

    @family.command("check", epilog=_CHECK_EPILOGUE)
    def check(
        profile: _Profile,
        *,
        pause: Annotated[
            float | None,
            typer.Option(
                min=0.0,
                help="Pause between requests, in milliseconds.",
                show_default="the profile's",
            ),
        ] = None,
        answer: Annotated[
            float,
            typer.Option(
                min=0.0, help="What the meter takes to answer, in milliseconds."
            ),
        ] = 20.0,
        baud: Annotated[
            int | None,
            typer.Option(min=300, help="Of a serial line, for the time of a poll."),
        ] = None,
        strict: Annotated[
            bool, typer.Option("--strict", help="Fail if there is a warning.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Check a profile; print its warnings, its requests and how long they take."""
        from rich.console import Console

        from keywatt.profile_check import Wire, check_profile, print_check
        from meters.profile import load_profile

        wire = Wire(pause_ms=pause, answer_ms=answer, baud=baud)
        loaded = load_profile(profile)
        found = check_profile(loaded, wire)
        if as_json:
            print_json(found)
        else:
            print_check(loaded, wire, Console())
        if strict and found["warnings"]:
            raise typer.Exit(1)
