"""Run one page file as Streamlit does, without a browser."""

import re
from html import unescape
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.data import Source
from keywatt.settling.trial import settle_on_trial
from storage.database import connect
from tests.dashboard import made

FIGURE = re.compile(
    r'"stMetricLabel"[^>]*><span>([^<]*)</span></dt>'
    r'<dd[^>]*"stMetricValue">([^<]*)</dd>(?:<dd[^>]*>([^<]*)</dd>)?'
)
PAGES = Path(data.__file__).parent / "pages"


def configure(url: str = "", *, manager: str | None = None, language="en") -> None:
    """Say where the figures come from: a database, or what a test puts in place."""
    data.configure(
        Source(
            connect=lambda: connect(url),
            now=lambda: made.NOW,
            settle_on_trial=settle_on_trial,
            user="Mei Tan",
            manager=manager,
            language=language,
        )
    )


def run(page: str, **address: str) -> AppTest:
    """Open a page with what stands in its address."""
    test = AppTest.from_file(PAGES / f"{page}.py", default_timeout=60)
    for name, value in address.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def html(test: AppTest) -> str:
    """Everything the page wrote as HTML."""
    return "\n".join(element.proto.body for element in test.get("html"))


def metrics(test: AppTest) -> dict[str, tuple[str, str]]:
    """Every figure by its label: value and note."""
    return {
        unescape(label): (unescape(value), unescape(note))
        for label, value, note in FIGURE.findall(html(test))
    }
