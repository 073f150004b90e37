"""Arrays to figures. Pure."""
