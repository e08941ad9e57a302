"""The engine: which tokens of which sequences run in the next step, and where their keys and values lie.

Its nouns are the field's, one per file: `Sequence`, `BlockPool`, `KVBlocks`, `Scheduler`, `Engine`, `Driver`.
"""
