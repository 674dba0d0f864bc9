"""nnU-Net v2's own predictor with the network that its planner gives BraTS: 3d_fullres, PlainConvUNet, 128³ patches."""

import os
from pathlib import Path

from KDNetLib.benchmark.contestant import Contestant

_ENDING = ".nii.gz"
_PATCH = (128, 128, 128)
_WIDTHS = (32, 64, 128, 256, 320, 320)
_SPACING = (1.0, 1.0, 1.0)


class NnUNet(Contestant):
    """Step 0.5 and Gaussian weights as by default, no mirroring; one case without the worker processes of a batch."""

    title = "nnU-Net v2: 3d_fullres, 128³ patches, step 0.5, no mirroring, cropped to the brain"
    packages = ("nnunetv2",)
    install = "pip install nnunetv2"

    def load(self, device: str, model: Path) -> None:
        import torch

        os.environ["nnUNet_def_n_proc"] = str(torch.get_num_threads())  # it lowers torch's threads to this, 8 by default
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        plans = PlansManager(_plans())
        configuration = plans.get_configuration("3d_fullres")
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            input_channels=1,
            output_channels=4,
            deep_supervision=False,
        )
        self._network_type = type(network)
        self._predictor = nnUNetPredictor(use_mirroring=False, device=torch.device(device), allow_tqdm=False)
        self._predictor.manual_initialization(network, plans, configuration, [network.state_dict()], _dataset(), "nnUNetTrainer", None)

    def segment(self, source: Path, target: Path) -> dict[str, float]:
        self._predictor.predict_from_files_sequential([[str(source)]], [str(target).removesuffix(_ENDING)])
        return {}

    @property
    def network_type(self) -> type:
        return self._network_type

    @property
    def spacing(self) -> tuple[float, float, float]:
        return _SPACING


def _plans() -> dict:
    """What ``nnUNetv2_plan_and_preprocess`` writes for one BraTS modality at 1 mm, as far as the predictor reads it."""
    stages = len(_WIDTHS)
    resampling = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset001_Benchmark",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(_SPACING),
        "original_median_shape_after_transp": [140, 171, 137],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": list(_PATCH),
                "median_image_size_in_voxels": [140, 171, 137],
                "spacing": list(_SPACING),
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [True],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": resampling | {"order": 3},
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_seg_kwargs": resampling | {"is_seg": True, "order": 1},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": resampling | {"order": 1},
                "batch_dice": False,
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                    "arch_kwargs": {
                        "n_stages": stages,
                        "features_per_stage": list(_WIDTHS),
                        "conv_op": "torch.nn.modules.conv.Conv3d",
                        "kernel_sizes": [[3, 3, 3]] * stages,
                        "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
                        "n_conv_per_stage": [2] * stages,
                        "n_conv_per_stage_decoder": [2] * (stages - 1),
                        "conv_bias": True,
                        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                        "dropout_op": None,
                        "dropout_op_kwargs": None,
                        "nonlin": "torch.nn.LeakyReLU",
                        "nonlin_kwargs": {"inplace": True},
                    },
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
            }
        },
    }


def _dataset() -> dict:
    return {
        "channel_names": {"0": "T1ce"},
        "labels": {"background": 0, "NCR": 1, "ED": 2, "ET": 3},
        "numTraining": 1,
        "file_ending": _ENDING,
    }
