#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# selftest.sh - does tools/vm keep its word? Everything else is proven inside the VM, so a harness
# that lost an exit status or missed a panic would make every other test worthless.
#
# selftest.sh [--fresh]       --fresh: also fill a new cache from the network (a minute, 350 MB)
# selftest.sh --only NAME     one group: status, streams, arguments, out, timeout, splats, interrupt, cache,
#                             elsewhere or kernels

# shellcheck disable=SC2016 # what is in single quotes is for the guest's shell
set -uo pipefail

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
VM=$PROJECT/tools/vm
KERNELS=(6.1 6.12 latest)
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
PASSED=0 FAILED=0

# report NAME STATUS: count a test by its status; when it failed, show what tools/vm said.
report() {
	if [[ $2 -eq 0 ]]; then
		PASSED=$((PASSED + 1))
		printf 'ok   %s\n' "$1"
	else
		FAILED=$((FAILED + 1))
		printf 'FAIL %s\n' "$1"
		sed 's/^/     /' "$SCRATCH/out" "$SCRATCH/err" 2>/dev/null | tail -n 20
	fi
}

# vm ARGUMENT...: run tools/vm; its output goes to $SCRATCH/out and err, its status to STATUS.
vm() {
	STATUS=0
	"$VM" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || STATUS=$?
}

# expect NAME CONDITION...: the test NAME passes when the command CONDITION succeeds.
expect() {
	local name=$1 status=0

	shift
	"$@" || status=1
	report "$name" "$status"
}

status_is() { [[ $STATUS -eq $1 ]]; }
said() { grep -q -a -E -e "$1" "$SCRATCH/err"; }
printed() { grep -q -a -E -e "$1" "$SCRATCH/out"; }
output_is() { [[ $(<"$SCRATCH/out") == "$1" ]]; }
both() { status_is "$1" && said "$2"; }
# No QEMU started from this test's scratch folder is left.
no_qemu() { ! pgrep -f "qemu-system-x86_64.*$SCRATCH" >/dev/null; }

# Its kernel has said something.
qemu_runs() { [[ -s $(echo "$SCRATCH"/jobcage-vm.*/console) ]] && ! no_qemu; }

# within SECONDS CONDITION...: waits until it holds, for no longer.
within() {
	local end=$((SECONDS + $1 + 1))

	shift
	until "$@" || [[ $SECONDS -ge $end ]]; do
		sleep 0.1
	done
}

test_status() {
	vm -- sh -c "exit 7"
	expect "exit status 7" status_is 7
	vm -- no-such-command
	expect "a missing command is 127" status_is 127
	vm -- sh -c 'kill -TERM $$'
	expect "a command killed by SIGTERM is 143" status_is 143
}

test_streams() {
	head -c 1048576 /dev/urandom >"$PROJECT/build.selftest.$$"
	vm -- sh -c 'cat "$0"; printf err >&2' "$PROJECT/build.selftest.$$"
	expect "exit status 0" status_is 0
	expect "stdout apart from stderr, and a mebibyte of random bytes comes through whole" \
		cmp "$PROJECT/build.selftest.$$" "$SCRATCH/out"
	expect "stderr apart from stdout" [ "$(<"$SCRATCH/err")" = err ]
	rm -f "$PROJECT/build.selftest.$$"
	vm -- sh -c 'echo a >/dev/stdout; setpriv --reuid nobody --clear-groups sh -c "echo b >/dev/stderr"
		sleep 1000 & echo done'
	expect "/dev/stdout and /dev/stderr can be reopened, by nobody too" both 0 '^b$'
	expect "a process left behind does not hold up the end" output_is $'a\ndone'
}

test_arguments() {
	JOBCAGE_SELFTEST='x y' vm -- sh -c 'printf "%s|" "$@"; echo; echo "$JOBCAGE_SELFTEST,$HOME,$PWD,$(hostname)"' \
		sh 'a b' '' "it's" $'two\nlines' '$HOME' '*'
	expect "arguments arrive as they are" [ "$(head -n -1 "$SCRATCH/out")" = $'a b||it\'s|two\nlines|$HOME|*|' ]
	expect "environment, folder and host name" [ "$(tail -n 1 "$SCRATCH/out")" = "x y,/root,$PROJECT,jobcage-vm" ]
	vm --kernel 5 -- true
	expect "an unknown kernel is 125" both 125 "unknown kernel '5'"
	vm --memory 100000000 -- true
	expect "a guest that cannot start is 125" status_is 125
	vm
	expect "no command is 125" both 125 'no command given'
}

