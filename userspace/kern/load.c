// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Loading, attaching and pinning the kernel programs, or finding them pinned.
 *
 * Everything is pinned into a folder that gets its final name, the layout's, by one rename when all
 * is attached. So a folder under that name is always whole, and one that ends in "-new" is what a
 * crash left. The layout is a hash over all that a controller relies on of what is pinned: the
 * shared headers, the maps, the names. A build that changes none of it looks after the jobs of the
 * one before, under that one's programs.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi/tables.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "jobcage.skel.h"
#include "kern/backend.h"
#include "kern/barrier.h"
#include "kern/hooks.h"
#include "kern/kern.h"
#include "kern/pins.h"
#include "kern/probe.h"
#include "layout.h"
#include "programs.h"

#define NEW_SUFFIX "-new"

static const enum bpf_attach_type cgroup_attach_types[KERN_CGROUP_PROGS] = {
	[PROG_CONNECT4] = BPF_CGROUP_INET4_CONNECT,
	[PROG_CONNECT6] = BPF_CGROUP_INET6_CONNECT,
	[PROG_SENDMSG4] = BPF_CGROUP_UDP4_SENDMSG,
	[PROG_SENDMSG6] = BPF_CGROUP_UDP6_SENDMSG,
	[PROG_SOCK_CREATE] = BPF_CGROUP_INET_SOCK_CREATE,
	[PROG_PACKET_OUT] = BPF_CGROUP_INET_EGRESS,
	[PROG_PACKET_IN] = BPF_CGROUP_INET_INGRESS,
};

static void cleanup_skel(struct jobcage **skel)
{
	jobcage__destroy(*skel);
}

static void cleanup_btf(struct btf **btf)
{
	btf__free(*btf);
}

/* The programs of this binary, named by their hash, which the Makefile computes. */
static const struct kernel_build own_build = {
	.programs = JOBCAGE_PROGRAMS,
	.version = JOBCAGE_VERSION,
};

/* --- fresh: load, attach, pin ----------------------------------------------------------------- */

static int prepare_hook(struct jobcage *skel, const struct btf *kernel, enum backend backend,
			const struct hook *hook, struct error *err)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, hook->program);
	int r;

	if (!prog)
		return error_set(err, -ENOENT, "program %s is not in this build", hook->program);
	r = backend_prepare(prog, kernel, backend, hook->lsm, hook->function);
	if (r == -ENOENT && hook->instead)
		r = bpf_program__set_autoload(prog, false);
	if (r)
		return error_errno(err, r, "this kernel has no hook %s (%s)",
				   hook->lsm ?: hook->function, hook->guards);
	return 0;
}

static int prepare_hooks(struct jobcage *skel, enum backend backend, struct error *err)
{
	_cleanup_(cleanup_btf) struct btf *kernel = btf__load_vmlinux_btf();
	int r = 0;

	if (!kernel)
		return error_errno(err, -errno, "cannot read the kernel's types");
	for (size_t i = 0; !r && i < hook_cnt; i++)
		r = prepare_hook(skel, kernel, backend, &hooks[i], err);
	/* The function that calls the hook has always had it. */
	skel->rodata->setattr_has_idmap =
		backend != BACKEND_LSM || backend_lsm_argc(kernel, "inode_setattr") == 3;
	skel->rodata->mmap_has_request = backend == BACKEND_LSM;
	return r;
}

static int pin_fd(int fd, const char *folder, const char *name, struct error *err)
{
	_cleanup_free_ char *path = path_join(folder, name);

	if (!path)
		return error_errno(err, -ENOMEM, "cannot pin %s", name);
	if (bpf_obj_pin(fd, path))
		return error_errno(err, -errno, "cannot pin %s", path);
	return 0;
}

