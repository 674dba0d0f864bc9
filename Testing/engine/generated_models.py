"""Model files that must be refused: damaged, foreign or hostile, each made from the bytes of a sound one."""

import copy
import io
import json
import struct

import numpy as np
import torch

from KDNetLib.manifest import METADATA_KEY, weights_hash


def unpack(content: bytes) -> tuple[dict, bytes]:
    """Header and weights of a safetensors file, read by the format's own description."""
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def pack(header, weights: bytes) -> bytes:
    """The file with this header (a dict, or its bytes)."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + weights


def _header(change):
    """A file whose header dict ``change`` has altered."""

    def make(content):
        header, weights = unpack(content)
        change(header)
        return pack(header, weights)

    return make


def _manifest(**changes):
    """A file whose manifest has other fields; a field given as ``...`` is left out."""

    def change(header):
        fields = json.loads(header["__metadata__"][METADATA_KEY]) | changes
        header["__metadata__"][METADATA_KEY] = json.dumps({key: value for key, value in fields.items() if value is not ...})

    return _header(change)


def _manifest_text(change):
    """A file whose manifest's JSON text ``change`` has altered."""

    def alter(header):
        header["__metadata__"][METADATA_KEY] = change(header["__metadata__"][METADATA_KEY])

    return _header(alter)


def _parameter(**changes):
    """A file whose architecture has other parameters."""

    def change(header):
        fields = json.loads(header["__metadata__"][METADATA_KEY])
        fields["architecture"]["parameters"].update(changes)
        header["__metadata__"][METADATA_KEY] = json.dumps(fields)

    return _header(change)


def _first(**changes):
    """A file whose first tensor is described otherwise."""
    return _header(lambda header: header[_tensors(header)[0]].update(changes))


def _tensors(header) -> list[str]:
    """Names of the tensors in order of their place."""
    names = [key for key in header if key != "__metadata__"]
    return sorted(names, key=lambda key: header[key]["data_offsets"])


def _overlapping(header):
    first, second = _tensors(header)[:2]
    size = header[second]["data_offsets"][1] - header[second]["data_offsets"][0]
    header[second]["data_offsets"] = [header[first]["data_offsets"][0], header[first]["data_offsets"][0] + size]


def _huge_everywhere(header):
    for key in _tensors(header):
        header[key].update(shape=[10**6, 10**6], data_offsets=[0, 2 * 10**12])


def _renamed(name):
    def change(header):
        header[name] = header.pop(_tensors(header)[0])

    return _header(change)


def _duplicate_tensor(content):
    header, weights = unpack(content)
    key = _tensors(header)[0]
    text = json.dumps(header).encode()
    return pack(text[:-1] + b"," + json.dumps({key: header[key]}).encode()[1:], weights)


def _duplicate_metadata(content):
    header, weights = unpack(content)
    text = json.dumps(header).encode()
    return pack(text[:-1] + b"," + json.dumps({"__metadata__": header["__metadata__"]}).encode()[1:], weights)


def _nested(depth):
    return "[" * depth + "]" * depth


def _manifest_nested(field, depth):
    """Somewhere in the manifest's ``field`` are lists in lists."""
    place = {"training": {"summary": "@"}, "preprocessing": {"preset": "@"}, "architecture": {"name": "EncoderDecoder", "parameters": {"width": "@"}}}

    def change(text):
        return json.dumps(json.loads(text) | {field: place[field]}).replace('"@"', _nested(depth))

    return _manifest_text(change)


def _without(header):
    del header[_tensors(header)[-1]]


def _extra(content):
    header, weights = unpack(content)
    header["extra"] = {"dtype": "F16", "shape": [2], "data_offsets": [len(weights), len(weights) + 4]}
    return pack(header, weights + bytes(4))


def _missing(content):
    header, weights = unpack(content)
    last = _tensors(header)[-1]
    begin = header.pop(last)["data_offsets"][0]
    return pack(header, weights[:begin])


def _with_weights(change):
    """A file with other weights and the right hash of them."""

    def make(content):
        header, weights = unpack(content)
        values = np.frombuffer(weights, dtype=np.float16).copy()
        change(values)
        weights = values.tobytes()
        entries = [(key, header[key]) for key in sorted(_tensors(header))]
        fields = json.loads(header["__metadata__"][METADATA_KEY])
        fields["sha256"] = weights_hash((key, e["dtype"], e["shape"], weights[slice(*e["data_offsets"])]) for key, e in entries)
        header["__metadata__"][METADATA_KEY] = json.dumps(fields)
        return pack(header, weights)

    return make


def _set_nan(values):
    values[3] = np.nan


def _set_infinite(values):
    values[-1] = np.inf


