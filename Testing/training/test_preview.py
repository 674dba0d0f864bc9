"""The preview of a training: what is in its files, that they belong together, and what is written again."""

import nibabel
import numpy as np
import pytest
import torch

from KDNetLib.image_io import read_labelmap
from KDNetLib.labels import to_classes
from KDNetTrainingLib.run.preview_folder import PREDICTION, REFERENCE, SCAN, Preview, preview_folder, read_preview, write_preview
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.training.preview import preview_of
from KDNetTrainingLib.training.validation import decided_classes
from training.test_trainer import cases

CPU = torch.device("cpu")


def scene(seed=0, shape=(20, 24, 16)):
    rng = np.random.default_rng(seed)
    reference = np.zeros(shape, np.uint8)
    reference[4:12, 4:12, 4:12] = 2
    reference[6:10, 6:10, 6:10] = 3
    prediction = reference.copy()
    prediction[8:12] = 0  # half of the whole tumour is missed
    return rng.normal(size=shape), reference, prediction


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_the_files_are_what_was_given(tmp_path):
    scan, reference, prediction = scene()
    assert read_preview(tmp_path) is None
    write_preview(tmp_path, "case-1", "t1ce", 7, scan, reference, prediction, 2.0)
    folder = preview_folder(tmp_path)
    assert names(folder) == {SCAN, REFERENCE, PREDICTION, "preview.json"}
    image = nibabel.load(folder / SCAN)
    assert np.allclose(image.get_fdata(), scan, atol=1e-6) and nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    assert image.header.get_zooms() == (2.0, 2.0, 2.0)
    assert np.allclose(image.affine @ [9.5, 11.5, 7.5, 1], [0, 0, 0, 1])  # the centre of the grid
    for name, expected in ((REFERENCE, reference), (PREDICTION, prediction)):
        labels = read_labelmap(folder / name)
        assert np.array_equal(to_classes(labels.array, "1/2/4"), expected) and np.array_equal(labels.affine, image.affine)
    # Dice by hand: 4 of 8 planes found: 2·4/(8 + 4); ET 2 of 4 planes: 2·2/(4 + 2).
    assert read_preview(tmp_path) == Preview("case-1", "t1ce", 7, {"ET": 0.6667, "TC": 0.6667, "WT": 0.6667})


def test_only_what_changes_is_written_again(tmp_path):
    scan, reference, prediction = scene()
    write_preview(tmp_path, "case-1", "t1ce", 1, scan, reference, prediction, 2.0)
    files = [preview_folder(tmp_path) / name for name in (SCAN, REFERENCE, PREDICTION)]
    before = [path.stat().st_ino for path in files]
    write_preview(tmp_path, "case-1", "t1ce", 2, scan, reference, reference, 2.0)
    assert [path.stat().st_ino == inode for path, inode in zip(files, before)] == [True, True, False]
    assert read_preview(tmp_path).epoch == 2 and read_preview(tmp_path).dice == {"ET": 1.0, "TC": 1.0, "WT": 1.0}
    other, *rest = scene(seed=5)
    write_preview(tmp_path, "case-2", "t1ce", 3, other, *rest, 2.0)
    assert np.allclose(nibabel.load(files[0]).get_fdata(), other, atol=1e-6)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"case": "x"}'])
def test_a_damaged_description_counts_as_none(tmp_path, content):
    preview_folder(tmp_path).mkdir()
    (preview_folder(tmp_path) / "preview.json").write_text(content)
    assert read_preview(tmp_path) is None


def test_a_network_sees_the_whole_case_as_it_is():
    class Network(torch.nn.Module):
        divisor = 16

        def forward(self, images):
            assert not self.training and images.shape == (1, 1, 32, 32, 32)
            enhancing = 9.0 * (images > 2)
            return torch.cat([9 - enhancing, 0 * enhancing, 0 * enhancing, enhancing], dim=1)

    system = System()
    system.network, system.modalities = Network(), ("t1ce",)
    case = cases(1)[0]
    images, reference, prediction = preview_of(system, case, CPU, half=False)
    assert images.shape == (4, 32, 32, 32) and images.dtype == np.float32
    # Every second voxel of the cached grid, beyond whose last one there is nothing.
    assert np.array_equal(images[:, :32, :32, :32], case.images[:, ::2, ::2, ::2].astype(np.float32))
    assert np.array_equal(prediction, np.where(images[1] > 2, 3, 0)) and prediction.any()
    assert reference[13, 13, 15] == 3 and reference[11, 11, 13] == 2 and reference[0, 0, 0] == 0


def test_what_is_shown_and_what_chooses_the_epoch_is_decided_as_in_a_segmentation():
    """Class probabilities .4, .2, .1, .3: no class has more than the background, tumour .6, core .5 of it, of that ET .3 > .2."""
    logits = torch.tensor([0.4, 0.2, 0.1, 0.3]).log().reshape(4, 1, 1, 1)
    assert decided_classes(logits).item() == 3