static int attach_and_pin_hook(struct jobcage *skel, const struct hook *hook, const char *folder,
			       struct error *err)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, hook->program);
	struct bpf_link *link;
	char name[64];
	int r;

	if (!bpf_program__autoload(prog))
		return 0;
	link = backend_attach(prog);
	if (!link)
		return error_errno(err, -errno, "cannot attach to %s (%s)",
				   hook->lsm ?: hook->function, hook->guards);
	snprintf(name, sizeof(name), PIN_LINK_PREFIX "%s", hook->program);
	r = pin_fd(bpf_link__fd(link), folder, name, err);
	bpf_link__destroy(link);
	return r;
}

/* The tables are a variable, so their map has the name of a section, which can be no file's. */
static int map_fd(struct jobcage *skel, enum kern_map map)
{
	return map == MAP_TABLES ? bpf_map__fd(skel->maps.bss) :
				   bpf_object__find_map_fd_by_name(skel->obj, pin_map_names[map]);
}

/* Maps and programs first, links last: what a link lets in must be complete. */
static int pin_all(struct jobcage *skel, const char *folder, struct error *err)
{
	int r = 0;

	for (int i = 0; !r && i < KERN_MAPS; i++)
		r = pin_fd(map_fd(skel, i), folder, pin_map_names[i], err);
	for (int i = 0; !r && i < KERN_PROGS; i++)
		r = pin_fd(
			bpf_program__fd(bpf_object__find_program_by_name(skel->obj, pin_prog_names[i])),
			folder, pin_prog_names[i], err);
	for (size_t i = 0; !r && i < hook_cnt; i++)
		r = attach_and_pin_hook(skel, &hooks[i], folder, err);
	return r;
}

static int load(enum backend backend, struct error *err, struct jobcage **ret_skel)
{
	_cleanup_(cleanup_skel) struct jobcage *skel = jobcage__open();
	int r;

	if (!skel)
		return error_errno(err, -errno, "cannot read the kernel programs");
	r = prepare_hooks(skel, backend, err);
	if (r)
		return r;
	r = jobcage__load(skel);
	if (r)
		return error_errno(err, r,
				   "the kernel does not load the programs (JOBCAGE_DEBUG=1 shows its log)");
	*ret_skel = TAKE_PTR(skel);
	return 0;
}

int kern_try_load(enum backend backend, struct error *err)
{
	_cleanup_(cleanup_skel) struct jobcage *skel = NULL;

	return load(backend, err, &skel);
}

static int write_build(struct jobcage *skel, struct error *err)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.kernel_build), &zero, &own_build, BPF_ANY))
		return error_errno(err, -errno, "cannot write down the build");
	return 0;
}

static int load_fresh(const char *folder, struct error *err)
{
	_cleanup_(cleanup_skel) struct jobcage *skel = NULL;
	_cleanup_free_ char *new_folder = NULL;
	enum backend backend;
	int r;

	r = probe_choose(err, &backend);
	if (!r)
		r = load(backend, err, &skel);
	if (!r)
		r = write_build(skel, err);
	if (r)
		return r;
	if (asprintf(&new_folder, "%s" NEW_SUFFIX, folder) < 0)
		return error_errno(err, -ENOMEM, "cannot pin the kernel programs");
	if (mkdir(new_folder, 0700))
		return error_errno(err, -errno, "cannot make %s", new_folder);
	r = pin_all(skel, new_folder, err);
	if (r)
		return r;
	if (rename(new_folder, folder))
		return error_errno(err, -errno, "cannot rename %s", new_folder);
	return 0;
}

/* --- pinned: open what is there --------------------------------------------------------------- */

