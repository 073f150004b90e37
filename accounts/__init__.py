"""Whom we watch: accounts, points, tariffs, calendars. Pure."""
