"""Settles points: what the database knows of one becomes interval energy, and back.

`days`      which days are settled together, and how far a hole reaches. Pure
`master`    what people entered about a point
`known`     evidence for a span: readings, own intervals, check meter, history
`ripe`      which intervals are stored. Pure
`point`     all of it, pass by pass
`trial`     what days would become
"""

from keywatt.settling.point import Settled, settle_point

__all__ = ["Settled", "settle_point"]