static int open_pin(const char *folder, const char *name, struct error *err, int *ret_fd)
{
	_cleanup_free_ char *path = path_join(folder, name);
	int fd;

	if (!path)
		return error_errno(err, -ENOMEM, "cannot open %s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return error_errno(err, -errno, "cannot open %s", path);
	*ret_fd = fd;
	return 0;
}

static int pinned_backend(const char *folder, struct error *err, enum backend *ret_backend)
{
	struct bpf_prog_info info = {};
	struct bpf_link_info link_info = {};
	__u32 len = sizeof(link_info);
	_cleanup_fd_ int link_fd = -1, prog_fd = -1;
	char name[64];
	int r;

	snprintf(name, sizeof(name), PIN_LINK_PREFIX "%s", hooks[0].program);
	r = open_pin(folder, name, err, &link_fd);
	if (r)
		return r;
	if (bpf_obj_get_info_by_fd(link_fd, &link_info, &len))
		return error_errno(err, -errno, "cannot read %s/%s", folder, name);
	prog_fd = bpf_prog_get_fd_by_id(link_info.prog_id);
	len = sizeof(info);
	if (prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return error_errno(err, -errno, "cannot read the program of %s/%s", folder, name);
	*ret_backend = info.type == BPF_PROG_TYPE_LSM ? BACKEND_LSM : BACKEND_FMOD_RET;
	return 0;
}

static struct kern *kern_new(void)
{
	struct kern *kern = calloc(1, sizeof(*kern));

	if (!kern)
		return NULL;
	for (int i = 0; i < KERN_MAPS; i++)
		kern->map_fd[i] = -1;
	for (int i = 0; i < KERN_PROGS; i++)
		kern->prog_fd[i] = -1;
	return kern;
}

static int map_tables(struct kern *kern, struct error *err)
{
	void *tables = mmap(NULL, sizeof(*kern->tables), PROT_READ | PROT_WRITE, MAP_SHARED,
			    kern->map_fd[MAP_TABLES], 0);

	if (tables == MAP_FAILED)
		return error_errno(err, -errno, "cannot map the tables of jobs and policies");
	kern->tables = tables;
	kern->jobs = kern->tables->job_by_slot;
	kern->policies = kern->tables->policy_by_slot;
	return 0;
}

static int read_build(struct kern *kern, struct error *err)
{
	struct kernel_build build;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(kern->map_fd[MAP_KERNEL_BUILD], &zero, &build))
		return error_errno(err, -errno, "cannot read whose programs are in force");
	build.programs[sizeof(build.programs) - 1] = '\0';
	build.version[sizeof(build.version) - 1] = '\0';
	kern->build = build;
	kern->is_other_build = strcmp(build.programs, own_build.programs);
	return 0;
}

static int open_pinned(const char *folder, struct error *err, struct kern **ret_kern)
{
	_cleanup_(cleanup_kern) struct kern *kern = kern_new();
	int r;

	if (!kern)
		return error_errno(err, -ENOMEM, "cannot open %s", folder);
	r = pinned_backend(folder, err, &kern->backend);
	for (int i = 0; !r && i < KERN_MAPS; i++)
		r = open_pin(folder, pin_map_names[i], err, &kern->map_fd[i]);
	for (int i = 0; !r && i < KERN_PROGS; i++)
		r = open_pin(folder, pin_prog_names[i], err, &kern->prog_fd[i]);
	if (!r)
		r = read_build(kern, err);
	if (!r)
		r = map_tables(kern, err);
	if (!r)
		*ret_kern = TAKE_PTR(kern);
	return r;
}

/* --- pinned by a build of another layout ------------------------------------------------------ */

static bool is_foreign(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !strstr(entry->d_name, NEW_SUFFIX) &&
	       strcmp(entry->d_name, JOBCAGE_LAYOUT);
}

/* Returns 1 and the folder, to free; 0: there is none; or -errno. */
static int find_foreign(struct error *err, char **ret_folder)
{
	_cleanup_dir_ DIR *dir = opendir(KERN_PIN_ROOT);
	_cleanup_free_ char *folder = NULL;
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "cannot list " KERN_PIN_ROOT);
	while ((entry = readdir(dir))) {
		if (!is_foreign(entry))
			continue;
		if (folder)
			return error_set(err, -EBUSY, "two layouts are pinned in " KERN_PIN_ROOT);
		folder = path_join(KERN_PIN_ROOT, entry->d_name);
		if (!folder)
			return error_errno(err, -ENOMEM, "cannot list " KERN_PIN_ROOT);
	}
	if (!folder)
		return 0;
	*ret_folder = TAKE_PTR(folder);
	return 1;
}

