/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Jobs of a build with another layout, whose tables cannot be read. All that is known of them is what
 * their state files say and who carries a label of theirs, whichever: so they count as ended
 * together, when nobody does any more. Until then their programs stay.
 */
#ifndef JOBCAGE_DAEMON_FOREIGN_H
#define JOBCAGE_DAEMON_FOREIGN_H

#include "daemon/controller.h"

/*
 * Jobs that have ended must not keep their build in force for ever: removes what is left of them.
 * The caller holds the state lock. Returns 0 if nothing of that build is left; -EBUSY while one of
 * its processes may live, or somebody looks after one of its jobs; or another -errno.
 */
int foreign_clear(struct controller *controller);

/*
 * Kills all that is in those jobs, and clears. The caller does not hold the state lock. Returns 0,
 * or -errno and their programs stay.
 */
int foreign_end(struct controller *controller, struct error *err);

#endif
