"""One generated case, from the numbers that name it to four images and a label map."""

from dataclasses import dataclass

import numpy as np

from KDNetTrainingLib.phantom import acquisition, anatomy, contrast, tissues, tumour
from KDNetTrainingLib.phantom.fields import refine
from KDNetTrainingLib.phantom.growth import VISIBLE
from KDNetTrainingLib.phantom.kinds import Plan
from KDNetTrainingLib.phantom.mass_effect import push_aside

#: Voxel index to RAS mm, as BraTS stores it: axes to the left, back and top.
AFFINE = np.array([[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)


@dataclass(frozen=True)
class PhantomCase:
    """``images`` by modality, int16, background 0; ``classes`` uint8 (0 to 3, 4 = resection cavity); all (240, 240, 155), ``AFFINE``."""

    images: dict[str, np.ndarray]
    classes: np.ndarray
    grade: str


def make_case(seed: int, number: int, treated: bool = False) -> PhantomCase:
    """The ``number``-th case of ``seed``; the same two always give the same case. ``treated``: some have a resection cavity."""
    rng = np.random.default_rng([seed, number])
    traits, plan = anatomy.Traits.draw(rng), Plan.draw(rng, treated)
    points = anatomy.template_points(traits, rng)
    depth = anatomy.depth_of_brain(points)
    for centre, size in zip(plan.centres, plan.sizes):
        points = push_aside(points, depth, centre, plan.core_radius * size + 4, plan.push * size)
    coarse = anatomy.build(points, traits, rng)
    density, score = tumour.grown(plan, coarse, tissues.shares(coarse, traits, 2.0), rng)
    fine = coarse.refined()
    shares = tissues.shares(fine, traits, 1.0, squeezed=np.float32(0.8) * np.clip(refine(density) / VISIBLE / 3, 0, 1))
    inside = fine.mask > 0
    lesion = tumour.label(plan, density, score, (shares["csf"] < 0.5) & inside, rng)
    images = {}
    for modality, image in contrast.images(fine, shares, lesion, rng).items():
        scan = acquisition.acquire(image, modality == "t1ce", rng)
        images[modality] = _placed(acquisition.stored(scan, inside, rng))
    return PhantomCase(images, _placed(lesion.classes), plan.kind.grade)


def _placed(array: np.ndarray) -> np.ndarray:
    """``array`` of the brain's box in the whole grid of BraTS."""
    result = np.zeros(anatomy.GRID, dtype=array.dtype)
    result[tuple(slice(start, start + side) for start, side in zip(anatomy.ORIGIN, array.shape))] = array
    return result
