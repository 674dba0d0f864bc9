"""KDNetTrainingLib: trains KD-Net's teacher and student on a local BraTS folder (Hu et al., MICCAI 2020).

Plain Python over KDNetLib; it never imports slicer, qt or vtk.
"""
