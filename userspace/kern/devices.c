// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which devices are for what: named as admins speak of them, found by the number, which is what the kernel
 * goes by, not by the node's name or place.
 *
 * Of a driver's devices only those are in a group that a job needs to work with: not those that set up the
 * machine (/dev/nvidia-modeset, the first of /dev/nvidia-caps, /dev/dri/card*, /dev/infiniband/umad*),
 * and none that reach storage or other machines' memory past the kernel (/dev/nvidia-fs*).
 */
#include "kern/devices.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PROC_FILE_MAX (1 << 20)
#define MISC_MAJOR 10
#define MINOR_BITS 20
#define MINOR_MAX ((1U << MINOR_BITS) - 1)
#define ANY_MAJOR 0

/*
 * driver: as /proc/devices, or of misc devices /proc/misc, calls it; NULL: the numbers are fixed, whoever has
 * them. major: the only one that is meant of a driver with several.
 */
struct member {
	enum device_group group;
	const char *driver;
	unsigned int major, first, last; /* minors, inclusive; of a misc driver its one */
};

static const struct member members[] = {
	/* /dev/nvidiaN, /dev/nvidiactl */
	{ DEVICE_GPU, NULL, 195, 0, 247 },
	{ DEVICE_GPU, NULL, 195, 255, 255 },
	{ DEVICE_GPU, "nvidia-uvm", ANY_MAJOR, 0, 1 },
	/* Parts of a card (MIG); 1 and 2 make them, and watch those of others. */
	{ DEVICE_GPU, "nvidia-caps", ANY_MAJOR, 3, MINOR_MAX },
	{ DEVICE_GPU, "kfd", ANY_MAJOR, 0, 0 },
	/* /dev/dri/renderD* */
	{ DEVICE_GPU, NULL, 226, 128, 191 },
	/* /dev/infiniband/uverbs*, of which those after the 32nd have a major of their own */
	{ DEVICE_RDMA, NULL, 231, 192, 223 },
	{ DEVICE_RDMA, "infiniband_verbs", ANY_MAJOR, 0, MINOR_MAX },
	{ DEVICE_RDMA, "rdma_cm", MISC_MAJOR, 0, MINOR_MAX },
	{ DEVICE_KVM, NULL, MISC_MAJOR, 232, 232 },
	{ DEVICE_FUSE, NULL, MISC_MAJOR, 229, 229 },
};

static __u64 range(unsigned int major, unsigned int first, unsigned int last)
{
	__u32 base = major << MINOR_BITS;

	return (__u64)(base | first) << 32 | (base | last);
}

static void add(__u64 *numbers, __u64 new)
{
	for (size_t i = 0; i < DEVICE_RANGES; i++)
		if (!numbers[i] || numbers[i] == new) {
			numbers[i] = new;
			return;
		}
}

/* The next line "NUMBER NAME"; *text is moved behind it. Others are passed over. */
static bool next_entry(const char **text, unsigned int *ret_number, char ret_name[64])
{
	while (**text) {
		size_t len = strcspn(*text, "\n");
		bool is_entry = sscanf(*text, "%u %63[^\n]", ret_number, ret_name) == 2;

		*text += len + ((*text)[len] == '\n');
		if (is_entry)
			return true;
	}
	return false;
}

static bool is_fixed_elsewhere(const struct member *member, unsigned int major)
{
	for (const struct member *other = members; other < members + ARRAY_SIZE(members); other++)
		if (!other->driver && other->major == major && other->group == member->group)
			return true;
	return false;
}

static void find_driver(const struct member *member, const char *text, __u64 *numbers)
{
	bool is_misc = member->major == MISC_MAJOR;
	unsigned int number;
	char name[64];

	while (next_entry(&text, &number, name)) {
		if (strcmp(name, member->driver))
			continue;
		if (is_misc)
			add(numbers, range(MISC_MAJOR, number, number));
		else if (!is_fixed_elsewhere(member, number))
			add(numbers, range(number, member->first, member->last));
	}
}

/* Character devices come first, and block devices have numbers of their own. */
static size_t character_part(const char *devices)
{
	const char *end = strstr(devices, "Block devices:");

	return end ? (size_t)(end - devices) : strlen(devices);
}

void devices_find(const char *devices, const char *misc,
		  __u64 ret_numbers[DEVICE_GROUPS][DEVICE_RANGES])
{
	_cleanup_free_ char *characters = strndup(devices, character_part(devices));

	memset(ret_numbers, 0, sizeof(__u64) * DEVICE_GROUPS * DEVICE_RANGES);
	for (const struct member *member = members; member < members + ARRAY_SIZE(members);
	     member++) {
		__u64 *numbers = ret_numbers[member->group];

		if (!member->driver)
			add(numbers, range(member->major, member->first, member->last));
		else if (member->major == MISC_MAJOR)
			find_driver(member, misc, numbers);
		else if (characters)
			find_driver(member, characters, numbers);
	}
}

static char *read_proc(const char *path)
{
	char *text;
	size_t len;

	return file_read(path, PROC_FILE_MAX, &text, &len) ? NULL : text;
}

void devices_publish(struct tables *tables)
{
	_cleanup_free_ char *devices = read_proc("/proc/devices"), *misc = read_proc("/proc/misc");
	__u64 numbers[DEVICE_GROUPS][DEVICE_RANGES];

	devices_find(devices ? devices : "", misc ? misc : "", numbers);
	for (size_t group = 0; group < DEVICE_GROUPS; group++)
		for (size_t i = 0; i < DEVICE_RANGES; i++)
			__atomic_store_n(&tables->device_numbers[group][i], numbers[group][i],
					 __ATOMIC_RELAXED);
}
