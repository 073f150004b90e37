"""Streamlit runs this file from the top at every visit and click."""

from dashboard.app import main

main()
