/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan. Its order: what has to go first goes (it may hold a port or a name that another wants), then networks and volumes,
 * then service after service, each behind what it needs.
 */
#include "runtime/service/stack-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/service/stack.h"

const char *stack_action_name(enum stack_action action)
{
	static const char *const names[] = {
		[STACK_NETWORK_MAKE] = "make network", [STACK_NETWORK_MEND] = "mend network",
		[STACK_NETWORK_REMOVE] = "remove network", [STACK_VOLUME_MAKE] = "make volume", [STACK_VOLUME_REMOVE] = "remove volume", [STACK_AWAIT] = "wait for", [STACK_CREATE] = "create",
		[STACK_REPLACE] = "replace", [STACK_START] = "start", [STACK_REMOVE] = "remove",
		[STACK_BACK] = "put back",
	};

	return names[action];
}

static int step_add(struct stack_plan *plan, const struct stack_step *step, const char *subject)
{
	struct stack_step *more = realloc(plan->steps, (plan->count + 1) * sizeof(*more));

	if (!more)
		return fail(ENOMEM, "plan");
	plan->steps = more;
	more[plan->count] = *step;
	more[plan->count].subject = NULL;
	return str_copy(&more[plan->count++].subject, subject);
}

void stack_plan_done(struct stack_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->steps[i].subject);
	free(plan->steps);
	*plan = (struct stack_plan){ .steps = NULL };
}

struct planning {
	const struct stack *stack;
	const struct stack_replica *wanted;
	size_t count;
	const struct stack_found *found;
	const struct stack_plan_options *options;
	struct stack_plan *plan;
	bool *gone;		/* for each container found: a step removes it */
	size_t groups;
};

static const struct stack_thing *thing_find(const struct stack_thing *things, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(things[i].name, name))
			return &things[i];
	return NULL;
}

static const struct stack_container *container_find(const struct planning *p, const char *id, size_t *ret_index)
{
	for (size_t i = 0; i < p->found->container_count; i++)
		if (str_eq(p->found->containers[i].id, id)) {
			*ret_index = i;
			return &p->found->containers[i];
		}
	return NULL;
}

static bool is_wanted(const struct planning *p, const char *id)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_eq(p->wanted[i].id, id))
			return true;
	return false;
}

static int removal_add(struct planning *p, size_t index, const char *why, size_t group)
{
	p->gone[index] = true;
	return step_add(p->plan, &(struct stack_step){ .action = STACK_REMOVE, .why = why, .group = group },
			p->found->containers[index].id);
}

/* A network of the stack that is there, and was made another way. */
static bool network_is_changed(const struct planning *p, const struct stack_network *n)
{
	const struct stack_thing *there = thing_find(p->found->networks, p->found->network_count, n->real);

	return there && !n->external && !str_eq(there->digest, n->digest);
}

/* A network can only be made anew when nobody is in it. */
static int changed_networks_empty(struct planning *p)
{
	size_t group = ++p->groups;

	for (size_t i = 0; i < p->stack->network_count; i++) {
		const struct stack_network *n = &p->stack->networks[i];

		for (size_t j = 0; network_is_changed(p, n) && j < p->found->container_count; j++) {
			int r = 0;

			if (!p->gone[j] && str_list_has(&p->found->containers[j].networks, n->real))
				r = removal_add(p, j, "its network has changed", group);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Replicas beyond the number, and what is of no service of the file. */
static int surplus_remove(struct planning *p)
{
	size_t group = ++p->groups;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->found->container_count; i++) {
		const struct stack_container *c = &p->found->containers[i];
		const struct stack_service *s = stack_service_find(p->stack, c->service);

		if (p->gone[i] || is_wanted(p, c->id))
			continue;
		if (!s && p->options->orphans)
			r = removal_add(p, i, "its service is no longer there", group);
		else if (s && s->selected)
			r = removal_add(p, i, "one replica less", group);
	}
	return r;
}

static bool network_is_used(const struct planning *p, const char *real)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_list_has(&p->wanted[i].networks, real))
			return true;
	return false;
}

