// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every kind of mistake in a policy, each with the very place and words that are printed for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"
#define MUST(place, text) "p.json:" place ": error: " text "\n"
#define NOT_ENFORCED " is not enforced by this version of jobcage; remove it"

struct mistake {
	const char *text;
	const char *want;
};

static void check_all(const struct mistake *mistakes, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		expect_parse_errors(mistakes[i].text, &test_site, mistakes[i].want);
}

static void syntax(void **state)
{
	static const struct mistake mistakes[] = {
		{ "", MUST("1:1", "empty, where a JSON object is expected") },
		{ "{\"version\": 1,\n\n  \"name\": oops}",
		  MUST("3:11", "not JSON: invalid token near 'oops'") },
		{ HEAD "}", MUST("2:1", "not JSON: string or '}' expected near '}'; "
					"remove the comma before it") },
		{ HEAD "\"extends\": [\"a\",]}",
		  MUST("2:17", "not JSON: unexpected token near ']'; remove the comma before it") },
		{ HEAD "// note\n\"mode\": \"audit\"}",
		  MUST("2:1", "not JSON: string or '}' expected near '/'; JSON has no comments") },
		{ HEAD "\"name\": \"u\"}",
		  MUST("2:1", "not JSON: duplicate object key near '\"name\"'") },
		{ HEAD "\"mode\": \"audit\"} x",
		  MUST("2:18", "not JSON: end of file expected near 'x'") },
		{ HEAD "\"mode\": \"audit\"",
		  MUST("2:16", "not JSON: '}' expected near end of file") },
		{ HEAD "\"mode\": \"\xff\"}",
		  MUST("2:10", "not JSON: unable to decode byte 0xff near '\"'") },
		{ HEAD "\"mode\": \"a\tb\"}",
		  MUST("2:9", "not JSON: control character 0x9 near '\"a'") },
		{ HEAD "\"mode\": \"a\\u0000\"}",
		  MUST("2:9", "not JSON: a string holds \\u0000") },
		{ HEAD "\"mo\\u0000de\": 1}", MUST("2:1", "not JSON: a string holds \\u0000") },
		{ HEAD "\"mode\": 99999999999999999999}",
		  MUST("2:9", "not JSON: too big integer near '99999999999999999999'") },
		{ HEAD "\"mode\": \"\xe2\x82\xac\", \"mode\": 1}",
		  MUST("2:16", "not JSON: duplicate object key near '\"mode\"'") },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", MUST("1:33", "nested more than 32 levels deep") },
		{ "[]", MUST("1:1", "a policy must be an object, not a list") },
		{ "null", MUST("1:1", "a policy must be an object, not null") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void keys(void **state)
{
	static const struct mistake mistakes[] = {
		{ "{}", MUST("1:1", "a policy needs the key 'version'")
			MUST("1:1", "a policy needs the key 'name'") },
		{ HEAD " \"filesytem\": {}}",
		  MUST("2:2", "unknown key 'filesytem'; did you mean 'filesystem'?") },
		{ HEAD " \"zzz\": {}}",
		  MUST("2:2", "unknown key 'zzz'; a policy has: $schema, version, name, mode, "
			      "extends, datasets, filesystem, exec, egress, environment, "
			      "limits, sockets, ingress, unix, mounts, "
			      "on_audit_loss, spiffe_id, capabilities, user_namespaces, devices") },
		{ HEAD "\"devices\": {}, \"dns\": {},\n\"capabilities\": [\"CAP_SYS_ADMINN\"], \"user_namespaces\": 1}",
		  MUST("2:12", "'devices' must be a list, not an object") MUST("2:16", "'dns' belongs to 'egress'")
		  MUST("3:18", "unknown capability 'CAP_SYS_ADMINN'; did you mean 'CAP_SYS_ADMIN'?")
		  MUST("3:56", "'user_namespaces' must be true or false, not a whole number") },
		{ HEAD "\"egress\": {\"dns\": {}, \"allow\": [{\"tls\": \"required\", "
		       "\"ports\": [443]}]}}",
		  MUST("2:19", "'dns' needs the key 'resolvers'")
		  MUST("2:33", "an egress rule needs the key 'cidr' or 'domain'")
		  MUST("2:34", "'tls'" NOT_ENFORCED) },
		{ HEAD "\"filesystem\": {\"rules\": [{\"pth\": \"/a\", \"access\": \"read\"}]}}",
		  MUST("2:26", "a filesystem rule needs the key 'path'")
		  MUST("2:27", "unknown key 'pth'; did you mean 'path'?") },
		{ HEAD "\"datasets\": [{\"name\": \"digits\"}]}",
		  MUST("2:14", "a dataset grant needs the key 'access'") },
		{ HEAD "\"datasets\": [{\"name\": \"digits\", \"access\": \"read\",\n"
		       "\"path\": \"/srv/x\"}]}",
		  MUST("3:1", "a dataset's path is registered with the site; remove 'path'") },
		{ HEAD "\"allow\": []}",
		  MUST("2:1", "'allow' belongs to 'exec' or 'egress'; a file of egress rules "
			      "alone is named in 'egress.include'") },
		{ HEAD "\"extends\": [\"base.json\"], \"egress\": {\"include\": [\"x.json\"]}}",
		  MUST("2:1", "only a policy in a file can extend others")
		  MUST("2:50", "only a policy in a file can include others") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void types(void **state)
{
	static const struct mistake mistakes[] = {
		{ "{\"version\": \"1\", \"name\": 7}",
		  MUST("1:13", "'version' must be a whole number, not a string")
		  MUST("1:26", "'name' must be a string, not a whole number") },
		{ "{\"version\": 1.0, \"name\": \"t\"}",
		  MUST("1:13", "'version' must be a whole number, not a fraction") },
		{ "{\"version\": 2, \"name\": \"t\"}",
		  MUST("1:13", "version 2 is unknown to this jobcage, which reads version 1") },
		{ HEAD "\"filesystem\": [], \"exec\": null, \"egress\": true}",
		  MUST("2:15", "'filesystem' must be an object, not a list")
		  MUST("2:27", "'exec' must be an object, not null")
		  MUST("2:43", "'egress' must be an object, not true") },
		{ HEAD "\"filesystem\": {\"rules\": [\"/a\"]}}",
		  MUST("2:26", "a filesystem rule must be an object, not a string") },
		{ HEAD "\"exec\": {\"allow\": [1]}}",
		  MUST("2:20", "an exec rule must be an object or a string, not a whole number") },
		{ HEAD "\"exec\": {\"allow\": [{\"path\": \"/a\", \"optional\": 1}]}}",
		  MUST("2:47", "'optional' must be true or false, not a whole number") },
		{ HEAD "\"egress\": {\"include\": [{}], \"allow\": [{\"cidr\": \"::/0\", "
		       "\"ports\": 443}]}}",
		  MUST("2:24", "a file name must be a string, not an object")
		  MUST("2:65", "'ports' must be a list, not a whole number") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

#define CREATE(rule) HEAD "\"filesystem\": {\"rules\": [{\"path\": \"/a\", " rule "}]}}"

static void created(void **state)
{
	static const struct mistake mistakes[] = {
		{ CREATE("\"access\": \"write\", \"create\": \"yes\""),
		  MUST("2:70", "'create' must be true or false, not a string") },
		{ CREATE("\"access\": \"read\", \"create\": true"),
		  MUST("2:69", "'create' is for access \"write\": the job would have an empty directory "
			       "that it may not fill") },
		{ CREATE("\"access\": \"none\", \"create\": true"),
		  MUST("2:69", "'create' is for access \"write\": the job would have an empty directory "
			       "that it may not fill") },
		{ CREATE("\"access\": \"write\", \"create\": true, \"optional\": true"),
		  MUST("2:70", "'create' and 'optional' contradict each other: a path that is made when "
			       "it is absent is never left out; remove one of the two") },
		{ CREATE("\"access\": \"wirte\", \"create\": true"),
		  MUST("2:51", "unknown access 'wirte'; did you mean 'write'? (one of: none, read, write)") },
		{ HEAD "\"exec\": {\"allow\": [{\"path\": \"/a\", \"create\": true}]}}",
		  MUST("2:35", "unknown key 'create'; an exec rule has: id, path, optional") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

#define BAD_SPIFFE_ID(id) \
	{ HEAD "\"spiffe_id\": \"" id "\"}", \
	  MUST("2:14", "bad SPIFFE id '" id "': spiffe://DOMAIN/PATH, the domain of a-z 0-9 . _ -, at most 2048 bytes") }

static void words(void **state)
{
	static const struct mistake mistakes[] = {
		{ HEAD "\"mode\": \"enforced\"}",
		  MUST("2:9", "unknown mode 'enforced'; did you mean 'enforce'? "
			      "(one of: enforce, audit)") },
		{ HEAD "\"filesystem\": {\"default\": \"rw\"}}",
		  MUST("2:27", "unknown access 'rw'; one of: none, read, write") },
		{ HEAD "\"exec\": {\"default\": \"\"}}",
		  MUST("2:21", "unknown exec default ''; one of: allow, deny") },
		{ HEAD "\"egress\": {\"default\": \"none\"}}",
		  MUST("2:23", "unknown egress default 'none'; one of: deny, allow") },
		{ HEAD "\"egress\": {\"allow\": [{\"cidr\": \"::/0\", \"protocol\": \"sctp\", "
		       "\"ports\": [1]}]}}",
		  MUST("2:51", "unknown protocol 'sctp'; did you mean 'tcp'? "
			       "(one of: tcp, udp, any)") },
		{ "{\"version\": 1, \"name\": \"a b\"}",
		  MUST("1:24", "bad name 'a b': 1 to 64 characters of A-Z a-z 0-9 . _ -") },
		{ HEAD "\"exec\": {\"allow\": [{\"id\": \"\", \"path\": \"/a\"}]}}",
		  MUST("2:27", "bad id '': 1 to 64 characters of A-Z a-z 0-9 . _ : / -") },
		{ HEAD "\"datasets\": [{\"name\": \"digit\", \"access\": \"read\"},\n"
		       "{\"name\": \"genomes\", \"access\": \"read\"}]}",
		  MUST("2:23", "unknown dataset 'digit'; did you mean 'digits'? (datasets are "
			       "registered in site.json)")
		  MUST("3:10", "unknown dataset 'genomes'; register it in site.json") },
		{ HEAD "\"on_audit_loss\": \"kill\"}",
		  MUST("2:18", "unknown value of on_audit_loss 'kill'; one of: continue, stop") },
		BAD_SPIFFE_ID("https://prod.example/a"),
		BAD_SPIFFE_ID("spiffe:///a"),
		BAD_SPIFFE_ID("spiffe://Prod.example/a"),
		BAD_SPIFFE_ID("spiffe://prod.example:8443/a"),
		BAD_SPIFFE_ID("spiffe://prod.example/"),
		BAD_SPIFFE_ID("spiffe://prod.example/a//b"),
		BAD_SPIFFE_ID("spiffe://prod.example/a/../b"),
		BAD_SPIFFE_ID("spiffe://prod.example/a b"),
		{ HEAD "\"mode\": \"a\\u001b[31mb\"}",
		  MUST("2:9", "unknown mode 'a?[31mb'; one of: enforce, audit") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void paths(void **state)
{
	static const struct mistake mistakes[] = {
		{ HEAD "\"exec\": {\"allow\": [\"usr/bin\", \"\", \"/usr/../bin\", \"/a/.\",\n"
		       "\"/a\\nb\"]}}",
		  MUST("2:20", "path 'usr/bin' is relative; paths begin with '/'")
		  MUST("2:31", "path '' is relative; paths begin with '/'")
		  MUST("2:35", "path '/usr/../bin' has a '.' or '..'; write where it leads")
		  MUST("2:50", "path '/a/.' has a '.' or '..'; write where it leads")
		  MUST("3:1", "path '/a?b' has a control character") },
		{ HEAD "\"filesystem\": {\"rules\": [\n{\"path\": \"/a\", \"access\": \"read\"},\n"
		       "{\"path\": \"//a/\", \"access\": \"write\"}]}}",
		  MUST("4:1", "path '/a' has another access at p.json:3:1; keep one of the two") },
		{ HEAD "\"exec\": {\"allow\": [\"/a\", \"/b\"],\n\"deny\": [\"/b\"]}}",
		  MUST("3:10", "path '/b' has another access at p.json:2:26; keep one of the two") },
		{ HEAD "\"exec\": {\"allow\": [\"/a\",\n\"/a\"]}}",
		  MUST("3:1", "path '/a' is listed already at p.json:2:20; remove one of the two") },
		{ HEAD "\"datasets\": [{\"name\": \"digits\", \"access\": \"read\"},\n"
		       "{\"name\": \"digits\", \"access\": \"write\"}]}",
		  MUST("3:1", "dataset 'digits' has another access at p.json:2:14; "
			      "keep one of the two") },
		{ HEAD "\"filesystem\": {\"rules\": [{\"path\": \"/srv/digits\", "
		       "\"access\": \"read\"},\n"
		       "{\"path\": \"/srv/digits/cache/x\", \"access\": \"read\"},\n"
		       "{\"path\": \"/srv/digitsx\", \"access\": \"write\"}]}}",
		  MUST("2:26", "path '/srv/digits' is the dataset 'digits'; grant it in 'datasets'")
		  MUST("3:1", "path '/srv/digits/cache/x' lies in dataset 'digits', to which this "
			      "policy grants 'none': a rule inside cannot grant more") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

#define NETS(list) HEAD "\"egress\": {\"allow\": [\n" list "]}}"
#define NET(cidr) "{\"cidr\": \"" cidr "\", \"ports\": [1]}"
#define PORTS(ports) "{\"cidr\": \"::/0\", \"ports\": [" ports "]}"

static void networks(void **state)
{
	static const struct mistake mistakes[] = {
		{ NETS(NET("10.20.1.0/16")),
		  MUST("3:10", "'10.20.1.0/16' has host bits set; did you mean 10.20.0.0/16?") },
		{ NETS(NET("2001:db8::1/32")),
		  MUST("3:10", "'2001:db8::1/32' has host bits set; did you mean 2001:db8::/32?") },
		{ NETS(NET("192.0.2.1")),
		  MUST("3:10", "'192.0.2.1' has no prefix length; for this one address write "
			       "192.0.2.1/32") },
		{ NETS(NET("::1")),
		  MUST("3:10", "'::1' has no prefix length; for this one address write ::1/128") },
		{ NETS(NET("192.0.2.0/33")),
		  MUST("3:10", "the prefix length of '192.0.2.0/33' must be 0 to 32") },
		{ NETS(NET("::/129") ",\n" NET("::/") ",\n" NET("::/-1") ",\n" NET("::/01")),
		  MUST("3:10", "the prefix length of '::/129' must be 0 to 128")
		  MUST("4:10", "the prefix length of '::/' must be 0 to 128")
		  MUST("5:10", "the prefix length of '::/-1' must be 0 to 128")
		  MUST("6:10", "the prefix length of '::/01' must be 0 to 128") },
		{ NETS(NET("example.com/32") ",\n" NET("010.0.0.0/8") ",\n" NET("1.2.3/24")),
		  MUST("3:10", "'example.com/32' is not a network; write it like 192.0.2.0/24 or "
			       "2001:db8::/32")
		  MUST("4:10", "'010.0.0.0/8' is not a network; write it like 192.0.2.0/24 or "
			       "2001:db8::/32")
		  MUST("5:10", "'1.2.3/24' is not a network; write it like 192.0.2.0/24 or "
			       "2001:db8::/32") },
		{ NETS(NET("::ffff:10.0.0.0/104")),
		  MUST("3:10", "'::ffff:10.0.0.0/104' is IPv4 in IPv6 form; write 10.0.0.0/8") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void ports(void **state)
{
	static const struct mistake mistakes[] = {
		{ NETS(PORTS("")),
		  MUST("3:27", "'ports' is empty: the rule would allow nothing") },
		{ NETS(PORTS("0, 65536, -1, 443")),
		  MUST("3:28", "ports are 1 to 65535") MUST("3:31", "ports are 1 to 65535")
		  MUST("3:38", "ports are 1 to 65535") },
		{ NETS(PORTS("\"0-5\", \"5-70000\"")),
		  MUST("3:28", "ports are 1 to 65535") MUST("3:35", "ports are 1 to 65535") },
		{ NETS(PORTS("\"20-10\"")),
		  MUST("3:28", "port range '20-10' is reversed; did you mean \"10-20\"?") },
		{ NETS(PORTS("\"443\", \"https\", \"1 - 2\", \"1-2-3\"")),
		  MUST("3:28", "bad port range '443'; write a port as a number, a range as "
			       "\"LOW-HIGH\"")
		  MUST("3:35", "bad port range 'https'; write a port as a number, a range as "
			       "\"LOW-HIGH\"")
		  MUST("3:44", "bad port range '1 - 2'; write a port as a number, a range as "
			       "\"LOW-HIGH\"")
		  MUST("3:53", "bad port range '1-2-3'; write a port as a number, a range as "
			       "\"LOW-HIGH\"") },
		{ NETS(PORTS("1.5, [1]")),
		  MUST("3:28", "a port must be a string or a whole number, not a fraction")
		  MUST("3:33", "a port must be a string or a whole number, not a list") },
		{ NETS(PORTS("80") ",\n" PORTS("80")),
		  MUST("4:1", "egress rule 'egress:::/0:tcp:80' is listed already at p.json:3:1; "
			      "remove one of the two") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void ids(void **state)
{
	static const struct mistake mistakes[] = {
		{ HEAD "\"exec\": {\"allow\": [{\"id\": \"x\", \"path\": \"/b\"},\n"
		       "{\"id\": \"x\", \"path\": \"/a\"}]}}",
		  MUST("3:1", "id 'x' is used already at p.json:2:20; ids are unique") },
		{ HEAD "\"exec\": {\"allow\": [\"/a\",\n"
		       "{\"id\": \"exec.allow:/a\", \"path\": \"/b\"}]}}",
		  MUST("3:1", "id 'exec.allow:/a' is used already at p.json:2:20; "
			      "ids are unique") },
		{ HEAD "\"exec\": {\"allow\": [{\"id\": \"dataset:digits\", \"path\": \"/a\"}]}}",
		  MUST("2:20", "id 'dataset:digits' is used already at site.json:2:1; "
			       "ids are unique") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void no_site(void **state)
{
	(void)state;
	expect_parse_errors(HEAD "\"datasets\": [{\"name\": \"digits\", \"access\": \"read\"}]}",
			    NULL,
			    MUST("2:23", "unknown dataset 'digits': no dataset is registered, as "
					 "there is no /etc/jobcage/site.json; list it there"));
}

static void raw_nul_bytes(void **state)
{
	static const char *const wants[] = {
		"p.json:1:1: error: not JSON: a NUL byte\n",
		"p.json:1:2: error: not JSON: a NUL byte\n",
	};
	static const char texts[][4] = { { 0, '{', '}', 0 }, { '{', 0, '}', 0 } };
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		_cleanup_free_ char *text = NULL;

		assert_int_equal(policy_parse(texts[i], 3, "p.json", NULL, &diags, &policy),
				 -EINVAL);
		text = diags_text(&diags);
		assert_string_equal(text, wants[i]);
	}
}

static void long_texts_are_cut(void **state)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"version\": 1, \"name\": \"", 24);
	memcpy(text + sizeof(text) - 3, "\"}", 3);
	assert_int_equal(policy_parse(text, strlen(text), "p.json", NULL, &diags, &policy), -EINVAL);
	assert_int_equal(diags.cnt, 1);
	assert_true(strlen(diags.items[0].text) <= 480);
	assert_string_equal(diags.items[0].text + strlen(diags.items[0].text) - 4, "x...");
	diag_free(&diags);
}

static void files(void **state)
{
	(void)state;
	expect_load_errors("absent.json", NULL,
			   "absent.json: error: cannot read: No such file or directory\n");
	expect_load_errors(".", NULL, ".: error: cannot read: Is a directory\n");
	write_file("a.json", HEAD "\"extends\": [\"b.json\", 7],\n"
				  "\"egress\": {\"include\": [\"sub/c.json\"]}}");
	expect_load_errors("a.json", NULL,
			   "a.json:2:13: error: cannot read 'b.json': No such file or directory\n"
			   "a.json:2:23: error: a file name must be a string, not a whole number\n"
			   "a.json:3:24: error: cannot read 'sub/c.json': No such file or "
			   "directory\n");
	write_file("b.json", "{\"version\": 1,\n\"mode\": 3}");
	write_file("c.json", HEAD "\"extends\": [\"b.json\"], \"mode\": \"x\"}");
	expect_load_errors("c.json", NULL,
			   "c.json:2:32: error: unknown mode 'x'; one of: enforce, audit\n"
			   "b.json:2:9: error: 'mode' must be a string, not a whole number\n");
}

static void cycles(void **state)
{
	(void)state;
	write_file("a.json", HEAD "\"extends\": [\"b.json\"]}");
	write_file("b.json", "{\"version\": 1,\n \"extends\": [\"./a.json\"]}");
	expect_load_errors("a.json", NULL,
			   "b.json:2:14: error: './a.json' extends itself: "
			   "a.json -> b.json -> ./a.json\n");
	write_file("a.json", HEAD "\"extends\": [\"a.json\"]}");
	expect_load_errors("a.json", NULL,
			   "a.json:2:13: error: 'a.json' extends itself: a.json -> a.json\n");
	write_file("a.json", HEAD "\"egress\": {\"include\": [\"a.json\"]}}");
	expect_load_errors("a.json", NULL,
			   "a.json:2:24: error: 'a.json' has been read as a policy already; "
			   "it cannot be an egress allowlist too\n");
}

static void depth(void **state)
{
	char name[32], text[96];

	(void)state;
	for (int i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "%d.json", i);
		snprintf(text, sizeof(text),
			 "{\"version\": 1, \"name\": \"t\", \"extends\": [\"%d.json\"]}", i + 1);
		write_file(name, text);
	}
	write_file("17.json", "{\"version\": 1}");
	write_file("16.json", "{\"version\": 1}");
	policy_free(load_good("0.json", NULL));
	write_file("16.json", "{\"version\": 1, \"extends\": [\"17.json\"]}");
	expect_load_errors("0.json", NULL,
			   "16.json:1:28: error: policies may extend each other 16 deep\n");
}

static void ids_over_files(void **state)
{
	(void)state;
	write_file("base.json", "{\"version\": 1, \"exec\": {\"allow\": [\n"
				"{\"id\": \"x\", \"path\": \"/a\"}]}}");
	write_file("a.json", HEAD "\"extends\": [\"base.json\"],\n\"exec\": {\"allow\": [\n"
				  "{\"id\": \"x\", \"path\": \"/b\"}]}}");
	expect_load_errors("a.json", NULL,
			   "a.json:4:1: error: id 'x' is used already at base.json:2:1; "
			   "ids are unique\n");
	write_file("list.json", "{\"version\": 1, \"name\": \"l\", \"allow\": [\n"
				"{\"id\": \"n\", \"cidr\": \"::/0\", \"ports\": [1]}]}");
	write_file("a.json", HEAD "\"egress\": {\"include\": [\"list.json\"], \"allow\": [\n"
				  "{\"id\": \"n\", \"cidr\": \"::/0\", \"ports\": [1]}]}}");
	expect_load_errors("a.json", NULL,
			   "a.json:3:1: error: egress rule 'n' is listed already at list.json:2:1; "
			   "remove one of the two\n");
}

static void allowlists(void **state)
{
	(void)state;
	write_file("list.json", "{\"version\": 1, \"nme\": \"l\",\n\"allow\": [{\"cidr\": \"::\", "
				"\"ports\": [1]}],\n\"filesystem\": {}}");
	write_file("a.json", HEAD "\"egress\": {\"include\": [\"list.json\"]}}");
	expect_load_errors("a.json", NULL,
			   "list.json:1:1: error: an egress allowlist needs the key 'name'\n"
			   "list.json:1:16: error: unknown key 'nme'; did you mean 'name'?\n"
			   "list.json:2:20: error: '::' has no prefix length; for this one address "
			   "write ::/128\n"
			   "list.json:3:1: error: unknown key 'filesystem'; an egress allowlist "
			   "has: $schema, version, name, allow\n");
}

static void error_numbers(void **state)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;

	(void)state;
	assert_int_equal(policy_load("absent.json", NULL, &diags, &policy), -ENOENT);
	assert_int_equal(policy_parse("{}", 2, "p.json", NULL, &diags, &policy), -EINVAL);
	assert_int_equal(policy_parse("{", 1, "p.json", NULL, &diags, &policy), -EINVAL);
	assert_null(policy);
	diag_free(&diags);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax),	 cmocka_unit_test(keys),
		cmocka_unit_test(types),	 cmocka_unit_test(words),
		cmocka_unit_test(created),
		cmocka_unit_test(paths),	 cmocka_unit_test(networks),
		cmocka_unit_test(ports),	 cmocka_unit_test(ids),
		cmocka_unit_test(no_site),	 cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(raw_nul_bytes), cmocka_unit_test(error_numbers),
		in_folder(files),
		in_folder(cycles),		 in_folder(depth),
		in_folder(ids_over_files),	 in_folder(allowlists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
