"""From the measurements to what is read: medians, spreads, ratios, shares, and the text they are printed as."""

from statistics import median

from KDNetLib.benchmark.registry import OURS

_GIGA = 1e9
_COLUMNS = [
    "", "file to file, s", "times ours", "network, s", "precision", "GFLOP", "GFLOP/s", "seen at once, voxels", "mm", "peak GB", "GPU GB", "process, s", "runs"
]
_NETWORK, _AROUND, _TOTAL = "in the network", "around the network", "file to file"


def spread(values: list[float]) -> dict[str, float] | None:
    """``median``, ``min`` and ``max``; None of nothing."""
    return {"median": median(values), "min": min(values), "max": max(values)} if values else None


def summarise(measured: dict, scan_spacing: tuple[float, float, float]) -> dict:
    """What measure.py returned, with a ``summary`` added to every contestant and part; ``scan_spacing`` in mm."""
    contestants = measured["contestants"]
    own = contestants.get(OURS, {}).get("runs", [])
    result = {"contestants": {name: entry | {"summary": _contestant(entry, own, scan_spacing)} for name, entry in contestants.items()}}
    if "cold" in measured:
        part = measured["cold"]
        result["cold"] = part | {"summary": {size: spread(seconds) for size, seconds in part["seconds"].items()}}
    if "stages" in measured:
        result["stages"] = measured["stages"] | {"summary": _stages(measured["stages"]["runs"])}
    if "convolution" in measured:
        rates = measured["convolution"]["rates"]
        best = max(rates, key=lambda rate: rate["gflops"], default=None)
        result["convolution"] = measured["convolution"] | {"summary": {"best": best, "shares": _shares(best, result)}}
    return result


def _contestant(entry: dict, own: list[dict], scan_spacing) -> dict | None:
    runs = entry["runs"]
    if not runs:
        return None
    network = [run["network_seconds"] for run in runs if run["network_seconds"]]
    voxels, spacing = runs[-1]["voxels"], runs[-1]["spacing"] or scan_spacing
    return {
        "seconds": spread([run["seconds"] for run in runs]),
        # Run by run, because neighbours in time share whatever else the machine was doing.
        "times_ours": spread([run["seconds"] / other["seconds"] for run, other in zip(runs, own)]),
        "network_seconds": spread(network),
        "precision": runs[-1]["precision"],
        "process_seconds": spread([run["process_seconds"] for run in runs]),
        "gflop_per_second": entry["gflop"] / median(network) if entry["gflop"] and network else None,
        "forwards": runs[-1]["forwards"],
        "seen_voxels": voxels,
        "seen_mm": voxels and [count * side for count, side in zip(voxels, spacing)],
        "peak_gb": _peak(runs, "peak_bytes"),
        "gpu_peak_gb": _peak(runs, "gpu_peak_bytes"),
    }


def _peak(runs: list[dict], key: str) -> float | None:
    told = [run[key] for run in runs if run.get(key)]
    return max(told) / _GIGA if told else None


def _stages(runs: list[dict]) -> dict[str, dict[str, float]]:
    """Spread of seconds by stage, then of the network, of all around it, and of the whole."""
    if not runs:
        return {}
    result = {stage: spread([run["stages"][stage] for run in runs]) for stage in runs[0]["stages"]}
    timed = [run for run in runs if run["network_seconds"]]
    if timed:
        result[_NETWORK] = spread([run["network_seconds"] for run in timed])
        result[_AROUND] = spread([run["seconds"] - run["network_seconds"] for run in timed])
    return result | {_TOTAL: spread([run["seconds"] for run in runs])}


def _shares(best: dict | None, result: dict) -> dict[str, dict[str, float]]:
    """Our network's rate and its share of the best convolution's, in a fresh process and in a warm one."""
    ours = result["contestants"].get(OURS, {})
    gflop = ours.get("gflop")
    if best is None or not gflop:
        return {}
    seconds = {
        "fresh process": (ours["summary"] or {}).get("network_seconds"),
        "warm process": result.get("stages", {}).get("summary", {}).get(_NETWORK),
    }
    rates = {where: gflop / spent["median"] for where, spent in seconds.items() if spent}
    return {where: {"gflop_per_second": rate, "share": rate / best["gflops"]} for where, rate in rates.items()}


def text(report: dict) -> str:
    """The report of cli/benchmark.py as lines for a terminal."""
    return "\n\n".join(filter(None, [_head(report), _contestants(report), _cold(report), _warm(report), _convolution(report)]))


