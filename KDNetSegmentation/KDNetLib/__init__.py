"""KDNetLib: brain tumour segmentation from one post-contrast T1 scan, as plain Python.

The engine behind the Slicer module KDNetSegmentation and the command ``kdnet``. It imports torch, numpy, nibabel,
scipy and safetensors, each only in the files that need it, and never slicer, qt or vtk.

    >>> from KDNetLib.image_io import read_image, write_labelmap
    >>> from KDNetLib.model_store import default_model
    >>> from KDNetLib.segmenter import Segmenter
    >>> result = Segmenter([default_model()]).segment(read_image("case_t1ce.nii.gz"))
    >>> write_labelmap("case_seg.nii.gz", result.classes, result.affine)

Arrays are in NIfTI axis order (i, j, k); affines are 4×4, voxel index to RAS millimetres.
"""

__version__ = "0.1.0"