def _flipped(part):
    """One bit flipped in the middle of the weights' first, second, third … eighth."""

    def make(content):
        damaged = bytearray(content)
        header_end = 8 + struct.unpack("<Q", content[:8])[0]
        damaged[header_end + (len(content) - header_end) * (2 * part + 1) // 16] ^= 0x10
        return bytes(damaged)

    return make


def _pickle(content):
    buffer = io.BytesIO()
    torch.save({"weights": torch.zeros(3)}, buffer)
    return buffer.getvalue()


_RESULT = {"dataset": "d", "cases": 3, "space": "native grid", "dice": {"ET": 0.5, "TC": 0.6, "WT": 0.7}, "command": "c"}

#: What -> function of a sound file's bytes that gives the bytes of one to refuse.
HOSTILE_MODELS = {
    "empty": lambda content: b"",
    "seven bytes": lambda content: content[:7],
    "pickle": _pickle,
    "text": lambda content: b"these are not the weights you are looking for" * 50,
    **{f"truncated to {tenth}/10": lambda content, tenth=tenth: content[: len(content) * tenth // 10] for tenth in range(1, 10)},
    "last byte missing": lambda content: content[:-1],
    "a byte too many": lambda content: content + b"\0",
    **{f"bit flipped in eighth {part + 1} of the weights": _flipped(part) for part in range(8)},
    "header length 10 GB": lambda content: struct.pack("<Q", 10 * 2**30) + content[8:],
    "header length 2^64 - 1": lambda content: b"\xff" * 8 + content[8:],
    "header length 0": lambda content: bytes(8) + content[8:],
    "header a list": lambda content: pack(b"[1, 2]", unpack(content)[1]),
    "header in UTF-16": lambda content: pack(json.dumps(unpack(content)[0]).encode("utf-16"), unpack(content)[1]),
    "header not text": lambda content: pack(b"\xff\xfe\x00" * 40, unpack(content)[1]),
    "header cut": lambda content: pack(json.dumps(unpack(content)[0]).encode()[:-10], unpack(content)[1]),
    **{f"header nested {depth} deep": lambda content, depth=depth: pack(_nested(depth).encode(), b"") for depth in (100, 100_000, 1_000_000)},
    "shape nested": _header(lambda header: header[_tensors(header)[0]].update(shape=[[[2]]])),
    "shapes of 10^12": _header(_huge_everywhere),
    "shape of 10^12 in the old place": _first(shape=[10**6, 10**6]),
    "shape with digits without end": _first(shape=[10**4000] * 8),
    "negative shape": _first(shape=[-2, -2, 3, 3, 3]),
    "shape a text": _first(shape="2"),
    "shape an object": _first(shape={}),
    "shape a number": _first(shape=3),
    "shape true": _first(shape=[True]),
    "negative offsets": _first(data_offsets=[-10, 10]),
    "offsets reversed": _first(data_offsets=[10, 0]),
    "offsets beyond the file": _first(data_offsets=[0, 10**12]),
    "three offsets": _first(data_offsets=[0, 1, 2]),
    "offsets of fractions": _first(data_offsets=[0.0, 108.0]),
    "overlapping tensors": _header(_overlapping),
    "hole between tensors": _header(_without),
    "duplicate tensor": _duplicate_tensor,
    "duplicate metadata": _duplicate_metadata,
    "tensor a list": _header(lambda header: header.update({_tensors(header)[0]: [1]})),
    "unknown type": _first(dtype="I64"),
    "type a list": _first(dtype=["F16"]),
    "path in a tensor's name": _renamed("../../../etc/passwd"),
    "no characters in a tensor's name": _renamed(""),
    "half a character in a tensor's name": _renamed("\ud800"),
    "extra tensor": _extra,
    "missing tensor": _missing,
    "foreign: no metadata": _header(lambda header: header.pop("__metadata__")),
    "foreign: metadata of another program": _header(lambda header: header.update(__metadata__={"format": "pt"})),
    "metadata a list": _header(lambda header: header.update(__metadata__=[1])),
    "manifest an object, not text": _header(lambda header: header["__metadata__"].update({METADATA_KEY: {"format_version": 1}})),
    "other metadata not text": _header(lambda header: header["__metadata__"].update(more=[1])),
    "manifest a list": _manifest_text(lambda text: "[1]"),
    "manifest a number": _manifest_text(lambda text: "1"),
    "manifest null": _manifest_text(lambda text: "null"),
    "manifest cut": _manifest_text(lambda text: text[:-5]),
    "manifest with a key twice": _manifest_text(lambda text: text[:-1] + ', "title": "another"}'),
    "manifest of 1 MB": _manifest(title="x" * 2**20),
    **{f"{field} nested {depth} deep": _manifest_nested(field, depth) for field in ("training", "preprocessing", "architecture") for depth in (150, 300, 480, 900, 970, 100_000)},
    **{f"{field} missing": _manifest(**{field: ...}) for field in ("name", "architecture", "preprocessing", "measured", "sha256")},
    **{f"{field} a list": _manifest(**{field: [1]}) for field in ("name", "title", "architecture", "preprocessing", "training", "licence", "sha256")},
    **{f"{field} half a character": _manifest(**{field: "\ud800"}) for field in ("name", "title", "licence")},
    "format version 2": _manifest(format_version=2),
    "format version 10^400": _manifest(format_version=10**400),
    "format version a text": _manifest(format_version="1"),
    "format version true": _manifest(format_version=True),
    "format version 1.5": _manifest(format_version=1.5),
    "format version 0": _manifest(format_version=0),
    "architecture unknown": _manifest(architecture={"name": "Transformer", "parameters": {}}),
    "architecture's name a list": _manifest(architecture={"name": ["EncoderDecoder"], "parameters": {}}),
    "architecture's parameters missing": _manifest(architecture={"name": "EncoderDecoder"}),
    "architecture's parameters a list": _manifest(architecture={"name": "EncoderDecoder", "parameters": [1, 4, 2, 3, 2]}),
    **{f"width {value!r}": _parameter(width=value) for value in (0, -2, 65, 10**9, 1e9, 2.0, "2", None, [2], float("nan"))},
    **{f"levels {value!r}": _parameter(levels=value) for value in (1, 8, 10**9, 3.0, "3", None, [], float("inf"))},
    **{f"skips {value!r}": _parameter(skips=value) for value in (-1, 3, 1, "2", None, 2.0)},
    **{f"channels {value!r}": _parameter(channels=value) for value in (0, 2, 17, True, "1", None)},
    **{f"classes {value!r}": _parameter(classes=value) for value in (1, 5, 17, "4", None)},
    "unknown parameter": _parameter(dropout=0.5),
    **{f"modalities {value!r}": _manifest(modalities=value) for value in ([], [1], ["t1ce", "t2"], [["t1ce"]], [None])},
    **{f"classes named {value!r}": _manifest(classes=value) for value in ([], [0, 1, 2, 3], ["a", "b"], ["background", "ED", "NCR", "ET"])},
    "preprocessing with an unknown key": _manifest(preprocessing={"preset": "whole-brain", "spacing": 2.0, "rescale": 3}),
    **{f"preset {value!r}": _manifest(preprocessing={"preset": value, "spacing": 2.0}) for value in ("half", ["paper"], None, 3)},
    **{f"spacing {value!r}": _manifest(preprocessing={"preset": "paper", "spacing": value}) for value in (0, -2, 1e-9, 1e9, True, "2", None, [2], float("nan"), float("inf"))},
    **{f"measured {value!r}": _manifest(measured=[value]) for value in ("0.9", 0.9, None, [], {}, {"dice": 0.9}, {"dice": None})},
    **{f"measured Dice {value!r}": _manifest(measured=[_RESULT | {"dice": {"ET": value}}]) for value in ("0.9", None, [0.9], 1.5, -1, float("nan"), float("inf"), True)},
    "measured Dice 1e999": _manifest_text(lambda text: text.replace('"measured": []', '"measured": [{"dice": {"ET": 1e999}}]')),
    **{f"measured cases {value!r}": _manifest(measured=[_RESULT | {"cases": value}]) for value in ("many", -1, 2.5, None, True)},
    **{f"measured {key} {value!r}": _manifest(measured=[_RESULT | {key: value}]) for key in ("dataset", "space", "command") for value in (3, None, ["a"])},
    "measured Dice missing": _manifest(measured=[{key: value for key, value in _RESULT.items() if key != "dice"}]),
    **{f"training text {value!r}": _manifest(training={"summary": value}) for value in (3, None, ["a"], {"a": 1})},
    "other weights' hash": _manifest(sha256="0" * 64),
    "hash cut": _manifest_text(lambda text: _shorter_hash(text)),
    "NaN weights": _with_weights(_set_nan),
    "infinite weights": _with_weights(_set_infinite),
}


def _shorter_hash(text: str) -> str:
    fields = copy.deepcopy(json.loads(text))
    fields["sha256"] = fields["sha256"][:-1]
    return json.dumps(fields)


def damaged_headers(content: bytes, count: int = 60):
    """``content`` with one bit flipped at ``count`` places spread over length, header and manifest."""
    end = 8 + struct.unpack("<Q", content[:8])[0]
    for place in sorted({*range(8), *np.linspace(8, end - 1, count).astype(int).tolist()}):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 7)
        yield place, bytes(damaged)
