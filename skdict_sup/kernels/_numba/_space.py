"""Work space of compiled functions, kept for the next call."""

import threading

_MOST_KEPT_BYTES = 2**22


class Kept(threading.local):
    """The last work space of each thread: allocating it takes longer than coding a few signals."""

    key = value = None

    def get(self, allocate, *key):
        """Tuple of arrays `allocate(*key)`, of the last call if the arguments are the same.

        Large ones are not kept.
        """
        if self.key != key:
            value = allocate(*key)
            if sum(array.nbytes for array in value) > _MOST_KEPT_BYTES:
                return value
            self.key, self.value = key, value
        return self.value
