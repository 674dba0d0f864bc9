"""What the segments are in standard terms, for saved scenes and DICOM SEG."""

from pathlib import Path

import slicer

#: Must equal "SegmentationCategoryTypeContextName" in the terminology file.
CONTEXT = "Segmentation category and type - KDNet"

_FILE = "SegmentationCategoryTypeModifier-KDNet.term.json"
_CATEGORY = "SCT^49755003^Morphologically Altered Structure"
_REGION = "Anatomic codes - DICOM master list~SCT^12738006^Brain~^^"
_TYPES = {
    "NCR": "SCT^6574001^Necrosis",
    "ED": "SCT^79654002^Edema",
    "ET": "NCIt^C113842^Enhancing Lesion",
}


def terminologyEntry(key: str) -> str:
    """Slicer's terminology string of the label ``key`` ("NCR", "ED", "ET")."""
    return f"{CONTEXT}~{_CATEGORY}~{_TYPES[key]}~^^~{_REGION}"


def loadTerminology() -> None:
    """Make KDNet's terms known to Slicer's terminology selector, unless they are."""
    logic = slicer.modules.terminologies.logic()
    if not logic.IsTerminologyContextLoaded(CONTEXT):
        logic.LoadTerminologyFromFile(str(Path(__file__).resolve().parents[1] / "Resources" / _FILE))
