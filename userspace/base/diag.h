/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Diagnostics: all that is wrong with a set of files, each at its place.
 *
 * The checkers report everything they find in one run; the command prints the list, sorted as
 * found, one line each: file:line:column: error: text.
 */
#ifndef JOBCAGE_BASE_DIAG_H
#define JOBCAGE_BASE_DIAG_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING };

/* A place in a file that the user wrote; line and column count from 1, 0 means unknown. */
struct origin {
	const char *file; /* owned by whatever loaded the file, or by the diag with a copy */
	unsigned int line;
	unsigned int column; /* in bytes */
};

struct diag {
	enum diag_level level;
	struct origin origin; /* file is owned by this diag */
	char *text;
};

struct diag_list {
	struct diag *items;
	size_t cnt;
	size_t error_cnt; /* of level DIAG_ERROR; also grows when memory ran out */
};

void diag_add(struct diag_list *list, enum diag_level level, struct origin origin, const char *fmt,
	      ...) __attribute__((format(printf, 4, 5)));
void diag_print(const struct diag_list *list, FILE *out);

/*
 * For who has room for one sentence only: the first error of the list, or, if it is empty, that
 * what could not be read, because of code. Returns code.
 */
int diag_error(const struct diag_list *list, int code, const char *what, struct error *err);

void diag_free(struct diag_list *list);

#endif
