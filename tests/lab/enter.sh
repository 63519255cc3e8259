#!/bin/sh
# PID 1 of a lab device's new namespaces: lay a fresh disk over the image, mount what a Linux system expects, and become
# the device's sshd or systemd. LAB_DIR is the device's run folder, LAB_TREE the image, LAB_DISK the size of the disk,
# LAB_INIT what to become, LAB_CGROUP non-empty to give it a cgroup tree of its own.
set -eu
R=$LAB_DIR/root
mount -t tmpfs -o "size=$LAB_DISK,mode=755" disk "$LAB_DIR/disk"
mkdir "$LAB_DIR/disk/upper" "$LAB_DIR/disk/work"
mount -t overlay overlay -o "lowerdir=$LAB_TREE,upperdir=$LAB_DIR/disk/upper,workdir=$LAB_DIR/disk/work" "$R"
cp -a "$LAB_DIR/files/." "$R/"
hostname -F "$R/etc/hostname"
ip link set lo up

mount -t proc proc "$R/proc"
if [ -d "$LAB_DIR/board/sys" ]; then
    mount --bind "$LAB_DIR/board/sys" "$R/sys"
    for name in cpuinfo meminfo; do mount --bind "$LAB_DIR/board/$name" "$R/proc/$name"; done
else
    mount -t sysfs -o ro sys "$R/sys"
fi
mount -t tmpfs -o mode=755 run "$R/run"
mount -t tmpfs tmp "$R/tmp"
mount -t tmpfs -o mode=755 dev "$R/dev"
for name in null zero full random urandom tty; do
    : > "$R/dev/$name"
    mount --bind "/dev/$name" "$R/dev/$name"
done
mkdir -p "$R/dev/pts" "$R/dev/shm" "$R/run/sshd"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$R/dev/pts"
mount -t tmpfs shm "$R/dev/shm"
ln -s pts/ptmx "$R/dev/ptmx"
ln -s /proc/self/fd "$R/dev/fd"
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${fd%:*}" "$R/dev/${fd#*:}"; done
if [ -n "$LAB_CGROUP" ]; then mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"; fi

# shellcheck disable=SC2086 # the words of LAB_INIT are meant to be split
exec chroot "$R" $LAB_INIT
