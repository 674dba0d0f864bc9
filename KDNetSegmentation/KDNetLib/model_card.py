"""A model's card as Markdown, for the command line and for Slicer's panel alike."""

import re

from KDNetLib.manifest import Manifest

_SPECIAL = re.compile(r"([\\`*<>\[\]|#])")


def model_card(manifest: Manifest) -> str:
    """What ``manifest`` says of its model, as Markdown.

    The texts come from a file of any origin: they are shown as plain text, so that none can bring in a link, an image,
    HTML or a terminal's control characters.
    """
    facts = {
        "Name": manifest.name,
        "Input": ", ".join(manifest.modalities),
        "Output": ", ".join(manifest.classes),
        "Preprocessing": _settings(manifest.preprocessing),
        "Applied to": "the scan and its mirror image, left and right exchanged, averaged" if manifest.mirrored else "the scan",
        "Postprocessing": _postprocessing(manifest.least_enhancing_ml),
        "Architecture": f"{manifest.architecture.get('name', 'unknown')} ({_settings(manifest.architecture.get('parameters'))})",
        "Licence": manifest.licence,
        "Citation": manifest.citation,
        "SHA-256 of the weights": manifest.sha256,
    }
    lines = [f"# {_plain(manifest.title)}", "", *_bullets(facts), "", "## Training", "", *_bullets(manifest.training)]
    lines += ["", "## Measured", "", *_measured(manifest.measured), "", "## Confidence", "", *_confidence(manifest)]
    lines += ["", "For research use only."]
    return "\n".join(lines) + "\n"


def _bullets(facts: dict) -> list[str]:
    return [f"- **{_plain(key)}:** {_plain(value)}" for key, value in facts.items()] or ["Nothing is said."]


def _settings(settings) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items()) if isinstance(settings, dict) else "not stated"


def _postprocessing(least_enhancing_ml: float) -> str:
    return f"enhancing tumour of less than {least_enhancing_ml:g} ml in all counts as necrotic core" if least_enhancing_ml else "none"


def _measured(results: list[dict]) -> list[str]:
    if not results:
        return ["Nothing was measured."]
    regions = list(dict.fromkeys(region for result in results for region in result["dice"]))
    lines = [f"| Data | Cases | Space | {' | '.join(f'Dice {_plain(region)}' for region in regions)} |", "|---" * (3 + len(regions)) + "|"]
    for result in results:
        cells = [_plain(result.get(key, "")) for key in ("dataset", "cases", "space")]
        cells += [f"{result['dice'][region]:.3f}" if region in result["dice"] else "" for region in regions]
        lines.append(f"| {' | '.join(cells)} |")
    # Teacher and student are often measured by one command; a dict keeps the order.
    commands = dict.fromkeys(_plain(result["command"]) for result in results if result.get("command"))
    return lines + [line for command in commands for line in ("", f"Measured by: {command}")]


def _confidence(manifest: Manifest) -> list[str]:
    calibration = manifest.calibration
    if calibration is None:
        return ["The model holds no calibration, so its results come without a confidence."]
    lines = [
        f"The confidence of a region is the Dice to be expected, calibrated on {calibration['cases']} cases ({_plain(calibration['data'])}).",
        "How far it can be relied on, by groups of predictions with like confidence:",
        "",
        "| Region | Predictions | Mean confidence | Mean Dice |",
        "|---|---|---|---|",
    ]
    errors = []
    for region, points in calibration["curve"].items():
        lines += [f"| {_plain(region)} | {count} | {confidence:.2f} | {dice:.2f} |" for confidence, dice, count in points]
        errors.append(f"{_plain(region)} {expected_calibration_error(points):.3f}")
    if manifest.architecture.get("name") == "Ensemble":
        lines += ["", "It was calibrated on single networks; the mean of them promises a little less, so its confidence is rather too low than too high."]
    return [*lines, "", f"Expected calibration error: {', '.join(errors)}", "", f"Calibrated by: {_plain(calibration['command'])}"]


def expected_calibration_error(points: list) -> float:
    """Mean distance between confidence and Dice over the ``points`` [mean confidence, mean Dice, number] of a reliability curve."""
    return sum(count * abs(confidence - dice) for confidence, dice, count in points) / max(1, sum(count for _, _, count in points))


def _plain(value) -> str:
    return _SPECIAL.sub(r"\\\1", printable(value))


def printable(value) -> str:
    """``value`` as one line without control characters, which a terminal would act on."""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    return " ".join(text.split())
