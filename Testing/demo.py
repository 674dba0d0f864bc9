"""Segments the bundled sample, setting up whatever that needs first:

    python Testing/demo.py

Leaves the segmentation and a picture of it in ``demo-output/`` and prints the volumes.
"""

import subprocess
import sys

import environment

SAMPLE = environment.ROOT / "Resources/Sample/KDNetSampleT1ce.nii.gz"
OUTPUT = environment.ROOT / "demo-output"
SEGMENTATION = OUTPUT / "KDNetSampleT1ce_kdnet-seg.nii.gz"
PICTURE = OUTPUT / "KDNetSampleT1ce.png"


def main():
    """Set up, run ``kdnet segment`` as a user would, draw the picture; raises SetupError where a step fails."""
    interpreter = environment.prepare([])
    OUTPUT.mkdir(exist_ok=True)
    # A leftover of an earlier start must not pass for the result of this one.
    for file in (SEGMENTATION, PICTURE):
        file.unlink(missing_ok=True)
    kdnet = interpreter.with_name("kdnet.exe" if interpreter.suffix else "kdnet")
    run("kdnet segment", [kdnet, "segment", SAMPLE, "-o", SEGMENTATION])
    drawing = environment.ROOT / "Testing/demo_picture.py"
    run("the picture", [interpreter, drawing, SAMPLE, SEGMENTATION, PICTURE])
    print(f"Segmentation: {SEGMENTATION}\nPicture: {PICTURE}")


def run(what, command):
    """Run ``command`` with its output shown; SetupError where it fails."""
    code = subprocess.run([str(part) for part in command]).returncode
    if code != 0:
        raise environment.SetupError(f"The demo failed in {what} (exit code {code}); its message is above.")


if __name__ == "__main__":
    try:
        main()
    except environment.SetupError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
