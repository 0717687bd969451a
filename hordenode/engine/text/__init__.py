"""Text to text: tokenizer -> prefill -> (sample -> decode) until a limit -> text.

sequence.py says what a job still needs and holds no tensors; runner.py runs the graph; sampling.py picks tokens.
"""
