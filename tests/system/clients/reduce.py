#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One process of a distributed job: reduce.py gloo|mpi THIRD; prints "sum N", then what a connection to THIRD comes to.

gloo: as torch.distributed does it, by MASTER_ADDR, RANK and so on in the environment. mpi: Open MPI's library, as mpirun starts it.
"""
import ctypes
import errno
import os
import socket
import sys

THIRD_PORT = 8080


def gloo():
    import torch
    import torch.distributed as dist
    dist.init_process_group('gloo')
    tensor = torch.full((1000,), float(dist.get_rank() + 1))
    dist.all_reduce(tensor)
    dist.barrier()
    return int(tensor.sum() / 1000)


def mpi():
    lib = ctypes.CDLL('libmpi.so.40', mode=ctypes.RTLD_GLOBAL)
    world, integer, add = (ctypes.byref(ctypes.c_char.in_dll(lib, f'ompi_mpi_{name}')) for name in ('comm_world', 'int', 'op_sum'))
    lib.MPI_Init(None, None)
    rank, total = ctypes.c_int(), ctypes.c_int()
    lib.MPI_Comm_rank(world, ctypes.byref(rank))
    mine = ctypes.c_int(rank.value + 1)
    lib.MPI_Allreduce(ctypes.byref(mine), ctypes.byref(total), 1, integer, add, world)
    third()
    lib.MPI_Finalize()
    return total.value


def third():
    with socket.socket() as sock:
        sock.settimeout(10)
        code = sock.connect_ex((sys.argv[2], THIRD_PORT))
    print('third', errno.errorcode.get(code, 'reached'), flush=True)


if __name__ == '__main__':
    print('node', os.environ.get('NODE'), flush=True)
    if sys.argv[1] == 'mpi':
        print('sum', mpi(), flush=True)
    else:
        print('sum', gloo(), flush=True)
        third()
