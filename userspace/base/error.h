/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An error with its sentence. A function that can fail for reasons a user must understand takes a
 * struct error last but for its result, fills it once where the failure is found, and returns the
 * same negative errno; callers on the way up may prefix what they were doing. Only cmd/ and daemon/
 * print it.
 */
#ifndef JOBCAGE_BASE_ERROR_H
#define JOBCAGE_BASE_ERROR_H

#define ERROR_TEXT_MAX 1024

struct error {
	int code; /* negative errno; 0: no error */
	char text[ERROR_TEXT_MAX];
};

/*
 * Sets code and sentence (no full stop, no newline). err may be NULL. Returns code, for 'return
 * error_set(...)'.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with ': ' and the text of errno -code appended. */
int error_errno(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts 'prefix: ' in front of the sentence. Returns err->code (or 0 if err is NULL). */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
