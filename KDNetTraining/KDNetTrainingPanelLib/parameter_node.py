"""What the panel remembers in the scene."""

from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class KDNetTrainingParameterNode:
    """The choices made in the panel.

    dataFolder - The folder that holds the BraTS cases.
    preset - Name of a preset of ``KDNetTrainingLib.settings``.
    changedSettings - What differs from the preset: a JSON object of values by parameter name, or empty.
    objective - Key of ``plan_choice.OBJECTIVES``.
    runFolder - Where the run writes; also an earlier run to look at.
    modelName - Name of the model file that is written at the end.
    device - "auto", "cpu", "cuda:0", ...
    goOn - Whether the training goes on when Slicer closes.
    """

    dataFolder: str = ""
    preset: str = "paper"
    changedSettings: str = ""
    objective: str = "gt+kl+kd"
    runFolder: str = ""
    modelName: str = "my-student"
    device: str = "auto"
    goOn: bool = False
