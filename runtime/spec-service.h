/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-service - what a container's keeper is to do, from the annotations that say so
 *
 *	io.nacelle.restart	"no", "on-failure", "on-failure:N", "always", "unless-stopped"
 *	io.nacelle.log		"driver=json-file,max-size=10m,max-file=3"; or driver=journald, or driver=none: nothing is kept
 *	io.nacelle.health	as a JSON text what an image's config has: {"Test": ["CMD", "true"], "Interval": NANOSECONDS…}
 *	io.nacelle.image_health	the same, of the image: counts where the one above is not there
 *	io.nacelle.init		"true": a small init is the container's first process
 *
 * The short keys and the options of `run` become these, and an OCI document that has them means the same.
 */

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

/* Who keeps what it says: files of ours, the journal of systemd, nobody. */
enum service_log_driver { LOG_DRIVER_JSON_FILE, LOG_DRIVER_JOURNALD, LOG_DRIVER_NONE };

enum service_restart { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

/* Times in milliseconds. */
struct service_health {
	bool set;		/* there is a check, and it is not "NONE" */
	bool own;		/* asked for by the spec rather than by the image */
	bool odd;		/* the image's makes no sense: it is none */
	struct str_list args;	/* what is executed in the container */
	int64_t interval, timeout, start_period, start_interval;
	int64_t retries;	/* so many failures in a row make it unhealthy */
};

struct service {
	enum service_restart restart;
	int64_t retries;	/* of on-failure; 0: no limit */
	enum service_log_driver log_driver;
	int64_t log_size;	/* bytes of one file; 0: no limit */
	int64_t log_files;	/* at least 1 */
	struct service_health health;
	bool init;
};

enum { SERVICE_LOG_SIZE = 10 * 1024 * 1024, SERVICE_LOG_FILES = 3 };

/*
 * service_read() - from a container's annotations ("key=value")
 * @ret: service_done() it, after a failure too
 *
 * Return: 0 or a recorded failure that names the annotation.
 */
int service_read(const struct str_list *annotations, struct service *ret);
void service_done(struct service *service);

/* service_needs_keeper() - name of what the spec asks for and only a keeper does, or NULL. What an image wishes does not count. */
const char *service_needs_keeper(const struct service *service);

/* The judges of single texts, for whoever writes the annotations. Return: 0 or -EINVAL, nothing recorded. */
int service_restart_read(const char *text, struct service *ret);
int service_log_option_read(const char *name, const char *value, struct service *ret);

/* service_restart_name() - "no", "on-failure", … */
const char *service_restart_name(enum service_restart restart);
