/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `network`: networks of containers. A command of commands, with a table of its own. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/network.h"

const struct option_row network_options[] = {
	{ .name = NULL },
};

/* --- create ---------------------------------------------------------------------------------------- */

struct create_options {
	struct str_list subnets, gateways, labels;
	bool ipv6, internal;
	uint64_t mtu;
};

#define CREATE(member) offsetof(struct create_options, member)

static const struct option_row create_rows[] = {
	{ "subnet", 0, OPTION_LIST, CREATE(subnets), "PREFIX", "its addresses, as 10.90.1.0/24; one of each family" },
	{ "gateway", 0, OPTION_LIST, CREATE(gateways), "ADDRESS", "the host's own in it (the first of the subnet)" },
	{ "ipv6", 0, OPTION_FLAG, CREATE(ipv6), NULL, "with a subnet of IPv6, too" },
	{ "internal", 0, OPTION_FLAG, CREATE(internal), NULL, "no way out of it, and none in" },
	{ "mtu", 0, OPTION_NUMBER, CREATE(mtu), "BYTES", "the largest packet (as the kernel has it)" },
	{ "label", 0, OPTION_LIST, CREATE(labels), "NAME=VALUE", "a note" },
	{ .name = NULL },
};

static int create(const struct globals *globals, int argc, char **argv)
{
	struct create_options o = { .mtu = 0 };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r == 0) {
		r = network_create(&globals->place, &(struct network_options){
			.name = operands.items[0], .subnets = o.subnets, .gateways = o.gateways, .ipv6 = o.ipv6,
			.internal = o.internal, .mtu = (unsigned int)o.mtu, .labels = o.labels });
		if (r == 0)
			(void)printf("%s\n", operands.items[0]);
	}
	str_list_done(&o.subnets);
	str_list_done(&o.gateways);
	str_list_done(&o.labels);
	return r < 0 ? r : 0;
}

/* --- ls, inspect ----------------------------------------------------------------------------------- */

struct ls_options {
	bool quiet;
	const char *format;
};

static const struct option_row ls_rows[] = {
	{ "quiet", 'q', OPTION_FLAG, offsetof(struct ls_options, quiet), NULL, "only the names" },
	{ "format", 'f', OPTION_STRING, offsetof(struct ls_options, format), "FORMAT", "table or json" },
	{ .name = NULL },
};

static const char *text_of(json_t *v, const char *key)
{
	const char *text = json_string_value(json_object_get(v, key));

	return text ? text : "";
}

static int row_add(struct str_list *cells, json_t *v)
{
	cleanup_free char *subnets = NULL;
	json_t *item;
	size_t i;
	int r = str_list_add(cells, text_of(v, "name"));

	json_array_foreach(json_object_get(v, "subnets"), i, item) {
		cleanup_free char *old = steal_ptr(&subnets);

		if (r == 0)
			r = str_format(&subnets, "%s%s%s", old ? old : "", old ? "," : "", text_of(item, "subnet"));
	}
	if (r == 0)
		r = str_list_add(cells, subnets ? subnets : "");
	if (r == 0)
		r = str_list_add(cells, text_of(v, "bridge"));
	if (r == 0)
		r = str_list_add(cells, json_is_true(json_object_get(v, "internal")) ? "internal" : "");
	return r < 0 ? r : str_list_addf(cells, "%zu", json_array_size(json_object_get(v, "containers")));
}

enum { COLUMNS = 5 };

static int table_print(json_t *networks)
{
	static const char *const headings[COLUMNS] = { "NAME", "SUBNETS", "BRIDGE", "KIND", "CONTAINERS" };
	struct str_list cells = { .items = NULL };
	json_t *item;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&cells, headings[i]);
	json_array_foreach(networks, i, item)
		if (r == 0)
			r = row_add(&cells, item);
	if (r == 0)
		output_table(&cells, COLUMNS);
	str_list_done(&cells);
	return r;
}

