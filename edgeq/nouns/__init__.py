"""The data classes of edgeq, frozen: what functions are given and return. No I/O, standard library only.

They ship to the device with the agent, so they parse and run on Python 3.9.
"""
