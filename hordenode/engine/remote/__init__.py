"""Programs that already generate elsewhere as engines: an OpenAI-compatible server, KoboldCpp, A1111.

A dialect (`openai.py`, `kobold.py`, `a1111.py`) turns a job into calls of one program's API and back; `backend.py` makes
an EngineBackend of it. What a dialect has no word for, it refuses (`wanted.py`).
"""