def _head(report: dict) -> str:
    scan, machine = report["scan"], report["machine"]
    return "\n".join(
        [
            f"scan      {scan['name']}, {_size(scan['voxels'])} voxels of {_size(scan['spacing'])} mm",
            f"machine   {machine['processor'] or 'unknown processor'}, {machine['threads']} threads, {machine['platform']}; on {report['device']}",
            "versions  " + ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version),
            f"ours      {report['ours']}",
            f"allocator {report['allocator']}",
            "Peers' weights are random: the time does not depend on them, and nothing here says how well anything segments. The networks",
            "differ in size and in what they see at once; read no ratio without GFLOP and field of view.",
        ]
    )


def _contestants(report: dict) -> str:
    entries = report["contestants"]
    shown = {name: entry for name, entry in entries.items() if entry["summary"]}
    lines = []
    if shown:
        rows = [[name, *_cells(entry)] for name, entry in shown.items()]
        lines += ["One scan from file to file, each run in a fresh process, all in turn: median (least to most)", *_aligned([_COLUMNS, *rows]), ""]
    width = max(map(len, entries), default=0)
    for name, entry in entries.items():
        lines.append(f"{name:<{width}}  {entry['title']}")
        if entry["absent"]:
            lines.append(f"{'':<{width}}  {entry['absent']}")
        if entry["failed"]:
            lines.append(f"{'':<{width}}  failed after {len(entry['runs'])} runs: {entry['failed']}")
    if shown:
        lines += [
            "",
            "file to file: reading, preparing, segmenting, returning to the scan's grid, writing. Networks are built before, but KDNet reads",
            "its weights within. network: inside the network, all its forwards. process: start to end, imports included. GFLOP: the network's",
            "convolutions and matrix products, 2 per multiply-add, counted in a run of its own. times ours: run by run, above 1 is slower than KDNet.",
        ]
    return "\n".join(lines)


def _cells(entry: dict) -> list[str]:
    summary = entry["summary"]
    return [
        _spread(summary["seconds"]),
        _spread(summary["times_ours"]),
        _spread(summary["network_seconds"]),
        summary["precision"],
        _number(entry["gflop"], 0),
        _number(summary["gflop_per_second"], 0),
        _size(summary["seen_voxels"]),
        _size(summary["seen_mm"]),
        _number(summary["peak_gb"], 2),
        _number(summary["gpu_peak_gb"], 2),
        _spread(summary["process_seconds"]),
        str(len(entry["runs"])),
    ]


def _cold(report: dict) -> str:
    part = report.get("cold")
    if not part:
        return ""
    lines = ["Cold start of kdnet segment, from the process's start to the written file, s"]
    rows = [[f"  {size}", _spread(seconds)] for size, seconds in part["summary"].items() if seconds]
    return "\n".join([*lines, *_aligned(rows), *_failure(part)])


def _warm(report: dict) -> str:
    part = report.get("stages")
    if not part:
        return ""
    rows = [[f"  {stage}", _spread(seconds, 1000, 0)] for stage, seconds in part["summary"].items()]
    lines = [f"KDNet's stages in a warm process, ms, {len(part['runs'])} runs after one that does not count"]
    return "\n".join([*lines, *_aligned(rows), *_failure(part)])


def _convolution(report: dict) -> str:
    part = report.get("convolution")
    if not part:
        return ""
    best, lines = part["summary"]["best"], []
    if best:
        lines.append(
            f"Best convolution (3³, one sample, {part['precision']}, {best['channels']} channels at {best['side']}³, {best['layout']}): {best['gflops']:.0f} GFLOP/s"
        )
    for where, own in part["summary"]["shares"].items():
        lines.append(f"  KDNet's network in a {where}: {own['gflop_per_second']:.0f} GFLOP/s, {100 * own['share']:.0f} % of that")
    return "\n".join([*lines, *_failure(part)])


def _failure(part: dict) -> list[str]:
    return [f"  failed: {part['failed']}"] if part["failed"] else []


def _spread(values: dict[str, float] | None, factor: float = 1, digits: int = 2) -> str:
    if values is None:
        return "-"
    middle, low, high = (f"{factor * values[key]:.{digits}f}" for key in ("median", "min", "max"))
    return middle if low == high else f"{middle} ({low}–{high})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _size(sides) -> str:
    return "×".join(f"{side:g}" for side in sides) if sides else "-"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns as wide as their widest cell, the first to the left and the others to the right; empty ones left out."""
    columns = [column for column in zip(*rows) if set(column[1:]) != {"-"} or len(rows) == 1]
    widths = [max(map(len, column)) for column in columns]
    padded = [[cell.ljust(width) if column == 0 else cell.rjust(width) for cell in cells] for column, (cells, width) in enumerate(zip(columns, widths))]
    return ["   ".join(cells).rstrip() for cells in zip(*padded)]
