"""What a folder of cases holds, every file read: what can be trained on, and what is wrong with the rest."""

from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetLib.image_io import read_labelmap
from KDNetLib.model_card import printable
from KDNetTrainingLib.data.cases import GridError, LabelError, TrainingCase, find_cases
from KDNetTrainingLib.data.processes import in_processes, workers_for
from KDNetTrainingLib.modalities import MODALITIES

#: Kinds of problems, in the order of the table; the first three are told by naming alone.
PROBLEMS = ("no label", "missing a modality", "copy of another case", "differing grids", "labels outside the edition's set", "unreadable")
_CAVITY = 4  # the label of 2024


@dataclass(frozen=True)
class CaseReport:
    """One case: ``problem`` is one of PROBLEMS or None where it is usable, ``reason`` the sentence that says more.

    ``enhancing`` tells whether the reference has enhancing tumour, ``cavity`` whether a resection cavity; None where
    the reference was not read.
    """

    name: str
    edition: str
    patient: str
    grade: str | None = None
    problem: str | None = None
    reason: str | None = None
    enhancing: bool | None = None
    cavity: bool | None = None


@dataclass(frozen=True)
class DataReport:
    """All cases under ``folder``, sorted by name."""

    folder: Path
    cases: list[CaseReport]

    @property
    def usable(self) -> list[CaseReport]:
        """The cases that can be trained on."""
        return [case for case in self.cases if case.problem is None]

    def counts(self) -> dict[str, dict[str, int]]:
        """For each edition, and for "all" where there are several, how many cases are what; in the order of the table."""
        editions = sorted({case.edition for case in self.cases})
        groups = {edition: [case for case in self.cases if case.edition == edition] for edition in editions}
        if len(editions) > 1:
            groups["all"] = self.cases
        return {name: self._counts(cases) for name, cases in groups.items()}

    def grades(self) -> dict[str, int]:
        """How many usable cases are HGG, LGG, or of unknown grade."""
        return dict(sorted(Counter(case.grade or "unknown" for case in self.usable).items()))

    def sessions(self) -> dict[str, list[str]]:
        """The patients with several usable cases, and the cases' names."""
        patients = defaultdict(list)
        for case in self.usable:
            patients[case.patient].append(case.name)
        return {patient: names for patient, names in sorted(patients.items()) if len(names) > 1}

    def notes(self) -> list[str]:
        """Sentences about what is no problem, but worth knowing."""
        notes = []
        cavities = sum(bool(case.cavity) for case in self.usable)
        if cavities:
            notes.append(f"{cavities} case(s) hold the label 4 of BraTS 2024, the resection cavity, which counts as background.")
        if self.sessions():
            notes.append("Cases of one patient always lie in the same fold.")
        if any(case.edition == "BraTS" for case in self.usable):
            notes.append("The naming of some cases does not tell the edition (it is called BraTS here); their label values tell the numbering.")
        return notes

    def as_dict(self) -> dict:
        """Everything, ready for JSON."""
        return {
            "folder": str(self.folder),
            "usable": len(self.usable),
            "editions": self.counts(),
            "grades": self.grades(),
            "several_cases_of_one_patient": self.sessions(),
            "notes": self.notes(),
            "cases": [asdict(case) for case in self.cases],
        }

    def as_table(self) -> str:
        """The counts as a table, grades, notes, and one line for each case left out."""
        counts = self.counts()
        rows = list(next(iter(counts.values())))
        width = max(map(len, rows))
        lines = [" " * width + "".join(f"  {name:>10}" for name in counts)]
        lines += [f"{row:<{width}}" + "".join(f"  {group[row]:>{max(10, len(name))}}" for name, group in counts.items()) for row in rows]
        lines += ["", "grades of the usable cases: " + (", ".join(f"{grade} {count}" for grade, count in self.grades().items()) or "none")]
        lines += self.notes()
        left_out = [f"  {printable(case.name)}: {printable(case.reason)}" for case in self.cases if case.problem]
        if left_out:
            lines += ["", "left out:", *left_out]
        return "\n".join(lines)

    def _counts(self, cases: list[CaseReport]) -> dict[str, int]:
        several = {name for names in self.sessions().values() for name in names}
        usable = [case for case in cases if case.problem is None]
        return {
            "found": len(cases),
            "usable": len(usable),
            **{problem: sum(case.problem == problem for case in cases) for problem in PROBLEMS},
            "usable, of a patient with several": sum(case.name in several for case in usable),
            "usable, without enhancing tumour": sum(not case.enhancing for case in usable),
        }


def inspect(folder, progress: Callable[[int, int, str], None] = lambda *_: None, workers: int | None = None) -> DataReport:
    """Read every file of every complete case under ``folder``.

    Args:
        progress: called with the number of cases read, of those to read, and the last one's name.
        workers: processes; None: as many as are worth it.
    Raises:
        InputError: no folder, or no BraTS case in it.
        DeviceError: a process was killed for want of memory.
    """
    found = find_cases(folder)
    complete = [entry.case for entry in found if entry.case]
    read = {}
    with closing(in_processes(_examine, [(case,) for case in complete], workers or workers_for(complete))) as results:
        for _, report in results:
            read[report.name] = report
            progress(len(read), len(complete), report.name)
    return DataReport(Path(folder), [
        read[entry.name] if entry.case else CaseReport(entry.name, entry.edition, entry.patient, problem=entry.problem, reason=entry.reason)
        for entry in found
    ])  # fmt: skip


def _examine(case: TrainingCase) -> CaseReport:
    report = CaseReport(case.name, case.edition, case.patient, case.grade)
    try:
        case.read(MODALITIES)
        classes = case.read_reference()
        cavity = case.convention == "1/2/3/4" and bool((read_labelmap(case.reference).array == _CAVITY).any())
    except (InputError, OSError) as error:  # OSError: a file vanished, or its disk fails
        kinds = {GridError: "differing grids", LabelError: "labels outside the edition's set"}
        return replace(report, problem=kinds.get(type(error), "unreadable"), reason=str(error).rstrip("."))
    return replace(report, enhancing=bool((classes == 3).any()), cavity=cavity)
