// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Repeats counted in kernel; see folds.h. */
#include "daemon/folds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int folds_open(struct folds *folds, struct kern *kern, struct job_label label)
{
	struct evidence *evidence = evidence_map(kern, label);

	if (!evidence)
		return -errno;
	*folds = (struct folds){ .evidence = evidence };
	return 0;
}

static void drop_head(struct folds_head *head)
{
	free(head->record);
	*head = (struct folds_head){ 0 };
}

void folds_close(struct folds *folds)
{
	for (size_t i = 0; i < FOLDS; i++)
		drop_head(&folds->heads[i]);
	evidence_unmap(folds->evidence);
	folds->evidence = NULL;
}

static __u64 sequence_of(const void *record)
{
	__u64 sequence;

	/* It need not be aligned for us. */
	memcpy(&sequence, (const char *)record + offsetof(struct event, sequence), sizeof(sequence));
	return sequence;
}

static void keep_head(struct folds_head *head, const void *record, size_t len)
{
	void *copy = malloc(len);

	if (!copy)
		return; /* without names, then */
	memcpy(copy, record, len);
	drop_head(head);
	*head = (struct folds_head){ .record = copy, .len = len };
}

void folds_see(struct folds *folds, const void *record, size_t len)
{
	struct fold_reading reading;
	__u64 sequence;

	if (!folds->evidence || len < sizeof(struct event))
		return;
	sequence = sequence_of(record);
	for (size_t i = 0; i < FOLDS; i++) {
		const struct fold *fold = &folds->evidence->folds[i];

		if (fold->event.sequence == sequence && fold_read(fold, &reading) &&
		    reading.head.sequence == sequence)
			keep_head(&folds->heads[i], record, len);
	}
}

static bool is_head(const struct folds_head *head, const struct fold_reading *reading)
{
	return head->record && sequence_of(head->record) == reading->head.sequence;
}

/* The head's own record if it is there, else what the fold knows of it. */
static int decode_fold(const struct folds_head *head, const struct fold_reading *reading,
		       struct decoded_event *ret_event)
{
	int r = is_head(head, reading) ? decode_event(head->record, head->len, ret_event) :
			   decode_event(&reading->head, sizeof(reading->head), ret_event);

	if (r)
		return r;
	ret_event->is_fold = true;
	ret_event->cnt = reading->cnt;
	ret_event->start_ns = reading->start_ns;
	ret_event->event.time_ns = reading->end_ns;
	return 0;
}

int folds_next(struct folds *folds, size_t i, bool is_drained, struct decoded_event *ret_event,
	       struct fold_reading *ret_reading)
{
	const struct folds_head *head = &folds->heads[i];
	struct fold_reading reading;
	int r;

	if (!folds->evidence || !fold_read(&folds->evidence->folds[i], &reading))
		return 0;
	if (!is_drained && !is_head(head, &reading))
		return -EAGAIN;
	if (!reading.cnt) {
		fold_close(&folds->evidence->folds[i], &reading);
		return 0;
	}
	*ret_reading = reading;
	r = decode_fold(head, &reading, ret_event);
	return r ? r : 1;
}