int kern_open_foreign(struct error *err, struct kern **ret_kern)
{
	_cleanup_(cleanup_kern) struct kern *kern = kern_new();
	_cleanup_free_ char *folder = NULL;
	int r = kern ? find_foreign(err, &folder)
		     : error_errno(err, -ENOMEM, "cannot open the programs of another build");

	if (r <= 0)
		return r;
	for (int i = 0; i < KERN_PROGS; i++)
		open_pin(folder, pin_prog_names[i], NULL, &kern->prog_fd[i]);
	if (kern->prog_fd[PROG_MEMBERS] < 0)
		return error_set(err, -ENOENT,
				 "%s has no %s, so nobody can tell which processes are in a job",
				 folder, pin_prog_names[PROG_MEMBERS]);
	*ret_kern = TAKE_PTR(kern);
	return 1;
}

/* --- removal ---------------------------------------------------------------------------------- */

struct held_links {
	int *fds;
	size_t cnt;
};

/* One that cannot be opened is nobody's to hold. */
static int hold_link(struct held_links *held, const char *path)
{
	int *fds = reallocarray(held->fds, held->cnt + 1, sizeof(*fds));
	int fd;

	if (!fds)
		return -ENOMEM;
	held->fds = fds;
	fd = bpf_obj_get(path);
	if (fd >= 0)
		fds[held->cnt++] = fd;
	return 0;
}

static int remove_pin(const char *folder, const char *name, struct held_links *held)
{
	_cleanup_free_ char *path = path_join(folder, name);
	int r = path ? 0 : -ENOMEM;

	if (!r && !strncmp(name, PIN_LINK_PREFIX, strlen(PIN_LINK_PREFIX)))
		r = hold_link(held, path);
	if (!r && unlink(path))
		r = -errno;
	return r;
}

/*
 * Detaching several LSM programs at once has brought kernels down. The kernel lets go of an
 * unlinked pin after a grace period, on any CPU; so the links are held open until that has passed,
 * and then closed one by one.
 */
static int release_links(struct held_links *held, struct error *err)
{
	int r = 0;

	for (int i = 0; !r && i < 2; i++)
		r = barrier_wait(err);
	for (size_t i = 0; i < held->cnt; i++)
		close(held->fds[i]);
	free(held->fds);
	return r;
}

static int remove_folder(const char *folder, struct error *err)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	struct held_links held = { 0 };
	struct dirent *entry;
	int r = 0, released;

	if (!dir)
		return error_errno(err, -errno, "cannot list %s", folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !r)
			r = remove_pin(folder, entry->d_name, &held);
	released = release_links(&held, err);
	if (!r && rmdir(folder))
		r = -errno;
	if (r)
		return error_errno(err, r, "cannot remove %s", folder);
	return released;
}

/* Removes the folders below KERN_PIN_ROOT: all, or only those that a crash left half-made. */
static int remove_folders(bool only_new, struct error *err)
{
	_cleanup_dir_ DIR *dir = opendir(KERN_PIN_ROOT);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "cannot list " KERN_PIN_ROOT);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *folder = NULL;
		int r;

		if (entry->d_name[0] == '.' || (only_new && !strstr(entry->d_name, NEW_SUFFIX)))
			continue;
		folder = path_join(KERN_PIN_ROOT, entry->d_name);
		r = folder ? remove_folder(folder, err)
			   : error_errno(err, -ENOMEM, "cannot remove pins");
		if (r)
			return r;
	}
	return 0;
}

