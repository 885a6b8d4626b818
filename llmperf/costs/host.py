"""Time that the host takes: launching operators, preparing steps and requests."""

from __future__ import annotations

from llmperf.numeric import Real, most, root


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


def interleaved(device: Real, launches: Real, each: Real) -> Real:
    """Time of operators that a program in Python launches one by one, now ahead of the device and now behind it.

    Parameters
    ----------
    device : number or array
        Time of the operators on the device. [s]
    launches : number or array
        Operators. [1]
    each : number or array
        Host time of one operator. [s]

    Returns
    -------
    number or array
        A smooth maximum of the two: large operators let the host run ahead, small ones wait for it. [s]
    """
    host = launches * each
    return root(device * device + host * host)
