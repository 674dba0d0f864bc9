"""MONAI's SegResNet with MONAI's own reading, normalisation, inference and writing, in the steps of its BraTS bundle."""

from pathlib import Path

from KDNetLib.benchmark.contestant import Contestant

#: The width of MONAI's bundle brats_mri_segmentation and BraTS tutorial; the class's own default is 8.
_WIDTH = 16
_DIVISOR = 8
_WINDOW = (128, 128, 128)


class SegResNet(Contestant):
    """The whole volume in one forward. The bundle does not crop to the brain, nor does this."""

    title = "MONAI SegResNet: width 16, whole volume in one forward, not cropped to the brain"
    packages = ("monai",)
    install = "pip install monai"

    def load(self, device: str, model: Path) -> None:
        import torch
        from monai.networks.nets import SegResNet as Network

        self._network_type = Network
        self._device = torch.device(device)
        self._network = Network(spatial_dims=3, init_filters=_WIDTH, in_channels=1, out_channels=4).eval().to(self._device)

    def segment(self, source: Path, target: Path) -> dict[str, float]:
        import numpy as np
        import torch
        from monai.transforms import DivisiblePad, LoadImage, NormalizeIntensity, SaveImage

        image = NormalizeIntensity(nonzero=True, channel_wise=True)(LoadImage(ensure_channel_first=True)(source))
        pad = DivisiblePad(k=_DIVISOR)
        batch = pad(image)[None].to(self._device)
        with torch.inference_mode(), torch.autocast("cuda", enabled=self._device.type == "cuda"):
            labels = self._inferer()(batch, self._network).argmax(dim=1).cpu()
        save = SaveImage(output_postfix="", separate_folder=False, output_dtype=np.uint8, print_log=False)
        save(pad.inverse(labels), filename=str(target).removesuffix(".nii.gz"))
        return {}

    def _inferer(self):
        from monai.inferers import SimpleInferer

        return SimpleInferer()

    @property
    def network_type(self) -> type:
        return self._network_type

    @property
    def spacing(self) -> None:
        return None


class SegResNetWindow(SegResNet):
    """The same network over a sliding window."""

    title = "MONAI SegResNet: width 16, sliding 128³ window, overlap 0.5, not cropped to the brain"

    def _inferer(self):
        from monai.inferers import SlidingWindowInferer

        return SlidingWindowInferer(roi_size=_WINDOW, sw_batch_size=1, overlap=0.5)
