"""`keywatt migrate`: bring the database to the shape this version needs."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

_EPILOGUE = epilogue(
    "Every service does this by itself at its start; doing it twice changes nothing.",
    examples=(
        "KEYWATT_DATABASE_URL=postgresql://keywatt@127.0.0.1/keywatt keywatt migrate",
    ),
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("migrate", epilog=_EPILOGUE)
    def migrate_database(ctx: typer.Context, *, as_json: AsJson = False) -> None:
        """Apply the migrations that the database does not have yet."""
        from storage.database import connect, place
        from storage.migrate import migrate

        url = settings_of(ctx).database()
        with connect(url) as conn:
            applied = migrate(conn)
        if as_json:
            print_json({"applied": applied})
        elif applied:
            print(f"Applied to {place(url)}: {', '.join(applied)}.")
        else:
            print(f"Nothing to do: {place(url)} has every migration.")
