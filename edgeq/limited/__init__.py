"""Untrusted files are opened in a child process with limits of memory, time and file size.

One child serves a whole command and is started with the first file. A reader is a function named by module and name; it runs
in the child and gives back JSON, or bytes with JSON that describes them. What is wrong with a file comes back as edgeq's own
error, and so does a reader that crashes, or that takes more than its limits. The child is the same user as its parent:
it bounds what a file can cost, it is no sandbox.

What runs a model afterwards, in edgeq's own process, goes through native_call.py.
"""
