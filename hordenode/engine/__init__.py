"""The inference: text to image and text to text on ONNX Runtime. Usable without the rest of the package.

engine.py (facade) -> scheduler.py (who is next) -> backends.py (who runs it) -> onnx_backend.py -> image/, text/
"""
