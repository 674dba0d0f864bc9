"""A procedural brain: signed distances to its surfaces on a 2 mm grid, in about the coordinates of the MNI templates.

No template file is used. Positions and sizes are those of the MNI atlases, rounded; each case has its own size,
proportions, ventricles, width of the sulci and folding.
"""

from dataclasses import dataclass

import numpy as np

from KDNetTrainingLib.phantom.fields import distance_to_zero, refine, sample, smooth_noise, wave_noise
from KDNetTrainingLib.phantom.solids import ellipsoid, intersection, tube, union

#: The grid of BraTS, and the box in it (voxels of 1 mm) that a brain fills; shapes are computed on every other voxel of it.
GRID = (240, 240, 155)
ORIGIN = (46, 30, 0)
COARSE = (74, 94, 75)
_NOISE_MM = 4.0  # lattice of the folding


@dataclass(frozen=True)
class Traits:
    """What makes one person's brain: lengths in mm, ``scale`` (3,) without unit."""

    scale: np.ndarray
    ventricles: float  # added to the ventricles' radii
    sulci: float  # half width of an open sulcus
    gap: float  # cerebrospinal fluid between cortex and dura
    cortex: float  # thickness
    turn: np.ndarray  # (3, 3) rotation of the head

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Traits":
        """Someone at random; age widens sulci and ventricles together."""
        age = rng.uniform()
        return cls(
            scale=rng.normal(0.965, 0.03) * rng.normal(1.0, 0.02, 3),
            ventricles=rng.normal(-0.9 + 2.2 * age, 0.7),
            sulci=rng.uniform(0.0, 0.3) + 0.5 * age,
            gap=rng.uniform(-0.2, 0.3) + 0.8 * age,
            cortex=rng.uniform(2.5, 3.1),
            turn=_rotation(np.deg2rad(rng.normal(0, 2.0, 3))),
        )


@dataclass(frozen=True)
class Anatomy:
    """Fields (I, J, K) float32 on one grid; distances in mm, negative inside a solid, depths positive inside.

    ``points`` (3, I, J, K) are the places in the template that the voxels show.
    """

    points: np.ndarray
    mask: np.ndarray  # depth below what skull-stripping leaves
    cerebrum: np.ndarray  # depth below the cerebrum's smooth hull
    sulcus: np.ndarray  # signed distance to the sheet of the nearest sulcus
    reach: np.ndarray  # how deep the sulci go here
    sylvian: np.ndarray
    midline: np.ndarray  # signed distance to the fissure's plane
    callosum: np.ndarray  # distance below the fissure's floor
    ventricles: np.ndarray
    nuclei: np.ndarray
    cerebellum: np.ndarray
    folia: np.ndarray  # phase of the cerebellum's leaves, in turns
    brainstem: np.ndarray
    veins: np.ndarray  # signed distance to a winding sheet; vessels run where it meets the sulci
    plexus: np.ndarray

    def refined(self) -> "Anatomy":
        """The same at half the spacing, without ``points``."""
        return Anatomy(None, *(refine(field) for name, field in vars(self).items() if name != "points"))


