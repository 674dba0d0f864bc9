"""Modules of other extensions and of the application that module code imports by name: PyTorchUtils, SampleData."""

import importlib.util
import types

import slicer

registeredSamples = []


class PyTorchUtilsLogic:
    """The PyTorch extension's logic over the torch that is installed here; it never installs one."""

    def torchInstalled(self):
        return importlib.util.find_spec("torch") is not None

    @property
    def torch(self):
        if not self.torchInstalled():
            raise RuntimeError("The bench refuses to install torch: probe with torchInstalled(), never with .torch.")
        import torch
        return torch

    def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None,
                     torchvisionVersionRequirement=None):
        """The torch module; None, as when the user declines, where there is none."""
        return self.torch if self.torchInstalled() else None

    def getDevice(self):
        return self.torch.device("cpu") if self.torchInstalled() else "cpu"


class SampleDataLogic:
    """Remembers what modules register; :data:`registeredSamples` holds the keyword arguments."""

    @staticmethod
    def registerCustomSampleDataSource(category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None,
                                       customDownloader=None, thumbnailFileName=None, loadFileType="VolumeFile",
                                       loadFiles=None, loadFileProperties={}, checksums=None, sampleDescription=None):
        registeredSamples.append(dict(
            category=category, sampleName=sampleName, uris=uris, fileNames=fileNames, nodeNames=nodeNames,
            customDownloader=customDownloader, thumbnailFileName=thumbnailFileName, loadFileType=loadFileType,
            loadFiles=loadFiles, checksums=checksums, sampleDescription=sampleDescription))

    def downloadSample(self, sampleName):
        """What a click on the sample does, for one that brings its own downloader or is a local file."""
        source = next(s for s in registeredSamples if s["sampleName"] == sampleName)
        if source["customDownloader"]:
            return source["customDownloader"](types.SimpleNamespace(**source))
        uri = source["uris"][0] if isinstance(source["uris"], list) else source["uris"]
        if not uri.startswith("file://"):
            raise RuntimeError(f"The bench downloads nothing: {uri}")
        return slicer.util.loadNodeFromFile(uri.removeprefix("file://"), source["loadFileType"], {})


def build():
    """Modules by the name they are imported by."""
    torchUtils, sampleData = types.ModuleType("PyTorchUtils"), types.ModuleType("SampleData")
    torchUtils.PyTorchUtilsLogic = PyTorchUtilsLogic
    sampleData.SampleDataLogic = SampleDataLogic
    slicer.modules.pytorchutils = types.SimpleNamespace(name="PyTorchUtils")
    slicer.modules.sampledata = types.SimpleNamespace(name="SampleData")
    return {"PyTorchUtils": torchUtils, "SampleData": sampleData}


def reset():
    registeredSamples.clear()
