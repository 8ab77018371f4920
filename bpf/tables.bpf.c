// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tables of abi/tables.h. Defined in one object, because the static linker would keep the room of every
 * definition that it finds; nothing else is a global variable, so that they are the whole of ".bss".
 */
#include "lib/jobcage.bpf.h"
#include "abi/tables.h"

struct tables tables;
