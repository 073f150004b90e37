"""One question, one answer: where stored data meets the figures."""
