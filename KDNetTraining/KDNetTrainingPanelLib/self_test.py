"""Slicer's self-test of the module."""

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest


class KDNetTrainingTest(ScriptedLoadableModuleTest):
    """Filled in below."""
