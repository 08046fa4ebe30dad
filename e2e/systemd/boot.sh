#!/bin/sh
# Boots systemd in namespaces of its own, on a copy of this machine's files that is gone afterwards: boot.sh DIRECTORY.
# What is below DIRECTORY/files lies on top of the copy; units are read from its etc/systemd/system alone, so that nothing
# of this machine is started. The network is this machine's. It ends with SIGTERM, or when it is killed.
set -eu
dir=$1
case ${2:-} in
"")
    exec unshare --mount --propagation private sh "$0" "$dir" outside
    ;;
outside)
    mkdir "$dir/groups" "$dir/layer" "$dir/root"
    mount -t cgroup2 none "$dir/groups"
    group=$dir/groups$(sed -n 's/^0:://p' /proc/self/cgroup)/activator-systemd-$$
    mkdir "$group"
    (
        sh -c 'echo $PPID' >"$group/cgroup.procs"
        exec setpriv --pdeathsig KILL \
            unshare --mount --cgroup --pid --fork --kill-child=KILL --ipc --uts sh "$0" "$dir" inside
    ) &
    trap 'kill -KILL $!' TERM
    wait $! || true
    trap '' TERM
    for _ in $(seq 100); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
    ;;
inside)
    root=$dir/root
    mount -t tmpfs none "$dir/layer"
    mkdir "$dir/layer/upper" "$dir/layer/work"
    mount -t overlay -o "lowerdir=/,upperdir=$dir/layer/upper,workdir=$dir/layer/work" none "$root"
    cp -R "$dir/files/." "$root/"
    mount -t proc none "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro none "$root/sys"
    mount -t cgroup2 none "$root/sys/fs/cgroup"
    mount -t tmpfs none "$root/run"
    mount -t tmpfs none "$root/tmp"
    mount -t tmpfs -o mode=755 none "$root/dev"
    for device in null zero full random urandom tty; do
        : >"$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/old"
    mount -t devpts none "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    cd "$root"
    pivot_root . run/old
    umount --lazy /run/old
    exec env --ignore-environment container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        SYSTEMD_UNIT_PATH=/etc/systemd/system SYSTEMD_GENERATOR_PATH=/nowhere \
        /lib/systemd/systemd --system --unit=trial.target --log-target=null --show-status=no
    ;;
esac
