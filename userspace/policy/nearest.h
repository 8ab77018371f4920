/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Did you mean ...": of the words that would have been right, the one nearest to what was
 * written.
 */
#ifndef JOBCAGE_POLICY_NEAREST_H
#define JOBCAGE_POLICY_NEAREST_H

struct nearest {
	const char *word; /* as written */
	const char *best; /* borrowed from the caller; NULL: nothing is near enough */
	unsigned int distance;
};

struct nearest nearest_start(const char *word);
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
