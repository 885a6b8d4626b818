"""What was made of objects that never change, kept for the next time that the same ones come."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class MadeOfObjects(Generic[Made]):
    """Values by the objects that they were made of: the same ones, not equal ones, which would take as long to compare.

    Parameters
    ----------
    most : int
        Values that are kept; all are let go when there are more.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.known: dict[Hashable, tuple[tuple[Any, ...], Made]] = {}

    def get(self, objects: tuple[Any, ...], make: Callable[[], Made], key: Hashable = None) -> Made:
        """The value of some objects, and of a key beside them; made where it is not known."""
        place = (key, *map(id, objects))
        found = self.known.get(place)
        if found is None:
            if len(self.known) >= self.most:
                self.known.clear()
            found = self.known[place] = (objects, make())  # as long as it holds them, no others have their identities
        return found[1]
