"""KDNet's sample scan in Slicer's Sample Data module."""

import hashlib
from pathlib import Path

from slicer.i18n import tr as _

from KDNetLib.resources import resources_folder

CATEGORY = "KDNet"
SAMPLE_NAME = "KDNetSampleT1ce"


def samplePath() -> Path:
    """The bundled sample: a synthetic post-contrast T1 scan with a tumour-like lesion."""
    return resources_folder() / "Sample" / f"{SAMPLE_NAME}.nii.gz"


def registerSampleData(iconFolder: Path) -> None:
    """Offer the sample; its thumbnail is ``KDNetSampleT1ce.png`` in ``iconFolder``, if there."""
    import SampleData

    path = samplePath()
    thumbnail = Path(iconFolder) / f"{SAMPLE_NAME}.png"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=_("Synthetic brain tumour, T1 with contrast"),
        thumbnailFileName=str(thumbnail) if thumbnail.is_file() else None,
        uris=path.as_uri(),
        fileNames=path.name,
        nodeNames=SAMPLE_NAME,
        # Slicer keeps a copy of what it fetched; the hash renews it when another KDNet brings another sample.
        checksums="SHA256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
    )
