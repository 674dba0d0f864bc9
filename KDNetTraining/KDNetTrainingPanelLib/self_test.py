"""Slicer's self-test of the main path: a short training on generated cases, by the console."""

import subprocess
import tempfile
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from KDNetLib.manifest import read_manifest
from KDNetSegmentationLib.dependencies import missingPackages
from KDNetSegmentationLib.engine_process import environmentFor, folderOf, interpreter
from KDNetTrainingPanelLib.data_check import DataCheck
from KDNetTrainingPanelLib.engine_task import PACKAGES
from KDNetTrainingPanelLib.logic import KDNetTrainingLogic

#: As small as a training can be: the test is of the way, not of the result.
_SETTINGS = {"epochs": 2, "preprocessing": "whole-brain", "spacing": 4.0, "crop": (32, 32, 32), "width": 2}


class KDNetTrainingTest(ScriptedLoadableModuleTest):
    """Generates cases, checks them, trains teacher and student, and looks at the model file."""

    def setUp(self):
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Called by Slicer's "Reload and Test" and by ctest."""
        missing = missingPackages()
        if missing:
            self.delayDisplay(f"Skipped: {', '.join(missing)} not installed")
            return
        self.setUp()
        self.test_trainOnGeneratedCases()

    def test_trainOnGeneratedCases(self):
        """The main path: cases, a look into their folder, pause, resume, model."""
        with tempfile.TemporaryDirectory(prefix="KDNet-", ignore_cleanup_errors=True) as folder:
            data, runFolder = Path(folder) / "cases", Path(folder) / "run"
            self.delayDisplay("Generating cases")
            command = [interpreter(), "-c", _GENERATE, str(data)]
            subprocess.run(command, check=True, env=environmentFor(*PACKAGES), cwd=folderOf(PACKAGES[0]), stdin=subprocess.DEVNULL)
            self._checkData(data)
            logic = KDNetTrainingLogic()
            try:
                self._train(logic, data, runFolder)
            finally:
                logic.shutdown()
        self.delayDisplay("Test passed")

    def _checkData(self, data):
        answers = []
        check = DataCheck(lambda fraction, text: None, lambda found, problem: answers.append((found, problem)))
        check.start(data)
        while not answers:
            slicer.app.processEvents()
        found, problem = answers[0]
        self.assertEqual((problem, found.usable), ("", 3))

    def _train(self, logic, data, runFolder):
        self.delayDisplay("Training")
        fractions = []
        run = logic.train(data, runFolder, device="cpu", wait=False, modelName="self-test", **_SETTINGS)
        logic.stop(runFolder)
        self.assertIn(run.wait().state, ("stopped", "finished"))
        state = logic.resume(runFolder, device="cpu", progress=lambda state: fractions.append(state.fraction))
        self.assertEqual(state.state, "finished")
        self.assertEqual(fractions, sorted(fractions))
        self.assertEqual(read_manifest(runFolder / "models" / "self-test.safetensors").name, "self-test")


_GENERATE = """
import pathlib, sys
from KDNetTrainingLib.phantom.folder import write_folder
write_folder(pathlib.Path(sys.argv[1]), 3, "BraTS 2021", 0, lambda done, total: None)
"""
