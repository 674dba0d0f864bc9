"""The Slicer layer of KDNet: Qt widgets and MRML nodes around the engine in KDNetLib.

The computation runs in a process of its own (:mod:`KDNetSegmentationLib.worker_process`), so Slicer's process imports
only those parts of KDNetLib that need neither torch nor nibabel.
"""
