"""Found by each Python process that tests start, since this folder stands in its PYTHONPATH. See outgoing.py."""

import importlib.util
import os
import sys
from pathlib import Path

if "TESTS_OUTGOING_LOG" in os.environ:
    _spec = importlib.util.spec_from_file_location("_tests_outgoing", Path(__file__).parents[1] / "outgoing.py")
    assert _spec is not None
    assert _spec.loader is not None
    _outgoing = importlib.util.module_from_spec(_spec)
    sys.modules["_tests_outgoing"] = _outgoing
    _spec.loader.exec_module(_outgoing)
    sys.addaudithook(_outgoing.watch)
