"""The modalities of BraTS, in the order that every array of several modalities has here."""

MODALITIES = ("t1", "t1ce", "t2", "flair")


def modality_of(name: str) -> str:
    """The one of MODALITIES that a model file calls ``name``; by another name models of others mean T1ce, which KDNet is for."""
    return name.lower() if name.lower() in MODALITIES else "t1ce"
