"""What a command is asked for: each option with its help and rule, once; the command line, Python's keywords and edgeq.toml
are three ways to fill it in.

    requests    the options of each command
    settled     a request as it is carried out
"""
