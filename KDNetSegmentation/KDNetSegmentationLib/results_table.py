"""The volumes of a run: kept with the segmentation node, shown, copied and saved."""

import csv
import io
import json

from slicer.i18n import tr as _

from KDNetLib.labels import LABELS, VOLUME_KEYS

_ATTRIBUTE = "KDNet.result"


def storeResult(result, inputName: str) -> None:
    """Keep what a run (``SegmentationResult``) found with its segmentation node, so that it is saved with the scene."""
    stored = {
        "input": inputName,
        "volumes_ml": result.volumes_ml,
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


def caption(stored: dict) -> str:
    """One line that says what run the volumes are of."""
    return _("{input}, by {model} in {seconds:.1f} s on {device}").format(**stored)


def volumeRows(stored: dict) -> list[tuple[str, str, str]]:
    """(key, structure, volume in ml as text) for the three labels and the two regions."""
    structures = {label.key: label.name for label in LABELS}
    structures["TC"] = _("Tumour core (NCR + ET)")
    structures["WT"] = _("Whole tumour (all three)")
    return [(key, structures[key], f"{stored['volumes_ml'][key]:.2f}") for key in VOLUME_KEYS]


def asText(stored: dict) -> str:
    """The volumes for the clipboard: tab-separated, as spreadsheets paste them."""
    return _tabular(stored, "\t")


def writeCsv(stored: dict, path: str) -> None:
    """Write the volumes to a CSV file. Raises OSError."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(_tabular(stored, ","))


def _tabular(stored, delimiter):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["case", "label", "structure", "volume_ml"])
    for row in volumeRows(stored):
        writer.writerow([stored["input"], *row])
    return text.getvalue()
