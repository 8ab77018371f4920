/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading 'sinks' and 'audit', for site.c.
 */
#ifndef JOBCAGE_POLICY_OUTLETS_READ_H
#define JOBCAGE_POLICY_OUTLETS_READ_H

#include "policy/document.h"
#include "policy/outlets.h"
#include "policy/shape.h"

extern const struct shape sink_shape, audit_shape;

/* Set what is right; what is wrong is reported. */
void read_sink(const struct cursor *at, struct sink_config *config);
void read_audit(const struct cursor *at, struct site_audit *audit);

#endif
