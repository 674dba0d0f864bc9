"""One parameter of ``settings.Settings`` as a row of the panel, made from its definition."""

from dataclasses import Field

import ctk
import qt
from slicer.i18n import tr as _

from KDNetSegmentationLib.styles import ERROR_STYLE, HINT_STYLE
from KDNetTrainingLib.modalities import MODALITIES


class ParameterRow:
    """A label, a control, what is permitted, and room for a sentence; ``onEdited(name)`` is called after an edit."""

    def __init__(self, parameter: Field, layout, onEdited):
        self.name, self._default, self._facts = parameter.name, parameter.default, parameter.metadata
        self._onEdited = onEdited
        self._boxes = {}
        self._label = qt.QLabel(_title(parameter.name))
        self.control = self._makeControl()
        self.control.objectName = f"{parameter.name}Parameter"
        hint = qt.QLabel(self._permitted())
        hint.styleSheet = HINT_STYLE
        self._error = qt.QLabel()
        self._error.wordWrap = True
        self._error.styleSheet = ERROR_STYLE
        self._error.visible = False
        toolTip = self._toolTip()
        for widget in (self._label, self.control, hint):
            widget.toolTip = toolTip
        row = layout.rowCount()
        layout.addWidget(self._label, row, 0)
        if self._permitted():
            layout.addWidget(self.control, row, 1)
            layout.addWidget(hint, row, 2)
        else:
            layout.addWidget(self.control, row, 1, 1, 2)
        layout.addWidget(self._error, row + 1, 0, 1, 3)

    @property
    def controls(self) -> list:
        """What the keyboard reaches, in order."""
        return list(self._boxes.values()) or [self.control]

    def read(self):
        """The value in the control: of the parameter's kind, or the text where it is not one."""
        if isinstance(self._default, bool):
            return self.control.checked
        if "choices" in self._facts:
            return self.control.currentText
        if self.name == "teacher_modalities":
            return [modality for modality, box in self._boxes.items() if box.checked]
        if self.name == "teacher_model":
            return self.control.currentPath.strip()
        if isinstance(self._default, tuple):
            return [_number(int, word) for word in self.control.text.replace("×", " ").replace(",", " ").split()]
        return _number(type(self._default), self.control.text)

    def write(self, value, presetValue) -> None:
        """Show ``value``; in bold where the preset has another."""
        if isinstance(self._default, bool):
            self.control.checked = value
        elif "choices" in self._facts:
            self.control.currentIndex = self.control.findText(value)
        elif self.name == "teacher_modalities":
            for modality, box in self._boxes.items():
                box.checked = modality in value
        elif self.name == "teacher_model":
            if self.read() != value:
                wasBlocked = self.control.blockSignals(True)
                self.control.setCurrentPath(value)
                self.control.blockSignals(wasBlocked)
        elif self.read() != (list(value) if isinstance(self._default, tuple) else value):
            # What is being typed, such as "0." on the way to "0.5", must not change under the user's hands.
            self.control.text = _text(value)
        self._label.styleSheet = "font-weight: bold" if value != presetValue else ""
        self.showProblem("")

    def showProblem(self, problem: str) -> None:
        """Show a sentence below the control, or none."""
        self._error.text = problem
        self._error.visible = bool(problem)

    def _makeControl(self):
        if isinstance(self._default, bool):
            control = qt.QCheckBox()
            control.connect("clicked(bool)", self._edited)
        elif "choices" in self._facts:
            control = qt.QComboBox()
            control.addItems(list(self._facts["choices"]))
            control.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
            control.minimumContentsLength = 8
            control.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
            control.connect("activated(int)", self._edited)
        elif self.name == "teacher_modalities":
            control = qt.QWidget()
            control.setLayout(qt.QHBoxLayout())
            control.layout().setContentsMargins(0, 0, 0, 0)
            control.layout().spacing = 2
            for modality in MODALITIES:
                self._boxes[modality] = box = qt.QCheckBox(modality)
                control.layout().addWidget(box)
                box.connect("clicked(bool)", self._edited)
        elif self.name == "teacher_model":
            control = ctk.ctkPathLineEdit()
            control.filters = ctk.ctkPathLineEdit.Files
            control.nameFilters = [_("KDNet models (*.safetensors)")]
            control.focusPolicy = qt.Qt.StrongFocus
            control.connect("currentPathChanged(QString)", self._edited)
        else:
            # A line and not a spin box: learning rates need 1e-4, and the wheel that scrolls the panel changes nothing.
            control = qt.QLineEdit()
            control.minimumWidth = 60
            control.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
            control.connect("textEdited(QString)", self._edited)
        return control

    def _edited(self):
        self._onEdited(self.name)

    def _permitted(self):
        if "low" in self._facts:
            return _("{low} to {high}").format(low=_text(self._facts["low"]), high=_text(self._facts["high"]))
        return ""

    def _toolTip(self):
        sentences = [f"{self._facts['meaning']}.", _("Default: {value}.").format(value=_text(self._default) or _("none"))]
        if self._permitted():
            sentences.append(_("Permitted: {range}.").format(range=self._permitted()))
        return "\n".join([f"{self.name}: {sentences[0]}", *sentences[1:]])


def _title(name):
    titles = {
        "imitation": _("Imitation λ"),
        "temperature": _("Temperature T"),
        "alpha": _("Weight α of KL"),
        "epochs_teacher": _("Teacher's epochs"),
        "epochs_student": _("Student's epochs"),
        "distillation_mask": _("Taught voxels"),
        "student_from_teacher": _("Start from teacher"),
        "student_from_baseline": _("Start from baseline"),
        "mean_with_baseline": _("Average with baseline"),
        "teacher_modalities": _("Teacher sees"),
        "teacher_model": _("Given teacher"),
        "student_modality": _("Student sees"),
        "inner_validation": _("Validation share"),
        "phantoms": _("Generated cases"),
        "coarse": _("Coarse share"),
        "whole": _("Whole scans share"),
        "mirrored": _("Average with mirror image"),
        "least_enhancing": _("Least ET (ml)"),
        "spacing": _("Spacing (mm)"),
    }
    return titles.get(name) or name.replace("_", " ").capitalize()


def _number(kind, text):
    try:
        return kind(text)
    except ValueError:
        return text


def _text(value):
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:g}" if isinstance(value, float) else str(value)
