"""What an alchemist does with a picture: read its colours, describe it, trace it, and what ONNX models do.

Usable alone: a form is a function of a picture and options, or a loaded model with the same shape (alchemist.py).
"""
