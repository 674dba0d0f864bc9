"""``kdnet benchmark``: KDNet and its peers side by side on one scan, from file to file.

Every measurement is taken in a fresh process (child.py), the contestants in turn (measure.py). A further peer is one file
with a :class:`~KDNetLib.benchmark.contestant.Contestant` and a line in registry.py.
"""