static int ls(const struct globals *globals, int argc, char **argv)
{
	struct ls_options o = { .format = "table" };
	struct operands operands;
	cleanup_json json_t *networks = NULL;
	json_t *item;
	size_t i;
	int r = options_parse(globals->command, argc, argv, 0, 0, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r == 0)
		r = network_list_json(&globals->place, NULL, &networks);
	if (r < 0)
		return r;
	if (str_eq(o.format, "json"))
		return output_json(steal_ptr(&networks));
	if (!o.quiet)
		return table_print(networks);
	json_array_foreach(networks, i, item)
		(void)printf("%s\n", text_of(item, "name"));
	return 0;
}

static int inspect(const struct globals *globals, int argc, char **argv)
{
	struct operands operands;
	json_t *networks = NULL;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = network_list_json(&globals->place, &(struct str_list){ .items = operands.items, .count = operands.count }, &networks);
	return r < 0 ? r : output_json(networks);
}

/* --- rm, prune ------------------------------------------------------------------------------------- */

struct rm_options {
	bool force;
};

static const struct option_row rm_rows[] = {
	{ "force", 'f', OPTION_FLAG, offsetof(struct rm_options, force), NULL, "an unknown network is no failure" },
	{ .name = NULL },
};

static int remove_one(const struct globals *globals, const char *name, const void *data)
{
	const struct rm_options *o = data;
	char quoted[STR_QUOTE_SIZE];
	int r = network_remove(&globals->place, name);

	if (r == NETWORK_NOT_FOUND)
		return o->force ? 0 : fail_plain(ENOENT, "no network %s (see 'nacelle network ls')", str_quote(quoted, name));
	if (r == 0)
		(void)printf("%s\n", name);
	return r;
}

static int rm(const struct globals *globals, int argc, char **argv)
{
	struct rm_options o = { .force = false };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	return r != 0 ? (r < 0 ? r : 0) : for_each_id(globals, &operands, remove_one, &o);
}

static int prune(const struct globals *globals, int argc, char **argv)
{
	struct str_list names = { .items = NULL };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 0, 0, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = network_prune(&globals->place, &names);
	for (size_t i = 0; i < names.count; i++)
		(void)printf("%s\n", names.items[i]);
	str_list_done(&names);
	return r;
}

/* --- the table ------------------------------------------------------------------------------------- */

static const struct command subcommands[] = {
	{ "network create",  create,  create_rows,  "NAME",    "make a network", false },
	{ "network ls",      ls,      ls_rows,      "",        "list the networks", false },
	{ "network inspect", inspect, options_none, "NAME...", "print all of networks, as JSON", false },
	{ "network rm",      rm,      rm_rows,      "NAME...", "remove networks that no container uses", false },
	{ "network prune",   prune,   options_none, "",        "remove all that no container uses, and what killed commands left", false },
	{ .name = NULL },
};

static const char *word_of(const struct command *c)
{
	return c->name + strlen("network ");
}

static void help_print(const struct command *command)
{
	(void)printf("usage: nacelle %s %s\n\n%s\n\n", command->name, command->synopsis, command->help);
	for (const struct command *c = subcommands; c->name; c++)
		(void)printf("  %-10s%s\n", word_of(c), c->help);
	(void)printf("\n'nacelle network COMMAND --help' has a command's own options.\n");
}

int cmd_network(const struct globals *globals, int argc, char **argv)
{
	const char *words[ARRAY_SIZE(subcommands)] = { NULL }, *near;
	struct globals sub = *globals;
	size_t n = 0;

	if (argc < 2)
		return usage_fail(globals->command, "usage: nacelle network %s", globals->command->synopsis);
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
		help_print(globals->command);
		return 0;
	}
	for (const struct command *c = subcommands; c->name; c++) {
		words[n++] = word_of(c);
		if (!str_eq(word_of(c), argv[1]) && !(str_eq(argv[1], "list") && str_eq(word_of(c), "ls")))
			continue;
		sub.command = c;
		return c->run(&sub, argc - 1, argv + 1);
	}
	near = str_nearest(argv[1], words);
	return usage_fail(globals->command, "unknown command 'network %s'%s%s%s", argv[1], near ? ", did you mean '" : "", near ? near : "",
			  near ? "'?" : "");
}
