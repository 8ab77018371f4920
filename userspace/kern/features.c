// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What jobcage needs of a kernel; see features.h.
 *
 * First a look at the machine: rights, BTF, which backend bites. Then a table of checks, each of
 * which settles one need from that and from a test of its own, and says no more than it knows.
 */
#include "kern/features.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "kern/backend.h"
#include "kern/hooks.h"
#include "kern/probe.h"

#define BTF_FILE "/sys/kernel/btf/vmlinux"
#define LSM_FILE "/sys/kernel/security/lsm"
#define LOCKDOWN_FILE "/sys/kernel/security/lockdown"
#define JIT_FILE "/proc/sys/net/core/bpf_jit_enable"

#define TEXT_FILE_MAX 65536

#define NEEDS_ROOT "needs root to be tested"
#define NEEDS_BTF "cannot be known without BTF"
#define NO_SECURITYFS "securityfs is not mounted"

#define ADVISE_KERNEL \
	"use a distribution's stock kernel, 6.1 or later: this one was built without it"
#define ADVISE_BTF \
	"use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' stock kernels are"
#define ADVISE_DEBUG "'JOBCAGE_DEBUG=1 jobcage doctor' shows what the kernel says to it"

/* What came of attaching the probe by one backend. */
struct trial {
	int result; /* 0: it bites */
	struct error err;
};

/* What the checks know of the machine. */
struct sight {
	const char *lacks; /* the right that this process lacks to load programs; NULL: none */
	struct btf *btf;   /* NULL: the kernel has none */
	char *lsm_list;    /* of the kernel, comma separated; NULL: unknown */
	struct trial trial[BACKEND_FMOD_RET + 1];
	enum backend backend; /* that would be used; 0: none */
};

struct check {
	const char *name;
	const char *lost;
	void (*run)(const struct sight *sight, const struct check *check, struct need *need);
	int type;           /* of the map or the program that is asked for */
	const char *symbol; /* the kernel function that proves it */
};

static void cleanup_sight(struct sight *sight)
{
	btf__free(sight->btf);
	free(sight->lsm_list);
}

/* --- the report ------------------------------------------------------------------------------- */

struct need *features_add(struct features *features, const char *name, const char *lost)
{
	struct need *needs = realloc(features->needs, (features->cnt + 1) * sizeof(*needs));
	struct need *need;

	if (!needs)
		return NULL;
	features->needs = needs;
	need = &needs[features->cnt++];
	need_init(need, name, lost);
	return need;
}

size_t features_missing(const struct features *features)
{
	size_t cnt = 0;

	for (size_t i = 0; i < features->cnt; i++)
		if (features->needs[i].is_required && features->needs[i].state == NEED_MISSING)
			cnt++;
	return cnt;
}

bool features_can_enforce(const struct features *features)
{
	return features->backend && !features_missing(features);
}

void features_free(struct features *features)
{
	free(features->needs);
	*features = (struct features){ 0 };
}

/* --- the look at the machine ------------------------------------------------------------------ */

/* A small text file without its line end, or NULL. Free it. */
static char *read_text(const char *path)
{
	char *text;
	size_t len;

	if (file_read(path, TEXT_FILE_MAX, &text, &len))
		return NULL;
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

static bool has_capability(unsigned int capability)
{
	_cleanup_free_ char *status = read_text("/proc/self/status");
	const char *line = status ? strstr(status, "\nCapEff:") : NULL;

	return line && strtoull(line + strlen("\nCapEff:"), NULL, 16) >> capability & 1;
}

static bool in_initial_user_namespace(void)
{
	_cleanup_free_ char *map = read_text("/proc/self/uid_map");
	unsigned int inside, outside, cnt;

	if (!map || sscanf(map, "%u %u %u", &inside, &outside, &cnt) != 3)
		return false;
	return !inside && !outside && cnt == (unsigned int)-1;
}

static const char *lacking_right(void)
{
	if (geteuid())
		return "not root";
	if (!in_initial_user_namespace())
		return "root of a user namespace only";
	return has_capability(CAP_SYS_ADMIN) ? NULL : "root without CAP_SYS_ADMIN";
}

/*
 * BPF LSM before fmod_ret, as kern_open() chooses. Both are tried: who takes bpf off the LSM list
 * wants to know what is left.
 */
static void try_backends(struct sight *sight)
{
	static const enum backend order[] = { BACKEND_LSM, BACKEND_FMOD_RET };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct trial *trial = &sight->trial[order[i]];

		trial->result = probe_backend(order[i], &trial->err);
		if (!trial->result && !sight->backend)
			sight->backend = order[i];
	}
}

