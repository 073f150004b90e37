"""The fault campaign: simulated meters with every fault, collected, stored and settled.

`plants`      what is drawn at each point, minute by minute
`schedule`    which meter has which fault when
`polling`     meters that are asked, in simulated time, by the collector's own pollers
`publishing`  meters that publish, heard by the collector's own intake
`site`        what people enter of the points, swaps and ratio changes included
`stored`      everything through the database, month by month
`scores`      what was found, and what it cost
"""
