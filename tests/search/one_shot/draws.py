"""A trial for tests."""


class ToyDraws:
    """A trial with these parameters; where it is asked for another, the first choice or the lowest value."""

    def __init__(self, params=None):
        self.params = params or {}

    def suggest_categorical(self, name, choices):
        return self.params.get(name, choices[0])

    def suggest_int(self, name, low, high):
        return self.params.get(name, low)
