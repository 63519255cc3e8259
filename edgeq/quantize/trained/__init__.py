"""A network that was trained in its integers, read from its QDQ file for other formats: its float graph, and the numbers that it
was trained with.

Which tensors of a file in another format get them is found by values (partners.py); the backend of the format writes them.
"""
