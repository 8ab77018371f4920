/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the probe object and its loader agree on.
 */
#ifndef JOBCAGE_ABI_PROBE_H
#define JOBCAGE_ABI_PROBE_H

/* EADV, "advertise error": no file system returns it. */
#define PROBE_ERRNO 68

#endif
