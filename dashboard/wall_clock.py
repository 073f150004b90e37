"""Moments as the account's wall clock shows them, for axes that know no zone. Pure."""

from datetime import tzinfo

import numpy as np
import numpy.typing as npt

from meters.reading import from_utc_us

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Moments = npt.NDArray[np.datetime64]


def wall_clock(moments_us: IntArray, zone: tzinfo) -> Moments:
    """Return local times without their zone.

    Parameters
    ----------
    moments_us : array, shape (n,)
        [microseconds since 1970 UTC]
    zone : tzinfo

    Returns
    -------
    array of datetime64[s], shape (n,)

    """
    local = [from_utc_us(us).astimezone(zone) for us in moments_us.tolist()]
    return np.array([moment.replace(tzinfo=None) for moment in local], "datetime64[s]")


def runs_back(times: Moments) -> BoolArray:
    """Mark where the clock was put back: a line must be broken there.

    Returns
    -------
    array, shape (n,)
        True for the first time of the doubled hour's second showing.

    """
    back = np.zeros(times.size, dtype=np.bool_)
    back[1:] = times[1:] < times[:-1]
    return back
