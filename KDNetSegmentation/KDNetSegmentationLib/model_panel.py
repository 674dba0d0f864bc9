"""The model row of the panel: choose, read the card, import, remove."""

import qt
import slicer
from slicer.i18n import tr as _

from KDNetLib import model_store
from KDNetLib.model_card import model_card
from KDNetSegmentationLib.model_import import importModel


class ModelPanel:
    """Drives ``ui.modelComboBox``; ``onChosen(name)`` is called when the user chooses another model."""

    def __init__(self, ui, onChosen):
        self._comboBox = ui.modelComboBox
        self._onChosen = onChosen
        self._models = {}
        self._cardDialog = None
        self._cardBrowser = None
        self.refresh()
        self._comboBox.connect("activated(int)", self._onActivated)

    @property
    def current(self):
        """The chosen ``StoredModel``, or None where there is none at all."""
        return self._models.get(self._comboBox.itemData(self._comboBox.currentIndex))

    @property
    def problem(self) -> str:
        """Why the chosen model cannot be used; "" if it can."""
        if self.current is None:
            return _("There is no model; import a model file (.safetensors) made by KDNet.")
        return str(self.current.error or "")

    def refresh(self, name="") -> None:
        """Read the stored models again and choose ``name``, or the first where it is not among them."""
        self._models = {model.name: model for model in model_store.list_models()}
        self._comboBox.clear()
        for model in self._models.values():
            self._comboBox.addItem(model.manifest.title if model.manifest else model.name, model.name)
        self.choose(name)

    def choose(self, name) -> None:
        """Make ``name`` the chosen model without telling anyone."""
        self._comboBox.currentIndex = max(0, self._comboBox.findData(name))

    def importFile(self, path) -> str:
        """Verify a model file, copy it into the user's models and choose it. Raises :class:`ModelError`.

        This and :meth:`removeCurrent` return what to tell the user.
        """
        name = importModel(path)
        self.refresh(name)
        self._onChosen(name)
        return _("The model {name} is ready.").format(name=name)

    def removeCurrent(self) -> str:
        """Remove the chosen imported model, if the user confirms."""
        name = self.current.name
        question = _("Remove the model {name} from this computer?").format(name=name)
        if not slicer.util.confirmYesNoDisplay(question, _("KDNet")):
            return ""
        model_store.remove_model(name)
        self.refresh()
        self._onChosen(self.current.name if self.current else "")
        return _("The model {name} is removed.").format(name=name)

    def showCard(self) -> None:
        """Show what the chosen model is, how it was trained and how well it does."""
        if self._cardDialog is None:
            self._cardDialog = qt.QDialog(slicer.util.mainWindow())
            self._cardDialog.objectName = "KDNetModelCard"
            self._cardDialog.setLayout(qt.QVBoxLayout())
            self._cardBrowser = qt.QTextBrowser()
            self._cardBrowser.openExternalLinks = True
            self._cardDialog.layout().addWidget(self._cardBrowser)
            self._cardDialog.resize(620, 560)
        self._cardDialog.windowTitle = self.current.manifest.title
        self._cardBrowser.setMarkdown(model_card(self.current.manifest))
        self._cardDialog.show()
        self._cardDialog.activateWindow()

    def _onActivated(self, index):
        self._onChosen(self._comboBox.itemData(index))
