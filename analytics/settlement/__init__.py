"""From readings to energy that can be billed: validation, estimation, versions. Pure.

One idea a file, in the order in which a point is settled
(docs/decisions/0020-settlement.md):

`fitting`     which meter sat there, with which multiplier, bounded by what
`register`    a register's readings become counts; what no register does is put aside
`track`       the counts of all meters become one cumulative energy of the point
`boundary`    that energy at the intervals' boundaries
`profile`     the meters' own intervals, and the sum check that decides between both
`ruleset`     what a person enters about rules; `rules_*` are the rules
`reference`   which days may say what a missing one was like
`estimate`    one function a method; `conditional` is ours; `ladder` chooses
`settling`    all of it in order, for one point and one span
"""
