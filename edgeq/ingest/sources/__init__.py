"""One file per kind of source. Each has

TAKES                         what it takes, in words, for the message when nothing claims a source
claims(source) -> bool        by name, or by the file's first bytes
open_source(request) -> Model
look(request)             hands the float model to request.look and converts nothing
"""
