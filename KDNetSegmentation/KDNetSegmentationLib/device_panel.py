"""The device row of the panel."""

from slicer.i18n import tr as _


class DevicePanel:
    """Drives ``ui.deviceComboBox``; ``onChosen(name)`` is called when the user chooses another device.

    It always shows the device that will be used: one that is not among those found, as in a scene from another
    computer, has an entry of its own.
    """

    def __init__(self, ui, onChosen):
        self._comboBox = ui.deviceComboBox
        self._onChosen = onChosen
        self._devices = ["auto", "cpu"]
        self._name = "auto"
        self._entries = []
        self.listed = False
        self._update()
        self._comboBox.connect("activated(int)", self._onActivated)

    def show(self, devices) -> None:
        """Offer what the worker process found, texts whose first word names the device."""
        self.listed = True
        self._devices = list(devices)
        self._update()

    def choose(self, name) -> None:
        """Make ``name`` the chosen device without telling anyone."""
        self._name = name
        self._update()

    def _update(self):
        entries = [(text, text.split()[0]) for text in self._devices]
        if self._name not in dict(entries).values():
            text = _("{device} (not found here)").format(device=self._name) if self.listed else self._name
            entries.append((text, self._name))
        if entries != self._entries:
            self._entries = entries
            self._comboBox.clear()
            for text, name in entries:
                self._comboBox.addItem(text, name)
        self._comboBox.currentIndex = self._comboBox.findData(self._name)

    def _onActivated(self, index):
        self._onChosen(self._comboBox.itemData(index))
