"""Finding the training cases of a BraTS folder by their naming."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from KDNetLib.errors import InputError

MODALITIES = ("t1", "t1ce", "t2", "flair")
#: From 2023 on BraTS names the same modalities t1n, t1c, t2w and t2f.
_SINCE_2023 = {"t1n": "t1", "t1c": "t1ce", "t2w": "t2", "t2f": "flair"}
_FILE = re.compile(r"(?P<case>.+)[_-](?P<what>t1|t1ce|t2|flair|seg|t1n|t1c|t2w|t2f)\.nii(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True)
class TrainingCase:
    """One patient with every modality and a reference: ``images`` by modality name, ``reference`` a label file."""

    name: str
    images: dict[str, Path]
    reference: Path

    @property
    def files(self) -> list[Path]:
        return [self.images[modality] for modality in MODALITIES] + [self.reference]


def find_training_cases(folder) -> tuple[list[TrainingCase], dict[str, str]]:
    """The complete cases under ``folder``, sorted by name, and for each one left out the reason.

    Raises InputError where there is no folder or no complete case.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give the folder that holds the BraTS cases.")
    found: dict[str, dict[str, Path]] = {}
    # Data sets are often folders of links, which rglob follows only from Python 3.13 on.
    paths = (Path(place) / name for place, _, names in os.walk(folder, followlinks=True) for name in names)
    for path in sorted(paths):
        match = _FILE.fullmatch(path.name)
        if match:
            what = match["what"].lower()
            found.setdefault(match["case"], {})[_SINCE_2023.get(what, what)] = path
    complete, left_out = [], {}
    for name, files in sorted(found.items()):
        missing = [what for what in (*MODALITIES, "seg") if what not in files]
        if missing:
            left_out[name] = f"no {', '.join(missing)}"
        else:
            complete.append(TrainingCase(name, {m: files[m] for m in MODALITIES}, files["seg"]))
    if not complete:
        raise InputError(f"{folder} holds no BraTS case with {', '.join(MODALITIES)} and seg; choose the folder above the case folders.")
    return complete, left_out
