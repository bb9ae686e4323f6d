"""A reference library as judge of our forecasts; it lives in an environment of its own.

    make test-forecasters

Where it is not installed (everywhere but in `.venv-forecasters`) nothing of this folder is collected.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("statsforecast") else ["test_*.py"]
