// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which numbers the devices of each group have, by what the kernel says of its drivers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/devices.h"

#define NUMBER(major, minor) ((unsigned int)(major) << 20 | (minor))

static const char devices[] = "Character devices:\n"
			      "  1 mem\n"
			      " 10 misc\n"
			      "195 nvidia\n"
			      "195 nvidiactl\n"
			      "226 drm\n"
			      "231 infiniband_mad\n"
			      "231 infiniband_verbs\n"
			      "236 kfd\n"
			      "237 infiniband_verbs\n"
			      "507 nvidia-caps\n"
			      "508 nvidia-caps-imex-channels\n"
			      "509 nvidia-uvm\n"
			      "510 nvidia-fs\n"
			      "\n"
			      "Block devices:\n"
			      "  7 loop\n"
			      "254 kfd\n";
static const char misc[] = "229 fuse\n"
			   "232 kvm\n"
			   "122 rdma_cm\n"
			   "123 vhost-net\n"
			   "144 nvram\n";

static __u64 numbers[DEVICE_GROUPS][DEVICE_RANGES];

static bool is_in(enum device_group group, unsigned int major, unsigned int minor)
{
	for (size_t i = 0; i < DEVICE_RANGES; i++)
		if (NUMBER(major, minor) >= numbers[group][i] >> 32 &&
		    NUMBER(major, minor) <= (__u32)numbers[group][i])
			return true;
	return false;
}

static void gpu(void **state)
{
	(void)state;
	devices_find(devices, misc, numbers);
	assert_true(is_in(DEVICE_GPU, 195, 0) && is_in(DEVICE_GPU, 195, 7));
	assert_true(is_in(DEVICE_GPU, 195, 255)); /* nvidiactl */
	assert_true(is_in(DEVICE_GPU, 509, 0) && is_in(DEVICE_GPU, 509, 1));
	assert_true(is_in(DEVICE_GPU, 507, 3));
	assert_true(is_in(DEVICE_GPU, 236, 0));
	assert_true(is_in(DEVICE_GPU, 226, 128) && is_in(DEVICE_GPU, 226, 191));
	assert_false(is_in(DEVICE_GPU, 195, 254)); /* nvidia-modeset */
	assert_false(is_in(DEVICE_GPU, 507, 1) || is_in(DEVICE_GPU, 507, 2));
	assert_false(is_in(DEVICE_GPU, 226, 0)); /* card0 */
	assert_false(is_in(DEVICE_GPU, 508, 0) || is_in(DEVICE_GPU, 510, 0));
	assert_false(is_in(DEVICE_GPU, 254, 0)); /* a block device of that name */
}

static void others(void **state)
{
	(void)state;
	devices_find(devices, misc, numbers);
	assert_true(is_in(DEVICE_RDMA, 231, 192) && is_in(DEVICE_RDMA, 237, 0));
	assert_true(is_in(DEVICE_RDMA, 10, 122));
	assert_false(is_in(DEVICE_RDMA, 231, 0) || is_in(DEVICE_RDMA, 231, 64)); /* umad, issm */
	assert_false(is_in(DEVICE_RDMA, 10, 123));
	assert_true(is_in(DEVICE_KVM, 10, 232) && is_in(DEVICE_FUSE, 10, 229));
	assert_false(is_in(DEVICE_KVM, 10, 229) || is_in(DEVICE_KVM, 10, 123));
	assert_false(is_in(DEVICE_FUSE, 10, 232) || is_in(DEVICE_FUSE, 7, 229));
}

/* The numbers that no driver has to be asked for, and no others. */
static void without_drivers(void **state)
{
	(void)state;
	devices_find("", "", numbers);
	assert_true(is_in(DEVICE_GPU, 195, 0) && is_in(DEVICE_KVM, 10, 232));
	assert_false(is_in(DEVICE_GPU, 0, 1) || is_in(DEVICE_RDMA, 10, 0));
	assert_false(is_in(DEVICE_GPU, 236, 0) || is_in(DEVICE_RDMA, 237, 0));
}

/* No more than there is room for; a driver that comes under one name again and again is cut off. */
static void too_many(void **state)
{
	static const char many[] = "240 kfd\n241 kfd\n242 kfd\n243 kfd\n244 kfd\n245 kfd\n246 kfd\n247 kfd\n"
				   "248 kfd\n249 kfd\n";

	(void)state;
	devices_find(many, "", numbers);
	assert_true(is_in(DEVICE_GPU, 195, 0) && is_in(DEVICE_GPU, 240, 0));
	assert_false(is_in(DEVICE_GPU, 249, 0));
	assert_true(is_in(DEVICE_RDMA, 231, 192));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpu),
		cmocka_unit_test(others),
		cmocka_unit_test(without_drivers),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
