"""What several pages draw alike."""

from collections.abc import Sequence

import streamlit as st

from dashboard.figures import Shown


def metrics(shown: Sequence[Shown], key: str) -> None:
    """Draw figures side by side; on a phone two in a row."""
    with st.container(key=key):
        for column, one in zip(st.columns(len(shown), gap="small"), shown, strict=True):
            column.metric(
                one.label,
                one.value,
                one.note or None,
                delta_color="off",
                delta_arrow="off",
                help=one.help,
                height="stretch",
            )
