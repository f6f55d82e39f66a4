/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The carrying out: one function an action, in the table at the end. */
#include "runtime/service/stack-carry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/container.h"
#include "runtime/network.h"
#include "runtime/service/stack-await.h"
#include "runtime/service/stack-plan.h"
#include "runtime/service/stack-spawn.h"
#include "runtime/service/stack-spec.h"
#include "runtime/service/stack.h"
#include "runtime/spec-short.h"
#include "runtime/volume.h"

enum { LAST_MAX = 64 * 1024 };

/* A replica that was replaced: what it was. */
struct was {
	const char *id;
	size_t service;
	char *text, *folder;
};

struct carrying {
	const struct stack_carry *c;
	struct was *was;
	size_t was_count;
};

static void say(const struct carrying *k, const struct stack_step *step)
{
	k->c->say(step, k->c->data);
}

/* --- networks and volumes -------------------------------------------------------------------------- */

static int network_make(struct carrying *k, const struct stack_step *step)
{
	const struct stack_network *n = &k->c->stack->networks[step->service];
	struct network_options o = { .name = n->real, .subnets = n->subnets, .gateways = n->gateways, .ipv6 = n->ipv6,
				     .internal = n->internal, .mtu = n->mtu };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n->labels.count; i++)
		r = str_list_add(&o.labels, n->labels.items[i]);
	if (r == 0)
		r = str_list_addf(&o.labels, SHORT_ANNOTATION STACK_ANNOTATION "=%s", k->c->stack->name);
	if (r == 0)
		r = str_list_addf(&o.labels, SHORT_ANNOTATION STACK_DIGEST_ANNOTATION "=%s", n->digest);
	if (r == 0)
		r = network_create(k->c->place, &o);
	str_list_done(&o.labels);
	return r;
}

static int network_put_right(struct carrying *k, const struct stack_step *step)
{
	(void)step;
	return network_mend(k->c->place);
}

static int network_unmake(struct carrying *k, const struct stack_step *step)
{
	int r = network_remove(k->c->place, step->subject);

	return r < 0 ? r : 0;
}

static int volume_create(struct carrying *k, const struct stack_step *step)
{
	const struct stack_volume *volume = &k->c->stack->volumes[step->service];
	cleanup_volumes struct volumes v = VOLUMES_NONE;
	cleanup_json json_t *labels = json_of_map(&volume->labels);
	int r;

	if (!labels || json_object_set_new(labels, SHORT_ANNOTATION STACK_ANNOTATION, json_string(k->c->stack->name)) < 0)
		return fail(ENOMEM, "make volume '%s'", volume->real);
	r = volumes_open(k->c->place->data, true, &v);
	if (r == 0)
		r = volume_make(&v, volume->real, labels, false, geteuid(), getegid());
	if (r == VOLUME_EXISTS)
		return fail_plain(EEXIST, "volume '%s' is there, and not this stack's (say \"external\": true to use it)", volume->real);
	return r;
}

static int volume_unmake(struct carrying *k, const struct stack_step *step)
{
	cleanup_volumes struct volumes v = VOLUMES_NONE;
	int r = volumes_open(k->c->place->data, false, &v);

	if (r == 0)
		r = volume_remove(&v, step->subject);
	return r < 0 ? r : 0;
}

/* --- containers ------------------------------------------------------------------------------------ */

