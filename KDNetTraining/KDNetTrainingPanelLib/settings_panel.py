"""The settings of the panel: preset, what to train, and every parameter of the engine."""

import json
from dataclasses import fields

import qt
from slicer.i18n import tr as _

from KDNetLib.errors import KDNetError
from KDNetSegmentationLib.styles import ERROR_STYLE
from KDNetTrainingLib.given_teacher import check_teacher
from KDNetTrainingLib.settings import Settings, preset, preset_names, settings_from
from KDNetTrainingPanelLib.parameter_row import ParameterRow
from KDNetTrainingPanelLib.plan_choice import OBJECTIVES, objectiveTitle, presetAbout


class SettingsPanel:
    """``onChosen(name, value)`` is called with parameters of the parameter node when the user changes something."""

    def __init__(self, ui, onChosen):
        self._ui, self._onChosen = ui, onChosen
        self._preset, self._changed = "paper", {}
        #: Why what is in a parameter's control cannot be used, by the parameter's name.
        self._problems = {}
        self._stored = None
        layout = qt.QGridLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setColumnStretch(1, 1)
        ui.parametersContainer.setLayout(layout)
        self.rows = {parameter.name: ParameterRow(parameter, layout, self._onEdited) for parameter in fields(Settings)}
        order = [ui.objectiveComboBox, *(control for row in self.rows.values() for control in row.controls), ui.resetButton]
        for before, after in zip(order, order[1:]):
            qt.QWidget.setTabOrder(before, after)  # what is made here is last otherwise
        for name in preset_names():
            ui.presetComboBox.addItem(name, name)
            ui.presetComboBox.setItemData(ui.presetComboBox.count - 1, presetAbout(name), qt.Qt.ToolTipRole)
        for name in OBJECTIVES:
            ui.objectiveComboBox.addItem(objectiveTitle(name), name)
        ui.presetComboBox.connect("activated(int)", lambda index: onChosen("preset", ui.presetComboBox.itemData(index)))
        ui.objectiveComboBox.connect("activated(int)", lambda index: onChosen("objective", ui.objectiveComboBox.itemData(index)))
        ui.resetButton.connect("clicked(bool)", self._onReset)

    @property
    def problem(self) -> str:
        """Why the settings cannot be used; "" if they can."""
        return next(iter(self._problems.values()), "")

    @property
    def isPreset(self) -> bool:
        """Whether every control shows the preset's value."""
        return not self._changed and not self._problems

    @property
    def settings(self) -> Settings:
        """The chosen settings; the last usable ones while there is a problem."""
        return settings_from(self._changed, preset(self._preset))

    @property
    def changed(self) -> dict:
        """What differs from the preset, by name."""
        return dict(self._changed)

    def show(self, presetName: str, changedSettings: str, objective: str) -> None:
        """Show what the parameter node holds. What cannot be used of it (another version's scene) is left out."""
        self._ui.objectiveComboBox.currentIndex = max(0, self._ui.objectiveComboBox.findData(objective))
        if self._stored == (presetName, changedSettings):
            return
        self._stored = (presetName, changedSettings)
        self._preset = presetName if presetName in preset_names() else preset_names()[0]
        self._ui.presetComboBox.currentIndex = self._ui.presetComboBox.findData(self._preset)
        self._changed = _usable(changedSettings, preset(self._preset))
        self._problems.clear()
        values, own = preset(self._preset).as_dict(), self.settings.as_dict()
        for name, row in self.rows.items():
            row.write(own[name], values[name])
        self._showStatus()

    def _onEdited(self, name):
        value, base = self.rows[name].read(), preset(self._preset)
        pending = {name: value, **{other: self.rows[other].read() for other in self._problems if other != name}}
        self._problems.clear()
        for each, wanted in pending.items():  # an edit may put right what was wrong elsewhere
            candidate = {**self._changed, each: wanted}
            try:
                self._changed = _checked(candidate, base).differences_from(base)
            except KDNetError as error:
                self._problems[each] = str(error)
                self.rows[each].showProblem(str(error))
            else:
                self._changed = {other: own for other, (_theirs, own) in self._changed.items()}
                self.rows[each].write(wanted, base.as_dict()[each])
        text = json.dumps(self._changed) if self._changed else ""
        self._stored = (self._preset, text)
        self._showStatus()
        self._onChosen("changedSettings", text)

    def _onReset(self):
        self._stored = None  # so that also what could not be stored is taken back
        comboBox = self._ui.objectiveComboBox
        self.show(self._preset, "", comboBox.itemData(comboBox.currentIndex))
        self._onChosen("changedSettings", "")

    def _showStatus(self):
        label = self._ui.settingsStatusLabel
        label.styleSheet = ERROR_STYLE if self.problem else ""
        if self.problem:
            label.text = self.problem
        elif self._changed:
            values = ", ".join(f"{name} {_shown(value)}" for name, value in self._changed.items())
            label.text = _("Changed from the preset: {values}.").format(values=values)
        else:
            label.text = presetAbout(self._preset).split(". ")[0].rstrip(".") + "."
        label.toolTip = presetAbout(self._preset)


def _usable(text, base):
    """The changed settings in ``text``, those left out that this version does not know or permit."""
    try:
        stored = json.loads(text) if text else {}
    except ValueError:
        stored = {}
    changed = {}
    for name, value in stored.items() if isinstance(stored, dict) else ():
        try:
            _checked({**changed, name: value}, base)
        except (KDNetError, TypeError):
            continue
        changed[name] = value
    return changed


def _checked(values, base):
    """The settings, their teacher's file looked at. Raises :class:`KDNetError`."""
    settings = settings_from(values, base)
    if settings.teacher_model:
        check_teacher(settings)
    return settings


def _shown(value):
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