static bool volume_is_used(const struct planning *p, const char *real)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_list_has(&p->wanted[i].volumes, real))
			return true;
	return false;
}

static int networks_plan(struct planning *p)
{
	for (size_t i = 0; i < p->stack->network_count; i++) {
		const struct stack_network *n = &p->stack->networks[i];
		bool changed = network_is_changed(p, n), there = thing_find(p->found->networks, p->found->network_count, n->real);
		int r = 0;

		if (changed)
			r = step_add(p->plan, &(struct stack_step){ .action = STACK_NETWORK_REMOVE, .why = "it has changed" }, n->real);
		if (r == 0 && !n->external && (!there || changed) && network_is_used(p, n->real))
			r = step_add(p->plan, &(struct stack_step){ .action = STACK_NETWORK_MAKE, .service = i }, n->real);
		if (r < 0)
			return r;
	}
	return 0;
}

static int volumes_plan(struct planning *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->stack->volume_count; i++) {
		const struct stack_volume *v = &p->stack->volumes[i];

		if (!v->external && !thing_find(p->found->volumes, p->found->volume_count, v->real) && volume_is_used(p, v->real))
			r = step_add(p->plan, &(struct stack_step){ .action = STACK_VOLUME_MAKE, .service = i }, v->real);
	}
	return r;
}

/* What is to be done about one replica. Return: whether there is something. */
static bool replica_judge(const struct planning *p, const struct stack_replica *w, struct stack_step *step)
{
	size_t index = 0;
	const struct stack_container *c = container_find(p, w->id, &index);

	*step = (struct stack_step){ .action = STACK_REPLACE, .service = w->service, .replica = (size_t)(w - p->wanted) };
	if (!c || p->gone[index])
		step->action = STACK_CREATE;
	else if (c->half)
		step->why = "it was left half made";
	else if (!*w->digest)
		step->why = "its image is to be fetched";
	else if (!str_eq(c->digest, w->digest))
		step->why = "its spec has changed";
	else if (p->options->recreate)
		step->why = "it was asked for";
	else if (c->lost)
		*step = (struct stack_step){ .action = STACK_START, .service = w->service, .why = "its keeper was killed" };
	else if (!c->running && !c->complete)
		*step = (struct stack_step){ .action = STACK_START, .service = w->service, .why = "it has ended" };
	else
		return false;
	return true;
}

/* What the service needs, once, in front of its first step. */
static int needs_plan(struct planning *p, const struct stack_service *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->need_count; i++) {
		const struct stack_need *need = &s->needs[i];

		if (need->condition != STACK_STARTED && p->stack->services[need->index].selected)
			r = step_add(p->plan, &(struct stack_step){ .action = STACK_AWAIT, .service = need->index,
				     .condition = need->condition }, need->service);
	}
	return r;
}

static int service_plan(struct planning *p, size_t index)
{
	bool first = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->count; i++) {
		struct stack_step step;

		if (p->wanted[i].service != index || !replica_judge(p, &p->wanted[i], &step))
			continue;
		if (first)
			r = needs_plan(p, &p->stack->services[index]);
		first = false;
		if (r == 0)
			r = step_add(p->plan, &step, p->wanted[i].id);
	}
	return r;
}