# What a test in the guest may rely on.
guest_script() {
	cat <<-'END'
	fail() { echo "wrong: $*"; exit 1; }
	[ "$(stat -f -c %T /tmp)" = tmpfs ] || fail /tmp
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || fail cgroup2
	[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || fail bpffs
	[ -e /sys/kernel/tracing/events ] || fail tracefs
	[ -e /sys/kernel/btf/vmlinux ] || fail BTF
	grep -q '\[none\]' /sys/kernel/security/lockdown || fail lockdown
	[ -r "/boot/config-$(uname -r)" ] || fail "the kernel's config"
	touch /etc/new /usr/new . || fail "the root takes no writes"
	ip -o link show lo | grep -q UP || fail loopback
	[ "$(stat -c %a /dev/null)" = 666 ] || fail /dev/null
	[ $(($(date +%s) - DATE)) -lt 3600 ] || fail "the date"
	setpriv --reuid nobody --regid nogroup --clear-groups cat /etc/shadow 2>/dev/null && fail nobody
	setpriv --reuid nobody --regid nogroup --clear-groups cat /etc/passwd >/dev/null || fail nobody
	modprobe veth && modprobe xfs && modprobe btrfs || fail modprobe
	# The kernel itself loads this one.
	python3 -c 'from socket import *; socket(AF_INET, SOCK_STREAM, 132)' || fail "loading of sctp"
	unshare -U -m true || fail "user namespaces"
	END
}

test_kernels() {
	local kernel script

	script="DATE=$(date +%s); $(guest_script)"
	for kernel in "${KERNELS[@]}"; do
		vm --kernel "$kernel" -- bash -c "$script"$'\ncat /sys/kernel/security/lsm'
		expect "$kernel: what the guest is promised" status_is 0
		expect "$kernel: --lsm bpf" lsm_is bpf "$(<"$SCRATCH/out")"
		vm --kernel "$kernel" --icount -- sh -c 'nproc && sleep 300'
		expect "$kernel: --icount, where waiting is free" output_is 1
	done
	vm --kernel all --lsm none -- sh -c 'cat /sys/kernel/security/lsm; echo; case $(uname -r) in 6.1.*) exit 3;; esac'
	expect "all kernels: a heading each, and the failure of one is the run's" all_kernels
	for kernel in 0 1 2; do
		expect "${KERNELS[kernel]}: --lsm none" lsm_is none "$(sed -n $((kernel + 1))p "$SCRATCH/out")"
	done
}

# lsm_is bpf|none LIST
lsm_is() {
	[[ ,$2, == *,apparmor,* ]] || return 1
	case $1 in
	bpf) [[ ,$2, == *,bpf,* ]] ;;
	none) [[ ,$2, != *,bpf,* ]] ;;
	esac
}

all_kernels() {
	[[ $STATUS -eq 3 && $(wc -l <"$SCRATCH/out") -eq 3 &&
		$(grep -c '^vm: --- kernel .*, lsm' "$SCRATCH/err") -eq 3 ]]
}

test_out() {
	mkdir "$SCRATCH/given"
	echo before >"$SCRATCH/given/before"
	vm --out "$SCRATCH/given" --keep-log "$SCRATCH/log" -- sh -c '
		[ -z "$(ls -A "$JOBCAGE_OUT")" ] || exit 1
		mkdir "$JOBCAGE_OUT/d"; head -c 3000000 /dev/zero >"$JOBCAGE_OUT/d/zeros"
		chmod 0751 "$JOBCAGE_OUT/d/zeros"; exit 5'
	expect "--out: status" status_is 5
	expect "--out: what was left comes back, with its mode" \
		[ "$(stat -c '%s %a' "$SCRATCH/given/d/zeros" 2>/dev/null)" = "3000000 751" ]
	expect "--out: what was there stays" [ -s "$SCRATCH/given/before" ]
	expect "--keep-log" grep -q 'Linux version' "$SCRATCH/log"
}

