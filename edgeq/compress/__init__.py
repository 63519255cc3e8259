"""Model files made small for sending, bit for bit (docs/wire.md): weights by an entropy coder, the rest by lzma, or all of it as
the difference to a file that the device has.

`expand` is what ships to the device; everything else runs on the host.
"""
