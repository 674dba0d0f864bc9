"""A grown tumour on the images' grid: its classes, and how strongly each voxel shows it."""

from dataclasses import dataclass

import numpy as np

from KDNetTrainingLib.phantom import growth
from KDNetTrainingLib.phantom.anatomy import Anatomy
from KDNetTrainingLib.phantom.fields import refine, smooth_noise, step
from KDNetTrainingLib.phantom.kinds import Plan

#: Class indices: those of KDNetLib.labels, and the resection cavity of treated patients.
NCR, ED, ET, CAVITY = 1, 2, 3, 4


@dataclass(frozen=True)
class Tumour:
    """``classes`` uint8; soft shares float32 of oedema, core, enhancing tumour and cavity, each (I, J, K) on the fine grid."""

    classes: np.ndarray
    oedema: np.ndarray  # of everything that the tumour has changed
    core: np.ndarray
    enhancing: np.ndarray
    cavity: np.ndarray


def grown(plan: Plan, anatomy: Anatomy, shares: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Let the tumour of ``plan`` grow in the coarse ``shares``: its density, and a score that rises outwards from the lesions' middles."""
    seeds = np.array([_nearest(anatomy.points, centre, shares["wm"] > 0.8) for centre in plan.centres])
    vigour = np.exp(np.float32(0.7) * smooth_noise(rng, anatomy.mask.shape, 5) - np.float32(0.2))
    vigour *= (anatomy.cerebrum > 0) & (anatomy.cerebellum < 0)
    density, visible_at = growth.grow(shares, vigour, [tuple(seed) for seed in seeds], plan.volume * 1000 / 8)
    grid = np.stack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in density.shape), indexing="ij"))
    distances = [np.sqrt(((grid - seed.reshape(3, 1, 1, 1)) ** 2).sum(axis=0)) / size for seed, size in zip(seeds, plan.sizes)]
    score = (np.minimum.reduce(distances) * (2 / plan.core_radius) + visible_at * (0.6 / max(visible_at.max(), 1))).astype(np.float32)
    score += np.float32(0.22) * smooth_noise(rng, density.shape, 7) + np.float32(0.10) * smooth_noise(rng, density.shape, 3)
    return density, score


def label(plan: Plan, density: np.ndarray, score: np.ndarray, solid: np.ndarray, rng: np.random.Generator) -> Tumour:
    """The classes and soft shares of a grown tumour, on the grid of half the spacing; ``solid`` is where there is no fluid."""
    density, score = refine(density), refine(score)
    rough = [smooth_noise(rng, density.shape, length) for length in (4, 9)]
    edge = density - np.float32(growth.VISIBLE) * np.exp(np.float32(0.35) * rough[0] + np.float32(0.3) * rough[1])
    whole = (edge > 0) & solid
    score = np.where(whole, score, np.float32(np.inf))
    border = _level(score[whole], plan.core)
    core = score < border
    inner = score / border + np.float32(0.05) * rough[0] + np.float32(0.13) * smooth_noise(rng, density.shape, 7)
    if plan.kind.enhancement == "specks":  # a blot here and there, not a ring
        inner = np.where(core, np.float32(1) - np.float32(0.5) * smooth_noise(rng, density.shape, 5), inner)
    enhances = plan.kind.enhancement != "none"
    ring = _level(inner[core], plan.necrosis)
    enhancing = core & (inner > ring) & enhances
    classes = np.where(enhancing, ET, np.where(core, NCR, np.where(whole, ED, 0))).astype(np.uint8)
    cavity = np.zeros_like(density)
    if plan.treated:
        cavity = step(np.where(core, 0.8 + np.float32(0.3) * rough[1] - score / border, -9).astype(np.float32), 0.1)
        classes[cavity > 0.5] = CAVITY
    return Tumour(
        classes=classes,
        oedema=step(np.where(solid, edge, -1), 0.25).astype(np.float32),
        core=step(np.where(whole, border - score, -9).astype(np.float32), 0.25),
        enhancing=step(np.where(core, inner - ring, -9).astype(np.float32), 0.12) * np.float32(enhances),
        cavity=cavity,
    )


def _level(values: np.ndarray, share: float) -> np.float32:
    """The value that ``share`` of ``values`` lie below."""
    if not len(values):
        return np.float32(0)
    return np.partition(values, place := min(len(values) - 1, int(share * len(values))))[place]


def _nearest(points: np.ndarray, centre: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Index (3,) of the ``allowed`` voxel that shows the place nearest to ``centre``."""
    distance = ((points - centre.reshape(3, 1, 1, 1)) ** 2).sum(axis=0)
    return np.array(np.unravel_index(np.where(allowed, distance, np.inf).argmin(), distance.shape))
