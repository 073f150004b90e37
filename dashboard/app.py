"""The frame around the pages."""

from pathlib import Path

import streamlit as st

from dashboard import data, theme
from reports.texts import text

PAGES = Path(__file__).parent / "pages"


def main() -> None:
    """Draw the frame and the page that was asked for."""
    language = data.source().language
    st.set_page_config(
        page_title=text("product", language),
        page_icon=theme.icon(),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(theme.css())
    st.logo(theme.LOGO, size="large", icon_image=theme.LOGO)
    portfolio = st.Page(
        PAGES / "portfolio.py",
        title=text("nav-portfolio", language),
        url_path="portfolio",
        default=True,
    )
    account = st.Page(
        PAGES / "account.py", title=text("nav-account", language), url_path="account"
    )
    completeness = st.Page(
        PAGES / "completeness.py",
        title=text("nav-completeness", language),
        url_path="completeness",
    )
    records = st.Page(
        PAGES / "records.py", title=text("nav-records", language), url_path="records"
    )
    pages = [portfolio, account, completeness, records]
    st.navigation(pages, position="top").run()
