/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small helpers around files and descriptors that the C library leaves to everybody.
 */
#ifndef JOBCAGE_BASE_FILE_H
#define JOBCAGE_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a whole file of at most max bytes. Returns 0 and a NUL-terminated copy (free it), -EFBIG,
 * or -errno.
 */
int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len);

/* The same, relative to a directory. */
int file_read_at(int dir_fd, const char *name, size_t max, char **ret_text, size_t *ret_len);

/*
 * Writes text to an existing file in one write(2), as kernel interfaces want it. Returns 0 or
 * -errno.
 */
int file_write_at(int dir_fd, const char *name, const char *text);

/* Writes all of it, over short writes and EINTR. Returns 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t len);

/*
 * The last bytes of a file of that size, at most max. Returns 0 and a NUL-terminated copy (free it),
 * or -errno: -EIO if the file has become shorter.
 */
int fd_read_end(int fd, off_t size, size_t max, char **ret_text, size_t *ret_len);

/*
 * From the end: where the last line that ends before *end begins, NULL if none does; *end becomes the
 * place of its newline.
 */
char *text_line_before(char *text, size_t *end);

/* "dir/name", or NULL without memory. Free it. */
char *path_join(const char *dir, const char *name);

/* mkdir that is content with a directory already there. Returns 0 or -errno. */
int make_dir(const char *path, mode_t mode);

#endif
