"""The volumes and warnings of a run: kept with the segmentation node, shown, copied and saved."""

import json
import math
from pathlib import Path

from slicer.i18n import tr as _

from KDNetLib.csv_report import as_text, write_rows
from KDNetLib.labels import VOLUME_KEYS
from KDNetSegmentationLib.segmentation_output import currentVolumes

_ATTRIBUTE = "KDNet.result"
_COLUMNS = ("case", "label", "structure", "volume_ml", "confidence", "edited", "warnings")


def storeResult(result, inputName: str) -> None:
    """Keep what a run (``SegmentationResult``) found with its segmentation node, so that it is saved with the scene."""
    stored = {
        "input": inputName,
        "volumes_ml": result.volumes_ml,
        # The same, but where the output lies elsewhere than a scan under a nonlinear transform.
        "segments_ml": currentVolumes(result.segmentationNode),
        "confidence": result.confidence,
        "seconds": result.seconds["total"],
        "device": result.device,
        "model": result.model,
        "warnings": result.warnings,
    }
    result.segmentationNode.SetAttribute(_ATTRIBUTE, json.dumps(stored))


def storedResult(segmentationNode) -> dict | None:
    """What :func:`storeResult` kept, or None."""
    text = segmentationNode.GetAttribute(_ATTRIBUTE) if segmentationNode is not None else None
    return json.loads(text) if text else None


def withCurrentVolumes(stored: dict, volumes_ml: dict[str, float] | None) -> dict:
    """``stored`` with the volumes that its segments have now; ``edited`` says whether these are others than after the run.

    None, where they cannot be measured, leaves those of the run.
    """
    after = stored.get("segments_ml") or stored["volumes_ml"]  # scenes of earlier versions lack the first
    volumes_ml = volumes_ml or after
    # A scene file rounds the voxels' size.
    edited = not all(math.isclose(volumes_ml[key], after[key], rel_tol=1e-6) for key in VOLUME_KEYS)
    return {**stored, "volumes_ml": volumes_ml if edited else stored["volumes_ml"], "edited": edited}


def caption(stored: dict) -> str:
    """One line that says what run the volumes are of, and whether they are of what was made of its result since."""
    text = _("{input}, by {model} in {seconds:.1f} s on {device}").format(**stored)
    return _("{run}; volumes as edited since").format(run=text) if stored["edited"] else text


def warnings(stored: dict) -> list[str]:
    """The sentences that the run warned with."""
    return stored["warnings"]


def hasConfidence(stored: dict) -> bool:
    """Whether the run's model was calibrated; scenes of earlier versions have none."""
    return bool(stored.get("confidence"))


def volumeRows(stored: dict) -> list[tuple[str, str, str, str]]:
    """(key, structure, volume in ml, confidence from 0 to 1) as text for the three labels and the two regions.

    The confidence is empty for labels that are no region of BraTS, and where there is none.
    """
    confidence = stored["confidence"] if hasConfidence(stored) else {}
    structures = {  # in full, not from LABELS: translators are shown what is written out
        "NCR": _("Necrotic tumour core"),
        "ED": _("Peritumoral edema"),
        "ET": _("Enhancing tumour"),
        "TC": _("Tumour core (NCR + ET)"),
        "WT": _("Whole tumour (all three)"),
    }
    return [
        (key, structures[key], f"{stored['volumes_ml'][key]:.2f}", f"{confidence[key]:.2f}" if key in confidence else "")
        for key in VOLUME_KEYS
    ]


def asText(stored: dict) -> str:
    """The volumes and warnings for the clipboard."""
    return as_text(_COLUMNS, _csvRows(stored), "\t")


def writeCsv(stored: dict, path: str) -> None:
    """Write the volumes and warnings to a CSV file. Raises :class:`InputError`."""
    write_rows(Path(path), _COLUMNS, _csvRows(stored))


def _csvRows(stored):
    # In every row, so that rows of several cases can be put together.
    ofRun = {"case": stored["input"], "edited": "yes" if stored["edited"] else "no", "warnings": " ".join(warnings(stored))}
    ofLabel = _COLUMNS[1:5]
    return [{**ofRun, **dict(zip(ofLabel, row, strict=True))} for row in volumeRows(stored)]
