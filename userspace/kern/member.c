// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whether any task still carries a job's label; see member.h. */
#include "kern/member.h"

#include "base/cleanup.h"
#include "kern/iter.h"

int member_any(struct kern *kern, struct job_label label, bool *ret_any)
{
	_cleanup_free_ void *data = NULL;
	const struct job_label *labels;
	size_t len;
	int r = iter_read(kern, PROG_MEMBERS, ITER_ALL, &data, &len);

	if (r)
		return r;
	labels = data;
	*ret_any = false;
	for (size_t i = 0; i < len / sizeof(*labels); i++)
		if (labels[i].slot == label.slot && labels[i].generation == label.generation)
			*ret_any = true;
	return 0;
}
