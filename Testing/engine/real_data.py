"""Where the real cases lie that some tests use when they are at hand; the repository never holds them."""

import os
from pathlib import Path

import pytest


def real_file(name: str) -> Path:
    """The file ``name`` under $KDNET_TEST_DATA or beside the checkout; skips the test where it is not there."""
    given = os.environ.get("KDNET_TEST_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / name).is_file():
        pytest.skip(f"real data are not at hand: {folder / name}; set KDNET_TEST_DATA to the folder that holds {name.split('/')[0]}")
    return folder / name
