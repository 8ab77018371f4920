#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""recon [PID] - what whoever has got into a container looks for, in the manner of deepce, amicontained and CDK.

One line each: "what NAME: OK" or the errno, or what is shown. What begins with "way out" hands the machine, or a process that is not of
the job, to whoever it succeeds for. Nothing is written, and nothing is asked of who answers. PID: a process that is not the job's, beside those of the machine.
"""
import ctypes
import errno
import glob
import os
import socket
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

# Files by which whoever writes to them has the kernel run a program, or rule over processes.
KNOBS = '''/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hotplug /proc/sys/kernel/usermodehelper/bset
    /proc/sys/kernel/yama/ptrace_scope /proc/sys/kernel/unprivileged_bpf_disabled /proc/sys/kernel/kptr_restrict /proc/sys/kernel/sysrq
    /proc/sys/vm/overcommit_memory /proc/sys/fs/binfmt_misc/register /proc/sys/fs/binfmt_misc/status /proc/sysrq-trigger /proc/mtrr
    /sys/kernel/uevent_helper /sys/kernel/kexec_crash_size /sys/kernel/profiling /sys/kernel/tracing/kprobe_events /sys/kernel/debug/tracing/kprobe_events
    /sys/kernel/mm/transparent_hugepage/enabled /sys/power/state /sys/module/printk/parameters/time /sys/fs/cgroup/cgroup.procs
    /sys/fs/cgroup/cgroup.subtree_control /proc/1/oom_score_adj /proc/1/attr/current /proc/1/mem /etc/shadow /etc/passwd /etc/crontab
    /etc/ld.so.preload /root/.ssh/authorized_keys /var/spool/cron/crontabs/root'''.split()
# Memory of the kernel and of all.
MEMORY = '/proc/kcore /proc/kmsg /dev/mem /dev/kmem /dev/port /dev/kmsg /sys/kernel/debug/kernel_page_tables'.split()
# What they tell of it to root.
TOLD = '/proc/kpageflags /proc/kpagecount /proc/kpagecgroup /proc/kallsyms /proc/iomem /proc/modules /proc/slabinfo /proc/vmallocinfo /proc/self/pagemap'.split()
SOCKETS = '''/run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock /run/crio/crio.sock /run/podman/podman.sock /run/buildkit/buildkitd.sock
    /run/systemd/private /run/systemd/notify /run/systemd/journal/socket /run/systemd/io.system.ManagedOOM /run/dbus/system_bus_socket /run/munge/munge.socket.2
    /run/slurmctld.socket /run/slurmd/slurmd.socket /run/lxd.socket /run/libvirt/libvirt-sock /run/snapd.socket /run/acpid.socket /run/udev/control
    /run/nscd/socket /run/user/0/bus /var/run/kubelet.sock /run/jobcage.sock'''.split()
PORTS = (22, 2375, 2376, 6443, 6817, 6818, 10250, 10255)
# Opened for reading: not such as do something by that alone.
DEVICES = '''mem kmem port kmsg nvram kvm vhost-net vhost-vsock net/tun fuse cuse uinput uhid hpet snapshot loop-control loop0 mapper/control autofs btrfs-control
    vfio/vfio sda vda nvme0 nvme0n1 ram0 ttyS0 tty0 tty1 console ptmx infiniband/uverbs0 nvidia0 nvidiactl dri/card0 sg0 input/event0 rtc0 mcelog cpu/0/msr
    userfaultfd udmabuf dma_heap/system random null'''.split()
# Which descriptors it has, the kernel tells everybody of the same user; not what they are.
PROCESS_FILES = 'environ maps mem exe cwd root fd/0 ns/pid ns/mnt stack syscall auxv io'.split()
NAMESPACES = 'cgroup ipc mnt net pid time user uts'.split()
UNSHARE = {'mount': 0x20000, 'cgroup': 0x2000000, 'uts': 0x4000000, 'ipc': 0x8000000, 'user': 0x10000000, 'pid': 0x20000000, 'net': 0x40000000,
           'time': 0x80}
# Number, arguments: what they ask for is not there, what is so already, or is none at all. PTRACE_SEIZE: who is traced by ATTACH when the
# tracer ends stays stopped, be it process 1.
CALLS = {
    'mount': (165, 0, 0, 0, 0, 0), 'umount2': (166, b'/no/such', 0), 'pivot_root': (155, b'/no/such', b'/no/such'), 'chroot': (161, b'/'), 'swapon': (167, b'/no/such', 0),
    'swapoff': (168, b'/no/such'), 'reboot': (169, 0xfee1dead, 672274793, 0x1234), 'kexec_load': (246, 0, 0, 0, 0), 'kexec_file_load': (320, -1, -1, 0, 0, 1),
    'init_module': (175, 0, 0, b''), 'finit_module': (313, -1, b'', 0), 'delete_module': (176, b'no_such_module', 0), 'acct': (163, b'/no/such'),
    'bpf': (321, 7, 0, 0), 'perf_event_open': (298, 0, 0, -1, -1, 0), 'ptrace': (101, 0x4206, 1, 0, 0),
    'kcmp': (312, 1, 1, 0, 0, 0), 'pidfd_open': (434, 1, 0), 'setns': (308, -1, 0), 'open_by_handle_at': (304, -1, 0, 0), 'name_to_handle_at': (303, -1, 0, 0, 0, 0),
    'userfaultfd': (323, 0), 'iopl': (172, 3), 'ioperm': (173, 0x80, 1, 1), 'settimeofday': (164, 0, 0), 'sethostname': (170, 0, -1), 'setdomainname': (171, 0, -1),
    'quotactl': (179, 0x80000100, 0, 0, 0), 'lookup_dcookie': (212, 0, 0, 0), 'syslog': (103, 10, 0, 0), 'add_key': (248, 0, 0, 0, 0, 0),
    'keyctl': (250, 0, -3, 0, 0, 0), 'fanotify_init': (300, 0, 0), 'open_tree': (428, -100, b'/', 1), 'move_mount': (429, -1, b'', -1, b'', 0),
    'fsopen': (430, b'tmpfs', 0), 'mount_setattr': (442, -1, b'', 0, 0, 0), 'io_uring_setup': (425, 0, 0), 'personality': (135, 0xffffffff), 'seccomp': (317, 2, 0, 0),
    'clone3': (435, 0, 0), 'execveat': (322, -1, b'', 0, 0, 0), 'landlock_create_ruleset': (444, 0, 0, 1), 'memfd_secret': (447, 0),
}


def tell(what, name, answer):
    print(f'{what} {name}: {answer}')


def outcome(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return 'OK'


def in_child(act):
    pid = os.fork()
    if not pid:
        try:
            act()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return errno.errorcode.get(status, str(status)) if status else 'OK'


def call(number, *words):
    if libc.syscall(number, *(ctypes.c_long(word) if isinstance(word, int) else word for word in words)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, '')


def opened(path, flags):
    def act():
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if flags == os.O_RDONLY and not stat.S_ISCHR(os.fstat(fd).st_mode) and not stat.S_ISDIR(os.fstat(fd).st_mode):
                os.read(fd, 8)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)
    return outcome(act)


# --- what one is

def oneself():
    with open('/proc/self/status', encoding='ascii') as file:
        for line in file:
            if line.split(':')[0] in ('Uid', 'Gid', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters'):
                tell('status', line.split(':')[0], ' '.join(line.split()[1:]))
    for name in NAMESPACES:
        tell('namespace', name, os.readlink(f'/proc/self/ns/{name}'))
    for name in ('uid_map', 'gid_map', 'setgroups'):
        with open(f'/proc/self/{name}', encoding='ascii') as file:
            tell('map', name, ' '.join(file.read().split()))
    for path in ('/.dockerenv', '/run/.containerenv', '/run/systemd/container', '/var/run/secrets/kubernetes.io'):
        tell('mark', path, os.path.exists(path))
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        for line in sorted({' '.join(line.split(' - ')[1].split()[:1] + line.split()[4:6]) for line in file}):
            tell('mount', line, 'there')


# --- ways out

def files():
    for path in KNOBS:
        tell('way out: write', path, opened(path, os.O_WRONLY))
    for path in MEMORY:
        tell('way out: read', path, opened(path, os.O_RDONLY))
    for path in TOLD:
        tell('read', path, opened(path, os.O_RDONLY))
    for path in glob.glob('/sys/fs/cgroup/*/release_agent') + glob.glob('/sys/fs/cgroup/release_agent'):
        tell('way out: write', path, opened(path, os.O_WRONLY))


def devices():
    for name in DEVICES:
        way = 'device' if name in ('random', 'null', 'ptmx') else 'way out: device'
        tell(way, name, opened(f'/dev/{name}', os.O_RDONLY))
    for name, kind, device in (('mem', stat.S_IFCHR, (1, 1)), ('disk', stat.S_IFBLK, (7, 0)), ('null', stat.S_IFCHR, (1, 3))):
        path = f'/tmp/recon-{name}-{os.getpid()}'
        made = outcome(lambda: os.mknod(path, kind | 0o600, os.makedev(*device)))
        tell('node' if name == 'null' else 'way out: node', name, made)
        if made == 'OK':
            os.unlink(path)


def reach(path):
    answers = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as sock:
            answers.append(outcome(lambda: sock.connect(path)))
    return next((answer for answer in answers if answer != 'EPROTOTYPE'), 'EPROTOTYPE')


def daemons():
    for path in SOCKETS:
        tell('way out: socket', path, reach(path))
    for port in PORTS:
        with socket.socket() as sock:
            tell('way out: port', port, outcome(lambda: sock.connect(('127.0.0.1', port))))


def processes(others):
    """Of those that are not the job's: PID 1, and who is named. The kernel's own threads have nothing to show."""
    for label, pid in others:
        for name in PROCESS_FILES:
            path = f'/proc/{pid}/{name}'
            act = (lambda: os.readlink(path)) if name in ('exe', 'cwd', 'root', 'fd/0', 'ns/pid', 'ns/mnt') else None
            tell('way out: process', f'{label} {name}', outcome(act) if act else opened(path, os.O_RDONLY))
        tell('way out: process', f'{label} root directory', outcome(lambda: os.listdir(f'/proc/{pid}/root/')))
        tell('way out: process', f'{label} SIGCONT', outcome(lambda: os.kill(pid, 18)))
        for name, kind in UNSHARE.items():
            space = f'/proc/{pid}/ns/{"mnt" if name == "mount" else name}'
            tell('way out: enter', f'{label} {name}', in_child(lambda: call(308, os.open(space, os.O_RDONLY), kind)))


def namespaces():
    for name, kind in UNSHARE.items():
        tell('new namespace', name, in_child(lambda: call(272, kind)))


def calls():
    for name, (number, *words) in CALLS.items():
        tell('call', name, in_child(lambda: call(number, *words)))


def main():
    others = [('1', 1)] + [('other', int(pid)) for pid in sys.argv[1:]]
    files()
    devices()
    daemons()
    processes(others)
    namespaces()
    calls()
    oneself()  # last: a look at a file may mount something


if __name__ == '__main__':
    main()
