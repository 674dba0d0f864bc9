"""Prints what a user is told about every input that is refused or warned of, as Markdown:

    python Testing/tools/list_messages.py > messages.md

The inputs are those of the tests (Testing/engine/generated_*.py), made anew and given to the engine.
"""

import sys
import tempfile
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING), str(_TESTING.parent / "KDNetSegmentation")]

import numpy as np  # noqa: E402
from engine.generated import random_model, save  # noqa: E402
from engine.generated_images import REFUSED_IMAGES, WARNED_IMAGES, small_scan, unwritable  # noqa: E402
from engine.generated_models import HOSTILE_MODELS  # noqa: E402

from KDNetLib.errors import KDNetError  # noqa: E402
from KDNetLib.image_io import Image, read_image, read_labelmap, write_labelmap  # noqa: E402
from KDNetLib.input_checks import result_warnings, usable_image  # noqa: E402
from KDNetLib.labels import convention_of, to_classes  # noqa: E402
from KDNetLib.model_file import load_model  # noqa: E402
from KDNetLib.preprocessing import Preprocessing  # noqa: E402
from KDNetLib.segmenter import Segmenter  # noqa: E402


def print_table(title: str, rows) -> None:
    """Print rows of (what, message), folders' names shortened."""
    print(f"\n## {title}\n\n| Input | Message |\n|---|---|")
    for what, message in rows:
        print(f"| {what.replace('|', chr(92) + '|')} | {message.replace('|', chr(92) + '|')} |")


def message_of(action, folder) -> str:
    """What the error of ``action`` says, without the temporary folder's name."""
    try:
        action()
    except KDNetError as error:
        return str(error).replace(f"{folder}/", "")
    return "(accepted)"


def refused_images(folder: Path):
    for index, (what, make) in enumerate(REFUSED_IMAGES.items()):
        place = folder / f"image{index}"
        place.mkdir()
        path = make(place)
        yield what, message_of(lambda: usable_image(read_image(path)), place)


def warned_images():
    for what, (make, _) in WARNED_IMAGES.items():
        yield what, " ".join(usable_image(Image(*make()))[1])
    classes = np.zeros((3, 3, 3), dtype=np.uint8)
    yield "nothing found", result_warnings(classes)[0]
    classes[0] = 2
    yield "no enhancing voxel found", result_warnings(classes)[0]


def other_refusals(folder: Path):
    array, labels, affine = small_scan()
    image = Image(array, affine)
    model = random_model(folder / "model.safetensors")
    teacher = random_model(folder / "teacher.safetensors", channels=4, description={"name": "teacher", "modalities": ["t1", "t1ce", "t2", "flair"]})
    other = random_model(folder / "other.safetensors", description={"name": "other", "preprocessing": {"preset": "paper", "spacing": 2.0}})
    fractions = save(folder / "fractions.nii.gz", array, affine)
    corner = np.where(np.indices((200, 200, 200)).max(axis=0) < 20, np.float32(5), np.float32(0))
    actions = {
        "label map with fractions": lambda: read_labelmap(fractions),
        "label map with unknown values": lambda: to_classes(np.array([1, 2, 7]), "1/2/4"),
        "label map with 3 and 4, naming unknown": lambda: convention_of("labels.nii.gz", [1, 2, 3, 4]),
        "brain mask of another shape": lambda: usable_image(image, np.ones((3, 3, 3))),
        "empty brain mask": lambda: usable_image(image, np.zeros(array.shape)),
        "preset paper, centre empty": lambda: Preprocessing("paper").prepare([corner], np.eye(4)),
        "output with another ending": lambda: write_labelmap(folder / "out.png", labels, affine),
        "output that cannot be written": lambda: write_labelmap(unwritable(folder), labels, affine),
        "no model": lambda: Segmenter([]),
        "model file missing": lambda: load_model(folder / "nowhere.safetensors"),
        "teacher given": lambda: Segmenter([teacher], "cpu").segment(image),
        "models that differ": lambda: Segmenter([model, other], "cpu").segment(image),
        "unknown device": lambda: Segmenter([model], "cuda:99").segment(image),
    }
    for what, action in actions.items():
        yield what, message_of(action, folder)


def refused_models(folder: Path):
    sound = random_model(folder / "sound.safetensors").read_bytes()
    path = folder / "model.safetensors"
    for what, make in HOSTILE_MODELS.items():
        path.write_bytes(make(sound))
        yield what[:80], message_of(lambda: load_model(path), folder)


def main() -> None:
    """Print all tables."""
    print("# What KDNet says about inputs it refuses or warns of")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print_table("Scans refused", refused_images(folder))
        print_table("Scans warned of, with a result", warned_images())
        print_table("Other refusals", other_refusals(folder))
        print_table("Model files refused", refused_models(folder))


if __name__ == "__main__":
    main()
