"""Every parameter of a training, with its meaning; and the presets."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Settings:
    """What a run was trained with; written into its folder and, in words, into the model file."""

    epochs_teacher: int = 500
    epochs_student: int = 500
    learning_rate: float = 1e-4  #: Adam's; decays as (1 − step / steps)^0.9
    width: int = 16  #: channels of the network's first level
    skips: int = 4
    spacing: float = 2.0  #: mm; the network's isotropic voxel
    crop: tuple[int, int, int] = (64, 80, 64)  #: sides of a training crop in network voxels
    imitation: float = 0.75  #: λ of Eq. 5
    temperature: float = 5.0  #: T of Eq. 1
    alpha: float = 10.0  #: α of Eq. 5
    student_modality: str = "t1ce"
    student_from_teacher: bool = False  #: start the student from the teacher's weights instead of from random ones
    seed: int = 0

    def as_dict(self) -> dict:
        return asdict(self)


#: The student that ships: the paper's losses over whole brains at 2 mm, with a schedule that two CPU cores finish.
#: Its warm start from the teacher is not in the paper; it stands in for the epochs that the schedule lacks.
FIRST_STUDENT = Settings(epochs_teacher=40, epochs_student=48, learning_rate=1e-3, student_from_teacher=True)
