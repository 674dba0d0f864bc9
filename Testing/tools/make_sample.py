"""Makes the bundled sample: a synthetic T1ce of a brain with a tumour, and the true labels of that tumour.

    python Testing/tools/make_sample.py nilearn-0.14.1-py3-none-any.whl Resources/Sample

The anatomy comes from the MNI ICBM152 2009a template, which the wheel of nilearn carries (fetch it with
``pip download nilearn --no-deps``) and whose licence allows redistribution. No patient's data goes in. The contrast
follows median intensities measured on real T1ce scans; on those edema looks like grey matter, and vessels and dura
enhance, so the sample has both. Run once; the result is committed.
"""

import argparse
import gzip
import zipfile
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

SEED = 20201
SHAPE = (240, 240, 155)
#: The grid of BraTS: 1 mm, LPS.
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
#: The template's brain is 8 % longer than the average patient's.
BRAIN_SCALE = 0.925
#: Tumour centre (voxel) and half-axes of its core (mm).
CENTRE, HALF_AXES = np.array([153.0, 150.0, 88.0]), np.array([15.0, 19.0, 17.0])
#: Intensities as a ratio to white matter.
RATIO = {"CSF": 0.30, "GM": 0.77, "WM": 1.0, "ED": 0.71, "NCR": 0.50, "ET": 1.6, "vessel": 2.4, "dura": 1.9}
#: White matter in stored units.
WHITE_MATTER = 600


def read_template(wheel: Path, name: str) -> np.ndarray:
    """One volume of the template in 0 to 1, RAS."""
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read(f"nilearn/datasets/data/mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(packed))
    return np.asarray(image.dataobj, dtype=np.float32) / 255


def smooth_noise(random: np.random.Generator, scale: float) -> np.ndarray:
    """Random field on the sample's grid with zero mean and unit spread; ``scale`` is its Gaussian width in voxels."""
    step = max(1, int(scale / 1.5))
    coarse = [size // step + 4 for size in SHAPE]
    field = ndimage.gaussian_filter(random.standard_normal(coarse, dtype=np.float32), scale / step)
    field = ndimage.zoom(field, step, order=1)[tuple(slice(size) for size in SHAPE)]
    return (field - field.mean()) / field.std()


def coordinates_in_template(random: np.random.Generator, template_shape: tuple) -> list[np.ndarray]:
    """Where each voxel of the sample comes from: smaller brain, an individual's shape, and the tumour's push."""
    grid = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in SHAPE), indexing="ij")
    offsets = [axis - centre for axis, centre in zip(grid, CENTRE, strict=True)]
    distance = np.sqrt(sum(offset**2 for offset in offsets)) + 1e-3
    # What lies at `distance` now lay closer to the centre before the tumour grew.
    push = 9.0 * (distance / 18) * np.exp(0.5 - 0.5 * (distance / 18) ** 2) / distance
    middle = [119.5, 122.0, 77.0]
    template_middle = [(size - 1) / 2 for size in template_shape]
    template_middle[2] = 84.0
    coordinates = []
    for axis in range(3):
        now = grid[axis] - push * offsets[axis] * 0.75 + 2.0 * smooth_noise(random, 18)
        sign = -1 if axis < 2 else 1  # LPS to RAS
        coordinates.append(template_middle[axis] + sign * (now - middle[axis]) / BRAIN_SCALE)
    return coordinates


