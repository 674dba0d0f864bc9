"""How a scanner turns brightness into voxels: slice thickness, noise, coil sensitivity, and the resampling to 1 mm."""

import numpy as np
from scipy import ndimage

from KDNetTrainingLib.phantom.fields import along, smooth_noise


def acquire(image: np.ndarray, contrasted: bool, rng: np.random.Generator) -> np.ndarray:
    """What a scan of ``image`` (I, J, K) float32, 1 mm, white matter 1, looks like once brought back to 1 mm.

    Slices are 1 to 6 mm thick along one axis: mostly thin where ``contrasted``, as T1ce is acquired in three dimensions
    more often. The magnitude of a complex signal with Gaussian noise in both parts gives Rician noise.
    """
    thin = rng.uniform() < (0.65 if contrasted else 0.4)
    thickness = rng.uniform(1.0, 1.4) if thin else rng.uniform(3.0, 6.0)
    axis = 2 if not thin or rng.uniform() < 0.5 else 0
    into, back = _slices(image.shape[axis], thickness)
    sensitivity = np.exp(np.float32(rng.uniform(0.03, 0.11)) * smooth_noise(rng, image.shape, 70))
    signal = along(image * sensitivity, into, axis)
    sigma = np.float32(rng.uniform(0.03, 0.08))
    real, imaginary = (rng.standard_normal(signal.shape, dtype=np.float32) * sigma for _ in range(2))
    scan = along(np.hypot(signal + real, imaginary), back, axis)
    blur = rng.uniform(0.35, 0.75)
    for other in {0, 1, 2} - {axis}:
        scan = ndimage.gaussian_filter1d(scan, blur, axis=other, truncate=3)
    return scan


def stored(scan: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``scan`` in the arbitrary whole numbers of a scanner, int16; exactly 0 outside ``mask`` and at least 1 inside."""
    white = np.exp(rng.uniform(np.log(120), np.log(1500)))
    return np.where(mask, np.clip(np.rint(scan * np.float32(white)), 1, 32767), 0).astype(np.int16)


def _slices(side: int, thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrices from ``side`` voxels of 1 mm to slices of ``thickness`` mm (Gaussian profile of that full width) and linearly back."""
    count = int(np.ceil(side / thickness))
    centres = (np.arange(count) + 0.5) * thickness - 0.5
    voxels = np.arange(side)
    into = np.exp(-4 * np.log(2) * ((voxels - centres[:, None]) / thickness) ** 2)
    into /= into.sum(axis=1, keepdims=True)
    position = np.clip((voxels + 0.5) / thickness - 0.5, 0, count - 1)
    back = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(count)))
    return into.astype(np.float32), back.astype(np.float32)
