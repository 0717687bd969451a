"""The models on this disk: fetched, converted, checked, registered in models.toml, carried to other machines.

Nothing here runs while a node serves: it is what `hordenode models` does.
"""