def tissues(wheel: Path, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The brain mask, the template's T1 (0 to 1) and the fractions of CSF, GM and WM, on the sample's grid."""
    volumes = {name: read_template(wheel, name) for name in ("t1", "gm", "wm")}
    where = coordinates_in_template(random, volumes["t1"].shape)
    t1, grey, white = (ndimage.map_coordinates(volumes[name], where, order=1) for name in ("t1", "gm", "wm"))
    brain = ndimage.binary_opening(t1 > 0.12, iterations=2)
    labels, _ = ndimage.label(brain)
    brain = ndimage.binary_fill_holes(labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1)
    fluid = np.clip(1.35 * (1 - grey - white), 0, 1)
    # An average of 152 brains has no sharp folds: sharpen the fractions, and let noise decide where they are unsure.
    raised = {}
    for name, fraction in (("CSF", fluid), ("GM", grey), ("WM", white)):
        raised[name] = np.maximum(fraction, 1e-3) ** 2.4 * np.exp(1.1 * smooth_noise(random, 1.5))
    total = sum(raised.values())
    return brain, t1, {name: value / total for name, value in raised.items()}


def tumour_labels(random: np.random.Generator, brain: np.ndarray, tissue: dict[str, np.ndarray]) -> np.ndarray:
    """BraTS labels: a ring (4) around necrosis (1) and edema (2) that follows the white matter."""
    grid = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in SHAPE), indexing="ij")
    scaled = [(axis - centre) / half for axis, centre, half in zip(grid, CENTRE, HALF_AXES, strict=True)]
    radius = np.sqrt(sum(axis**2 for axis in scaled))
    radius = radius + 0.14 * smooth_noise(random, 7) + 0.06 * smooth_noise(random, 3)
    inside = ndimage.binary_erosion(brain, iterations=2)
    core = (radius < 1) & inside
    core = ndimage.binary_opening(core, iterations=1)
    depth = ndimage.distance_transform_edt(core)
    rim = np.clip(3.4 + 1.6 * smooth_noise(random, 6), 1.5, 8)
    necrosis = ndimage.binary_opening((depth > rim) & (smooth_noise(random, 2.5) < 1.6), iterations=1)
    # Water spreads from the core, quickly in white matter, hardly in cortex, not through the ventricles.
    speed = np.clip(tissue["WM"] + 0.15 * tissue["GM"], 0, 1) * inside
    speed = ndimage.gaussian_filter(speed, 0.7) * np.clip(1 + 0.25 * smooth_noise(random, 6), 0.3, 1)
    water = core.astype(np.float32)
    for _ in range(40):
        water = np.maximum(core, ndimage.gaussian_filter(water, 1.6) * np.minimum(1, 0.25 + speed))
    edema = ndimage.binary_opening((water > 0.012) & inside & (tissue["CSF"] < 0.5), iterations=1)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[ndimage.binary_closing(edema, iterations=1) & inside] = 2
    labels[core] = 4
    labels[necrosis] = 1
    return labels


def enhancing_vessels(random: np.random.Generator, brain: np.ndarray, tissue: dict[str, np.ndarray]) -> np.ndarray:
    """How much of each voxel is blood (0 to 1): sinuses in the midline, cortical veins, choroid plexus, arteries."""
    depth = ndimage.distance_transform_edt(brain)
    blood = np.zeros(SHAPE, dtype=np.float32)
    # Superior sagittal sinus: the midline's rim, top and back.
    middle = int(round(np.mean(np.nonzero(brain)[0])))
    i, j, k = np.nonzero(brain[middle - 2 : middle + 3] & (depth[middle - 2 : middle + 3] < 5))
    sinus = (k > 70) | (j > 185)
    blood[i[sinus] + middle - 2, j[sinus], k[sinus]] = np.where(np.abs(i[sinus] - 2) < 2, 1.0, 0.4)
    # The falx between the hemispheres: a thin enhancing sheet where the fissure holds most fluid.
    near = slice(middle - 6, middle + 7)
    fluid = ndimage.gaussian_filter(tissue["CSF"], 1.0) * brain
    fissure = np.argmax(fluid[near], axis=0)
    high = (np.arange(SHAPE[2])[None, :] > 76) | (np.arange(SHAPE[1])[:, None] > 180)
    j, k = np.nonzero((fluid[near].max(axis=0) > 0.2) & (depth[middle] < 34) & brain[middle] & high)
    sheet = np.clip(0.42 + 0.22 * smooth_noise(random, 6)[middle], 0.1, 1)
    blood[near][fissure[j, k], j, k] = np.maximum(blood[near][fissure[j, k], j, k], sheet[j, k])
    # Veins and arteries: random walks that stay in the fluid of the folds.
    surface = np.argwhere((depth > 1) & (depth < 24) & (tissue["CSF"] > 0.5) & brain)
    for start in surface[random.integers(len(surface), size=700)]:
        point, heading = start.astype(float), random.standard_normal(3)
        for _ in range(random.integers(10, 60)):
            heading = 0.75 * heading / np.linalg.norm(heading) + 0.45 * random.standard_normal(3)
            candidates = point + 0.9 * heading / np.linalg.norm(heading) + 0.7 * random.standard_normal((5, 3))
            inside = [tuple(np.clip(np.round(one).astype(int), 0, np.array(SHAPE) - 1)) for one in candidates]
            best = int(np.argmax([fluid[one] for one in inside]))
            point = candidates[best]
            blood[inside[best]] = 1
    # Choroid plexus: in the deep fluid of the ventricles, towards the back.
    deep = (depth > 32) & (tissue["CSF"] > 0.6)
    back = np.argwhere(deep)
    plexus = deep & (np.arange(SHAPE[1])[None, :, None] > np.percentile(back[:, 1], 62)) & (smooth_noise(random, 2) > 0.7)
    blood = np.clip(ndimage.gaussian_filter(blood, 0.6) * 2.2, 0, 1)
    return np.maximum(blood, 0.75 * ndimage.gaussian_filter(plexus.astype(np.float32), 0.8)) * brain


def contrast(random, brain, t1, tissue, labels) -> np.ndarray:
    """Intensity as a ratio to white matter, before the scanner's blur, shading and noise."""
    image = sum(RATIO[name] * tissue[name] for name in ("CSF", "GM", "WM"))
    # Keep what the template knows beyond three tissues (deep nuclei, brain stem).
    expected = ndimage.gaussian_filter(t1, 4) / np.maximum(ndimage.gaussian_filter(image * brain, 4), 0.1)
    image = image * np.clip(t1 / np.maximum(expected * image, 0.05), 0.8, 1.25) ** 0.5
    depth = ndimage.distance_transform_edt(brain)
    dura = (depth < 2.5) * np.clip(smooth_noise(random, 9) - 0.4, 0, 1)
    image = image + dura * (RATIO["dura"] - image)
    blood = enhancing_vessels(random, brain, tissue)
    image = image + blood * (RATIO["vessel"] - image)
    texture = smooth_noise(random, 1.3)
    # Edema is water in tissue: it lowers white matter towards grey and keeps what shows through.
    water = ndimage.gaussian_filter((labels > 0).astype(np.float32), 1.4)
    image = image + 0.85 * water * (RATIO["ED"] + 0.06 * smooth_noise(random, 4) - image) * (blood < 0.3)
    necrosis = RATIO["NCR"] + 0.11 * smooth_noise(random, 3.5)
    ring = RATIO["ET"] + 0.25 * smooth_noise(random, 3) + 0.12 * texture
    image = np.where(labels == 1, necrosis, image)
    return np.where(labels == 4, np.clip(ring, 0.95, 2.4), image)


def scan(random: np.random.Generator, brain: np.ndarray, image: np.ndarray) -> np.ndarray:
    """What a scanner makes of it: blur, shading, Rician noise; integers with a background of exactly zero."""
    filled = np.where(brain, image, 0.5)
    blurred = ndimage.gaussian_filter(filled, (0.6, 0.6, 0.75))
    shaded = blurred * np.exp(0.07 * smooth_noise(random, 45))
    noise = [ndimage.gaussian_filter(random.standard_normal(SHAPE), 0.55) for _ in range(2)]
    level = 0.022 / noise[0].std()
    noisy = np.hypot(shaded + level * noise[0], level * noise[1])
    return np.where(brain, np.maximum(1, np.round(noisy * WHITE_MATTER)), 0).astype(np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="nilearn's wheel, which carries the template")
    parser.add_argument("folder", type=Path, help="where the two files go")
    arguments = parser.parse_args()
    random = np.random.default_rng(SEED)
    brain, t1, tissue = tissues(arguments.wheel, random)
    labels = tumour_labels(random, brain, tissue)
    image = scan(random, brain, contrast(random, brain, t1, tissue, labels))
    for name, array in (("KDNetSampleT1ce", image), ("KDNetSampleT1ce-labels", labels)):
        nifti = nibabel.Nifti1Image(array, AFFINE)
        nifti.header.set_xyzt_units("mm")
        # No name and no time in the gzip header, so that the same seed gives the same bytes.
        packed = gzip.compress(nifti.to_bytes(), compresslevel=9, mtime=0)
        (arguments.folder / f"{name}.nii.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