int kern_remove(struct error *err)
{
	int r = remove_folders(false, err);

	if (r)
		return r;
	if (rmdir(KERN_PIN_ROOT) && errno != ENOENT)
		return error_errno(err, -errno, "cannot remove " KERN_PIN_ROOT);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int check_bpffs(struct error *err)
{
	struct statfs fs;

	if (statfs(KERN_BPFFS, &fs))
		return error_errno(err, -errno, KERN_BPFFS);
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		return error_set(
			err, -ENODEV,
			KERN_BPFFS
			" is not a BPF file system; mount it: mount -t bpf bpf " KERN_BPFFS);
	return 0;
}

static int check_layout(struct error *err)
{
	_cleanup_free_ char *folder = NULL;
	int r = find_foreign(err, &folder);

	if (r <= 0)
		return r;
	return error_set(err, -EBUSY,
			 "jobs run under the programs of a jobcage whose tables this one cannot read "
			 "(%s; its own layout is " JOBCAGE_LAYOUT "); wait until they have ended, or "
			 "end them: 'jobcage daemon --teardown'",
			 folder);
}

int kern_open(struct error *err, struct kern **ret_kern)
{
	static const char folder[] = KERN_PIN_ROOT "/" JOBCAGE_LAYOUT;
	int r;

	r = check_bpffs(err);
	if (r)
		return r;
	r = make_dir(KERN_PIN_ROOT, 0700);
	if (r)
		return error_errno(err, r, "cannot make " KERN_PIN_ROOT);
	r = remove_folders(true, err);
	if (!r)
		r = check_layout(err);
	if (!r && access(folder, F_OK)) {
		r = load_fresh(folder, err);
		/* The programs and all types of the kernel took many times what is needed from now on. */
		malloc_trim(0);
	}
	return r ? r : open_pinned(folder, err, ret_kern);
}

void kern_close(struct kern *kern)
{
	if (!kern)
		return;
	for (int i = 0; i < KERN_MAPS; i++)
		cleanup_fd(&kern->map_fd[i]);
	for (int i = 0; i < KERN_PROGS; i++)
		cleanup_fd(&kern->prog_fd[i]);
	if (kern->tables)
		munmap(kern->tables, sizeof(*kern->tables));
	free(kern);
}

int kern_read_stats(struct kern *kern, struct kernel_stats *ret_stats)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(kern->map_fd[MAP_KERNEL_STATS], &zero, ret_stats) ? -errno : 0;
}

/* --- a job's cgroup --------------------------------------------------------------------------- */

int kern_attach_cgroup(struct kern *kern, int cgroup_fd, uint64_t cgroup_id, struct job_label label,
		       struct error *err)
{
	for (int i = 0; i < KERN_CGROUP_PROGS; i++)
		if (bpf_prog_attach(kern->prog_fd[i], cgroup_fd, cgroup_attach_types[i],
				    BPF_F_ALLOW_MULTI))
			return error_errno(
				err, -errno,
				"cannot attach %s to the job's cgroup (a parent cgroup may hold a program "
				"that forbids others)",
				pin_prog_names[i]);
	if (bpf_map_update_elem(kern->map_fd[MAP_JOB_BY_ATTACH], &cgroup_id, &label, BPF_EXIST))
		return error_errno(err, -errno, "cannot label the programs of the job's cgroup");
	return 0;
}

static const struct {
	enum kern_prog prog;
	enum bpf_attach_type type;
} dns_progs[] = {
	{ PROG_DNS_OUT, BPF_CGROUP_INET_EGRESS },
	{ PROG_DNS_IN, BPF_CGROUP_INET_INGRESS },
};

int kern_attach_dns(struct kern *kern, int cgroup_fd, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(dns_progs); i++) {
		int fd = kern->prog_fd[dns_progs[i].prog];

		bpf_prog_detach2(fd, cgroup_fd, dns_progs[i].type); /* the kernel attaches none twice */
		if (bpf_prog_attach(fd, cgroup_fd, dns_progs[i].type, BPF_F_ALLOW_MULTI))
			return error_errno(err, -errno, "cannot attach %s to the job's cgroup",
					   pin_prog_names[dns_progs[i].prog]);
	}
	return 0;
}

void kern_detach_cgroup(struct kern *kern, int cgroup_fd)
{
	for (int i = 0; i < KERN_CGROUP_PROGS; i++)
		bpf_prog_detach2(kern->prog_fd[i], cgroup_fd, cgroup_attach_types[i]);
	for (size_t i = 0; i < ARRAY_SIZE(dns_progs); i++)
		bpf_prog_detach2(kern->prog_fd[dns_progs[i].prog], cgroup_fd, dns_progs[i].type);
}
