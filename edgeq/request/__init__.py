"""What a command is asked for. A new option is one field of a request: the command line, Python's keywords, edgeq.toml, the cache
key and what a finished bundle refuses follow from it (tests/request/test_new_option.py).

    option              what a field says: help, rule, parser, cache key
    conversion_options  those of a conversion
    device_options      those by which a device is reached and measured
    requests            the request of each command
    accepts             a function whose keywords are the fields of a request
    resolved            a request as it is carried out: edgeq.toml has filled the gaps, every rule is kept
    project             edgeq.toml
    finished_bundle     what options still mean for a bundle that is there
"""
