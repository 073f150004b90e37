"""`keywatt demo`: a whole site on one machine, from meters to the dashboard."""
