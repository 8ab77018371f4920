// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the asking commands share; see ask.h. */
#include "cmd/ask.h"

#include <errno.h>
#include <stdio.h>

#include "alert/text.h"
#include "base/cleanup.h"
#include "daemon/client.h"

int ask_check(const char *word, struct error *err)
{
	_cleanup_free_ char *quoted = NULL;

	if (text_is_utf8(word))
		return 0;
	quoted = text_quote(word);
	return error_set(err, -EILSEQ, "%s is no UTF-8, which requests and alerts are made of",
			 quoted ? quoted : "a word");
}

int ask_add(json_t *members, const char *key, const char *word, struct error *err)
{
	int r = ask_check(word, err);

	if (!r && json_object_set_new(members, key, json_string(word)))
		r = error_errno(err, -ENOMEM, "cannot ask the daemon");
	return r;
}

int ask(const struct command *command, const char *op, json_t *members, json_t **ret_answer)
{
	struct error err = { 0 };

	if (!client_ask(op, members, &err, ret_answer))
		return 0;
	command_error(command, "%s", err.text);
	return EXIT_REFUSED;
}

int ask_about(const struct command *command, const char *op, const char *id, json_t **ret_answer)
{
	json_auto_t *members = json_object();
	struct error err = { 0 };

	if (id && ask_add(members, "job", id, &err)) {
		command_error(command, "%s", err.text);
		return EXIT_REFUSED;
	}
	return ask(command, op, json_incref(members), ret_answer);
}

int ask_print_json(const struct command *command, const json_t *value)
{
	int r = json_dumpf(value, stdout, JSON_INDENT(2));

	putchar('\n');
	if (!command_printed(command))
		return EXIT_REFUSED;
	if (r)
		command_error(command, "the answer cannot be made into JSON");
	return r ? EXIT_REFUSED : 0;
}

const char *ask_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}
