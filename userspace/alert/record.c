// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The last event of a job in a log file; see record.h. */
#include "alert/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "alert/rotate.h"
#include "base/cleanup.h"
#include "base/file.h"

#define TAIL_BYTES (8u << 20)

/* Whether the line is an event of this job. */
static bool read_event(const char *line, size_t len, const char *job, uint64_t since_ms,
		       uint64_t *ret_sequence)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	const char *uid = NULL;
	json_int_t time = 0, sequence = 0;
	bool is_its;

	is_its = event && !json_unpack(event, "{s:I, s:{s:s, s:I}}", "time", &time, "metadata",
				       "correlation_uid", &uid, "sequence", &sequence) &&
		 !strcmp(uid, job) && time >= 0 && (uint64_t)time >= since_ms && sequence > 0;
	if (is_its)
		*ret_sequence = sequence;
	json_decref(event);
	return is_its;
}

static int find_last(char *text, size_t len, const char *job, uint64_t since_ms,
		     uint64_t *ret_sequence)
{
	const size_t id_len = strlen(job);
	const char *line;

	while ((line = text_line_before(text, &len))) {
		size_t line_len = text + len - line;

		if (memmem(line, line_len, job, id_len) &&
		    read_event(line, line_len, job, since_ms, ret_sequence))
			return 0;
	}
	return -ENOENT;
}

static int last_in_file(const char *path, const char *job, uint64_t since_ms,
			uint64_t *ret_sequence)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = fd_read_end(fd, st.st_size, TAIL_BYTES, &text, &len);
	return r ? r : find_last(text, len, job, since_ms, ret_sequence);
}

int record_last(const char *path, const char *job, uint64_t since_ms, uint64_t *ret_sequence)
{
	_cleanup_free_ char *before = NULL;
	int r = last_in_file(path, job, since_ms, ret_sequence);

	if (r != -ENOENT)
		return r;
	before = rotate_newest(path);
	return before ? last_in_file(before, job, since_ms, ret_sequence) : -ENOENT;
}
