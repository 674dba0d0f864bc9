"""What ships is what lies in the tree, and the Extension Index would accept it.

An installed extension holds only the files its CMake lists name, so a forgotten name works from the checkout and breaks
for every user. The rules of the Extension Index (Slicer/ExtensionsIndex) are checked here as far as they need no
network.
"""

import importlib.metadata
import json
import re
import struct
import subprocess
from pathlib import Path

import pytest

import KDNetLib

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings tomli
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("KDNetSegmentation", "KDNetTraining")
BINARY = {".gz", ".png", ".safetensors"}
MEGABYTE = 1024**2


@pytest.fixture(scope="module")
def tree() -> list[str]:
    """Every file of the checkout that is or may be committed: tracked, or untracked and not ignored."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a git checkout")
    return sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def below(tree: list[str], folder: str) -> set[str]:
    """The files of ``tree`` under ``folder``, as paths relative to it."""
    return {name[len(folder) + 1 :] for name in tree if name.startswith(folder + "/")}


def cmake_list(file: str, variable: str) -> list[str]:
    """The entries of ``set(variable …)`` in a CMake file, in order."""
    found = re.search(rf"set\({variable}\s([^)]*)\)", (ROOT / file).read_text(encoding="utf-8"))
    assert found, f"{file} sets no {variable}"
    return [entry.replace("${MODULE_NAME}", Path(file).parent.name) for entry in found[1].split()]


def cmake_value(variable: str) -> str:
    """The quoted value of ``set(variable "…")`` in the top-level CMake file."""
    found = re.search(rf'set\({variable} "([^"]*)"\)', (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert found, f"CMakeLists.txt sets no {variable}"
    return found[1]


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_cmake_lists_name_exactly_the_files_of_the_module(tree, module):
    files = below(tree, module)
    scripts = cmake_list(f"{module}/CMakeLists.txt", "MODULE_PYTHON_SCRIPTS")
    resources = cmake_list(f"{module}/CMakeLists.txt", "MODULE_PYTHON_RESOURCES")
    listed = [*scripts, *resources]
    files = {file for file in files if not file.endswith(".md")}  # what is read in the repository alone
    unlisted, missing = files - {*listed, "CMakeLists.txt"}, set(listed) - files
    assert not unlisted, f"these would not ship: {sorted(unlisted)}"
    assert not missing, f"these do not exist: {sorted(missing)}"
    assert len(listed) == len(set(listed)), "a file is listed twice"
    assert all(name.endswith(".py") for name in scripts)
    # Data files lie in Resources, or in the package that reads them beside itself.
    assert all(name.startswith("Resources/") or Path(name).suffix == ".json" for name in resources)


@pytest.mark.parametrize("module", MODULES)
def test_every_script_beside_the_module_is_a_module(tree, module):
    # Slicer tries to load each .py file lying directly in a module folder as a module of that name, and logs an error
    # at every start where no such class is in it. Everything else belongs in a package folder.
    for name in sorted(name for name in below(tree, module) if re.fullmatch(r"[^/]+\.py", name)):
        source = (ROOT / module / name).read_text(encoding="utf-8")
        assert re.search(rf"^class {Path(name).stem}\(", source, re.MULTILINE), f"{module}/{name} is no Slicer module"


def test_cmake_ships_the_sample_and_every_bundled_model(tree):
    sample = {f"Sample/{name}" for name in below(tree, "Resources/Sample")}
    assert sorted(cmake_list("Resources/CMakeLists.txt", "KDNET_SAMPLE_FILES")) == sorted(sample)
    models = below(tree, "Resources/Models") - {"README.md"}
    assert all(re.fullmatch(r"[^/]+\.safetensors", name) for name in models), "only the glob's files ship"


def test_every_module_folder_is_added_by_cmake():
    top = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    added = set(re.findall(r"^add_subdirectory\((\w+)\)", top, re.MULTILINE))
    assert added == {*MODULES, "Resources"}
    with_cmake = {path.parent.name for path in ROOT.glob("*/CMakeLists.txt")}
    assert with_cmake == added


def test_pip_packages_are_exactly_the_engine_packages(tree):
    listed = pyproject()["tool"]["setuptools"]
    found = {"KDNetResources"}
    for name in ("KDNetLib", "KDNetTrainingLib"):
        folder = listed["package-dir"][name]
        for file in below(tree, folder):
            if file.endswith("__init__.py"):
                found.add(".".join([name, *Path(file).parent.parts]))
    assert set(listed["packages"]) == found


def test_console_commands_point_at_what_exists():
    project = pyproject()["project"]
    targets = [target.split(":")[0] for target in project["scripts"].values()]
    targets += project["entry-points"]["kdnet.commands"].values()
    folders = pyproject()["tool"]["setuptools"]["package-dir"]
    for target in targets:
        package, *inner = target.split(".")
        assert (ROOT / folders[package]).joinpath(*inner).with_suffix(".py").is_file(), target


def test_versions_agree():
    project = pyproject()
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "KDNetLib.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", KDNetLib.__version__)
    try:
        installed = importlib.metadata.version(project["project"]["name"])
    except importlib.metadata.PackageNotFoundError:
        return  # the tests run from a checkout that is not installed
    assert installed == KDNetLib.__version__


def test_index_entry_follows_the_schema():
    text = (ROOT / "KDNet.json").read_text(encoding="utf-8")
    entry = json.loads(text)
    schema = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
    assert entry["$schema"] == schema
    allowed = {"$schema", "build_dependencies", "build_subdirectory", "category", "enabled", "scm_revision", "scm_type"}
    assert set(entry) <= allowed | {"scm_url", "tier"}
    assert entry["category"] == "Segmentation" == cmake_value("EXTENSION_CATEGORY")
    assert entry["build_dependencies"] == cmake_value("EXTENSION_DEPENDS").split()
    assert entry["tier"] in (1, 3, 5)
    assert text == text.strip() + "\n"


def test_extension_name_is_the_project_name():
    (project,) = re.findall(r"^project\((\w+)\)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert (ROOT / f"{project}.json").is_file()
    assert not project.startswith("Slicer")


def test_the_repository_address_is_the_same_everywhere(tree):
    address = cmake_value("EXTENSION_HOMEPAGE")
    assert address.startswith("https://github.com/")
    assert json.loads((ROOT / "KDNet.json").read_text(encoding="utf-8"))["scm_url"] == address
    assert pyproject()["project"]["urls"]["Homepage"] == address
    raw = address.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"
    pictures = [cmake_value("EXTENSION_ICONURL"), *cmake_value("EXTENSION_SCREENSHOTURLS").split()]
    for picture in pictures:
        assert picture.startswith(raw)
        assert picture[len(raw) :] in tree, f"{picture} would not be found"


def test_icons_are_png_of_128_by_128():
    icons = [ROOT / "Resources/Pictures/KDNet.png"]
    icons += [ROOT / module / "Resources/Icons" / f"{module}.png" for module in MODULES]
    for icon in icons:
        head = icon.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", head[16:24]) == (128, 128), icon


def test_licence_lies_in_the_root():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License") and "KDNet contributors" in text
    assert "McConnell Brain Imaging Centre" in (ROOT / "Resources/Sample/README.md").read_text(encoding="utf-8")


def test_text_files_have_lf_line_ends(tree):
    with_cr = [name for name in tree if Path(name).suffix not in BINARY and b"\r" in (ROOT / name).read_bytes()]
    assert with_cr == []


def test_no_file_is_large(tree):
    assert [name for name in tree if (ROOT / name).stat().st_size > 25 * MEGABYTE] == []


def test_the_history_stays_below_100_megabytes(tree):
    git = ["git", "-C", str(ROOT)]
    objects = subprocess.run([*git, "rev-list", "--objects", "--all"], capture_output=True, check=True).stdout
    names = b"\n".join(line.split(b" ")[0] for line in objects.splitlines())
    sizes = subprocess.run(
        [*git, "cat-file", "--batch-check=%(objectsize:disk)"], input=names, capture_output=True, check=True
    ).stdout
    assert sum(int(size) for size in sizes.split()) < 100 * MEGABYTE
