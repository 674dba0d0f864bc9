"""The Slicer layer of KDNet's training: Qt widgets and MRML nodes around the engine in KDNetTrainingLib.

The training runs in a process of its own (:mod:`KDNetTrainingPanelLib.run_process`) and the run folder is all that the
two share, so Slicer's process imports only those parts of the engine that need neither torch nor nibabel.
"""