# test_timeout: the guest sleeps through most of it, so it is started before the others and looked at after them.
start_timeout() {
	mkdir "$SCRATCH/late"
	("$VM" --out "$SCRATCH/late" --timeout 60 -- sh -c 'echo x >"$JOBCAGE_OUT/early"; sleep 1000' \
		>"$SCRATCH/late.out" 2>"$SCRATCH/late.err"; echo $? >"$SCRATCH/late.status") &
	TIMEOUT_PID=$!
}

end_timeout() {
	wait "$TIMEOUT_PID"
	STATUS=$(<"$SCRATCH/late.status")
	cp "$SCRATCH/late.out" "$SCRATCH/out"
	cp "$SCRATCH/late.err" "$SCRATCH/err"
	expect "time-out is 124" both 124 'time-out after 60 s'
	expect "--out: comes back after a time-out too" [ "$(cat "$SCRATCH/late/early")" = x ]
}

test_timeout() {
	start_timeout
	end_timeout
}

test_splats() {
	vm -- sh -c 'echo c >/proc/sysrq-trigger; exit 0'
	expect "a panic is 70" both 70 'Kernel panic'
	vm -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at mm/slub.c:1 f+0x1/0x2" >/dev/kmsg; exit 0'
	expect "a WARNING is 70 even if the command passed" both 70 'WARNING: CPU: 0'
	vm -- sh -c 'echo 128 >/proc/sys/kernel/tainted; exit 0'
	expect "a taint without a line in the log is 70" both 70 'tainted'
	vm -- sh -c 'echo "traps: sh[9] general protection fault ip:1 sp:2 error:0" >/dev/kmsg; exit 0'
	expect "a process that crashed is no splat" status_is 0
}

test_interrupt() {
	local signal pid

	for signal in INT TERM KILL; do
		# A shell starts its background commands with SIGINT ignored; a terminal does not.
		TMPDIR=$SCRATCH env --default-signal=INT "$VM" -- sleep 1000 \
			>"$SCRATCH/out" 2>"$SCRATCH/err" &
		pid=$!
		within 20 qemu_runs
		expect "SIG$signal: QEMU runs before" qemu_runs
		kill -"$signal" "$pid"
		wait "$pid" 2>/dev/null
		within 1 no_qemu
		expect "SIG$signal: no QEMU after" no_qemu
		[[ $signal == KILL ]] ||
			expect "SIG$signal: nothing left in the temporary folder" \
				[ -z "$(find "$SCRATCH" -name 'jobcage-vm.*')" ]
	done
}

test_cache() {
	JOBCAGE_CACHE=/proc/no-such-place vm -- true
	expect "a cache that cannot be written is 125" both 125 'set JOBCAGE_CACHE'
	[[ ${1:-} == --fresh ]] || return 0
	JOBCAGE_CACHE=$SCRATCH/cache vm --kernel all -- true
	expect "a fresh cache is filled, and boots" status_is 0
	JOBCAGE_CACHE=$SCRATCH/cache vm --fetch
	expect "a full cache needs no network" [ -z "$(grep fetching "$SCRATCH/err")" ]
}

test_elsewhere() {
	mkdir -p "$SCRATCH/checkout/tools"
	cp -r "$VM" "$PROJECT/tools/lib" "$SCRATCH/checkout/tools/"
	STATUS=0
	"$SCRATCH/checkout/tools/vm" -- sh -c 'pwd; ls tools/vm; touch new' \
		>"$SCRATCH/out" 2>"$SCRATCH/err" || STATUS=$?
	expect "a checkout below /tmp" output_is "$SCRATCH/checkout"$'\n'tools/vm
}

if [[ ${1:-} == --only ]]; then
	"test_$2" "${@:3}"
	exit "$FAILED"
fi
start_timeout
test_status
test_streams
test_arguments
test_out
test_splats
end_timeout
test_interrupt
test_cache "$@"
test_elsewhere
test_kernels
printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
[[ $FAILED -eq 0 ]]
