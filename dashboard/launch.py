"""What Streamlit is started with, so that it looks and behaves like a product."""

from pathlib import Path

from streamlit.web import bootstrap

from dashboard import data, theme

APP = Path(__file__).parent / "entry" / "start.py"


def streamlit_flags() -> dict[str, str | bool | float | int]:
    """Return Streamlit's options by dotted name, without address and port.

    Give them to `streamlit.web.bootstrap.run` or as `--name=value` on a command line.
    """
    return {
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "server.fileWatcherType": "none",
        "server.headless": True,
        "server.runOnSave": False,
        "server.showEmailPrompt": False,
        "theme.backgroundColor": theme.GROUND,
        "theme.base": "light",
        "theme.baseFontSize": 15,
        "theme.baseRadius": "6px",
        "theme.borderColor": theme.LINE,
        "theme.font": "sans-serif",
        "theme.linkColor": theme.ACCENT,
        "theme.primaryColor": theme.ACCENT,
        "theme.secondaryBackgroundColor": theme.PAPER,
        "theme.showWidgetBorder": True,
        "theme.textColor": theme.INK,
    }


def serve(source: data.Source, *, address: str = "127.0.0.1", port: int = 8501) -> None:
    """Serve the dashboard in this process and thread until it is interrupted.

    Parameters
    ----------
    source : Source
        Where the figures come from.
    address, port
        Where it listens.

    """
    data.configure(source)
    flags = streamlit_flags() | {"server.address": address, "server.port": port}
    bootstrap.load_config_options(flags)
    bootstrap.run(str(APP), False, [], flags)
