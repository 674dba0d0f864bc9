"""Puts the checkout's packages on the path, so that tests run without an installation."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
for _folder in ("KDNetSegmentation", "KDNetTraining", "Testing"):
    sys.path.insert(0, str(_ROOT / _folder))
