// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Nearest word by edit distance; see nearest.h. A swap of neighbours counts as one edit, as it is
 * one slip.
 */
#include "policy/nearest.h"

#include <string.h>

#define WORD_MAX 64

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* The optimal string alignment distance, by three rows of its table. */
static unsigned int edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned int rows[3][WORD_MAX + 1] = { { 0 } };
	unsigned int *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	for (unsigned int j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = smaller(smaller(last[j], row[j - 1]) + 1,
					 last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

/* One slip in three letters at most: beyond that a suggestion is a guess. */
struct nearest nearest_start(const char *word)
{
	unsigned int far = (unsigned int)(strlen(word) + 2) / 3 + 1;

	return (struct nearest){ .word = word, .distance = far };
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t word_len = strlen(nearest->word), len = strlen(candidate);
	unsigned int distance;

	if (word_len > WORD_MAX || len > WORD_MAX)
		return;
	distance = edit_distance(nearest->word, word_len, candidate, len);
	if (distance >= nearest->distance)
		return;
	nearest->distance = distance;
	nearest->best = candidate;
}
