"""One file a page; each renders what a report returns and computes nothing."""
