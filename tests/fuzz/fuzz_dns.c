// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzzes the steps by which the kernel programs read DNS (abi/dns.h): no step may reach out of the message's
 * buffer or go backwards, each reading must come to its end within DNS_STEPS, and what it finds lies in
 * the message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static enum dns_progress read_name(struct dns_reader *reader, const uint8_t *message, struct dns_name *name)
{
	enum dns_progress progress = DNS_GO_ON;

	memset(name, 0, sizeof(*name));
	for (int i = 0; progress == DNS_GO_ON; i++) {
		must(i <= DNS_NAME_MAX);
		progress = dns_name_step(reader, message, name->wire);
		must(!reader->cnt || reader->at <= reader->len);
		must(reader->cnt <= DNS_NAME_MAX);
	}
	must(progress == DNS_DONE || progress == DNS_BAD);
	must(!name->wire[DNS_NAME_MAX]);
	return progress;
}

static void read_records(struct dns_walk walk, const uint8_t *message)
{
	enum dns_progress progress = DNS_GO_ON;
	uint32_t at;

	for (int i = 0; progress != DNS_DONE && progress != DNS_BAD; i++) {
		must(i <= DNS_STEPS);
		at = walk.at;
		progress = dns_walk_step(&walk, message);
		must(progress == DNS_DONE || progress == DNS_BAD || walk.at > at);
		if (progress == DNS_ADDRESS)
			must(walk.address_at + walk.address_len <= walk.len);
	}
}

static void read_message(const uint8_t *message, uint32_t len)
{
	struct dns_reader reader = dns_reader_of(len);
	struct dns_name name;

	if (read_name(&reader, message, &name) == DNS_DONE) {
		if (dns_is_question(message, len) && dns_question_end(&reader, message))
			must(reader.at + 4 <= len && len < DNS_QUESTION_MAX);
		if (dns_is_response(message, len) && dns_question_type(&reader, message))
			read_records(dns_walk_of(&reader, message), message);
	}
}

/* As it is, as a question and as an answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t question[] = { 1, 0, 0, 1, 0, 0, 0, 0, 0 }, answer[] = { 0x81, 0x80, 0, 1 };
	uint8_t *message = calloc(1, DNS_MESSAGE_MAX);
	uint32_t len = size < DNS_MESSAGE_MAX ? (uint32_t)size : DNS_MESSAGE_MAX;

	must(message != NULL);
	memcpy(message, data, len);
	read_message(message, len);
	memcpy(message + 2, question, sizeof(question));
	read_message(message, len);
	memcpy(message, data, len);
	memcpy(message + 2, answer, sizeof(answer));
	read_message(message, len);
	free(message);
	return 0;
}
