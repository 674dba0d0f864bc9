"""Compare a result with a reference: segmentation or label map, any numbering, any grid, under transforms."""

from module_support import addTransform, addVolume, click, tableTexts, waitFor  # first: starts the bench
from module_fixtures import *  # noqa: F403

import nibabel
import numpy as np
import pytest
import slicer
from KDNetLib.errors import InputError
from KDNetLib.labels import from_classes
from KDNetLib.measures import HD95_ONE_EMPTY, compare
from KDNetSegmentationLib.segmentation_output import readClasses, writeSegmentation
from KDNetSegmentationLib.tables import fillComparison

SHAPE = (40, 44, 36)
AFFINE = np.diag([-1.0, -1, 1.5, 1])


def lesion(shift=0):
    """Class indices with all three labels."""
    classes = np.zeros(SHAPE, np.uint8)
    classes[10 + shift : 30 + shift, 12:32, 8:28] = 2
    classes[14 + shift : 26 + shift, 16:28, 12:24] = 3
    classes[17 + shift : 23 + shift, 19:25, 15:21] = 1
    return classes


@pytest.fixture
def result():
    """A volume and the segmentation KDNet made of it."""
    volume = addVolume("scan", affine=AFFINE)
    return volume, writeSegmentation(lesion(), volume)


def compareInPanel(panel, segmentation, reference, convention="automatic"):
    panel.enter()
    panel.ui.outputSelector.setCurrentNode(segmentation)
    panel.ui.referenceSelector.setCurrentNode(reference)
    panel.ui.conventionComboBox.currentIndex = panel.ui.conventionComboBox.findText(convention)
    click(panel.ui.compareButton)
    waitFor(lambda: not panel.logic.busy)


def expectedRows(shift):
    measures = compare(lesion(), lesion(shift), AFFINE)
    return [
        [
            region,
            f"{measures[region]['dice']:.3f}",
            f"{measures[region]['hd95']:.2f}",
            f"{measures[region]['volume_prediction_ml']:.2f}",
            f"{measures[region]['volume_reference_ml']:.2f}",
        ]
        for region in ("ET", "TC", "WT")
    ]


@pytest.mark.parametrize("convention, values", [("1/2/4", [0, 1, 2, 4]), ("1/2/3", [0, 1, 2, 3]), ("msd", [0, 2, 1, 3])])
def test_label_map_of_any_numbering(panel, result, convention, values):
    reference = addVolume(
        "reference", np.array(values, np.uint8)[lesion(3)], AFFINE, className="vtkMRMLLabelMapVolumeNode"
    )
    compareInPanel(panel, result[1], reference, convention)
    assert tableTexts(panel.ui.comparisonTable) == expectedRows(3)
    assert expectedRows(3)[0][1] != "1.000"
    panel.ui.referenceSelector.setCurrentNode(panel.ui.outputSelector.currentNode())
    assert not tableTexts(panel.ui.comparisonTable), "the measures are of another reference"


def test_segmentation_read_from_a_file_on_another_grid_under_a_transform(panel, result, tmp_path):
    # The reference shows the same lesion, cropped, flipped, and put into place only by its transform.
    wide = from_classes(lesion(2))[4:, ::-1, :]
    crop = np.eye(4)
    crop[0, 3] = 4
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = SHAPE[1] - 1
    affine = AFFINE @ crop @ flip
    moved = np.linalg.inv([[0, -1, 0, 30], [1, 0, 0, -12], [0, 0, 1, 5], [0, 0, 0, 1]])
    path = tmp_path / "BraTS2021_00495_seg.nii.gz"
    nibabel.Nifti1Image(wide, affine).to_filename(path)
    reference = slicer.util.loadSegmentation(str(path), {})
    transform = addTransform(moved)
    volume, segmentation = result
    volume.SetAndObserveTransformNodeID(transform.GetID())
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    reference.SetAndObserveTransformNodeID(transform.GetID())
    compareInPanel(panel, segmentation, reference)
    assert tableTexts(panel.ui.comparisonTable) == expectedRows(2)


def draw(names, classes, volume):
    """A reference drawn segment by segment: (name, class index)."""
    reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    reference.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name, index in names:
        segmentId = reference.GetSegmentation().AddEmptySegment("", name)
        array = (classes == index).astype(np.uint8).transpose(2, 1, 0)
        slicer.util.updateSegmentBinaryLabelmapFromArray(np.ascontiguousarray(array), reference, segmentId, volume)
    return reference


