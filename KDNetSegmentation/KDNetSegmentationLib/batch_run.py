"""Headless runs inside Slicer: a scan or a folder of scans to label map files, with an honest exit code."""

import argparse
import os
from pathlib import Path

import numpy as np
import slicer
import vtk

from KDNetLib import batch
from KDNetLib.errors import InputError, KDNetError
from KDNetLib.file_naming import stem
from KDNetLib.labels import from_classes
from KDNetLib.model_store import default_model, find_model, fingerprint
from KDNetSegmentationLib.dependencies import ensureDependencies
from KDNetSegmentationLib.logic import KDNetSegmentationLogic
from KDNetSegmentationLib.segmentation_output import readClasses
from KDNetSegmentationLib.volume_arrays import temporaryLabelmap

ALL_FINE, SOME_FAILED, NOT_STARTED = 0, 1, 2


def run(arguments) -> int:
    """Do what the command line ``arguments`` say and return the exit code.

    0: every case is there. 1: some case failed. 2: wrong arguments, nothing to segment, no model or a package missing.
    """
    arguments = list(arguments)
    if arguments[:1] == ["--"]:  # what separates them from Slicer's own
        del arguments[0]
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as exit:  # argparse has said what is wrong, or shown the help
        return NOT_STARTED if exit.code else ALL_FINE
    try:
        cases, root, outputFolder = _cases(options.input, options.output)
        model = find_model(options.model) if options.model else default_model()
        ensureDependencies(interactive=False)
        logic = KDNetSegmentationLogic(onLog=print)
        try:
            failed = _segmentCases(logic, cases, root, outputFolder, model, options)
        finally:
            logic.shutdown()
    except KDNetError as error:
        print(f"error: {error}")
        return NOT_STARTED
    print(f"{len(cases) - failed} of {len(cases)} done; see {outputFolder / batch.RESULTS_NAME}")
    return SOME_FAILED if failed else ALL_FINE


def _parser():
    parser = argparse.ArgumentParser(
        prog="Slicer --no-main-window --python-script KDNetBatch.py --",
        description="Segment brain tumours in post-contrast T1 scans. For research use only.",
    )
    parser.add_argument("input", type=Path, help="a NIfTI file, or a folder that is searched for post-contrast T1 scans")
    parser.add_argument("output", type=Path, help="folder for the label maps (BraTS values 1, 2, 4) and the table")
    parser.add_argument("--model", help="name or path of a model file (default: the bundled one)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda:0, mps, openvino")
    parser.add_argument("--flips", action="store_true", help="average over all 8 mirrored copies (slower)")
    return parser


def _cases(input, output):
    if input.is_file():
        return [batch.Case(stem(input), input)], input.parent, output
    if not input.exists():
        raise InputError(f"There is no file or folder {input}; check the name.")
    return batch.find_cases(input), input, output


def _segmentCases(logic, cases, root, outputFolder, model, options):
    def segmentCase(inputPath, outputPath):
        slicer.mrmlScene.Clear()
        volumeNode = _load(inputPath)
        result = logic.segment(volumeNode, model=model, device=options.device, flips=options.flips)
        _write(result.segmentationNode, volumeNode, outputPath)
        return result

    def report(number, case, state, detail):
        line = f"[{number}/{len(cases)}] {case.name}: {state}"
        if state == "done":
            line += f" in {detail.seconds['total']:.1f} s, WT {detail.volumes_ml['WT']:.1f} ml"
        elif state == "failed":
            line += f": {detail}"
        print(line, flush=True)

    settings = ", ".join([fingerprint([model]), *(["flips"] if options.flips else [])])
    return batch.run_batch(cases, root, outputFolder, segmentCase, report, settings=settings)


def _load(path):
    try:
        return slicer.util.loadVolume(str(path), {})
    except RuntimeError as error:
        raise InputError(f"{path} could not be read; check that it is a complete NIfTI file.") from error


def _write(segmentationNode, volumeNode, path):
    """Write the labels with BraTS values on the scan's grid, in one step: a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    values = from_classes(readClasses(segmentationNode, volumeNode))
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    with temporaryLabelmap() as labelmapNode:
        labelmapNode.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(labelmapNode, np.ascontiguousarray(values.transpose(2, 1, 0)))
        storageNode = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storageNode.SetFileName(str(partial))
        try:
            if not storageNode.WriteData(labelmapNode):
                raise KDNetError(f"{path} could not be written; check the folder's permissions and the disk's space.")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
