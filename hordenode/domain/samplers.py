"""The horde's samplers as other programs call them."""

from __future__ import annotations

# As A1111 and the tools that read its pictures have them.
SAMPLER_NAMES = {
    "k_lms": "LMS",
    "k_heun": "Heun",
    "k_euler": "Euler",
    "k_euler_a": "Euler a",
    "k_dpm_2": "DPM2",
    "k_dpm_2_a": "DPM2 a",
    "k_dpm_fast": "DPM fast",
    "k_dpm_adaptive": "DPM adaptive",
    "k_dpmpp_2s_a": "DPM++ 2S a",
    "k_dpmpp_2m": "DPM++ 2M",
    "k_dpmpp_sde": "DPM++ SDE",
    "dpmsolver": "DPM++ 2M",
    "DDIM": "DDIM",
    "lcm": "LCM",
}
