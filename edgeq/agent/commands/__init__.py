"""One command per file: `Request`, what comes on stdin, and `answer(request, root)`, what goes to stdout.

A file added here is a command; docs/protocol.md describes them all.
"""
