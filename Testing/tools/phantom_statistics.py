"""Compare two folders of cases, such as real and generated ones: volumes, brightness, spread and shape of each label.

    python Testing/tools/phantom_statistics.py REAL GENERATED

Prints a table with the median over the cases (and the 10th and 90th percentile) of both folders. Intensities are
z-scores over the voxels that are not zero, and ratios to white matter, which is taken to be the voxels between the 65th
and the 85th percentile of T1 outside the tumour. "AUC" is the chance that a voxel of oedema is brighter than one of the
healthy brain (0.5: brightness tells nothing), after smoothing over 2 mm; "roughness" is the label's surface (faces of
voxels) relative to that of a ball of its volume, 1.5 for a perfect digital ball.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.stats import rankdata

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("KDNetSegmentation", "KDNetTraining")]
from KDNetLib.labels import LABELS, REGIONS  # noqa: E402
from KDNetTrainingLib.data.cases import find_training_cases  # noqa: E402
from KDNetTrainingLib.modalities import MODALITIES  # noqa: E402


def statistics(case) -> dict[str, float]:
    """What is compared of one ``TrainingCase``, by name; NaN where the case lacks the label."""
    images, _ = case.read(MODALITIES)
    classes = case.read_reference()
    box = ndimage.find_objects((images[0] != 0).astype(np.uint8))[0]
    images, classes = [image[box] for image in images], classes[box]
    brain = images[0] != 0
    healthy = brain & ~ndimage.binary_dilation(classes > 0, iterations=3)
    low, high = np.percentile(images[0][healthy], (65, 85))
    white = healthy & (images[0] > low) & (images[0] < high)
    result = {"brain ml": brain.sum() / 1000}
    for key, members in ({label.key: (label.index,) for label in LABELS} | {"WT": REGIONS["WT"]}).items():
        result[f"{key} ml"] = np.isin(classes, members).sum() / 1000
    for key, members in REGIONS.items():
        result[f"{key} roughness"] = roughness(np.isin(classes, members))
    for modality, image in zip(MODALITIES, images):
        scores = (image - image[brain].mean()) / image[brain].std()
        level = np.median(image[white])
        for percentile in (5, 25, 50, 75, 95, 99.5):
            result[f"{modality} healthy z {percentile} %"] = np.percentile(scores[healthy], percentile)
        for label in LABELS:
            part = classes == label.index
            enough = part.sum() > 200
            result[f"{modality} {label.key} / WM"] = np.median(image[part]) / level if enough else np.nan
            result[f"{modality} {label.key} z"] = np.median(scores[part]) if enough else np.nan
            result[f"{modality} {label.key} spread z"] = scores[part].std() if enough else np.nan
        smooth = ndimage.gaussian_filter(scores, 2)
        result[f"{modality} ED AUC"] = auc(smooth[classes == 2][::7], smooth[healthy][::53])
    return result


def roughness(part: np.ndarray) -> float:
    """Faces between the boolean ``part`` and the rest, relative to the surface of a ball of the same volume."""
    volume = part.sum()
    if volume < 200:
        return np.nan
    faces = sum(np.count_nonzero(np.diff(np.pad(part, 1), axis=axis)) for axis in range(3))
    return faces / (np.pi ** (1 / 3) * (6 * volume) ** (2 / 3))


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that one of ``positive`` exceeds one of ``negative`` (Mann-Whitney)."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return (ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def main(folders: list[str]) -> None:
    """Print the table of both folders."""
    columns = []
    for folder in folders:
        rows = [statistics(case) for case in find_training_cases(folder)[0]]
        columns.append({name: np.nanpercentile([row[name] for row in rows], (50, 10, 90)) for name in rows[0]})
    print(f"{'':24}" + "".join(f"{Path(folder).name[-22:]:>26}" for folder in folders))
    for name in columns[0]:
        print(f"{name:24}" + "".join(f"{median:10.2f} ({low:6.2f} {high:6.2f})" for median, low, high in (column[name] for column in columns)))


if __name__ == "__main__":
    main(sys.argv[1:])