static void look(struct sight *sight)
{
	sight->lacks = lacking_right();
	sight->lsm_list = read_text(LSM_FILE);
	if (!access(BTF_FILE, R_OK))
		sight->btf = btf__load_vmlinux_btf();
	if (!sight->lacks)
		try_backends(sight);
}

static bool has_function(const struct sight *sight, const char *name)
{
	return sight->btf && btf__find_by_name_kind(sight->btf, name, BTF_KIND_FUNC) > 0;
}

/* Is word one of the comma-separated list? */
static bool lists(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, word, len) && (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

/* --- rights and settings ---------------------------------------------------------------------- */

static void check_root(const struct sight *sight, const struct check *check, struct need *need)
{
	(void)check;
	if (!sight->lacks) {
		need_found(need, "root with CAP_SYS_ADMIN, in the initial user namespace");
		return;
	}
	need_missing(need, "%s", sight->lacks);
	if (geteuid())
		need_advise(need, "run jobcage as root; only root can test what must be "
				  "loaded or attached");
	else
		need_advise(need, "run jobcage on the host, outside of the container, with all "
				  "capabilities");
}

static void check_btf(const struct sight *sight, const struct check *check, struct need *need)
{
	(void)check;
	if (sight->btf)
		need_found(need, BTF_FILE);
	else
		need_missing(need, "the kernel does not describe its types: no " BTF_FILE);
	need_advise(need, ADVISE_BTF);
}

/* Programs with callbacks, as bpf_loop() takes, are refused by the interpreter. */
static void check_jit(const struct sight *sight, const struct check *check, struct need *need)
{
	_cleanup_free_ char *value = read_text(JIT_FILE);

	(void)check;
	need_advise(need, "turn it on: sysctl -w net.core.bpf_jit_enable=1");
	if (!value && sight->lacks)
		need_untested(need, NEEDS_ROOT);
	else if (!value)
		need_untested(need, "shows in the initial network namespace only");
	else if (*value == '0')
		need_missing(need, "off: net.core.bpf_jit_enable is 0");
	else
		need_found(need, "on");
}

static void check_lockdown(const struct sight *sight, const struct check *check, struct need *need)
{
	_cleanup_free_ char *mode = read_text(LOCKDOWN_FILE);

	(void)check;
	need_advise(need, "boot without lockdown=confidentiality; lockdown=integrity does no harm");
	if (mode && strstr(mode, "[confidentiality]"))
		need_missing(need, "lockdown forbids programs to read kernel memory: %s", mode);
	else if (mode)
		need_found(need, "%s", mode);
	else if (sight->lsm_list)
		need_found(need, "the kernel has no lockdown");
	else
		need_untested(need, NO_SECURITYFS);
}

static void check_bpf_fs(const struct sight *sight, const struct check *check, struct need *need)
{
	struct statfs fs;

	(void)sight;
	(void)check;
	need_advise(need, "mount it: mount -t bpf bpf " KERN_BPFFS);
	if (statfs(KERN_BPFFS, &fs))
		need_missing(need, KERN_BPFFS ": %s", strerror(errno));
	else if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		need_missing(need, "none is mounted at " KERN_BPFFS);
	else
		need_found(need, "mounted at " KERN_BPFFS);
}

/* --- backends --------------------------------------------------------------------------------- */

/* Root was refused: by a seccomp filter, a hypervisor's guard or another LSM. No setting helps. */
static void advise_refused(struct need *need)
{
	need_advise(need, "forbidden even to root, by what surrounds this system (a container's "
			  "seccomp filter, the guard of a hosted machine); use a host or a virtual "
			  "machine of your own");
}

static bool lsm_is_listed(const struct sight *sight)
{
	return sight->lsm_list && lists(sight->lsm_list, "bpf");
}

static const char *lsm_list_says(const struct sight *sight)
{
	if (!sight->lsm_list)
		return "the kernel's list is not known: " NO_SECURITYFS;
	return lsm_is_listed(sight) ? "in the kernel's list" : "not in the kernel's list";
}

static void advise_lsm(const struct sight *sight, struct need *need)
{
	if (sight->trial[BACKEND_LSM].result == -EPERM)
		advise_refused(need);
	else if (!sight->btf)
		need_advise(need, ADVISE_BTF);
	else if (!has_function(sight, "bpf_lsm_file_open"))
		need_advise(need, "use a kernel built with CONFIG_BPF_LSM=y, as distributions' "
				  "stock kernels are");
	else if (sight->lsm_list && !lsm_is_listed(sight))
		need_advise(need, "boot with the kernel parameter lsm=%s,bpf", sight->lsm_list);
	else
		need_advise(need, ADVISE_DEBUG);
}

/* Either backend will do, so each is required only as long as the other does not bite. */
static void check_lsm(const struct sight *sight, const struct check *check, struct need *need)
{
	const struct trial *trial = &sight->trial[BACKEND_LSM];

	(void)check;
	need->is_required = sight->backend != BACKEND_FMOD_RET;
	advise_lsm(sight, need);
	if (sight->lacks)
		need_untested(need, "%s; whether it bites " NEEDS_ROOT, lsm_list_says(sight));
	else if (trial->result)
		need_missing(need, "%s; %s", lsm_list_says(sight),
			     need->is_required ? trial->err.text
					       : "not needed, because fmod_ret bites");
	else if (lsm_is_listed(sight))
		need_found(need, "in the kernel's list, and it bites");
	else
		need_found(need, "it bites; %s", lsm_list_says(sight));
}

static void advise_fmod_ret(const struct sight *sight, struct need *need)
{
	if (sight->trial[BACKEND_FMOD_RET].result == -EPERM)
		advise_refused(need);
	else
		need_advise(need, "%s", sight->btf ? ADVISE_DEBUG : ADVISE_BTF);
}

static void check_fmod_ret(const struct sight *sight, const struct check *check, struct need *need)
{
	const struct trial *trial = &sight->trial[BACKEND_FMOD_RET];

	(void)check;
	need->is_required = sight->backend != BACKEND_LSM;
	advise_fmod_ret(sight, need);
	if (sight->lacks)
		need_untested(need, NEEDS_ROOT);
	else if (trial->result)
		need_missing(need, "%s%s", trial->err.text,
			     need->is_required ? "" : "; not needed, because BPF LSM bites");
	else
		need_found(need, "it bites");
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* One that only looks on is attached to the function itself, whatever the backend. */
static void settle_observer(const struct sight *sight, const struct hook *hook, struct need *need)
{
	need_advise(need, "use a distribution's stock kernel: this one lacks CONFIG_PSI or "
			  "CONFIG_FUNCTION_TRACER");
	if (!sight->btf)
		need_untested(need, NEEDS_BTF);
	else if (has_function(sight, hook->function))
		need_found(need, "%s, by %s", hook->guards, hook->function);
	else
		need_missing(need, "the kernel has no %s", hook->function);
}

static void settle_absent(struct need *need, const struct hook *hook, const char *place)
{
	if (!hook->instead) {
		need_missing(need, "the kernel has no %s", place);
		return;
	}
	need->is_required = false;
	need_missing(need, "the kernel has no %s; there %s refuses the act", place, hook->instead);
}

/* With no backend to go by, either place to attach counts. */
static void settle_hook(const struct sight *sight, const struct hook *hook, struct need *need)
{
	char lsm[64];

	snprintf(lsm, sizeof(lsm), "bpf_lsm_%s", hook->lsm);
	need_advise(need, "use a distribution's stock kernel: this one lacks CONFIG_SECURITY_PATH "
			  "or CONFIG_SECURITY_NETWORK");
	if (!sight->btf)
		need_untested(need, NEEDS_BTF);
	else if (sight->backend != BACKEND_FMOD_RET && has_function(sight, lsm))
		need_found(need, "%s, by %s", hook->guards, lsm);
	else if (sight->backend != BACKEND_LSM && has_function(sight, hook->function))
		need_found(need, "%s, by %s", hook->guards, hook->function);
	else
		settle_absent(need, hook, sight->backend == BACKEND_FMOD_RET ? hook->function : lsm);
}

static int add_hooks(const struct sight *sight, struct features *features)
{
	for (size_t i = 0; i < hook_cnt; i++) {
		char name[NEED_NAME_MAX];
		struct need *need;

		snprintf(name, sizeof(name), "hook %s", hooks[i].lsm ?: hooks[i].function);
		need = features_add(features, name, hooks[i].guards);
		if (!need)
			return -ENOMEM;
		if (hooks[i].lsm)
			settle_hook(sight, &hooks[i], need);
		else
			settle_observer(sight, &hooks[i], need);
	}
	return 0;
}

/* --- programs and maps ------------------------------------------------------------------------ */

/* The answer of libbpf's probes: 1, 0 or -errno. */
static void settle_probed(struct need *need, int answer)
{
	if (answer == -EPERM)
		advise_refused(need);
	else
		need_advise(need, ADVISE_KERNEL);
	if (answer > 0)
		need_found(need, "supported");
	else if (answer)
		need_missing(need, "cannot be created: %s", strerror(-answer));
	else
		need_missing(need, "the kernel does not support it");
}

static void check_prog_type(const struct sight *sight, const struct check *check, struct need *need)
{
	if (sight->lacks)
		need_untested(need, NEEDS_ROOT);
	else
		settle_probed(need, libbpf_probe_bpf_prog_type(check->type, NULL));
}

static void check_map_type(const struct sight *sight, const struct check *check, struct need *need)
{
	if (sight->lacks)
		need_untested(need, NEEDS_ROOT);
	else
		settle_probed(need, libbpf_probe_bpf_map_type(check->type, NULL));
}

static void check_function(const struct sight *sight, const struct check *check, struct need *need)
{
	need_advise(need, ADVISE_KERNEL);
	if (!sight->btf)
		need_untested(need, NEEDS_BTF);
	else if (has_function(sight, check->symbol))
		need_found(need, "supported");
	else
		need_missing(need, "the kernel has no %s", check->symbol);
}

/* Since 6.1 the iterator over open files can be told to visit one process only. */
static bool iterates_one_process(const struct btf *btf)
{
	__s32 id = btf__find_by_name_kind(btf, "bpf_iter_link_info", BTF_KIND_UNION);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), "task"))
			return true;
	return false;
}

