"""The encoder-decoders that a run may be trained with. Imports none of them, so that a list needs no torch."""

#: Value of the setting ``network`` -> its class in KDNetLib/networks/registry.py.
NETWORKS = {
    "plain": "EncoderDecoder",
    "residual": "ResidualEncoderDecoder",
}
