/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The commands: one file each, one function each. argv[0] is the command's name; the result is an
 * exit status.
 */
#ifndef JOBCAGE_CMD_CMD_H
#define JOBCAGE_CMD_CMD_H

int cmd_alerts(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_daemon(int argc, char **argv);
int cmd_jobs(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_whois(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_policy_explain(int argc, char **argv);
int cmd_policy_propose(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