static int await(struct carrying *k, const struct stack_step *step)
{
	for (size_t i = 0; i < k->c->wanted->count; i++) {
		const struct stack_replica *w = &k->c->wanted->replicas[i];
		int r = w->service == step->service ? stack_await_replica(k->c->place, w, (enum stack_condition)step->condition, k->c->wait_ms) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int container_run(struct carrying *k, const char *id, const char *text, const char *folder)
{
	const char *const args[] = { "run", "--detach", "--name", id, "-", NULL };

	return stack_command_run(k->c->place, args, text, folder);
}

static int create(struct carrying *k, const struct stack_step *step)
{
	const struct stack_replica *w = &k->c->wanted->replicas[step->replica];

	return container_run(k, w->id, w->text, w->folder);
}

static int start(struct carrying *k, const struct stack_step *step)
{
	return stack_command_run(k->c->place, (const char *const[]){ "start", step->subject, NULL }, NULL, NULL);
}

/* Its own way to end, and then all that is left of it. What cannot be stopped (it was never started) can be killed. */
static int stop_start(struct carrying *k, const char *id, struct stack_command *ret)
{
	const char *const plain[] = { "stop", id, NULL }, *const timed[] = { "stop", "--time", k->c->stop_time, id, NULL };

	return stack_command_start(k->c->place, k->c->stop_time ? timed : plain, NULL, NULL, ret);
}

static int stop_finish(struct carrying *k, const char *id, struct stack_command *command)
{
	int r = stack_command_finish(command);

	if (r < 0)
		log_debug("stop container '%s': %s, ignoring", id, fail_text());
	r = container_delete_whole(k->c->place, id, true);
	return r < 0 ? r : 0;
}

static int remove_one(struct carrying *k, const char *id)
{
	struct stack_command command;
	int r = stop_start(k, id, &command);

	return r < 0 ? r : stop_finish(k, id, &command);
}

enum { AT_ONCE = 64 };

/* From @first on, all of one group: they are told to end at once, and then waited for. Return: how many, or a recorded failure. */
static int remove_group(struct carrying *k, const struct stack_plan *plan, size_t first)
{
	const struct stack_step *steps = plan->steps + first;
	struct stack_command commands[AT_ONCE];
	size_t count = 0, begun = 0;
	int r = 0;

	while (first + count < plan->count && count < AT_ONCE && steps[count].action == STACK_REMOVE && steps[count].group == steps->group)
		count++;
	for (; r == 0 && begun < count; begun += r == 0)
		r = stop_start(k, steps[begun].subject, &commands[begun]);
	for (size_t i = 0; i < begun; i++) {
		int done = stop_finish(k, steps[i].subject, &commands[i]);

		if (done == 0)
			say(k, &steps[i]);
		else if (r == 0)
			r = fail_in(done, "remove '%s'", steps[i].subject);
	}
	return r < 0 ? r : (int)count;
}

/* --- a new one in place of an old one -------------------------------------------------------------- */

/* Kept in memory alone: who is killed here is finished by the next `up`, which tries the new one again. */
static int was_keep(struct carrying *k, const struct stack_step *step)
{
	struct was *more = realloc(k->was, (k->was_count + 1) * sizeof(*more)), *was;
	struct container_info info;
	bool runs;
	int r;

	if (!more)
		return fail(ENOMEM, "replace a container");
	k->was = more;
	was = &more[k->was_count++];
	*was = (struct was){ .id = step->subject, .service = step->service };
	r = container_look(k->c->place, step->subject, &info);
	if (r != 0)
		return r < 0 ? r : 0;
	/* There is nothing to go back to when it did not run. */
	runs = !info.stale && (info.status == CONTAINER_RUNNING || info.tended.restarting);
	container_info_done(&info);
	return runs ? container_spec_text(k->c->place, step->subject, &was->text, &was->folder) : 0;
}

static int one_back(struct carrying *k, const struct was *was)
{
	const struct stack_step step = { .action = STACK_BACK, .subject = (char *)(uintptr_t)was->id, .why = "its new one is no good" };
	int r = remove_one(k, was->id);

	if (r == 0)
		r = container_run(k, was->id, was->text, was->folder);
	if (r == 0)
		say(k, &step);
	return r;
}

/* Its log goes with it: the last line may say why. @ret: NULL: there is none. */
static void last_words(struct carrying *k, const char *id, char **ret)
{
	const char *const args[] = { "logs", "--tail=1", id, NULL };
	cleanup_free char *text = NULL;
	char quoted[STR_QUOTE_SIZE];
	cleanup_fd int fd = -1;
	pid_t pid = stack_command_read(k->c->place, args, &fd);

	if (pid < 0)
		return;
	if (fd_read_all(fd, LAST_MAX, &text, NULL) == 0 && *text) {
		text[strcspn(text, "\n")] = '\0';
		(void)str_format(ret, ", and said last: %s", str_quote(quoted, text));
	}
	(void)close(steal_fd(&fd));
	(void)proc_reap(pid);
}

/* The failure that led here stays the one that is told; of those on the way back there are warnings. */
static int service_back(struct carrying *k, size_t service, bool ran, int failed)
{
	const char *name = k->c->stack->services[service].name;
	cleanup_free char *why = NULL, *words = NULL;
	bool all = true, any = false;

	if (str_copy(&why, fail_text()) < 0)
		return -ENOMEM;
	if (ran)
		last_words(k, k->was[k->was_count - 1].id, &words);
	for (size_t i = k->was_count; i > 0; i--) {
		const struct was *was = &k->was[i - 1];

		if (was->service != service || !was->text)
			continue;
		any = true;
		if (one_back(k, was) == 0)
			continue;
		all = false;
		log_warn("container '%s' could not be put back: %s", was->id, fail_text());
	}
	if (!any)
		return fail_plain(-failed, "service '%s': %s%s", name, why, words ? words : "");
	return fail_plain(-failed, "service '%s' is %sback to what it was: %s%s", name, all ? "" : "in part ", why, words ? words : "");
}

static int replace(struct carrying *k, const struct stack_step *step)
{
	const struct stack_replica *w = &k->c->wanted->replicas[step->replica];
	bool ran = false;
	int r = was_keep(k, step);

	if (r == 0)
		r = remove_one(k, step->subject);
	if (r < 0)
		return r;
	r = container_run(k, w->id, w->text, w->folder);
	if (r == 0) {
		ran = true;
		r = stack_await_good(k->c->place, w, &k->c->stack->services[w->service].update);
	}
	return r < 0 ? service_back(k, step->service, ran, r) : 0;
}

/* --- all of it ------------------------------------------------------------------------------------- */

static int (*const actions[])(struct carrying *k, const struct stack_step *step) = {
	[STACK_NETWORK_MAKE] = network_make, [STACK_NETWORK_MEND] = network_put_right, [STACK_NETWORK_REMOVE] = network_unmake,
	[STACK_VOLUME_MAKE] = volume_create, [STACK_VOLUME_REMOVE] = volume_unmake,
	[STACK_AWAIT] = await, [STACK_CREATE] = create, [STACK_REPLACE] = replace, [STACK_START] = start,
};

int stack_carry_out(const struct stack_carry *carry, const struct stack_plan *plan)
{
	struct carrying k = { .c = carry };
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		const struct stack_step *step = &plan->steps[i];

		if (step->action == STACK_REMOVE) {
			int n = remove_group(&k, plan, i);

			r = n < 0 ? n : 0;
			i += n > 0 ? (size_t)n - 1 : 0;
			continue;
		}
		r = actions[step->action](&k, step);
		if (r == 0)
			say(&k, step);
		else if (step->action != STACK_REPLACE)
			r = fail_in(r, "%s '%s'", stack_action_name(step->action), step->subject);
	}
	for (size_t i = 0; i < k.was_count; i++) {
		free(k.was[i].text);
		free(k.was[i].folder);
	}
	free(k.was);
	return r;
}
