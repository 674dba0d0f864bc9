"""Adding a model file to the user's models, with a question where the name is taken."""

import slicer
from slicer.i18n import tr as _

from KDNetLib import model_store
from KDNetLib.manifest import read_manifest


def importModel(path) -> str:
    """Verify a model file and copy it into the user's models; returns its name. Raises :class:`ModelError`."""
    manifest = read_manifest(path)
    earlier = next((model for model in model_store.list_models() if model.name.lower() == manifest.name.lower()), None)
    replace = (
        earlier is not None
        and not earlier.bundled
        and earlier.manifest != manifest
        and slicer.util.confirmYesNoDisplay(
            _("There is another model named {name} already. Replace it?").format(name=manifest.name), _("KDNet")
        )
    )
    return model_store.import_model(path, replace=replace).name
