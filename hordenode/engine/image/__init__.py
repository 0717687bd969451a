"""Text to image in k-diffusion's shape: schedule, sampler and denoiser know nothing of each other.

pipeline.py puts them together for a folder in the Stable Diffusion layout.
"""
