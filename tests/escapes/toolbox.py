# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""More of what jobs do all day, for workloads.py: programs that look into each other, that make each other, and that talk to each
other. What a script prints must be the same every time: addresses, numbers of processes and times are left out."""

WORKER_C = r'''
#include <stdio.h>
#include <unistd.h>
volatile int steps = 5;
int step(int n) { return n * 2; }
int main(int argc, char **argv)
{
	int total = 0;
	(void)argv;
	if (argc > 1) {
		setvbuf(stdout, NULL, _IONBF, 0);
		alarm(300); /* for a debugger that does not come */
		puts("ready");
		while (steps)
			usleep(10000);
		puts("told to end");
		return 0;
	}
	for (int i = 0; i < steps; i++)
		total += step(i);
	printf("%d\n", total);
	return 0;
}
'''

# Messages, a sum of all, and a window of memory that the ranks share and write in each other's part of.
RANKS_C = r'''
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#define BIG (1 << 20)
int main(int argc, char **argv)
{
	int rank, size, sum = 0, *window, *big = calloc(BIG, sizeof(int)), from, unit;
	MPI_Aint bytes;
	MPI_Win shared;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	big[BIG - 1] = rank + 1;
	from = (rank + size - 1) % size;
	/* Larger than what goes through the queue: copied from the other's memory. */
	MPI_Sendrecv_replace(big, BIG, MPI_INT, (rank + 1) % size, 0, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Allreduce(&big[BIG - 1], &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	MPI_Win_allocate_shared(sizeof(int), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &window, &shared);
	MPI_Win_shared_query(shared, from, &bytes, &unit, &window);
	MPI_Win_fence(0, shared);
	*window = 10 * rank;
	MPI_Win_fence(0, shared);
	MPI_Win_shared_query(shared, rank, &bytes, &unit, &window);
	MPI_Allreduce(window, big, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	if (!rank)
		printf("%d ranks, got %d, sum %d, window %d\n", size, big[BIG - 1], sum, big[0]);
	MPI_Win_free(&shared);
	MPI_Finalize();
	return 0;
}
'''

PROCESSES_PY = '''
import multiprocessing as m, multiprocessing.shared_memory as s, multiprocessing.connection as c, os, signal
def square(n):
    return n * n
def fill(name, at):
    memory = s.SharedMemory(name)
    memory.buf[at] = 42
    memory.close()
def pass_on(ours, theirs):
    with open(theirs.recv_bytes() , "rb") as file:
        ours.send(m.reduction.DupFd(file.fileno()).detach() > 2)
if __name__ == "__main__":
    for how in "fork", "spawn", "forkserver":
        context = m.get_context(how)
        with context.Pool(2) as pool:
            print(how, pool.map(square, range(4)))
        memory = s.SharedMemory(create=True, size=4096)
        child = context.Process(target=fill, args=(memory.name, 7))
        child.start()
        child.join()
        print(child.exitcode, memory.buf[7])
        memory.close()
        memory.unlink()
        lock, event, queue = context.Lock(), context.Event(), context.Queue()
        with lock:
            queue.put("word")
            event.set()
        print(queue.get(), event.is_set())
    with m.Manager() as manager:
        print(dict(manager.dict(a=1)))
    with c.Listener(family="AF_UNIX") as listener:
        client = c.Client(listener.address)
        print(listener.accept().close(), client.close())
    child = m.Process(target=signal.pause)
    child.start()
    os.sched_setaffinity(child.pid, {0})
    os.setpriority(os.PRIO_PROCESS, child.pid, 5)
    child.terminate()
    child.join()
    print(child.exitcode)
'''

NOTEBOOK_PY = '''
import jupyter_client
def ask(client, code):
    said = []
    reply = client.execute_interactive(code, timeout=60, output_hook=lambda message: said.append(
        message["content"].get("text") or message["content"].get("data", {}).get("text/plain") or message["content"].get("ename", "")))
    return reply["content"]["status"], "".join(said)
for transport in "tcp", "ipc":
    manager = jupyter_client.KernelManager(kernel_name="python3", transport=transport)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    print(transport, ask(client, "import subprocess; subprocess.run(['echo', 'from a shell'], capture_output=True, text=True).stdout"))
    print(ask(client, "!echo escaped"))
    if transport == "tcp":
        client.execute("import time; print('asleep', flush=True); time.sleep(100)")
        while client.get_iopub_msg(timeout=60)["content"].get("text") != "asleep\\n":
            pass
        manager.interrupt_kernel()
        print(client.get_shell_msg(timeout=60)["content"]["ename"])
    client.stop_channels()
    manager.shutdown_kernel()
    print(manager.is_alive())
    del client, manager
'''

LOADER_PY = '''
import os, sys
import torch
from torch.utils.data import DataLoader, Dataset
class Files(Dataset):
    def __len__(self):
        return 16
    def __getitem__(self, i):
        with open(f"{os.environ['DATA']}/files/{i % 8}", "rb") as file:
            return torch.tensor(len(file.read()) + i)
if __name__ == "__main__":
    for how in sys.argv[1:]:
        for sharing in "file_descriptor", "file_system":
            torch.multiprocessing.set_sharing_strategy(sharing)
            loader = DataLoader(Files(), batch_size=4, num_workers=2, multiprocessing_context=how)
            print(how, sharing, sum(int(batch.sum()) for batch in loader))
'''

SCRIPTS = {
    'gdb starts a program': '''
        cd "$OUT" && gcc -g -O0 -o worker "$DATA/tools/worker.c" &&
        gdb -nx -batch -ex "break step if n == 3" -ex run -ex "print n" -ex finish -ex "watch total" -ex continue -ex "delete" \\
            -ex "set var steps = 4" -ex "call step(21)" -ex "thread apply all backtrace" -ex continue ./worker 2>&1 |
            grep -E '^(\\$|#0|Value|Hardware|Old|New|12$|.*exited)' | sed 's/0x[0-9a-f]*/ADDRESS/g; s/process [0-9]*/process/' ''',
    'gdb comes to a process': '''
        mkfifo "$OUT/fifo" && { "$OUT/worker" wait >"$OUT/fifo" & pid=$!; } && exec 9<"$OUT/fifo" && read word <&9 && echo "$word" &&
        gdb -nx -batch -p $pid -ex "print steps" -ex "set var steps = 0" -ex detach 2>&1 | grep '^\\$' && cat <&9 &&
        wait $pid; echo "$?"; exec 9<&-; rm "$OUT/fifo" ''',
    'gcore': '''
        { sleep 100 & } && pid=$! && gcore -o "$OUT/core" $pid >/dev/null 2>&1; file=$(echo "$OUT"/core.*) && head -c 4 "$file" | od -c | head -1;
        rm "$file"; kill $pid; wait $pid; echo "$?" ''',
    'strace': '''
        cd "$OUT" && strace -f -e trace=execve,write -e signal=none -o calls sh -c '/bin/echo from a child; :' &&
        sed 's/^[0-9]* *//; s/ 0x.*\\*\\///' calls && strace -c -f -o counts true && grep -c execve counts && rm calls counts &&
        strace --seccomp-bpf -f -qq -e trace=chdir -e signal=none sh -c 'cd /' 2>&1 && strace -e inject=getcwd:error=EINVAL -o /dev/null pwd 2>&1 | head -1
        { sleep 100 & } && pid=$! && until grep -q '^State:.*sleeping' /proc/$pid/status && grep -qx sleep /proc/$pid/comm; do sleep 0.05; done
        { strace -qq -e signal=none -o "$OUT/attached" -p $pid & } && tracer=$! &&
        for i in $(seq 1200); do grep -q "^TracerPid:.*$tracer" /proc/$pid/status && break; sleep 0.05; done && kill $tracer; wait $tracer; kill $pid; wait $pid;
        grep -qE '^(restart_syscall|clock_nanosleep)' "$OUT/attached" && echo followed; rm "$OUT/attached" ''',
    'ccache': '''
        export CCACHE_DIR="$OUT/ccache" && cd "$OUT" && ccache gcc -g -c -o a.o "$DATA/tools/worker.c" && ccache gcc -g -c -o b.o "$DATA/tools/worker.c" &&
        cmp a.o b.o && ccache --print-stats | grep -E '^(direct_cache_hit|cache_miss|local_storage_write)' && gcc -o w a.o && ./w && rm -r ccache a.o b.o &&
        gcc -O2 -flto -fprofile-generate -o w "$DATA/tools/worker.c" && ./w && rm w *.gcda && objdump -d worker | grep -c '<step>:' ''',
    'bash': '''
        bash -c 'set -o pipefail; shopt -s lastpipe
        seq 1000 | tee >(sort -rn | head -1 >"$OUT/most") | awk "{ s += \\$1 } END { print s }" | { read sum; echo "$sum"; }
        while [[ ! -s $OUT/most ]]; do sleep 0.05; done; cat "$OUT/most"
        diff <(printf "a\\nb\\n") <(printf "a\\nc\\n"); cat <<<"here"; coproc cat; echo "to a coprocess" >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
        kill "$COPROC_PID"; wait "$COPROC_PID" 2>/dev/null; echo "$?"; { set -m; sleep 100 & kill -STOP %1; until jobs -s | grep -q Stopped; do sleep 0.05; done; kill -CONT %1; kill %1; wait %1; } 2>/dev/null >&2; echo "$?"; set +m
        trap "echo trapped" USR1; kill -USR1 $$; timeout 0.2 sleep 100; echo "$?"; printf "%s\\n" 3 1 2 | xargs -P 3 -n 1 expr 1 + | sort
        false | true; echo "$?"; (ulimit -v 4000000; ulimit -n 100; ulimit -n); nice -n 3 nice; ionice -c 3 ionice; taskset 1 nproc; setsid -w echo a session
        { echo written >/dev/stderr; } 2>&1 | cat; exec 3<>"$OUT/most"; cat /dev/fd/3; { time -p true; } 2>&1 | grep -c real; yes | head -1
        script -qec "tty | sed s/[0-9]*$//; stty size" /dev/null </dev/null | tr -d "\\r"; flock "$OUT/most" echo locked; pgrep -c -P $$ -x pgrep; ps -o comm= -p $$' ''',
    'processes of Python': ' cp "$DATA/tools/processes.py" "$OUT" && python3 -W ignore "$OUT/processes.py" ',
}

CROWDS = {
    # Of munge, which may be there, it asks who it is.
    'OpenMPI': '''
        export PMIX_MCA_psec=native; cd "$OUT" && mpicc -o ranks "$DATA/tools/ranks.c" &&
        for how in "" "--mca btl_vader_single_copy_mechanism cma" "--mca btl tcp,self --mca btl_tcp_if_include lo"; do
            mpirun --oversubscribe -n 2 $how ./ranks 2>&1 || exit 1
        done; rm ranks ''',
    'a notebook': ' mkdir "$OUT/home" && HOME="$OUT/home" PYDEVD_DISABLE_FILE_VALIDATION=1 python3 -W ignore "$DATA/tools/notebook.py"; rm -rf "$OUT/home" ',
}

SLOW = {
    'DataLoader by fork and spawn': ' cp "$DATA/tools/loader.py" "$OUT" && python3 -W ignore "$OUT/loader.py" fork spawn ',
}

# What the scripts find in $DATA/tools.
FILES = {'worker.c': WORKER_C, 'ranks.c': RANKS_C, 'processes.py': PROCESSES_PY, 'notebook.py': NOTEBOOK_PY, 'loader.py': LOADER_PY}