def template_points(traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """The place in the template (3, *COARSE) in mm that each voxel of the coarse grid shows, bent smoothly by up to some mm."""
    axes = [np.float32(start) + 2 * np.arange(side, dtype=np.float32) for start, side in zip(ORIGIN, COARSE)]
    i, j, k = np.meshgrid(*axes, indexing="ij")
    points = np.stack([i - np.float32(119.5), np.float32(107) - j, k - np.float32(64)])
    points = np.tensordot((traits.turn / traits.scale[:, None]).astype(np.float32), points, 1)
    for axis in points:
        axis += np.float32(2.2) * smooth_noise(rng, COARSE, 17)
    return points


def build(points: np.ndarray, traits: Traits, rng: np.random.Generator) -> Anatomy:
    """The brain whose template places are ``points``."""
    x, y, z = points
    paired = np.stack([np.abs(x), y, z])
    hull, norm = _cerebrum(paired)
    cerebellum = union(ellipsoid(paired, (23, -64, -38), (29, 29, 20)), ellipsoid(points, (0, -62, -31), (15, 25, 22)), 5)
    stem = union(
        ellipsoid(points, (0, -27, -34), (18, 14, 15)), tube(points, [(0, -20, -6, 15), (0, -28, -34, 14), (0, -34, -52, 8), (0, -38, -76, 7)]), 6
    )
    mask = union(union(hull, cerebellum, 9), stem, 9) - np.float32(0.4 + 0.5 * traits.gap)
    mask = mask + np.float32(0.8) * smooth_noise(rng, COARSE, 7)
    below = ellipsoid(np.stack([0 * y, y, z]), (0, -7, -4), (1e3, 40, 33))
    return Anatomy(
        points=points,
        mask=-mask,
        cerebrum=-hull,
        sulcus=2 * distance_to_zero(_folding(points, norm, rng)),
        reach=np.clip(17 + 6 * smooth_noise(rng, COARSE, 6), 4, 26),
        sylvian=_sylvian(paired, smooth_noise(rng, COARSE, 6), smooth_noise(rng, COARSE, 6)),
        midline=x + np.float32(0.8) * smooth_noise(rng, COARSE, 12),
        callosum=np.maximum(-below, 0) + np.maximum(-26 - z, 0),
        ventricles=_ventricles(paired, points, traits.ventricles),
        nuclei=_nuclei(paired),
        cerebellum=-cerebellum,
        folia=(np.arctan2(z + 30, -(y + 46)) * np.float32(27 / 4.6) + np.float32(0.35) * smooth_noise(rng, COARSE, 5)).astype(np.float32),
        brainstem=-stem,
        veins=2 * distance_to_zero(wave_noise(rng, COARSE, 15, 0.25)),
        plexus=tube(paired, [(12, -8, 15, 0.8), (16, -28, 15, 1.5), (24, -40, 6, 3.2), (29, -34, -4, 1.2)]),
    )


def depth_of_brain(points: np.ndarray) -> np.ndarray:
    """Depth in mm of ``points`` below the cerebrum's hull."""
    return -_cerebrum(np.stack([np.abs(points[0]), points[1], points[2]]))[0]


def _cerebrum(paired: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hull of both hemispheres, and the distance from the middle where the upper hull is 1."""
    x, y, z = paired
    tapered = np.stack([x / (1 - np.float32(0.10 / 88) * (y + 30)), y, z])
    upper = ellipsoid(tapered, (0, -17, 9), (65, 86, 65), 2.1)
    norm = np.sqrt((tapered[0] / 67) ** 2 + ((y + 17) / 88) ** 2 + ((z - 9) / 67) ** 2)
    floor = -(z + 20 + np.float32(8 / 60) * np.clip(y, -40, 40))  # the frontal lobes reach lower than the occipital ones
    temporal = ellipsoid(paired, (41, -18, -22), (25, 43, 25), 2.2)
    middle = ellipsoid(paired, (0, -15, -6), (21, 28, 21))  # hypothalamus and midbrain, where there is no cortex
    return union(union(intersection(upper, floor, 14), temporal, 5), middle, 4), norm


def _folding(points: np.ndarray, norm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A field whose zeros are the sulci: waves on the hull, carried inwards along its rays so that sulci stand upright."""
    centre = np.array([0, -17, 5], np.float32).reshape(3, 1, 1, 1)
    upright = np.clip(0.45 + points[2] / 60, 0.1, 0.65)  # less so towards the base, which the rays meet at a slant
    outward = centre + (points - centre) / np.clip(norm, 0.3, 1.2) ** upright
    side = int(260 / _NOISE_MM)
    return sample(wave_noise(rng, (side,) * 3, 19 / _NOISE_MM, 0.25), outward / np.float32(_NOISE_MM) + side / 2)


def _sylvian(paired: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance to the Sylvian fissure: a sloping sheet inwards from the side, and the insula's curved sheet at its end.

    ``first`` and ``second`` are noise that bends them.
    """
    x, y, z = paired
    height = z + 3 + np.float32(0.42) * y + 3 * first
    sheet = np.sqrt((0.9 * height) ** 2 + np.maximum(36 - x, 0) ** 2 + np.maximum(np.abs(y + 10) - 36, 0) ** 2)
    across = x - 39 + 7 * ((y - 2) / 24) ** 2 + 5 * (height / 14) ** 2 + np.float32(1.5) * second
    insula = np.sqrt((0.8 * across) ** 2 + np.maximum(np.abs(height) - 11, 0) ** 2 + np.maximum(np.abs(y - 2) - 18, 0) ** 2)
    return np.minimum(sheet, insula).astype(np.float32)


def _ventricles(paired: np.ndarray, points: np.ndarray, wider: float) -> np.ndarray:
    """Both lateral ventricles, which ``wider`` widens, the third and the fourth."""
    horn = [(8, 31, 2, 2.5), (7.5, 21, 9, 4.5), (7, 4, 19, 5), (10, -18, 22, 5), (20, -36, 16, 6)]
    body = tube(paired, [*horn, (26, -44, 8, 6.5), (26, -62, 5, 3), (24, -76, 4, 0.5)])
    lateral = union(body, tube(paired, [(26, -42, 6, 6), (33, -28, -10, 2.5), (31, -12, -18, 1.5)]), 4)
    third = ellipsoid(points, (0, -12, 0), (1.6 + 0.5 * max(wider, 0), 15, 12))
    fourth = ellipsoid(points, (0, -44, -32), (7, 5, 10))
    return union(lateral - np.float32(wider), np.minimum(third, fourth), 2)


def _nuclei(paired: np.ndarray) -> np.ndarray:
    """Thalamus, caudate, lentiform nucleus, hippocampus and amygdala."""
    solids = (((11, -19, 7), (9, 14, 9)), ((26, 2, 1), (7, 16, 10)), ((28, -20, -15), (6, 17, 5)), ((23, -3, -19), (8, 8, 8)))
    result = tube(paired, [(13, 18, 4, 6), (14, 6, 14, 4.5), (19, -16, 22, 2.5)])
    for centre, radii in solids:
        result = np.minimum(result, ellipsoid(paired, centre, radii))
    return result


def _rotation(angles: np.ndarray) -> np.ndarray:
    result = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result
