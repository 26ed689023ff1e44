"""A trickle: so many at once, so many a second in the long run, and a count of what was held back."""


class Trickle:
    """Says of each event whether it passes. `now` is seconds that only grow, given by whoever asks."""

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens", "held_back")

    def __init__(self, rate: float, burst: int) -> None:
        """`rate` events a second pass in the long run, `burst` of them at once."""
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at = 0.0
        self.held_back = 0
        """Events that did not pass since the last one that did; whoever tells of them sets it to 0."""

    def passes(self, now: float) -> bool:
        """Whether an event at this time passes."""
        gained = max(0.0, now - self._filled_at) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = max(now, self._filled_at)
        if self._tokens < 1:
            self.held_back += 1
            return False
        self._tokens -= 1
        return True
