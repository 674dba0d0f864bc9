"""Controls that cannot be used say why."""


def disableControls(ui, reasons, toolTips) -> None:
    """Let every control of ``ui`` that ``reasons`` names be used where its reason is "", else show that as its tool tip.

    ``toolTips`` (a dict, empty at first) keeps the controls' own tool tips.
    """
    for name, reason in reasons.items():
        control = getattr(ui, name)
        toolTip = toolTips.setdefault(name, control.toolTip)
        control.enabled = not reason
        control.toolTip = reason or toolTip
