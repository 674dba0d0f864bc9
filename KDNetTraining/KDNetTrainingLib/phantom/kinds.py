"""Kinds of glioma as BraTS holds them: how often, how large, and how much of them is core, necrosis and enhancing."""

from dataclasses import dataclass

import numpy as np

#: Middle (x to one side, y, z in mm) and spread of where gliomas arise: frontal, temporal, parietal, occipital, insular, thalamic.
_LOBES = (
    ((27, 30, 22), 9, 0.30),
    ((42, -18, -20), 7, 0.26),
    ((30, -42, 36), 9, 0.20),
    ((26, -74, 10), 7, 0.10),
    ((33, 2, 6), 6, 0.10),
    ((15, -20, 10), 4, 0.04),
)


@dataclass(frozen=True)
class Kind:
    """``volume``: median of the whole tumour in ml. Ranges of shares: ``core`` of the tumour, ``necrosis`` of the core.

    ``enhancement`` is "ring" where the core's rim takes up contrast medium, "specks" where parts of it do, or "none".
    """

    name: str
    grade: str
    frequency: float
    volume: float
    core: tuple[float, float]
    necrosis: tuple[float, float]
    enhancement: str


#: Low grades have a core that does not enhance, labelled like necrosis, at most with specks that do.
KINDS = (
    Kind("ring", "HGG", 0.52, 95, (0.22, 0.60), (0.25, 0.60), "ring"),
    Kind("solid", "HGG", 0.16, 80, (0.07, 0.30), (0.02, 0.12), "ring"),
    Kind("not enhancing", "LGG", 0.18, 75, (0.30, 0.80), (1.0, 1.0), "none"),
    Kind("specks", "LGG", 0.14, 65, (0.08, 0.55), (0.75, 0.97), "specks"),
)


@dataclass(frozen=True)
class Plan:
    """One patient's tumour before it grows. ``centres`` (n, 3) in template mm, the first the main lesion; ``sizes`` (n,) up to 1."""

    kind: Kind
    volume: float  # of all of it, ml
    core: float
    necrosis: float
    centres: np.ndarray
    sizes: np.ndarray
    push: float
    treated: bool  # part of the core was taken out

    @classmethod
    def draw(cls, rng: np.random.Generator, treated: bool) -> "Plan":
        """A tumour at random."""
        kind = KINDS[rng.choice(len(KINDS), p=[kind.frequency for kind in KINDS])]
        side = rng.choice([-1, 1])
        middle, spread, _ = _LOBES[rng.choice(len(_LOBES), p=[lobe[2] for lobe in _LOBES])]
        first = np.array(middle) * (side, 1, 1) + rng.normal(0, spread, 3)
        more = rng.choice([0, 1, 2], p=[0.78, 0.15, 0.07]) if kind.grade == "HGG" else 0
        centres = [first]
        for _ in range(more):
            direction = rng.normal(size=3)
            centres.append(first + direction / np.linalg.norm(direction) * rng.uniform(24, 48))
        return cls(
            kind=kind,
            volume=float(np.clip(kind.volume * np.exp(rng.normal(0, 0.55)), 12, 240)),
            core=rng.uniform(*kind.core),
            necrosis=rng.uniform(*kind.necrosis),
            centres=np.array(centres),
            sizes=np.array([1.0, *rng.uniform(0.3, 0.7, more)]),
            push=rng.uniform(0.25, 0.75),
            treated=treated and rng.uniform() < 0.6,
        )

    @property
    def core_radius(self) -> float:
        """Radius in mm of the main lesion's core if it were a ball."""
        return float((self.volume * self.core * 1000 * 3 / (4 * np.pi)) ** (1 / 3))
