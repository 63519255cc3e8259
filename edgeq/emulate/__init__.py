"""Other CPUs on this machine: QEMU's user-mode emulators run the agent's own child, and with it the very runtimes, on
a CPU that is not here. They reproduce numerics, never speed. Needs no root.

    qemu        which emulators are installed
    cpuinfo     what /proc/cpuinfo has to say so that runtimes choose the emulated core's kernels
    sysroot     another architecture's file system, as the emulator sees it
    packages    runtimes for it, from the locks that serve devices
    machine     all of that: how to start Python there
    answers     a candidate's outputs on a machine, emulated or this one
    compare     its outputs compared with this machine's and with float's, and the gate
"""
