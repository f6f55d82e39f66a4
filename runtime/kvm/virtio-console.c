/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One terminal: what the guest writes goes to an fd, what can be read from another goes to the
 * guest. Neither fd is made non-blocking, since others may share them; a write of a page at most
 * after poll(2) said that there is room does not wait. A reader who does not read stops the queue,
 * hence the guest's console and nothing else. Source: virtio 1.2, section 5.3.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"

enum { QUEUE_TO_GUEST = 0, QUEUE_FROM_GUEST = 1, QUEUES = 2, QUEUE_SIZE = 64, CHUNK = 4096 };

struct console {
	struct virtio v;
	struct loop_source input, output; /* duplicates; -1: none, or at its end */
	bool input_watched, output_watched;
	size_t sent; /* of the buffer that is being written */
};

/* Is there room, without waiting? What is no pipe, socket or terminal always has. */
static bool output_has_room(const struct console *console)
{
	struct pollfd p = { .fd = console->output.fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

/* Write some of the buffer in hand. Return: false when the other end must be waited for. */
static bool output_write(struct console *console)
{
	const struct virtq_chain *chain = &console->v.chain;
	uint8_t bytes[CHUNK];
	size_t size;
	ssize_t n;

	size = virtq_copy_in(chain, console->sent, bytes, sizeof(bytes));
	if (console->output.fd < 0) {
		console->sent += size;
		return true;
	}
	if (!output_has_room(console))
		return false;
	n = write(console->output.fd, bytes, size);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* Nobody will ever read it: the guest goes on without. */
	console->sent += n < 0 ? size : (size_t)n;
	return true;
}

static void watch(struct console *console, struct loop_source *source, bool *watched, bool on,
		  uint32_t events)
{
	/* A regular file cannot be watched (EPERM) and need not be: it is always ready. */
	if (on && !*watched && source->fd >= 0)
		*watched = loop_add(console->v.loop, source, events) == 0;
	else if (!on && *watched) {
		loop_remove(console->v.loop, source);
		*watched = false;
	}
}

static void from_guest(struct console *console)
{
	struct virtio *v = &console->v;
	struct virtq *q = &v->queues[QUEUE_FROM_GUEST].q;
	bool waiting = false;

	while (!waiting && virtq_next(q, &v->chain) == VIRTQ_CHAIN) {
		while (!waiting && console->sent < v->chain.readable_bytes)
			waiting = !output_write(console);
		if (waiting) {
			virtq_undo(q);
			break;
		}
		console->sent = 0;
		virtq_push(q, v->chain.head, 0);
	}
	virtio_notify(v, QUEUE_FROM_GUEST);
	watch(console, &console->output, &console->output_watched, waiting, EPOLLOUT);
}

static void end_close(struct console *console, struct loop_source *source, bool *watched)
{
	watch(console, source, watched, false, 0);
	(void)close(source->fd);
	source->fd = -1;
}

/* One read into one buffer of the guest's. Return: whether there may be more to do. */
static bool to_guest(struct console *console)
{
	struct virtio *v = &console->v;
	struct virtq *q = &v->queues[QUEUE_TO_GUEST].q;
	uint8_t bytes[CHUNK];
	ssize_t n;

	if (console->input.fd < 0 || virtq_next(q, &v->chain) != VIRTQ_CHAIN)
		return false;
	n = read(console->input.fd, bytes,
		 v->chain.writable_bytes < sizeof(bytes) ? v->chain.writable_bytes : sizeof(bytes));
	if (n <= 0) {
		virtq_undo(q);
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			end_close(console, &console->input, &console->input_watched);
		return false;
	}
	virtq_push(q, v->chain.head, (uint32_t)virtq_copy_out(&v->chain, 0, bytes, (size_t)n));
	return true;
}

static void console_kick(struct virtio *v, unsigned int queue)
{
	struct console *console = container_of(v, struct console, v);

	if (queue == QUEUE_FROM_GUEST) {
		from_guest(console);
		return;
	}
	watch(console, &console->input, &console->input_watched, true, EPOLLIN);
	if (console->input_watched)
		return;
	while (to_guest(console))
		continue;
	virtio_notify(v, QUEUE_TO_GUEST);
}

static void console_reset(struct virtio *v)
{
	container_of(v, struct console, v)->sent = 0;
}

static void input_ready(struct loop_source *source, uint32_t events)
{
	struct console *console = container_of(source, struct console, input);

	(void)events;
	/* Without a buffer the input is left alone until the guest gives one. */
	if (!virtio_enter(&console->v) || !to_guest(console))
		watch(console, source, &console->input_watched, false, 0);
	virtio_notify(&console->v, QUEUE_TO_GUEST);
	virtio_leave(&console->v);
}

static void output_ready(struct loop_source *source, uint32_t events)
{
	struct console *console = container_of(source, struct console, output);
	bool there = virtio_enter(&console->v);

	if (events & (EPOLLERR | EPOLLHUP))
		end_close(console, source, &console->output_watched);
	if (there)
		from_guest(console);
	else
		watch(console, source, &console->output_watched, false, 0);
	virtio_leave(&console->v);
}

static const struct virtio_ops console_ops = { .kick = console_kick, .reset = console_reset };

static void console_free(void *self)
{
	struct console *console = self;

	virtio_done(&console->v);
	if (console->input.fd >= 0)
		(void)close(console->input.fd);
	if (console->output.fd >= 0)
		(void)close(console->output.fd);
	free(console);
}
CLEANUP_DEFINE(struct console *, console_free)

/* A number of our own for each end: both may be one terminal. */
static int end_open(struct loop_source *source, int fd,
		    void (*ready)(struct loop_source *, uint32_t))
{
	*source = (struct loop_source){ .fd = -1, .ready = ready };
	if (fd < 0)
		return 0;
	source->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (source->fd < 0)
		return fail(errno, "duplicate a descriptor of the console");
	return 0;
}

int console_new(const struct device_place *place, const struct vm_device_config *config,
		struct device *ret)
{
	const struct virtio_setup setup = {
		.ops = &console_ops,
		.id = VIRTIO_ID_CONSOLE,
		.queue_count = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = 0,
	};
	__attribute__((cleanup(console_free_p))) struct console *console =
		calloc(1, sizeof(*console));
	int r;

	if (!console)
		return fail(ENOMEM, "make the console");
	console->input.fd = console->output.fd = -1;
	r = end_open(&console->input, config->fd[0], input_ready);
	if (r < 0)
		return r;
	r = end_open(&console->output, config->fd[1], output_ready);
	if (r < 0)
		return r;
	r = virtio_init(&console->v, place->vm, place->loop, place->memory, place->slot,
			place->page, &setup);
	if (r < 0)
		return r;
	*ret = (struct device){ .self = steal_ptr(&console), .free = console_free };
	return 0;
}