/* At the very end, when nobody is in them. Those of services that are left alone stay. */
static int networks_surplus_remove(struct planning *p)
{
	for (size_t i = 0; i < p->found->network_count; i++) {
		const char *real = p->found->networks[i].name;
		bool known = network_is_used(p, real);
		int r;

		for (size_t j = 0; j < p->found->container_count; j++)
			known |= !p->gone[j] && !is_wanted(p, p->found->containers[j].id) &&
				 str_list_has(&p->found->containers[j].networks, real);
		for (size_t j = 0; j < p->stack->network_count; j++)
			known |= str_eq(p->stack->networks[j].real, real) && network_is_changed(p, &p->stack->networks[j]);
		r = known ? 0 : step_add(p->plan, &(struct stack_step){ .action = STACK_NETWORK_REMOVE, .why = "nothing is in it" }, real);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Jobs have to come to their end, the rest to be healthy where there is a check. */
static int all_await(struct planning *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->stack->service_count; i++) {
		const struct stack_service *s = &p->stack->services[i];
		int condition = STACK_STARTED;

		for (size_t j = 0; j < p->count; j++)
			if (p->wanted[j].service == i && p->wanted[j].has_health)
				condition = STACK_HEALTHY;
		if (s->selected && s->replicas > 0)
			r = step_add(p->plan, &(struct stack_step){ .action = STACK_AWAIT, .service = i, .condition = condition }, s->name);
	}
	return r;
}

int stack_plan_up(const struct stack *stack, const struct stack_replica *wanted, size_t count, const struct stack_found *found,
		  const struct stack_plan_options *options, struct stack_plan *ret)
{
	cleanup_free bool *gone = calloc(found->container_count + 1, sizeof(*gone));
	struct planning p = { .stack = stack, .wanted = wanted, .count = count, .found = found, .options = options, .plan = ret, .gone = gone };
	int r = gone ? 0 : fail(ENOMEM, "plan");

	if (r == 0)
		r = changed_networks_empty(&p);
	if (r == 0)
		r = surplus_remove(&p);
	if (r == 0)
		r = networks_plan(&p);
	for (size_t i = 0; r == 0 && i < found->broken.count; i++)
		r = step_add(ret, &(struct stack_step){ .action = STACK_NETWORK_MEND, .why = "its bridge or its rules were taken away" },
			     found->broken.items[i]);
	if (r == 0)
		r = volumes_plan(&p);
	for (size_t i = 0; r == 0 && i < stack->service_count; i++)
		if (stack->services[i].selected)
			r = service_plan(&p, i);
	if (r == 0 && options->orphans)
		r = networks_surplus_remove(&p);
	return r < 0 || !options->await_all ? r : all_await(&p);
}

/* Whether a container that is still there needs the service. */
static bool is_needed(const struct stack_found *found, const bool *gone, const char *service)
{
	for (size_t i = 0; i < found->container_count; i++)
		if (!gone[i] && !str_eq(found->containers[i].service, service) && str_list_has(&found->containers[i].needs, service))
			return true;
	return false;
}

/* Layer by layer: all that nothing needs any more. A circle, which no file makes, is cut by taking all that is left. */
int stack_plan_down(const struct stack_found *found, bool volumes, struct stack_plan *ret)
{
	cleanup_free bool *gone = calloc(found->container_count + 1, sizeof(*gone)), *now = calloc(found->container_count + 1, sizeof(*now));
	size_t left = found->container_count, group = 0;
	int r = gone && now ? 0 : fail(ENOMEM, "plan");

	while (r == 0 && left > 0) {
		size_t n = 0;

		for (size_t i = 0; i < found->container_count; i++) {
			now[i] = !gone[i] && !is_needed(found, gone, found->containers[i].service);
			n += now[i];
		}
		group++;
		for (size_t i = 0; r == 0 && i < found->container_count; i++) {
			if (gone[i] || (n > 0 && !now[i]))
				continue;
			gone[i] = true;
			left--;
			r = step_add(ret, &(struct stack_step){ .action = STACK_REMOVE, .group = group }, found->containers[i].id);
		}
	}
	for (size_t i = 0; r == 0 && i < found->network_count; i++)
		r = step_add(ret, &(struct stack_step){ .action = STACK_NETWORK_REMOVE }, found->networks[i].name);
	for (size_t i = 0; r == 0 && volumes && i < found->volume_count; i++)
		r = step_add(ret, &(struct stack_step){ .action = STACK_VOLUME_REMOVE }, found->volumes[i].name);
	return r;
}