static void check_iterator(const struct sight *sight, const struct check *check, struct need *need)
{
	check_function(sight, check, need);
	if (need->state == NEED_FOUND && !iterates_one_process(sight->btf))
		need_missing(need, "the kernel cannot limit it to one process");
}

/* The verifier has the last word. */
static void check_programs(const struct sight *sight, const struct check *check, struct need *need)
{
	struct error err;

	(void)check;
	need_advise(need, ADVISE_DEBUG);
	if (!sight->backend)
		need_untested(need,
			      sight->lacks ? NEEDS_ROOT : "there is no backend to load them for");
	else if (kern_try_load(sight->backend, &err))
		need_missing(need, "%s", err.text);
	else
		need_found(need, "this kernel accepts all of them, for %s",
			   backend_name(sight->backend));
}

/* --- the whole -------------------------------------------------------------------------------- */

static const struct check machine_checks[] = {
	{ "root", "loading and attaching anything", check_root, 0, NULL },
	{ "BTF", "programs that fit this kernel", check_btf, 0, NULL },
	{ "JIT compiler", "programs that loop, so every file decision", check_jit, 0, NULL },
	{ "lockdown", "reading the paths and addresses to be judged", check_lockdown, 0, NULL },
	{ "BPF LSM", "denying by BPF LSM; fmod_ret does the same where it bites", check_lsm, 0,
	  NULL },
	{ "fmod_ret", "denying where bpf is not in the LSM list", check_fmod_ret, 0, NULL },
	{ "BPF file system", "enforcement that outlives the controller", check_bpf_fs, 0, NULL },
};

