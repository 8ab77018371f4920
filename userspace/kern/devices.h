/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The numbers that the devices of each group have on this machine.
 */
#ifndef JOBCAGE_KERN_DEVICES_H
#define JOBCAGE_KERN_DEVICES_H

#include <stddef.h>

#include "abi/tables.h"

/*
 * From the text of /proc/devices and /proc/misc; "" where there is none. A driver that is not loaded
 * has no numbers. What does not fit is left out: that stays closed.
 */
void devices_find(const char *devices, const char *misc,
		  __u64 ret_numbers[DEVICE_GROUPS][DEVICE_RANGES]);

/* Stores those of this machine in the tables. */
void devices_publish(struct tables *tables);

#endif
