"""``slicer.app`` and the objects reached through it."""

import os
import types

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .io_manager import CoreIOManager
from .layout_manager import LayoutManager
from .module_objects import qSlicerScriptedLoadableModule
from .qt_facade import standIn


@standIn
class qSlicerModuleManager(QtCore.QObject):
    """The list of loaded modules."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)
    moduleLoaded = QtCore.Signal(str)

    def module(self, name):
        return next((m for m in vars(slicer.modules).values() if getattr(m, "name", None) == name), None)

    def factoryManager(self):
        return self

    def loadedModuleNames(self):
        return [m.name for m in vars(slicer.modules).values() if hasattr(m, "name")]

    def modulesNames(self):
        return self.loadedModuleNames()


@standIn
class qSlicerApplication(QtWidgets.QApplication):
    """The application object, ``slicer.app``."""

    startupCompleted = QtCore.Signal()
    mrmlSceneChanged = QtCore.Signal(object)
    SIGNAL_SIGNATURES = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, mrml):
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("KDNet-bench")
        self.setQuitOnLastWindowClosed(False)
        settingsFile = os.path.join(mrml.temporaryPath, "Slicer.ini")
        self.__dict__["_d"] = types.SimpleNamespace(
            mrml=mrml, moduleManager=qSlicerModuleManager(), ioManager=CoreIOManager(mrml),
            layoutManager=LayoutManager(mrml), settings=QtCore.QSettings(settingsFile, QtCore.QSettings.IniFormat),
            options=types.SimpleNamespace(noMainWindow=False, runPythonAndExit=False), testing=False, exitCode=None)

    temporaryPath = QtCore.Property(str, lambda self: self._d.mrml.temporaryPath)
    slicerHome = QtCore.Property(str, lambda self: self._d.mrml.temporaryPath)
    defaultScenePath = QtCore.Property(str, lambda self: self._d.mrml.temporaryPath)
    majorVersion = QtCore.Property(int, lambda self: 5)
    minorVersion = QtCore.Property(int, lambda self: 13)
    revision = QtCore.Property(str, lambda self: "bench")

    def mrmlScene(self):
        return self._d.mrml.scene

    def applicationLogic(self):
        return self._d.mrml.applicationLogic

    def moduleManager(self):
        return self._d.moduleManager

    def coreIOManager(self):
        return self._d.ioManager

    def ioManager(self):
        return self._d.ioManager

    def layoutManager(self):
        # Without a main window there are no views.
        return None if self._d.options.noMainWindow else self._d.layoutManager

    def commandOptions(self):
        return self._d.options

    def testingEnabled(self):
        return self._d.testing

    def settings(self):
        return self._d.settings

    userSettings = settings
    revisionUserSettings = settings

    def pythonConsole(self):
        return None

    def startupEnvironment(self):
        return QtCore.QProcessEnvironment.systemEnvironment()

    def exit(self, status=0):
        """Record the exit code; the bench's process goes on. See :meth:`bench.session.Bench.exitCode`."""
        self._d.exitCode = status

    quit = exit

    def pauseRender(self):
        """Views of the bench render only when asked to."""

    def resumeRender(self):
        """See :meth:`pauseRender`."""

    def setRenderPaused(self, paused):
        """See :meth:`pauseRender`."""

    def restoreOverrideCursor(self):
        QtGui.QGuiApplication.restoreOverrideCursor()

    def documentationBaseUrl(self):
        return ""


@standIn
class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window, as far as ``slicer.util.selectModule`` needs it."""

    def moduleSelector(self):
        return self

    def selectModule(self, name):
        """Leave the module that is open and enter the one called `name`, as choosing it in the module menu does."""
        modules = [m for m in vars(slicer.modules).values() if isinstance(m, qSlicerScriptedLoadableModule)]
        chosen = next((module for module in modules if module.name == name), None)
        if chosen is None:
            raise RuntimeError(f"The bench has loaded no module {name}.")
        panels = [module._d.widget for module in modules if module._d.widget is not None]
        if chosen.widgetRepresentation().isEntered:
            return
        for panel in panels:
            if panel.isEntered:
                panel.exit()
        chosen.widgetRepresentation().enter()


def setHeadless(app, headless):
    """With True: as started with ``--no-main-window``; with False there is a main window, as usual."""
    windows = [w for w in app.topLevelWidgets() if w.objectName == "qSlicerMainWindow"]
    app._d.options.noMainWindow = headless
    if headless:
        for window in windows:
            window.objectName = "closed"
            window.deleteLater()
    elif not windows:
        window = qSlicerMainWindow()
        window.objectName = "qSlicerMainWindow"
        app._d.mainWindow = window


def reset(app):
    """What a test may have changed."""
    app.disconnect("startupCompleted()")
    app._d.exitCode = None
    app._d.testing = False
    app._d.settings.clear()
    setHeadless(app, False)
