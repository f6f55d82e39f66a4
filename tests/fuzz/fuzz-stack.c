/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any JSON as a stack file: variables replaced, paths made absolute, read and ordered. What is accepted is in order and
 * resolved, and means the same when it is read again; every refusal has a message fit for a terminal.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/service/stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(void)
{
	const unsigned char *c = (const unsigned char *)fail_text();

	if (!*c)
		abort();
	for (; *c; c++)
		if (*c < 0x20 || *c == 0x7F)
			abort();
	(void)fail_plain(EINVAL, "%s", "");
}

static void check_stack(const struct stack *stack)
{
	for (size_t i = 0; i < stack->service_count; i++) {
		const struct stack_service *s = &stack->services[i];

		if (s->replicas < 0 || s->replicas > STACK_REPLICAS_MAX || !json_is_object(s->spec))
			abort();
		for (size_t j = 0; j < s->need_count; j++)
			if (s->needs[j].index >= i || strcmp(stack->services[s->needs[j].index].name, s->needs[j].service) != 0)
				abort();
		for (size_t j = 0; j < s->use_count; j++)
			if (s->uses[j].file >= stack->file_count || *s->uses[j].target != '/')
				abort();
	}
}

static void check_read(json_t *v)
{
	struct str_list none = { .items = NULL };
	struct stack stack = { .name = NULL }, again = { .name = NULL };

	if (stack_read(v, "/folder", NULL, &none, &stack) < 0) {
		check_message();
	} else {
		check_stack(&stack);
		if (stack_read(stack.text, "/other", stack.name, &none, &again) < 0 || !json_equal(stack.text, again.text))
			abort();
		if (stack_select(&stack, NULL, 0, false) < 0)
			check_message();
	}
	stack_done(&stack);
	stack_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char a[] = "A=1", b[] = "B=\"}${A}$${A}";
	struct str_list env = { .items = (char *[]){ a, b, NULL }, .count = 2 };
	cleanup_json json_t *v = NULL, *replaced = NULL;

	if (json_parse("fuzz", (const char *)data, size, &v) < 0)
		return 0;
	if (stack_vars_replace(&JSON_ROOT, v, &env, &replaced) < 0)
		check_message();
	else
		check_read(replaced);
	return 0;
}
