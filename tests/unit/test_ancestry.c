// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Parents of a process that runs are found; of one that does not, or that is another by now, none are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/ancestry.h"

static uint64_t start_of(pid_t pid)
{
	char path[64], text[1024] = "";
	_cleanup_file_ FILE *in = NULL;
	uint64_t ticks;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	in = fopen(path, "re");
	assert_non_null(in);
	assert_true(fread(text, 1, sizeof(text) - 1, in) > 0);
	assert_int_equal(sscanf(strrchr(text, ')') + 1,
				" %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
				&ticks),
			 1);
	return ticks * 10000000 + 1234567;
}

static struct decoded_event event_of(pid_t pid, uint64_t start_ns)
{
	return (struct decoded_event){
		.event = { .tgid = (uint32_t)pid, .ppid = (uint32_t)getpid(), .start_ns = start_ns }
	};
}

static void test_parents(void **state)
{
	struct ancestry ancestry = { 0 };
	struct decoded_event event;
	int go[2];
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(pipe(go), 0);
	prctl(PR_SET_NAME, "odd) S 1 (name");
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) < 0);
	}
	event = event_of(pid, start_of(pid));
	ancestry_find(&ancestry, &event);
	assert_true(event.ancestor_cnt >= 1 && event.ancestor_cnt <= ANCESTORS_MAX);
	assert_int_equal(event.ancestors[0].pid, getpid());
	assert_string_equal(event.ancestors[0].name, "odd) S 1 (name");
	assert_non_null(strstr(event.ancestors[0].program, "/test_ancestry"));
	assert_int_equal(event.ancestors[0].start_ns, start_of(getpid()) / 10000000 * 10000000);
	if (event.ancestor_cnt > 1)
		assert_int_equal(event.ancestors[1].pid, getppid());
	/* Another process of that number. */
	event = event_of(pid, start_of(pid) + 20000000);
	ancestry_find(&ancestry, &event);
	assert_int_equal(event.ancestor_cnt, 0);
	/* Its parent ended after it had acted: who has it now did not start it. */
	event = event_of(pid, start_of(pid));
	event.event.ppid++;
	ancestry_find(&ancestry, &event);
	assert_int_equal(event.ancestor_cnt, 0);
	/* And known from before is not known still. */
	event = event_of(pid, start_of(pid));
	ancestry_find(&ancestry, &event);
	assert_true(event.ancestor_cnt >= 1);
	event.event.ppid++;
	ancestry_find(&ancestry, &event);
	assert_int_equal(event.ancestor_cnt, 0);
	/* Of a packet nobody knows who sent it. */
	event = event_of(pid, start_of(pid));
	event.event.flags = EVENT_WITHOUT_TASK;
	ancestry_find(&ancestry, &event);
	assert_int_equal(event.ancestor_cnt, 0);
	close(go[1]);
	close(go[0]);
	event = event_of(pid, start_of(pid));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	ancestry_find(&ancestry, &event);
	assert_int_equal(event.ancestor_cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parents) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
