/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backend bites on this kernel: found out by attaching a small program and trying what it
 * forbids.
 */
#ifndef JOBCAGE_KERN_PROBE_H
#define JOBCAGE_KERN_PROBE_H

#include "base/error.h"
#include "kern/kern.h"

/*
 * Attaches the probe by this backend and opens a file. Returns 0 if the open was refused as it must
 * be, -EOPNOTSUPP if the program attached without effect, or what the attachment failed with; err
 * says which.
 */
int probe_backend(enum backend backend, struct error *err);

/*
 * The first backend that bites, BPF LSM before fmod_ret. -EOPNOTSUPP and both reasons if none does.
 */
int probe_choose(struct error *err, enum backend *ret_backend);

#endif
