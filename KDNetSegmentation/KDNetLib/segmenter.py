"""From a scan to tumour labels on the scan's own grid."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from KDNetLib.confidence import calibrated, confidence_warnings, expected_dice
from KDNetLib.device import segmentation_device
from KDNetLib.errors import Cancelled, DeviceError, ModelError
from KDNetLib.image_io import Image
from KDNetLib.input_checks import result_warnings, usable_image
from KDNetLib.memory import is_out_of_memory
from KDNetLib.manifest import Manifest, read_manifest
from KDNetLib.postprocessing import remove_specks
from KDNetLib.preprocessing import Preprocessing
from KDNetLib.runners.runner import FLIPS, MIRRORED, ONCE, Runner, new_runner
from KDNetLib.volumes import volumes_ml

#: Where the stages end on a progress bar from 0 to 1; shares of the time measured on two CPU cores.
_STAGES = {"Loading the model": 0.08, "Preparing the scan": 0.2, "Segmenting": 0.85, "Returning to the scan's grid": 1.0}


@dataclass(frozen=True)
class Segmentation:
    """A finished label map and what is known of it.

    ``classes`` (I, J, K) uint8, 0 to 3 as in labels.py, on the input's grid with its ``affine``; ``probabilities``
    (4, I, J, K) float16, as the network gave them, or None; ``volumes_ml`` by NCR, ED, ET, TC, WT; ``warnings`` sentences for the user;
    ``seconds`` by stage and ``total``; ``device`` and ``model`` as used. ``confidence``: the Dice to be expected of ET,
    TC and WT (0 to 1), or None where the model holds no calibration or models averaged hold different ones; it was
    calibrated without the flips that a user may ask for. ``promised``: what it was made from, the uncalibrated promise
    of the probabilities.
    """

    classes: np.ndarray
    affine: np.ndarray
    probabilities: np.ndarray | None
    volumes_ml: dict[str, float]
    warnings: list[str]
    seconds: dict[str, float]
    device: str
    model: str
    confidence: dict[str, float] | None
    promised: dict[str, float]


class Segmenter:
    """One model, or several folds of one training averaged, ready for one scan after another.

    The weights are read at the first :meth:`segment` and stay. ``device`` is ``auto``, ``cpu``, ``cuda``, ``cuda:1``,
    ``mps``, ``openvino``; ``flips`` averages over all 8 flips, whatever the model asks for (8 times the time of one); ``on_message`` is told of fallbacks in sentences.

    Raises ModelError where no file is given.
    """

    def __init__(self, model_paths: Sequence, device: str = "auto", flips: bool = False, on_message: Callable[[str], None] | None = None):
        if not model_paths:
            raise ModelError("No model was given; choose one.")
        self._paths = [Path(path) for path in model_paths]
        self._device, self._flips = device, flips
        self._on_message = on_message or (lambda text: None)
        self._loaded: tuple[Runner, list[Manifest]] | None = None

    def segment(
        self,
        image: Image,
        brain_mask: np.ndarray | None = None,
        probabilities: bool = False,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Segmentation:
        """Segment ``image``.

        ``brain_mask`` (I, J, K) is non-zero in the brain, for scans with skull. ``progress`` gets a fraction from 0 to
        1 and the stage; ``cancelled`` is asked between the network's blocks.

        Raises InputError, ModelError, DeviceError, and Cancelled where ``cancelled`` says so.
        """
        try:
            return self._segment(image, brain_mask, probabilities, _Clock(progress, cancelled))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise DeviceError(f"There is not enough memory for {image.name}; close other programs and try again.") from error

    def _segment(self, image: Image, brain_mask: np.ndarray | None, probabilities: bool, clock: "_Clock") -> Segmentation:
        clock.start("Loading the model")
        runner, manifests = self._models()
        manifest = manifests[0]
        clock.start("Preparing the scan")
        usable, warnings = usable_image(image, brain_mask)
        prepared = Preprocessing(**manifest.preprocessing).prepare([usable.array], usable.affine, runner.divisor)
        clock.start("Segmenting")
        messages = []

        def tell(text: str) -> None:
            messages.append(text)
            self._on_message(text)

        flips = FLIPS if self._flips else MIRRORED if manifest.mirrored else ONCE
        predicted, device = runner.predict(prepared.array, flips, clock.advance, tell)
        clock.start("Returning to the scan's grid")
        classes, kept = prepared.restore(predicted, probabilities)
        promised = expected_dice(predicted, prepared.array.any(axis=0))
        found = result_warnings(classes)
        if remove_specks(classes, usable.affine, manifest.least_enhancing_ml):
            found = [f"There was less than {manifest.least_enhancing_ml:g} ml of enhancing tumour, too little to be told from noise; it counts as necrotic core."]
        volumes = volumes_ml(classes, usable.affine)
        # What the scan's grid or the removal left nothing of was not found.
        promised = {region: value if volumes[region] else 0.0 for region, value in promised.items()}
        shared = all(each.calibration == manifest.calibration for each in manifests)
        confidence = calibrated(promised, manifest.calibration["map"]) if shared and manifest.calibration else None
        clock.finish()
        return Segmentation(
            classes=classes,
            affine=usable.affine,
            probabilities=kept,
            volumes_ml=volumes,
            warnings=warnings + messages + found + confidence_warnings(confidence),
            seconds=clock.seconds,
            device=device,
            model=manifest.name if len(manifests) == 1 else f"{manifest.name} and {len(manifests) - 1} more",
            confidence=confidence,
            promised=promised,
        )

    def _models(self) -> tuple[Runner, list[Manifest]]:
        if self._loaded is None:
            manifests = [read_manifest(path) for path in self._paths]
            first = manifests[0]
            if len(first.modalities) != 1:
                raise ModelError(f"The model {first.name} needs {len(first.modalities)} modalities ({', '.join(first.modalities)}); choose a student, which needs one.")
            for manifest in manifests[1:]:
                if manifest.use != first.use:
                    raise ModelError(f"The models {first.name} and {manifest.name} differ in input, preprocessing or output; average folds of one training only.")
            self._loaded = new_runner(self._paths, manifests, segmentation_device(self._device)), manifests
        return self._loaded


class _Clock:
    """Turns the stages into seconds and into one fraction, and asks at every turn whether to stop."""

    def __init__(self, progress, cancelled):
        self._progress, self._cancelled = progress, cancelled
        self.seconds: dict[str, float] = {}
        self._stage, self._begin, self._fraction, self._span = None, 0.0, 0.0, 0.0
        self._shown, self._told = 0.0, None
        self._first = self._since = time.perf_counter()

    def start(self, stage: str) -> None:
        self._close()
        self._begin = _STAGES[self._stage] if self._stage else 0.0
        self._stage, self._fraction, self._span = stage, 0.0, _STAGES[stage] - self._begin
        self.advance(0.0)

    def advance(self, share: float) -> None:
        if self._cancelled and self._cancelled():
            raise Cancelled("The segmentation was cancelled; nothing was changed.")
        self._fraction = min(1.0, self._fraction + share)
        # Work that memory made fail and begin again must not move a bar backwards; what waits only asks whether to stop.
        shown = max(self._shown, self._begin + self._fraction * self._span), self._stage
        if self._progress and shown != self._told:
            self._progress(*shown)
        self._shown, self._told = shown[0], shown

    def finish(self) -> None:
        self.advance(1.0)
        self._close()
        self.seconds["total"] = time.perf_counter() - self._first

    def _close(self) -> None:
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = now - self._since
        self._since = now
