"""The inference side: from a job to a picture or a text. Knows nothing of hordes; usable alone.

from hordenode.catalog import load_catalog
from hordenode.config import EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import ImageJob

engine = Engine(load_catalog(), EngineSettings())
await engine.start()
result = await engine.generate(ImageJob(id="1", model="hordenode demo", prompt="a red circle"))
"""
