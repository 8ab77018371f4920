// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Keys: a job uses those that it made, and nobody else sees them.
 *
 * Keyrings of the user and of his session are shared with outside, so a job only looks through them: what
 * is in them it does not read, and it adds nothing. That the kernel may search is left, because that is how it finds
 * what a file system needs. EPERM: to a refused reader the kernel gives what he finds in his own
 * keyrings, if the refusal was EACCES.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"
#include "lib/guard.bpf.h"
#include "lib/maker.bpf.h"

#define KEY_DENY (-EPERM)

/* include/linux/key.h: whoever makes it, it is the kernel's. */
#define KEY_ALLOC_NOT_IN_QUOTA 0x02
#define KEY_ALLOC_UID_KEYRING 0x10
/* key_ref_t: bit 0 says that the caller possesses the key. */
#define KEY_REF_POSSESSED 1UL

/* security/keys/request_key_auth.c: a key of this type is made just before the kernel starts its helper. */
static const char request_type[] = ".request_key_auth";
static const char keyring_type[] = "keyring";

static __always_inline void type_of(struct key *key, char ret_name[sizeof(request_type)])
{
	bpf_probe_read_kernel_str(ret_name, sizeof(request_type), BPF_CORE_READ(key, type, name));
}

static __noinline bool is_request(struct key *key)
{
	char name[sizeof(request_type)] = {};

	type_of(key, name);
	return !bpf_strncmp(name, sizeof(name), request_type);
}

static __noinline bool is_keyring(struct key *key)
{
	char name[sizeof(request_type)] = {};

	type_of(key, name);
	return !bpf_strncmp(name, sizeof(keyring_type), keyring_type);
}

/* Keyrings of users, of the kernel's own: no user may give one a name that begins with a dot. */
static __always_inline bool is_kernels(struct key *key, unsigned long flags)
{
	char first = 0;

	if (flags & KEY_ALLOC_NOT_IN_QUOTA)
		return true;
	if (!is_keyring(key))
		return false;
	bpf_probe_read_kernel(&first, sizeof(first), BPF_CORE_READ(key, description));
	return flags & KEY_ALLOC_UID_KEYRING || first == '.';
}

/* With credentials of the kernel's own: what file systems ask for, names of users or tickets. */
static __always_inline bool is_for_kernel(void)
{
	return has_borrowed_credentials(bpf_get_current_task_btf());
}

/*
 * request_key() of a key that is not there has the kernel start /sbin/request-key, as root and outside the
 * job, with words of the job's: it asks name servers, for one.
 */
static __always_inline int judge_request(void)
{
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	return refuse_guarded(&job, OP_KEY_REQUEST, REASON_HELPER, 0, 0);
}

SEC("lsm/key_alloc")
int BPF_PROG(key_key_alloc, struct key *key, const struct cred *cred, unsigned long flags, int ret)
{
	bool is_of_kernel;

	if (ret)
		return ret;
	is_of_kernel = is_for_kernel();
	if (is_of_kernel || is_kernels(key, flags))
		forget_maker(key);
	else
		note_maker(key);
	return !is_of_kernel && is_request(key) ? judge_request() : LSM_ALLOW;
}

SEC("fentry/security_key_free")
int BPF_PROG(key_key_free, struct key *key)
{
	forget_maker(key);
	return 0;
}

/* The kernel finds a user's keyring by the real id, which is another's while a session is begun for him. */
static __always_inline bool is_of_user(struct key *key, const struct cred *cred)
{
	__u32 uid = BPF_CORE_READ(key, uid.val);

	return uid == BPF_CORE_READ(cred, fsuid.val) || uid == BPF_CORE_READ(cred, uid.val);
}

/* May a job do that with what it did not make? */
static __always_inline bool is_harmless(struct key *key, const struct cred *cred,
					enum key_need_perm need)
{
	switch (need) {
	case KEY_NEED_VIEW:
	case KEY_NEED_SEARCH:
	case KEY_NEED_UNLINK: /* from a keyring, of which it must be granted too */
	case KEY_DEFER_PERM_CHECK: return true;
	case KEY_NEED_READ: return is_keyring(key);
	case KEY_NEED_LINK:
		return is_keyring(key) && is_of_user(key, cred);
	default: return false;
	}
}

/* And everybody else with what a job made? Only what tells nothing of it. */
static __always_inline bool tells_nothing(enum key_need_perm need)
{
	return need != KEY_NEED_VIEW && need != KEY_NEED_READ && need != KEY_NEED_SEARCH &&
	       need != KEY_NEED_LINK;
}

/* Whoever lists or searches keys is asked about every one of them: he does not find it, and nobody is told. */
static __always_inline bool is_in_passing(enum key_need_perm need)
{
	return need == KEY_NEED_VIEW || need == KEY_NEED_SEARCH;
}

static __noinline int judge(struct key *key, const struct cred *cred, enum key_need_perm need)
{
	struct job job;
	enum use use = use_of(key, &job);

	if (use == USE_NOT_IN_FORCE)
		return LSM_DENY;
	if (use == USE_OWN ||
	    (use == USE_FOREIGN ? is_harmless(key, cred, need) : tells_nothing(need)))
		return LSM_ALLOW;
	if (use == USE_DENIED)
		return LSM_DENY;
	if (is_in_passing(need))
		return job.policy->mode == MODE_AUDIT ? LSM_ALLOW : LSM_DENY;
	return refuse_guarded(&job, OP_KEY_USE, REASON_OBJECT, (__u32)BPF_CORE_READ(key, serial), need);
}

/* The key by its number: the type of the argument is known to nobody but the kernel's own keys. */
SEC("lsm/key_permission")
int BPF_PROG(key_key_permission, void *key_ref, const struct cred *cred, enum key_need_perm need,
	     int ret)
{
	__u64 address = 0;

	if (ret)
		return ret;
	bpf_get_func_arg(ctx, 0, &address);
	if (is_for_kernel())
		return LSM_ALLOW;
	return judge((struct key *)(address & ~KEY_REF_POSSESSED), cred, need) ? KEY_DENY
									       : LSM_ALLOW;
}
