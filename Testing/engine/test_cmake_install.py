"""The tree that CMake installs, made with a small stand-in for Slicer's own CMake files, works by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What the checkout uses of ``find_package(Slicer)``: the folders, and a macro that puts the listed files into the
#: flat module folder of the build tree and installs that folder, refusing names that do not exist.
STAND_IN = {
    "SlicerConfig.cmake": """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/use.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.12/qt-scripted-modules)
""",
    "nothing.cmake": "",
    "use.cmake": """
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR ${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR NOT MY_NAME)
    message(FATAL_ERROR "bad arguments: ${ARGN}")
  endif()
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    configure_file(${file} ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/${file} COPYONLY)
  endforeach()
  install(DIRECTORY ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/
    DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR} COMPONENT Runtime)
endfunction()
""",
}

#: Run by an interpreter that sees the installed folder and nothing of the checkout: imports the whole engine.
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
from pathlib import Path
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
import KDNetLib
from KDNetLib.resources import resources_folder
names = [one.name for one in pkgutil.walk_packages(KDNetLib.__path__, "KDNetLib.")]
for name in names:
    module = importlib.import_module(name)
    assert Path(module.__file__).is_relative_to(folder), module.__file__
assert resources_folder() == folder / "KDNetResources", resources_folder()
assert not {"slicer", "qt", "vtk"} & set(sys.modules)
print(len(names))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The flat module folder of a fresh installation."""
    if not shutil.which("cmake") or (os.name != "nt" and not shutil.which("cc")):
        pytest.skip("needs CMake and a C compiler, which project() looks for")
    folder = tmp_path_factory.mktemp("cmake")
    (folder / "slicer").mkdir()
    for name, text in STAND_IN.items():
        (folder / "slicer" / name).write_text(text, encoding="utf-8")
    build, prefix = folder / "build", folder / "installed"
    configure = ["cmake", "-S", str(ROOT), "-B", str(build), f"-DSlicer_DIR={folder / 'slicer'}"]
    install = ["cmake", "--install", str(build), "--prefix", str(prefix), "--config", "Release"]
    for command in (configure, install):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return prefix / "lib/Slicer-5.12/qt-scripted-modules"


def test_installed_tree_holds_modules_engine_and_shared_resources(installed):
    top = {path.name for path in installed.iterdir()}
    assert {"KDNetSegmentation.py", "KDNetLib", "KDNetSegmentationLib", "KDNetResources", "Resources"} <= top
    # The folder is shared with every other extension: nothing in it may have a name that another would use.
    assert all(name.startswith("KDNet") or name == "Resources" for name in top), top
    shared = ROOT / "Resources"
    bundled = [*shared.glob("Models/*.safetensors"), *shared.glob("Sample/*")]
    assert [file for file in bundled if not (installed / "KDNetResources" / file.relative_to(shared)).is_file()] == []


def test_installed_engine_imports_by_itself_and_finds_its_resources(installed):
    command = [sys.executable, "-I", "-B", "-c", IMPORT_EVERYTHING, str(installed)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=installed)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(list((ROOT / "KDNetSegmentation/KDNetLib").rglob("*.py"))) - 1
