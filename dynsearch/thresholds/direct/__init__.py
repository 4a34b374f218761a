"""The parts of the ``frontier`` solver: bins, gains of one threshold, price search, archive, enumeration."""
