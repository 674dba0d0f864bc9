"""A piece with a tumour of one case in another's place (CarveMix: Zhang et al., MICCAI 2021): more tumours from few cases."""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from KDNetTrainingLib.data.augmentation import uniform


def transplanted(
    images: torch.Tensor, classes: torch.Tensor, donor_images: torch.Tensor, donor_classes: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The receiver's ``images`` (C, D, H, W) and ``classes`` (D, H, W) with what was carved out of the donor's, in the same place.

    What is carved is all that lies within a distance of the donor's tumour's surface, as the method draws it: with equal
    chances a part of the tumour (down to half its depth below the surface) or the tumour with a rim (up to its depth
    above it). What would lie outside the receiver's brain (all images 0) is left out. Without a tumour nothing changes.
    """
    tumour = (donor_classes > 0).cpu().numpy()
    if not tumour.any():
        return images, classes
    depths = distance_transform_edt(tumour)
    distances = np.where(tumour, -depths, distance_transform_edt(~tumour))
    inwards, share = uniform(generator, 0, 1, 2).tolist()
    limit = depths.max() * (-share / 2 if inwards < 0.5 else share)
    carved = torch.from_numpy(distances <= limit).to(images.device) & (images != 0).any(dim=0)
    return torch.where(carved, donor_images, images), torch.where(carved, donor_classes, classes)
