"""The architectures that a model file may name; its parameters are the constructor's."""

from importlib import import_module

from KDNetLib.networks.base import Network

#: Name of the class -> its file in this folder. Only what a model names is imported.
ARCHITECTURES = {
    "EncoderDecoder": "encoder_decoder",
    "Ensemble": "ensemble",
    "GatedFusion": "gated_fusion",
    "HeMIS": "hemis",
    "ResidualEncoderDecoder": "residual",
    "SynthesisThenSegmentation": "synthesis",
    "UHVED": "hved",
    "UHeMIS": "u_hemis",
}


def architecture(name: str) -> type[Network]:
    """The class called ``name``. Raises KeyError where there is none."""
    return getattr(import_module(f"KDNetLib.networks.{ARCHITECTURES[name]}"), name)
