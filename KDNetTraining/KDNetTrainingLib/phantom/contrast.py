"""What the four sequences show: each tissue's brightness, and what takes up contrast medium.

Brightness is relative to white matter, as medians of real cases give it; those
of vessels, dura and plexus are typical of 3 T scans: flow voids in T2, bright after gadolinium.
"""

import numpy as np

from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.phantom.anatomy import Anatomy
from KDNetTrainingLib.phantom.fields import smooth_noise, step
from KDNetTrainingLib.phantom.tumour import Tumour

#: Tissue -> brightness in T1, T1ce, T2, FLAIR.
BRIGHTNESS = {
    "csf": (0.38, 0.48, 4.3, 0.50),
    "gm": (0.75, 0.80, 1.38, 1.36),
    "wm": (1.00, 1.00, 1.00, 1.00),
    "oedema": (0.74, 0.76, 2.60, 1.95),
    "core": (0.64, 0.74, 3.1, 1.9),
    "enhancing": (0.77, 1.39, 2.1, 1.65),
    "vessel": (0.80, 3.00, 0.80, 0.80),
    "dura": (0.80, 2.20, 1.00, 1.00),
    "plexus": (0.70, 1.80, 2.40, 1.30),
    "cavity": (0.42, 0.52, 4.0, 0.60),
}
#: How much each brightness differs between people and scanners (relative), and within a tissue over some mm (absolute).
_BETWEEN = 0.07
_WITHIN = (0.045, 0.06, 0.22, 0.11)


def images(anatomy: Anatomy, shares: dict[str, np.ndarray], tumour: Tumour, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The brain as a perfect scanner would show it, per modality (I, J, K) float32, white matter 1."""
    shape = anatomy.mask.shape
    texture = [smooth_noise(rng, shape, length) for length in (2, 3, 6, 20)]
    taken_up = _taken_up(anatomy, shares, rng)
    mottled = np.exp(np.float32(0.13) * texture[1] + np.float32(0.09) * texture[2])  # contrast medium is taken up unevenly
    severity = np.clip(np.float32(rng.uniform(0.6, 1.05)) + np.float32(0.07) * texture[2] + np.float32(0.09) * texture[3], 0.4, 1.2) * tumour.oedema
    severity *= 1 - np.float32(0.45) * shares["gm"]  # cortex swells less than white matter
    old = _white_matter_disease(anatomy, shares, texture[2], rng)
    # Tumour is less even than brain, but oedema barely so: texture must not give it away.
    mixed = 1 + np.float32(0.3) * tumour.oedema + np.float32(0.5) * tumour.core * (1 - tumour.cavity)
    fluid_core = rng.uniform(0.75, 1.2)  # necrosis of some tumours is darker in FLAIR, as fluid is
    result = {}
    for number, modality in enumerate(MODALITIES):
        level = {tissue: np.float32(values[number] * np.exp(rng.normal(0, _BETWEEN))) for tissue, values in BRIGHTNESS.items()}
        level["wm"] = np.float32(1)
        if modality == "flair":
            level["core"] *= np.float32(fluid_core)
        image = sum(shares[tissue] * level[tissue] for tissue in shares)
        affected = np.maximum(severity, old) if modality in ("t2", "flair") else severity
        image += affected * (level["oedema"] - image)
        image += tumour.core * (level["core"] - image)
        image += tumour.enhancing * (level["enhancing"] * (mottled if modality == "t1ce" else 1) - image)
        image += tumour.cavity * (level["cavity"] - image)
        for tissue, share in taken_up.items():
            image += share * (level[tissue] - image)
        own = texture[0] * rng.uniform(-1, 1) + texture[1] * rng.uniform(-0.7, 0.7) + texture[2] * rng.uniform(-0.7, 0.7)
        result[modality] = np.maximum(image + np.float32(_WITHIN[number]) * own * mixed, np.float32(0.05))
    return result


def _taken_up(anatomy: Anatomy, shares: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Shares of what is bright after contrast medium though it is no tumour: vessels, dura and choroid plexus."""
    shape = anatomy.mask.shape
    calibre = np.float32(0.35) * smooth_noise(rng, shape, 12) + np.float32(rng.uniform(0.0, 0.5))
    course = np.hypot(anatomy.veins, np.maximum(anatomy.mask - 30, 0) / 2)
    in_sulci = np.hypot(course, np.minimum(np.abs(anatomy.sulcus), anatomy.sylvian)) + np.maximum(anatomy.cerebrum - anatomy.reach, 0)
    sagittal = np.hypot(anatomy.midline * np.float32(1.1), anatomy.mask - 2) + 9 * (anatomy.callosum < 8)
    falx = step(np.float32(0.4) - np.abs(anatomy.midline)) * np.clip(anatomy.callosum / 14, 0, 1) * np.float32(0.55)
    tentorium = np.maximum(np.abs(anatomy.cerebrum - anatomy.cerebellum), np.maximum(anatomy.cerebrum, anatomy.cerebellum))
    vessel = np.maximum(step(calibre + np.float32(0.35) - in_sulci), step(np.float32(rng.uniform(2.2, 3.4)) - sagittal))
    sheet = np.maximum(step(np.float32(1.0) - tentorium) * step(anatomy.mask - 1, 2) * np.float32(0.7), falx)
    rim = step(np.float32(1.0) - anatomy.mask) * step(smooth_noise(rng, shape, 10) - np.float32(0.6), 0.5) * np.float32(0.9)
    plexus = step(-anatomy.plexus) * step(-anatomy.ventricles) * np.float32(0.85)
    return {"dura": np.maximum(sheet, rim), "vessel": vessel * (1 - shares["wm"] * np.float32(0.4)), "plexus": plexus}


def _white_matter_disease(anatomy: Anatomy, shares: dict[str, np.ndarray], noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bright caps around the ventricles and specks in white matter, as older people have without any tumour."""
    burden = np.float32(rng.beta(1, 2))
    caps = np.exp(-np.maximum(anatomy.ventricles, 0) / (1 + 4 * burden)) * (np.float32(0.25) + np.float32(0.5) * burden)
    specks = step(noise - np.float32(3.4 - 1.2 * burden), 0.8) * burden
    return np.maximum(caps, specks) * shares["wm"]