@pytest.mark.parametrize("enhancing, edema, necrosis", [
    ("Enhancing tumor", "Edema", "Necrosis"),
    ("Enhancing tissue", "Surrounding non-enhancing FLAIR hyperintensity", "Non-enhancing tumor core"),  # BraTS 2023
    ("ET", "SNFH", "NCR"),
    ("Enhancing tumour", "Peritumoral edema / non-enhancing tumour", "Necrotic core"),
])  # fmt: skip
def test_segments_named_after_the_labels_need_no_numbering(logic, result, enhancing, edema, necrosis):
    volume, segmentation = result
    drawn = lesion(1)
    reference = draw([(enhancing, 3), (edema, 2), (necrosis, 1)], drawn, volume)
    measures = logic.compare(segmentation, reference)
    expected = compare(lesion(), drawn, AFFINE)
    for region, measured in measures.items():
        assert measured == pytest.approx(expected[region])


def test_a_chosen_numbering_goes_before_the_names(logic, result):
    volume, segmentation = result
    reference = writeSegmentation(lesion(), volume)
    for name, segmentId in zip(("Edema", "Necrosis", "Enhancing tumor"), ("KDNet_NCR", "KDNet_ED", "KDNet_ET")):
        reference.GetSegmentation().GetSegment(segmentId).SetName(name)
    assert logic.compare(segmentation, reference, "1/2/3")["TC"]["dice"] == 1
    swapped = compare(lesion(), np.array([0, 2, 1, 3], np.uint8)[lesion()], AFFINE)
    assert logic.compare(segmentation, reference, "msd")["TC"]["dice"] == pytest.approx(swapped["TC"]["dice"])


def test_segments_that_share_a_number_are_refused_where_a_numbering_is_chosen(logic, result):
    volume, segmentation = result
    reference = draw([("Enhancing tumor", 3), ("Edema", 2), ("Necrosis", 1)], lesion(), volume)
    with pytest.raises(InputError, match="share a label number"):
        logic.compare(segmentation, reference, "1/2/3")


def test_compares_what_the_segments_are_now_without_the_scan(logic, result):
    volume, segmentation = result
    other = addVolume("reference", from_classes(lesion()), AFFINE, className="vtkMRMLLabelMapVolumeNode")
    slicer.mrmlScene.RemoveNode(volume)
    assert {m["dice"] for m in logic.compare(segmentation, other, "1/2/4").values()} == {1.0}
    empty = np.zeros(SHAPE[::-1], np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(empty, segmentation, "KDNet_ET", other)
    assert logic.compare(segmentation, other, "1/2/4")["ET"]["dice"] == 0


@pytest.mark.parametrize("found, there, expected", [
    (False, True, ["ET", "0.000", "not found"]),
    (True, False, ["ET", "0.000", "not in ref."]),
    (False, False, ["ET", "1.000", "in neither"]),
])  # fmt: skip
def test_a_region_that_is_missing_is_told_instead_of_a_distance(panel, found, there, expected):
    with_, without = lesion(), np.where(lesion() == 3, 2, lesion()).astype(np.uint8)
    table = panel.ui.comparisonTable
    fillComparison(table, compare(with_ if found else without, with_ if there else without, AFFINE))
    enhancing, core, whole = tableTexts(table)
    assert enhancing[:3] == expected
    assert whole[1:3] == ["1.000", "0.00"] and core[2] not in expected
    assert f"HD95 {HD95_ONE_EMPTY:.2f} mm" in table.toolTip


def test_values_outside_the_numbering_are_a_sentence_in_the_panel(panel, result):
    reference = addVolume("odd", from_classes(lesion()), AFFINE, className="vtkMRMLLabelMapVolumeNode")
    compareInPanel(panel, result[1], reference, "1/2/3")
    assert "4" in panel.ui.statusLabel.text and "numbering" in panel.ui.statusLabel.text
    assert not tableTexts(panel.ui.comparisonTable)


def test_a_segmentation_without_result_is_refused(logic):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    with pytest.raises(InputError, match="no KDNet segments"):
        logic.compare(node, node)


def test_empty_result_is_read_back_on_the_scans_grid(result):
    volume, segmentation = result
    writeSegmentation(np.zeros(SHAPE, np.uint8), volume, segmentation)
    assert readClasses(segmentation, volume).shape == SHAPE
    assert not readClasses(segmentation, volume).any()
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3
