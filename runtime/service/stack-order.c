/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The services of a stack: found by name, put in order, chosen by a command. */
#include "runtime/service/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

struct stack_service *stack_service_find(const struct stack *stack, const char *name)
{
	for (size_t i = 0; i < stack->service_count; i++)
		if (str_eq(stack->services[i].name, name))
			return &stack->services[i];
	return NULL;
}

const struct stack_network *stack_network_find(const struct stack *stack, const char *name)
{
	for (size_t i = 0; i < stack->network_count; i++)
		if (str_eq(stack->networks[i].name, name))
			return &stack->networks[i];
	return NULL;
}

const struct stack_volume *stack_volume_find(const struct stack *stack, const char *name)
{
	for (size_t i = 0; i < stack->volume_count; i++)
		if (str_eq(stack->volumes[i].name, name))
			return &stack->volumes[i];
	return NULL;
}

static const char *service_nearest(const struct stack *stack, const char *name)
{
	cleanup_free const char **names = calloc(stack->service_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < stack->service_count; i++)
		names[i] = stack->services[i].name;
	return names ? str_nearest(name, names) : NULL;
}

int stack_service_unknown(const struct stack *stack, const char *name)
{
	const char *near = service_nearest(stack, name);
	char quoted[STR_QUOTE_SIZE];

	(void)str_quote(quoted, name);
	return fail_plain(ENOENT, "stack '%s' has no service %s%s%s%s", stack->name, quoted, near ? ", did you mean '" : "", near ? near : "",
			  near ? "'?" : "");
}

static int needs_check(const struct stack *stack, const struct stack_service *s)
{
	const struct json_at services = { .up = &JSON_ROOT, .key = "services" }, at = { .up = &services, .key = s->name },
			     here = { .up = &at, .key = "depends_on" };
	char quoted[STR_QUOTE_SIZE];

	for (size_t i = 0; i < s->need_count; i++) {
		const struct stack_service *other = stack_service_find(stack, s->needs[i].service);
		const char *near = other ? NULL : service_nearest(stack, s->needs[i].service);

		if (!other)
			return json_fail(&here, "%s is no service of the stack%s%s%s", str_quote(quoted, s->needs[i].service),
					 near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return 0;
}

/* A depth-first walk. @state: 1 while a service is on the way, 2 when it has its place. */
struct walk {
	const struct stack *stack;
	unsigned char *state;
	size_t *way, way_length, *order, count;
};

static int circle_fail(const struct walk *w, size_t back)
{
	cleanup_free char *text = NULL;
	size_t first = 0;

	while (w->way[first] != back)
		first++;
	for (size_t i = first; i < w->way_length; i++) {
		cleanup_free char *old = steal_ptr(&text);

		if (str_format(&text, "%s'%s' needs ", old ? old : "", w->stack->services[w->way[i]].name) < 0)
			return -ENOMEM;
	}
	return fail_plain(EINVAL, "depends_on: the services need each other in a circle: %s'%s'", text, w->stack->services[back].name);
}

static int visit(struct walk *w, size_t index)
{
	const struct stack_service *s = &w->stack->services[index];
	int r = 0;

	if (w->state[index] == 2)
		return 0;
	if (w->state[index] == 1)
		return circle_fail(w, index);
	w->state[index] = 1;
	w->way[w->way_length++] = index;
	for (size_t i = 0; r == 0 && i < s->need_count; i++)
		r = visit(w, (size_t)(stack_service_find(w->stack, s->needs[i].service) - w->stack->services));
	w->way_length--;
	w->state[index] = 2;
	w->order[w->count++] = index;
	return r;
}

static void needs_resolve(struct stack *stack)
{
	for (size_t i = 0; i < stack->service_count; i++)
		for (size_t j = 0; j < stack->services[i].need_count; j++) {
			struct stack_need *need = &stack->services[i].needs[j];

			need->index = (size_t)(stack_service_find(stack, need->service) - stack->services);
		}
}

int stack_order(struct stack *stack)
{
	size_t n = stack->service_count;
	cleanup_free size_t *way = calloc(n + 1, sizeof(*way)), *order = calloc(n + 1, sizeof(*order));
	cleanup_free unsigned char *state = calloc(n + 1, 1);
	cleanup_free struct stack_service *sorted = calloc(n + 1, sizeof(*sorted));
	struct walk w = { .stack = stack, .state = state, .way = way, .order = order };
	int r = way && order && state && sorted ? 0 : fail(ENOMEM, "order the services");

	for (size_t i = 0; r == 0 && i < n; i++)
		r = needs_check(stack, &stack->services[i]);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = visit(&w, i);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		sorted[i] = stack->services[order[i]];
	if (n)
		memcpy(stack->services, sorted, n * sizeof(*sorted));
	needs_resolve(stack);
	return 0;
}

/* Services stand behind what they need: from the last to the first, what is selected hands it on. */
static int needs_select(struct stack *stack)
{
	for (size_t i = stack->service_count; i > 0; i--) {
		const struct stack_service *s = &stack->services[i - 1];

		for (size_t j = 0; s->selected && j < s->need_count; j++) {
			struct stack_service *other = &stack->services[s->needs[j].index];

			if (!other->active)
				return fail_plain(EINVAL, "service '%s' needs '%s', which is there only with a profile ('--profile %s')",
						  s->name, other->name, other->profiles.items[0]);
			other->selected = true;
		}
	}
	return 0;
}

int stack_select(struct stack *stack, char *const *names, size_t count, bool alone)
{
	for (size_t i = 0; i < count; i++) {
		struct stack_service *s = stack_service_find(stack, names[i]);

		if (!s)
			return stack_service_unknown(stack, names[i]);
		/* Who names it wants it, whatever its profiles. */
		s->selected = s->active = true;
	}
	for (size_t i = 0; count == 0 && i < stack->service_count; i++)
		stack->services[i].selected = stack->services[i].active;
	return alone ? 0 : needs_select(stack);
}