static const struct check bpf_checks[] = {
	{ "cgroup sockets", "egress rules for fast open and datagrams", check_prog_type,
	  BPF_PROG_TYPE_CGROUP_SOCK_ADDR, NULL },
	{ "task_file iterator", "the kernel's own names of rules' roots", check_iterator, 0,
	  "bpf_iter_task_file" },
	{ "bpf_loop", "walking paths to the root", check_function, 0, "bpf_loop" },
	{ "task storage", "membership of processes in jobs", check_map_type,
	  BPF_MAP_TYPE_TASK_STORAGE, NULL },
	{ "cgroup storage", "membership of cgroups in jobs", check_map_type,
	  BPF_MAP_TYPE_CGROUP_STORAGE, NULL },
	{ "array of maps", "rules and records per job", check_map_type, BPF_MAP_TYPE_ARRAY_OF_MAPS,
	  NULL },
	{ "LPM trie", "egress rules by network", check_map_type, BPF_MAP_TYPE_LPM_TRIE, NULL },
	{ "ring buffer", "alerts", check_map_type, BPF_MAP_TYPE_RINGBUF, NULL },
	{ "cgroup.kill", "ending a job with all its processes", check_function, 0,
	  "cgroup_kill_write" },
	{ "kernel programs", "all enforcement", check_programs, 0, NULL },
};

static int add_checks(const struct sight *sight, const struct check *checks, size_t cnt,
		      struct features *features)
{
	for (size_t i = 0; i < cnt; i++) {
		const struct check *check = &checks[i];
		struct need *need = features_add(features, check->name, check->lost);

		if (!need)
			return -ENOMEM;
		check->run(sight, check, need);
	}
	return 0;
}

int features_probe(struct features *ret_features)
{
	_cleanup_(cleanup_sight) struct sight sight = { 0 };
	_cleanup_(features_free) struct features features = { 0 };
	int r;

	look(&sight);
	features.backend = sight.backend;
	r = add_checks(&sight, machine_checks, ARRAY_SIZE(machine_checks), &features);
	if (!r)
		r = add_hooks(&sight, &features);
	if (!r)
		r = add_checks(&sight, bpf_checks, ARRAY_SIZE(bpf_checks), &features);
	if (r)
		return r;
	*ret_features = features;
	features = (struct features){ 0 };
	return 0;
}
