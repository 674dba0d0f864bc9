"""KDNet's sample scan and its reference labels in Slicer's Sample Data module."""

import hashlib
from pathlib import Path

from slicer.i18n import tr as _

from KDNetLib.resources import resources_folder

CATEGORY = "KDNet"
SAMPLE_NAME = "KDNetSampleT1ce"
REFERENCE_NAME = f"{SAMPLE_NAME}-labels"


def samplePath(name: str = SAMPLE_NAME) -> Path:
    """A bundled file: the synthetic post-contrast T1 scan, or the labels of the tumour that was grown in it."""
    return resources_folder() / "Sample" / f"{name}.nii.gz"


def registerSampleData(iconFolder: Path) -> None:
    """Offer the sample; a thumbnail is ``<name>.png`` in ``iconFolder``, if there."""
    _register(SAMPLE_NAME, _("Synthetic brain tumour, T1 with contrast"), "VolumeFile", iconFolder)
    _register(REFERENCE_NAME, _("Reference labels of the synthetic tumour"), "SegmentationFile", iconFolder)


def _register(name, title, fileType, iconFolder):
    import SampleData

    path = samplePath(name)
    thumbnail = Path(iconFolder) / f"{name}.png"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=title,
        thumbnailFileName=str(thumbnail) if thumbnail.is_file() else None,
        uris=path.as_uri(),
        fileNames=path.name,
        nodeNames=name,
        loadFileType=fileType,
        # Slicer keeps a copy of what it fetched; the hash renews it when another KDNet brings another sample.
        checksums="SHA256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
    )
