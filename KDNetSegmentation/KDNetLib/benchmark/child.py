"""One measurement in a process of its own: ``python -m KDNetLib.benchmark.child REQUEST``, the request a JSON text.

Keys of the request: ``task`` (one of the ``_task_…`` functions below), ``answer`` (file to write), ``threads`` (or None
for torch's own choice), ``device``, ``keep_memory`` (KDNet's allocator setting), and the task's own. The answer is JSON too.
"""

import json
import sys
import time
from pathlib import Path

from KDNetLib.allocator import keep_freed_memory
from KDNetLib.benchmark.registry import CONTESTANTS
from KDNetLib.device import OPENVINO
from KDNetLib.peak_memory import process_peak


def main() -> None:
    """Carry out the request in the process's first argument."""
    request = json.loads(sys.argv[1])
    if request["keep_memory"]:
        keep_freed_memory()
    import torch

    if request["threads"]:
        torch.set_num_threads(request["threads"])
    answer = {"threads": torch.get_num_threads(), **globals()[f"_task_{request['task']}"](request)}
    if torch.cuda.is_initialized():
        answer["gpu_peak_bytes"] = torch.cuda.max_memory_reserved(request["device"])
    Path(request["answer"]).write_text(json.dumps(answer | {"peak_bytes": process_peak()}), encoding="utf-8")


def _task_segment(request: dict) -> dict:
    """``contestant`` segments ``source`` into ``target`` once."""
    contestant = _loaded(request)
    return _segment(contestant, request)


def _task_stages(request: dict) -> dict:
    """The same ``repeats`` times in this one process, after once that is not told."""
    contestant = _loaded(request)
    return {"runs": [_segment(contestant, request) for _ in range(request["repeats"] + 1)][1:]}


def _task_count(request: dict) -> dict:
    """The network's operations in that in GFLOP; slower than without counting, so never timed."""
    from KDNetLib.benchmark.observation import NetworkWatch, counting

    contestant = _loaded(request)
    with counting() as counter, NetworkWatch(contestant.network_type, counter.get_total_flops) as watch:
        contestant.segment(Path(request["source"]), Path(request["target"]))
    return {"gflop": watch.total / 1e9 if watch.calls else None}


def _task_convolution(request: dict) -> dict:
    """The best rates of convolution by shape, by torch in the precision that networks run in on the device."""
    from KDNetLib.benchmark.convolution import sweep

    precision = _precision(request["device"])
    return {"precision": precision, "rates": sweep("cpu" if request["device"] == OPENVINO else request["device"], precision)}


def _loaded(request: dict):
    contestant = CONTESTANTS[request["contestant"]]()
    contestant.load(request["device"], Path(request["model"]))
    return contestant


def _segment(contestant, request: dict) -> dict:
    import torch

    from KDNetLib.benchmark.observation import NetworkWatch, OpenVINOWatch, clock

    in_openvino = request["device"] == OPENVINO
    with OpenVINOWatch() if in_openvino else NetworkWatch(contestant.network_type, clock(torch.device(request["device"]))) as watch:
        started = time.perf_counter()
        stages = contestant.segment(Path(request["source"]), Path(request["target"]))
        seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "network_seconds": watch.total if watch.calls else None,
        "forwards": watch.calls,
        "voxels": watch.voxels,
        "spacing": contestant.spacing,
        "precision": _precision(request["device"]),
        "stages": stages,
    }


def _precision(device: str) -> str:
    """What networks are computed in on ``device``, KDNet's and the peers' alike."""
    if device == OPENVINO:
        import openvino

        from KDNetLib.runners.openvino_runner import precision

        return {"bf16": "bfloat16", "f32": "float32"}[precision(openvino.Core())]
    return "float16" if device.startswith("cuda") else "float32"


if __name__ == "__main__":
    main()
