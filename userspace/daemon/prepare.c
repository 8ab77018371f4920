// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A request up to where the controller is needed; see prepare.h. */
#include "daemon/prepare.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "daemon/bodies.h"
#include "daemon/request_run.h"
#include "job/outputs.h"

/* What a request may have besides its packet: of root; of whom the site lets bring policies, some
 * thousand rules; of everybody else. */
#define ROOT_BODY_MAX MESSAGE_BODY_MAX
#define OWN_POLICY_BODY_MAX (1024 * 1024)
#define BODY_MAX (64 * 1024)

/*
 * What a policy that a user brings may have: rules of its own, and ranges of ports, with those that
 * each network has from the ones around it. The main thread puts all of them into the kernel while
 * others wait.
 */
#define OWN_RULES_MAX 4096
#define OWN_PORTS_MAX 65536

/* --- the body --------------------------------------------------------------------------------- */

static size_t body_max(const struct site *site, const struct peer *peer)
{
	if (!peer->uid)
		return ROOT_BODY_MAX;
	return site_may_bring_policy(site, peer->uid, peer->groups, peer->group_cnt)
		       ? OWN_POLICY_BODY_MAX
		       : BODY_MAX;
}

static int read_body(struct request *request, int number, size_t max, struct error *err,
		     json_t **ret_body)
{
	_cleanup_fd_ int fd = -1;
	size_t len;
	int r = message_open_body(request->peer.proc, number, max, &len, &fd);

	if (!r)
		r = bodies_take(request->peer.uid, len, err);
	if (r)
		return r;
	request->body_len = len;
	return message_read_body(fd, len, ret_body);
}

/* What the packet said of the sender has been checked; the rest is in the body. */
static int take_body(const struct site *site, struct request *request, struct error *err)
{
	int number = message_number(&request->message, "body");
	size_t max = body_max(site, &request->peer);
	json_t *body;
	int r;

	if (!json_object_get(request->message.json, "body"))
		return 0;
	r = read_body(request, number, max, err, &body);
	if (r == -EBUSY)
		return r;
	if (r == -EMSGSIZE)
		return error_set(err, r, "the request has more than the %zu bytes you may send",
				 max);
	if (r == -EPROTONOSUPPORT)
		return error_set(err, r, "the request is of another version of the protocol");
	if (r)
		return error_set(err, r, "the request is no message of jobcage's protocol");
	json_decref(request->message.json);
	request->message.json = body;
	return 0;
}

/* --- the policy ------------------------------------------------------------------------------- */

int prepare_load_policy(const struct site *site, const char *file, struct error *err,
			struct policy **ret_policy)
{
	struct diag_list diags = { 0 };
	int r = policy_load(file, site, &diags, ret_policy);

	if (r)
		diag_error(&diags, r, "the policy", err);
	diag_free(&diags);
	return r;
}

static int parse_text(const struct site *site, const char *text, struct error *err,
		      struct policy **ret_policy)
{
	struct diag_list diags = { 0 };
	int r = policy_parse(text, strlen(text), "the request's policy", site, &diags, ret_policy);

	if (r)
		diag_error(&diags, r, "the policy", err);
	diag_free(&diags);
	return r;
}

/* The site's datasets, each of which has a rule in every policy, do not count. */
static int check_rules(const struct site *site, const struct policy *policy, struct error *err)
{
	size_t cnt = policy->rule_cnt - site->dataset_cnt;

	if (cnt <= OWN_RULES_MAX)
		return 0;
	return error_set(err, -E2BIG,
			 "the policy has %zu rules; one that you bring may have %d, besides the "
			 "datasets; name a directory in place of what is in it, or ask the "
			 "platform's admin to make it a policy of the site",
			 cnt, OWN_RULES_MAX);
}

static int check_ports(const struct policy *policy, struct error *err)
{
	struct egress_tables tables;
	int r = egress_compile(policy, &tables);
	size_t cnt;

	if (r)
		return error_errno(err, r, "cannot make tables of the policy's network rules");
	cnt = tables.port_cnt;
	egress_tables_free(&tables);
	if (cnt <= OWN_PORTS_MAX)
		return 0;
	return error_set(err, -E2BIG,
			 "the policy's network rules make %zu ranges of ports, counting in each "
			 "network those of the ones around it; a policy that you bring may have %d",
			 cnt, OWN_PORTS_MAX);
}

static int check_own(const struct site *site, const struct policy *policy, struct error *err)
{
	int r = check_rules(site, policy, err);

	return r ? r : check_ports(policy, err);
}

/* How a request names its policy: one of them. */
struct policy_choice {
	const char *name; /* of the site */
	const char *file; /* for root */
	const char *text; /* where the site lets the user bring one */
};

static int check_choice(const struct site *site, const struct peer *peer,
			const struct policy_choice *choice, struct error *err)
{
	const char *name = choice->name;

	if (!!name + !!choice->file + !!choice->text != 1)
		return error_set(err, -EINVAL, "the request names no policy, or more than one");
	if (name && !site_may_run(site, peer->uid, peer->groups, peer->group_cnt, name))
		return error_set(
			err, -EPERM,
			"the site does not let you run policy \"%s\"; ask the platform's admin",
			name);
	if (choice->file && peer->uid)
		return error_set(err, -EPERM, "only root may name a policy's file");
	if (choice->text && !site_may_bring_policy(site, peer->uid, peer->groups, peer->group_cnt))
		return error_set(
			err, -EPERM,
			"the site does not let you bring a policy of your own; name one of its "
			"policies");
	return 0;
}

static int name_source(const struct site *site, const struct policy_choice *choice,
		       struct error *err, char **ret_source)
{
	char *source = NULL;
	int r = 0;

