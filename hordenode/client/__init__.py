"""Talking to any horde: one interface, one implementation per way to reach it."""
