"""Converts a program that edgeq exported itself to .tflite: `python run_litert_torch.py PROGRAM.pt2 MADE.tflite`."""

import sys


def main(saved: str, made: str) -> None:
    import litert_torch
    import torch

    program = torch.export.load(saved)
    args, kwargs = program.example_inputs
    litert_torch.convert(program.module(), args, kwargs or None).export(made)


if __name__ == "__main__":
    main(*sys.argv[1:])
