"""Every parameter of a training, with its meaning; and the presets."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Settings:
    """What a run was trained with; written into its folder and, in words, into the model file. Defaults are the paper's."""

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


#: The student that ships: the paper's procedure over whole brains at 2 mm, with a schedule that two CPU cores finish.
#: Three things differ from the paper, all for the short schedule. The warm start from the teacher stands in for epochs
#: that are lacking. With T = 5 the soft targets of so young a teacher leave 0.1 of every class on all of the background,
#: and with α = 10 the bottleneck's gradient is ten times that of the rest: after 10 epochs L_GT had not fallen at all.
FIRST_STUDENT = Settings(
    epochs_teacher=40, epochs_student=54, learning_rate=1e-3, imitation=0.5, temperature=2.0, alpha=1.0, student_from_teacher=True
)

#: What ``kdnet train --preset`` takes.
PRESETS = {"first-student": FIRST_STUDENT}
