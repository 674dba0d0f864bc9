"""The events of a whole experiment made by formulas: as long as wanted, at once, and like those of a run."""

import json
import math
import random
from collections.abc import Iterator

SYSTEMS = ("teacher", "baseline", "gt+kl", "gt+kd", "gt+kl+kd")
REGIONS = ("ET", "TC", "WT")
_STEPS, _STEP_SECONDS = 14, 1.4


def events_of(epochs: int, folds: int = 3, systems=SYSTEMS, seed: int = 0) -> Iterator[dict]:
    """Every event of ``folds`` x ``systems`` trainings of ``epochs`` epochs, in order; one "steps" event per epoch."""
    rng, clock = random.Random(seed), 1.7e9
    keys = [f"fold-{fold}/{system}" for fold in range(1, folds + 1) for system in systems]
    yield {"time": clock, "kind": "prepare", "done": 1, "total": 24, "name": "BraTS2021_00000"}
    yield {"time": clock, "kind": "run", "what": "begin", "trainings": keys, "epochs": [epochs] * len(keys)}
    for place, key in enumerate(keys):
        system = key.split("/")[1]
        yield {"time": clock, "kind": "training", "training": key, "fold": int(key[5]), "system": system, "epochs": epochs, "cases": 14,
               "validation": 2, "from_epoch": 0}
        best = -1.0
        for epoch in range(1, epochs + 1):
            seconds = _STEPS * _STEP_SECONDS
            left = (epochs - epoch) * seconds
            times = {"left": left, "left_run": left + (len(keys) - place - 1) * epochs * seconds}
            train, validation = _losses(system, epoch / epochs, rng), _losses(system, epoch / epochs, rng) | _dice(system, epoch / epochs, rng)
            at = {"training": key, "epoch": epoch, "epochs": epochs, "train": train, **times}
            yield {"time": clock, "kind": "steps", "step": _STEPS // 2, "steps": _STEPS, "seconds_per_step": _STEP_SECONDS, **at}
            clock += seconds
            score = sum(validation[region] for region in REGIONS)
            yield {"time": clock, "kind": "epoch", "validation": validation, "learning_rate": 1e-4, "seconds": seconds, "reading_seconds": 0.1,
                   "gpu_gb": 3.2, "best": score > best, **at}
            best = max(best, score)
        final = _dice(system, 1.0, rng)
        crop = {region: value + 0.01 for region, value in final.items()}
        yield {"time": clock, "kind": "scores", "training": key, "cases": 8, "native": final, "crop": crop}
        if system != "teacher":
            yield {"time": clock, "kind": "exported", "training": key, "path": f"/elsewhere/models/long-{system}-{key[:6]}.safetensors"}
    yield {"time": clock, "kind": "run", "what": "finished", "message": ""}


def write_events(folder, events) -> None:
    """Write ``events`` as the events.jsonl of the run ``folder``, after those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "events.jsonl", "a", encoding="ascii") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def _losses(system, share, rng):
    losses = {"gt": 0.25 + 1.4 * math.exp(-7 * share) + rng.uniform(0, 0.03)}
    if "kd" in system:
        losses["kd"] = 0.6 * losses["gt"] + 0.1
    if "kl" in system:
        losses["kl"] = 0.02 * math.exp(-3 * share) + rng.uniform(1e-4, 1e-3)
    return {"loss": losses["gt"] + 0.33 * losses.get("kd", 0.0) + 10 * losses.get("kl", 0.0), **losses}


def _dice(system, share, rng):
    lift = 0.08 if system == "teacher" else 0.0
    rise = 1 - math.exp(-5 * share)
    return {region: (top + lift) * rise + rng.uniform(0, 0.04) for region, top in (("ET", 0.68), ("TC", 0.76), ("WT", 0.72))}
