/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel has counted of a job's repeats (abi/evidence.h), with the records that head them: a
 * head has the names that a count alone has not.
 *
 * A head is kept from its record on, for as long as its fold is open. What a controller before this one
 * read, or what did not fit the ring, is not there: then the event has no names.
 */
#ifndef JOBCAGE_DAEMON_FOLDS_H
#define JOBCAGE_DAEMON_FOLDS_H

#include <stdbool.h>
#include <stddef.h>

#include "alert/decode.h"
#include "kern/evidence.h"

struct folds {
	struct evidence *evidence; /* mapped; NULL if the job never got one */
	struct folds_head {
		void *record; /* owned; NULL: not known */
		size_t len;
	} heads[FOLDS];
};

/* Returns 0 or -errno; -ENOENT and -ESTALE: the job has no page. */
int folds_open(struct folds *folds, struct kern *kern, struct job_label label);
void folds_close(struct folds *folds);

/* Keeps a record of the ring if it is the head of a fold. */
void folds_see(struct folds *folds, const void *record, size_t len);

/*
 * What a fold has to tell, decoded, with its count. 0: nothing; a fold to which nothing has been added
 * since the last call is closed then. 1: ret_event (decoded_event_free()) and ret_reading, for
 * fold_told() when it is written. -EAGAIN: its head is expected in the ring, which is_drained denies.
 * -EBADMSG: what it tells is malformed, as ret_reading says how often; -ENOMEM: not now.
 */
int folds_next(struct folds *folds, size_t i, bool is_drained, struct decoded_event *ret_event,
	       struct fold_reading *ret_reading);

#endif
