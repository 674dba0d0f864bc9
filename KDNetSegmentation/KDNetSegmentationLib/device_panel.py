"""The device row of the panel."""


class DevicePanel:
    """Drives ``ui.deviceComboBox``; ``onChosen(name)`` is called when the user chooses another device."""

    def __init__(self, ui, onChosen):
        self._comboBox = ui.deviceComboBox
        self._onChosen = onChosen
        self.listed = False
        self._fill(["auto", "cpu"])
        self._comboBox.connect("activated(int)", self._onActivated)

    def show(self, devices) -> None:
        """Offer what the worker process found, texts whose first word names the device."""
        self.listed = True
        self._fill(devices)

    def choose(self, name) -> None:
        """Make ``name`` the chosen device without telling anyone; a scene from another computer may know others."""
        self._comboBox.currentIndex = max(0, self._comboBox.findData(name))

    def _fill(self, devices):
        self._comboBox.clear()
        for device in devices:
            self._comboBox.addItem(device, device.split()[0])

    def _onActivated(self, index):
        self._onChosen(self._comboBox.itemData(index))
