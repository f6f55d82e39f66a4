/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host wants to know of the container, or to have changed in it. Each question is a verb that a host has.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "runtime/base/json.h"
#include "runtime/container.h"
#include "runtime/in-vm.h"
#include "runtime/processes.h"
#include "runtime/update.h"

/* A limit beyond the machine's memory would be none: the machine has what it was given at its start. */
static int update(json_t *v, json_t **ret)
{
	const json_t *limit = json_object_get(json_object_get(v, "memory"), "limit");
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return fail(errno, "look at the memory");
	if (json_is_integer(limit) && json_integer_value(limit) > (json_int_t)info.totalram * info.mem_unit)
		return fail_plain(ERANGE, "memory.limit: the virtual machine has %llu bytes, and no more are given to it "
				  "while it runs", (unsigned long long)info.totalram * info.mem_unit);
	*ret = json_object();
	return container_update(&in_vm_place, IN_VM_CONTAINER, v);
}

static int processes(json_t *v, json_t **ret)
{
	struct processes list = { .rows = NULL };
	int r = processes_list(&in_vm_place, IN_VM_CONTAINER, &list);

	(void)v;
	if (r == 0)
		*ret = processes_to_json(&list);
	processes_done(&list);
	return r;
}

static const struct {
	const char *name;
	int (*run)(json_t *v, json_t **ret);
} questions[] = {
	{ "update", update },
	{ "processes", processes },
};

static int question_answer(int control, const struct channel_message *m)
{
	cleanup_json json_t *v = NULL, *answer = NULL;
	cleanup_free char *text = NULL;
	int r = m->word == CHANNEL_ASK ? json_parse("what the host asks", m->text, m->size, &v) :
					 fail_plain(EPROTO, "the host asked nothing");

	if (r < 0)
		return r;
	r = fail_plain(ENOTSUP, "the virtual machine's agent does not know the question");
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		json_t *argument = json_object_get(v, questions[i].name);

		if (argument)
			r = questions[i].run(argument, &answer);
	}
	if (r < 0)
		return r;
	text = answer ? json_text(answer) : NULL;
	return text ? channel_send(control, CHANNEL_ANSWER, 0, 0, text, strlen(text)) : fail(ENOMEM, "make an answer");
}

void in_vm_answer(int control)
{
	struct channel_message m = { .word = CHANNEL_NONE };
	int r = channel_receive(control, &m);

	(void)signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = question_answer(control, &m);
	channel_message_done(&m);
	if (r < 0)
		(void)channel_send(control, CHANNEL_FAILED, (uint16_t)fail_status(), 0, fail_text(),
				   strnlen(fail_text(), 4096));
}
