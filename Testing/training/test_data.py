"""Finding cases of every edition by naming, and reading them: nothing mixed up between modalities, labels or grids."""

import nibabel
import numpy as np
import pytest

from engine.generated import affine_of, brain, save
from training.generated_cases import NEW, SPACING, write_case, write_decathlon_case
from KDNetLib.errors import InputError
from KDNetTrainingLib.data.cases import GridError, LabelError, find_training_cases
from KDNetTrainingLib.data.editions import edition_of
from KDNetTrainingLib.modalities import MODALITIES

NAME = "BraTS2021_00410"


@pytest.fixture
def case(tmp_path):
    write_case(tmp_path / "data", NAME)
    return find_training_cases(tmp_path / "data")[0][0]


def rewrite(path, change):
    """Change the array of a NIfTI in place."""
    save(path, change(nibabel.load(path).get_fdata().astype(np.float32)), affine_of(SPACING))


def relabel(case, old, new):
    rewrite(case.reference, lambda labels: np.where(labels == old, new, labels).astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "edition", "patient", "convention"),
    [
        ("Brats18_CBICA_AAB_1", "BraTS 2018", "CBICA_AAB", "1/2/4"),
        ("Brats18_TCIA02_135_1", "BraTS 2018", "TCIA02_135", "1/2/4"),
        ("BraTS19_CBICA_AAB_1", "BraTS 2019", "CBICA_AAB", "1/2/4"),
        ("BraTS20_Training_001", "BraTS 2020", "BraTS20_Training_001", "1/2/4"),
        ("BraTS2021_00410", "BraTS 2021", "00410", "1/2/4"),
        ("BraTS-GLI-00410-000", "BraTS 2023 GLI", "00410", "1/2/3/4"),
        ("BraTS-GLI-00410-001", "BraTS 2023 GLI", "00410", "1/2/3/4"),
        ("BraTS-GLI-02062-100", "BraTS 2024 GLI", "02062", "1/2/3/4"),
        ("BRATS_001", "MSD Task01", "BRATS_001", "msd"),
        ("patient-7", "BraTS", "patient-7", None),
    ],
)
def test_the_name_tells_edition_patient_and_numbering(name, edition, patient, convention):
    found, who = edition_of(name)
    assert (found.name, who, found.convention) == (edition, patient, convention)


def test_cases_of_every_edition_are_found_and_the_others_named(tmp_path):
    write_case(tmp_path / "MICCAI_2018" / "HGG", "Brats18_CBICA_AAB_1")
    write_case(tmp_path / "LGG", "BraTS19_2013_0_1")
    write_case(tmp_path, "BraTS20_Training_001", ending=".nii")
    write_case(tmp_path, "BraTS2021_00410")
    write_case(tmp_path, "BraTS-GLI-00000-000", suffixes=NEW, separator="-")
    write_decathlon_case(tmp_path / "Task01_BrainTumour", "BRATS_001")
    write_case(tmp_path, "BraTS2021_00002", leave_out=("t2",))
    write_case(tmp_path, "BraTS2021_00003", leave_out=("flair", "seg"))
    write_case(tmp_path, "BraTS2021_00004", leave_out=("seg",))
    (tmp_path / "name_mapping.csv").write_text("stray")
    (tmp_path / "BraTS2021_00410" / "BraTS2021_00410_t1ce_kdnet-seg.nii.gz").write_text("our own output")
    (tmp_path / "BraTS2021_00410" / "._BraTS2021_00410_t1.nii.gz").write_text("a Mac's shadow")
    (tmp_path / "BraTS2021_00410" / "BRATS_002.nii.gz").write_text("neither in imagesTr nor in labelsTr")
    cases, left_out = find_training_cases(tmp_path)
    assert [(case.name, case.grade) for case in cases] == [
        ("BRATS_001", None), ("BraTS-GLI-00000-000", None), ("BraTS19_2013_0_1", "LGG"), ("BraTS2021_00410", None),
        ("BraTS20_Training_001", None), ("Brats18_CBICA_AAB_1", "HGG"),
    ]  # fmt: skip
    assert left_out == {"BraTS2021_00002": "no t2", "BraTS2021_00003": "no flair, seg", "BraTS2021_00004": "no seg"}
    decathlon, newest = cases[:2]
    assert [newest.images[m].path.name for m in MODALITIES] == [f"BraTS-GLI-00000-000-{suffix}.nii.gz" for suffix in NEW]
    assert newest.reference.name == "BraTS-GLI-00000-000-seg.nii.gz" and len(newest.files) == 5
    assert [path.parent.name for path in decathlon.files] == ["imagesTr", "labelsTr"]


