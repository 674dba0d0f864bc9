"""Start of the whole: one application per process, a clean scene per test."""

import sys
import types

from . import environment

_bench = None


def start():
    """The :class:`Bench` of this process, started on the first call (about 3 s). `import slicer` works afterwards."""
    global _bench
    if _bench is None:
        _bench = Bench()
    return _bench


class Bench:
    """The running application. Attributes: mrml, app, dialogs, errors, scene."""

    def __init__(self):
        import vtk
        from . import qt_facade
        qt = qt_facade.build()
        # The logics complain about colour and terminology files that only the application brings.
        vtk.vtkObject.GlobalWarningDisplayOff()
        from .mrml import Mrml
        self.mrml = Mrml()
        vtk.vtkObject.GlobalWarningDisplayOn()
        environment.make_settings_private(self.mrml.temporaryPath)
        environment.put_python_slicer_on_path()
        self._registerModules(qt)
        from . import application, dialogs, errors
        self.errors = errors.ErrorRecord()
        self.errors.install()
        self.dialogs = dialogs.Dialogs(self.errors)
        dialogs.install(self.dialogs)
        import slicer
        self.app = slicer.app = application.qSlicerApplication(self.mrml)
        self.mrml.afterClose = self.app._d.layoutManager.reset
        application.reset(self.app)

    @property
    def scene(self):
        return self.mrml.scene

    @property
    def exitCode(self):
        """What the code under test ended the application with (``slicer.util.exit``), None if it did not."""
        return self.app._d.exitCode

    def load(self, path):
        """Load the scripted module in the file `path`; see :class:`bench.module.LoadedModule`."""
        from . import module
        return module.load(path)

    def click(self, button):
        """See :func:`bench.driving.click`."""
        from . import driving
        driving.click(button)

    def wait_until(self, predicate, timeout_s, what="the condition"):
        """See :func:`bench.driving.wait_until`."""
        from . import driving
        return driving.wait_until(predicate, timeout_s, what)

    def grab(self, widget, path, size=None):
        """See :func:`bench.driving.grab`."""
        from . import driving
        return driving.grab(widget, path, size)

    def headless(self):
        """Go on as if started with ``--no-main-window``, until the next :meth:`reset`."""
        from . import application
        application.setHeadless(self.app, True)

    def _registerModules(self, qt):
        sys.modules["qt"] = qt
        from . import ctk_widgets, mrml_widgets, ui_loader
        qt.QUiLoader = ui_loader.QUiLoader
        sys.modules["ctk"] = ctk_widgets.build()
        import slicer
        import slicer.util
        slicer.modules = self.mrml.modules()
        for widget in mrml_widgets.WIDGETS:
            setattr(slicer, widget.__name__, widget)
        from . import module_objects, packaging, parameter_node, scripted_module, side_modules
        slicer.qSlicerScriptedLoadableModule = module_objects.qSlicerScriptedLoadableModule
        slicer.qSlicerScriptedLoadableModuleWidget = module_objects.qSlicerScriptedLoadableModuleWidget
        i18n = types.ModuleType("slicer.i18n")
        i18n.tr = i18n.translate = lambda context, text=None: context if text is None else text
        for name, module in (("ScriptedLoadableModule", scripted_module), ("parameterNodeWrapper", parameter_node),
                             ("packaging", packaging), ("i18n", i18n)):
            sys.modules[f"slicer.{name}"] = module
            setattr(slicer, name, module)
        for name, module in side_modules.build().items():
            sys.modules[name] = module

    def reset(self):
        """Back to a fresh start: modules unloaded, scene empty, nothing left of dialogs, settings and errors."""
        from . import application, module, side_modules
        module.unload_all()
        self.mrml.removeParameterNodes()
        self.mrml.clear()
        module.destroy_panels()
        application.reset(self.app)
        self.app.processEvents()
        side_modules.reset()
        self.dialogs.reset()
        self.errors.take()
