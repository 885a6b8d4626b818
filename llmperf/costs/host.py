"""Time that the host takes: launching operators, preparing steps and requests."""

from __future__ import annotations

from llmperf.numeric import Real, most


def launched(device: Real, launches: Real, launch: Real) -> Real:
    """Time of operators that the host launches one by one, ahead of the device.

    Parameters
    ----------
    device : number or array
        Time of the operators on the device. [s]
    launches : number or array
        Operators. [1]
    launch : number or array
        Host time of one launch. [s]

    Returns
    -------
    number or array
        The longer of the two: a queue hides the host while the device is the slower one. [s]
    """
    return most(device, launches * launch)