def test_the_given_folder_itself_may_tell_the_grade(tmp_path):
    write_case(tmp_path / "HGG", "Brats18_CBICA_AAB_1")
    assert find_training_cases(tmp_path / "HGG")[0][0].grade == "HGG"


def test_of_two_copies_the_first_complete_one_counts(tmp_path):
    write_case(tmp_path / "a", NAME, leave_out=("t2",))
    write_case(tmp_path / "b", NAME)
    write_case(tmp_path / "c", NAME)
    cases, left_out = find_training_cases(tmp_path)
    kept = str(tmp_path / "b" / NAME)
    assert [str(case.reference.parent) for case in cases] == [kept]
    assert set(left_out) == {f"{NAME} in {tmp_path / copy / NAME}" for copy in "ac"}
    assert all(kept in reason for reason in left_out.values())


def test_one_case_may_be_spread_over_folders_and_packed_twice(tmp_path):
    """Some mirrors unpack every file into a folder of its own; some folders hold .nii beside .nii.gz."""
    place = write_case(tmp_path, NAME)
    for file in list(place.iterdir()):
        (place / file.name.removesuffix(".gz")).mkdir()
        file.rename(place / file.name.removesuffix(".gz") / file.name)
    cases, left_out = find_training_cases(tmp_path)
    assert len(cases) == 1 and not left_out
    first = cases[0].images["t1"].path
    nibabel.save(nibabel.load(first), first.with_suffix(""))
    cases, left_out = find_training_cases(tmp_path)
    assert len(cases) == 1 and not left_out


