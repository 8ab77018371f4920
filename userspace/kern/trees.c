// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where btrfs keeps the subvolume of an inode; see trees.h. */
#include "kern/trees.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static void cleanup_btf(struct btf **btf)
{
	btf__free(*btf);
}

static int member_at(const struct btf *btf, const char *structure, const char *member, __u32 *ret_at)
{
	int id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (__u32 i = 0; type && i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, btf_members(type)[i].name_off);

		if (!name || strcmp(name, member))
			continue;
		*ret_at = btf_member_bit_offset(type, i) / 8;
		return 0;
	}
	return -ENOENT;
}

static int find_layout(const struct btf *btf, union btrfs_layout *ret_layout)
{
	__u32 root, inode, key, id;
	int r = member_at(btf, "btrfs_inode", "root", &root);

	if (!r)
		r = member_at(btf, "btrfs_inode", "vfs_inode", &inode);
	if (!r)
		r = member_at(btf, "btrfs_root", "root_key", &key);
	if (!r)
		r = member_at(btf, "btrfs_key", "objectid", &id);
	if (r)
		return r;
	if (inode <= root || inode - root > UINT16_MAX || key + id > UINT16_MAX)
		return -ERANGE;
	*ret_layout = (union btrfs_layout){ .root_at = inode - root, .id_at = key + id };
	return 0;
}

union btrfs_layout trees_known(const struct kern *kern)
{
	return (union btrfs_layout){ .word = kern->btrfs };
}

int trees_learn(struct kern *kern, union btrfs_layout *ret_layout)
{
	_cleanup_(cleanup_btf) struct btf *base = btf__load_vmlinux_btf();
	_cleanup_(cleanup_btf) struct btf *module =
		base ? btf__load_module_btf("btrfs", base) : NULL;
	int r;

	if (!base)
		return -errno;
	r = find_layout(module ?: base, ret_layout);
	if (!r)
		kern->btrfs = ret_layout->word;
	return r;
}
