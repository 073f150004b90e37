"""What became of every expected interval, and why some have no energy. Pure.

`circumstances`  what is known of a point around its gaps
`cause`          why an interval was not measured: the most specific that holds
`ledger`         every expected interval put down once; sums that close
"""