def test_links_are_followed_but_not_round_in_circles(tmp_path):
    write_case(tmp_path / "elsewhere", NAME)
    (tmp_path / "data").mkdir()
    try:
        (tmp_path / "data" / NAME).symlink_to(tmp_path / "elsewhere" / NAME, target_is_directory=True)
        (tmp_path / "elsewhere" / NAME / "back").symlink_to(tmp_path / "data", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let an ordinary user make links")
    cases, left_out = find_training_cases(tmp_path / "data")
    assert len(cases) == 1 and not left_out


def test_folders_without_cases_are_refused(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        find_training_cases(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no BraTS case"):
        find_training_cases(tmp_path)
    write_case(tmp_path, NAME, leave_out=("t2",))
    with pytest.raises(InputError, match=f"no complete BraTS case .*{NAME}: no t2"):
        find_training_cases(tmp_path)


def test_modalities_come_in_the_order_asked_for(case):
    arrays, affine = case.read(("flair", "t1ce"))
    for array, modality in zip(arrays, ("flair", "t1ce")):
        np.testing.assert_array_equal(array, nibabel.load(case.images[modality].path).get_fdata())
        assert array.dtype == np.float32
    np.testing.assert_allclose(affine, affine_of(SPACING))


def test_the_decathlons_volumes_and_labels_are_told_apart(tmp_path):
    """Its order is FLAIR, T1w, T1gd, T2w; it calls edema 1 and the non-enhancing core 2."""
    images, classes = write_decathlon_case(tmp_path, "BRATS_001")
    case = find_training_cases(tmp_path)[0][0]
    arrays, _ = case.read(("t1", "t1ce", "t2", "flair"))
    for array, volume in zip(arrays, (1, 2, 3, 0)):
        np.testing.assert_array_equal(array, images[..., volume])
    np.testing.assert_array_equal(case.read_reference(), classes)


@pytest.mark.parametrize(("name", "suffixes", "separator"), [(NAME, ("t1", "t1ce", "t2", "flair"), "_"), ("BraTS-GLI-00000-000", NEW, "-")])
def test_enhancing_tumour_is_4_until_2021_and_3_from_2023_on(tmp_path, name, suffixes, separator):
    write_case(tmp_path, name, suffixes=suffixes, separator=separator)
    np.testing.assert_array_equal(find_training_cases(tmp_path)[0][0].read_reference(), brain((30, 34, 28), SPACING)[1])


def test_the_resection_cavity_of_2024_is_background(tmp_path):
    write_case(tmp_path, "BraTS-GLI-02062-100", suffixes=NEW, separator="-")
    case = find_training_cases(tmp_path)[0][0]
    relabel(case, 1, 4)
    classes = brain((30, 34, 28), SPACING)[1]
    np.testing.assert_array_equal(case.read_reference(), np.where(classes == 1, 0, classes))


def test_values_tell_the_numbering_where_naming_does_not(tmp_path):
    write_case(tmp_path, "patient-7")
    case = find_training_cases(tmp_path)[0][0]
    classes = brain((30, 34, 28), SPACING)[1]
    np.testing.assert_array_equal(case.read_reference(), classes)
    relabel(case, 4, 3)
    np.testing.assert_array_equal(case.read_reference(), classes)
    relabel(case, 1, 4)
    with pytest.raises(LabelError, match="both 3 and 4"):
        case.read_reference()


def test_labels_of_another_edition_are_refused(case):
    relabel(case, 4, 3)
    with pytest.raises(LabelError, match=f"{NAME}_seg.nii.gz holds the label 3, which BraTS 2021 does not have"):
        case.read_reference()


def test_differing_grids_are_refused(case):
    rewrite(case.images["t2"].path, lambda array: array[:-1])
    with pytest.raises(GridError, match=f"{NAME}_t2.nii.gz lies on another grid than {NAME}_t1.nii.gz"):
        case.read(MODALITIES)
    assert len(case.read(("t1", "t1ce"))[0]) == 2
    with pytest.raises(GridError, match=f"{NAME}_t2.nii.gz lies on another grid than {NAME}_seg.nii.gz"):
        case.read_reference()


def test_a_reference_that_is_moved_is_refused(case):
    moved = affine_of(SPACING)
    moved[0, 3] += 1
    save(case.reference, nibabel.load(case.reference).get_fdata().astype(np.uint8), moved)
    with pytest.raises(GridError, match="another grid"):
        case.read_reference()


def test_damaged_files_are_refused(case, tmp_path):
    path = case.images["t1"].path
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="truncated or damaged"):
        case.read(("t1",))
    path.write_text("no image")
    with pytest.raises(InputError, match="cannot be read"):
        case.read_reference()
    path.unlink()
    with pytest.raises(InputError, match="There is no file"):
        case.read_reference()


def test_damaged_4d_files_are_refused(tmp_path):
    images, _ = write_decathlon_case(tmp_path, "BRATS_001")
    case = find_training_cases(tmp_path)[0][0]
    path = case.images["t2"].path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated or damaged"):
        case.read(("t2",))
    save(path, images[..., :3], affine_of(SPACING))
    with pytest.raises(InputError, match="volume 4 of four modalities is needed"):
        case.read(("t2",))


def test_a_run_among_the_cases_adds_none(tmp_path):
    write_case(tmp_path, NAME)
    write_case(tmp_path / "run" / "phantoms", "BraTS2021_90001")
    (tmp_path / "run" / "run.json").write_text("{}")
    assert [case.name for case in find_training_cases(tmp_path)[0]] == [NAME]
    assert [case.name for case in find_training_cases(tmp_path / "run" / "phantoms")[0]] == ["BraTS2021_90001"]


def test_name_mapping_in_a_linked_folder_is_read(tmp_path):
    names = ("Brats18_TCIA10_101_1", "BraTS20_Training_300")
    for name in names:
        write_case(tmp_path / "elsewhere" / name[:7], name)
    (tmp_path / "elsewhere" / "BraTS20" / "name_mapping.csv").write_text("Grade,BraTS_2018_subject_ID,BraTS_2020_subject_ID\nLGG," + ",".join(names))
    (tmp_path / "data").mkdir()
    for place in ("Brats18", "BraTS20"):
        (tmp_path / "data" / place).symlink_to(tmp_path / "elsewhere" / place, target_is_directory=True)
    cases = find_training_cases(tmp_path / "data")[0]
    assert [(case.patient, case.grade) for case in cases] == [("TCIA10_101", "LGG")] * 2


def test_name_mapping_tells_the_grade_and_one_patient_through_the_editions(tmp_path):
    header = "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID,BraTS_2020_subject_ID\n"
    table = header + "LGG,Brats17_TCIA_101_1,Brats18_TCIA10_101_1,TCGA-HT-7473,BraTS19_TCIA10_101_1,BraTS20_Training_300\n"
    table += "HGG,NA,NA,NA,NA,BraTS20_Training_301\n"
    for name in ("2018/Brats18_TCIA10_101_1", "2020/BraTS20_Training_300", "2020/BraTS20_Training_301", "2020/BraTS20_Training_302"):
        folder, name = name.split("/")
        write_case(tmp_path / folder, name)
    (tmp_path / "2020/name_mapping.csv").write_text(table)
    (tmp_path / "2020/name_mapping_validation_data.csv").write_bytes(b"\xff\xfe\x00 no table")
    cases = {case.name: case for case in find_training_cases(tmp_path)[0]}
    assert {name: case.grade for name, case in cases.items()} == {
        "Brats18_TCIA10_101_1": "LGG", "BraTS20_Training_300": "LGG", "BraTS20_Training_301": "HGG", "BraTS20_Training_302": None,
    }
    assert cases["Brats18_TCIA10_101_1"].patient == cases["BraTS20_Training_300"].patient
    assert len({case.patient for case in cases.values()}) == 3
