// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Small helpers around files and descriptors; see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int read_fd(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= room) {
			char *grown = realloc(text, room = room ? 2 * room : 4096);

			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		n = read(fd, text + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
		if (len > max)
			return -EFBIG;
	}
	text[len] = '\0';
	*ret_text = TAKE_PTR(text);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int file_read_at(int dir_fd, const char *name, size_t max, char **ret_text, size_t *ret_len)
{
	_cleanup_fd_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return read_fd(fd, max, ret_text, ret_len);
}

int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	return file_read_at(AT_FDCWD, path, max, ret_text, ret_len);
}

int file_write_at(int dir_fd, const char *name, const char *text)
{
	_cleanup_fd_ int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= n;
	}
	return 0;
}

int fd_read_end(int fd, off_t size, size_t max, char **ret_text, size_t *ret_len)
{
	size_t len = size < (off_t)max ? (size_t)size : max, done = 0;
	_cleanup_free_ char *text = malloc(len + 1);

	if (!text)
		return -ENOMEM;
	while (done < len) {
		ssize_t n = pread(fd, text + done, len - done, size - (off_t)len + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	text[len] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

char *text_line_before(char *text, size_t *end)
{
	char *newline = memrchr(text, '\n', *end), *before;

	if (!newline)
		return NULL;
	*end = newline - text;
	before = memrchr(text, '\n', *end);
	return before ? before + 1 : text;
}

char *path_join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	/* Whatever the umask: users pass through one of ours. */
	if (!mkdir(path, mode))
		return chmod(path, mode) ? -errno : 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
