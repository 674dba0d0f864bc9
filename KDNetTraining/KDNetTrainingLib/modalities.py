"""The modalities of BraTS, in the order that every array of several modalities has here."""

MODALITIES = ("t1", "t1ce", "t2", "flair")
