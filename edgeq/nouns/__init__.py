"""The nouns of edgeq: frozen dataclasses that carry facts between the verbs. No I/O, standard library only.

They ship to the device with the agent, so they parse and run on Python 3.9.
"""