	if (choice->name)
		r = site_policy_path(site, choice->name, &source);
	else
		source = strdup(choice->file);
	if (r || !source)
		return error_errno(err, r ? r : -ENOMEM, "policy \"%s\"",
				   choice->name ? choice->name : choice->file);
	*ret_source = source;
	return 0;
}

/* Root's may be of any size. */
static int take_text(const struct site *site, const char *text, struct request *request,
		     struct error *err)
{
	int r = parse_text(site, text, err, &request->policy);

	if (r || !request->peer.uid)
		return r;
	request->policy->owner = request->peer.uid;
	return check_own(site, request->policy, err);
}

static int find_policy(const struct site *site, struct request *request, struct error *err)
{
	const struct message *message = &request->message;
	const struct policy_choice choice = {
		.name = message_string(message, "policy"),
		.file = message_string(message, "policy_file"),
		.text = message_string(message, "policy_text"),
	};
	int r = check_choice(site, &request->peer, &choice, err);

	if (r)
		return r;
	if (choice.text)
		return take_text(site, choice.text, request, err);
	r = name_source(site, &choice, err, &request->source);
	return r ? r : prepare_load_policy(site, request->source, err, &request->policy);
}

/* --- the user --------------------------------------------------------------------------------- */

static void name_user(uid_t uid, char *room, size_t size)
{
	struct passwd entry, *found = NULL;
	size_t text_size = 64 * 1024;
	_cleanup_free_ char *text = malloc(text_size);

	if (text && !getpwuid_r(uid, &entry, text, text_size, &found) && found)
		snprintf(room, size, "%s", found->pw_name);
	else
		snprintf(room, size, "%u", uid);
}

/* Of a user or a group: 32 bits, all ones are nobody. */
static bool is_id(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	       json_integer_value(value) < (uid_t)-1;
}

/* root runs jobs for others; everybody else for themselves. */
static int choose_user(struct request *request, struct error *err)
{
	const json_t *uid = json_object_get(request->message.json, "uid");

	request->uid = request->peer.uid;
	if (request->peer.uid || !uid)
		return 0;
	if (!is_id(uid))
		return error_set(err, -EINVAL, "what the request names as the job's user is no id");
	request->uid = json_integer_value(uid);
	return 0;
}

/*
 * Whose a directory becomes that is made for the job. False: nobody knows. What is attached runs as
 * anybody; root says who that is.
 */
static bool find_owner(const struct request *request, struct output_owner *ret_owner)
{
	const json_t *uid = json_object_get(request->message.json, "uid");
	const json_t *gid = json_object_get(request->message.json, "gid");

	if (request->peer.uid || (!uid && !request->operation->is_for_root)) {
		*ret_owner = (struct output_owner){ request->peer.uid, request->peer.gid };
		return true;
	}
	if (!uid || !is_id(gid))
		return false;
	*ret_owner = (struct output_owner){ request->uid, json_integer_value(gid) };
	return true;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int choose_operation(struct request *request, struct error *err)
{
	const char *name = message_string(&request->message, "op");
	const struct operation *operation = request_operation(name);

	if (!operation)
		return error_set(err, -ENOSYS, "the daemon knows no such operation");
	if (operation->is_for_root && request->peer.uid)
		return error_set(err, -EPERM, "only root may ask the daemon to %s", name);
	request->operation = operation;
	return 0;
}

/*
 * What a policy of the site has made for its jobs. For one that a user brings the controller makes
 * nothing: his launcher has, by his own rights.
 */
static int make_outputs(struct request *request, struct error *err)
{
	struct output_owner owner;
	bool has_owner;

	if (request->policy->owner)
		return 0;
	has_owner = find_owner(request, &owner);
	return outputs_make(request->policy, has_owner ? &owner : NULL, err, &request->outputs);
}

/* What the controller makes rules of: it waits for no path. */
static int find_places(struct request *request, struct error *err)
{
	request->places = places_walk(request->policy, err);
	return request->places ? places_check(request->places, err) : -ENOMEM;
}

/* What is walked is there by then. One that lacks its environment comes again. */
static int prepare_paths(struct request *request, struct error *err)
{
	int r;

	if (request_lacks_environment(request))
		return 0;
	r = make_outputs(request, err);
	return r ? r : find_places(request, err);
}

static int open_scratch(struct request *request, struct error *err)
{
	if (!json_object_get(request->message.json, "scratch"))
		return 0;
	request->scratch_fd =
		peer_open_dir(&request->peer, message_number(&request->message, "scratch"));
	if (request->scratch_fd < 0)
		return error_set(err, -EPERM,
				 "what the launcher names as the job's scratch is no directory");
	return 0;
}

static int prepare(const struct site *site, int sock, struct request *request, struct error *err,
		   const char *_Atomic *phase)
{
	int r;

	*phase = "what the request names";
	r = peer_identify(sock, &request->message, err, &request->peer);
	if (!r)
		r = take_body(site, request, err);
	if (!r)
		r = choose_operation(request, err);
	if (r || !request->operation->has_policy)
		return r;
	*phase = "the policy's file";
	r = find_policy(site, request, err);
	if (!r)
		r = choose_user(request, err);
	if (r)
		return r;
	*phase = "a path that the policy names";
	r = prepare_paths(request, err);
	if (!r)
		r = open_scratch(request, err);
	if (r)
		return r;
	*phase = "what knows the machine's users";
	name_user(request->uid, request->user, sizeof(request->user));
	return 0;
}

int prepare_request(struct daemon *daemon, int sock, struct request *request, struct error *err,
		    const char *_Atomic *phase)
{
	struct held_site *held = daemon_hold_site(daemon);
	int r = prepare(held->site, sock, request, err, phase);

	*phase = NULL;
	daemon_let_site_go(daemon, held);
	return r;
}
