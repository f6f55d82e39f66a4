/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * systemd-internal - what the systemd-*.c files share: the library, a connection, properties
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_limits;
struct str_list;

/* libsystemd's own types, of which only the error is more than a pointer. Source: sd-bus(3) */
typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;
typedef struct sd_bus_slot sd_bus_slot;
typedef struct {
	const char *name, *message;
	int need_free;
} sd_bus_error;

struct systemd_library {
	int (*bus_new)(sd_bus **ret);
	int (*bus_set_address)(sd_bus *bus, const char *address);
	int (*bus_start)(sd_bus *bus);
	int (*bus_open_system)(sd_bus **ret);
	int (*bus_open_user)(sd_bus **ret);
	sd_bus *(*bus_flush_close_unref)(sd_bus *bus);
	int (*bus_match_signal)(sd_bus *bus, sd_bus_slot **ret, const char *sender, const char *path,
				const char *interface, const char *member,
				int (*handler)(sd_bus_message *m, void *data, sd_bus_error *error), void *data);
	int (*bus_call)(sd_bus *bus, sd_bus_message *m, uint64_t timeout_us, sd_bus_error *error, sd_bus_message **ret);
	int (*bus_process)(sd_bus *bus, sd_bus_message **ret);
	int (*bus_wait)(sd_bus *bus, uint64_t timeout_us);
	int (*message_new_method_call)(sd_bus *bus, sd_bus_message **ret, const char *destination, const char *path,
				       const char *interface, const char *member);
	int (*message_append)(sd_bus_message *m, const char *types, ...);
	int (*message_append_array)(sd_bus_message *m, char type, const void *data, size_t size);
	int (*message_open_container)(sd_bus_message *m, char type, const char *contents);
	int (*message_close_container)(sd_bus_message *m);
	int (*message_read)(sd_bus_message *m, const char *types, ...);
	sd_bus_message *(*message_unref)(sd_bus_message *m);
	void (*error_free)(sd_bus_error *error);
};

/* systemd_library_open() - Return: 0 with the library, which stays, or a recorded failure. */
int systemd_library_open(const struct systemd_library **ret);

/* A connection to the manager. */
struct systemd_bus {
	const struct systemd_library *lib;
	sd_bus *bus;
	bool direct;		/* to the manager itself rather than through a message bus */
	bool jobs_told;		/* it tells us of the end of jobs */
	char *job;		/* the one that is waited for */
	char *result;		/* how it ended; NULL: not yet */
};
#define SYSTEMD_BUS_NONE { .lib = NULL, .bus = NULL }

/* systemd_bus_open() - systemd_bus_close() it. @jobs: jobs will be waited for. Return: 0 or a recorded failure. */
int systemd_bus_open(struct systemd_bus *bus, bool jobs);
void systemd_bus_close(struct systemd_bus *bus);

/* systemd_is_user() - whether the user's manager is the one for us. */
bool systemd_is_user(void);

/* What a property holds. */
enum systemd_type {
	SYSTEMD_BOOL,	 /* number */
	SYSTEMD_INT32,	 /* number */
	SYSTEMD_UINT32,	 /* number */
	SYSTEMD_INT64,	 /* number */
	SYSTEMD_UINT64,	 /* number */
	SYSTEMD_DOUBLE,	 /* real */
	SYSTEMD_STRING,	 /* text */
	SYSTEMD_STRINGS, /* list */
	SYSTEMD_BYTES,	 /* text, size */
	SYSTEMD_PIDS,	 /* number: an array of this one */
	SYSTEMD_DEVICES, /* text: a device's path, and number: an array of this one */
};

struct systemd_property {
	char *name;
	enum systemd_type type;
	uint64_t number;
	double real;
	char *text;
	size_t size;
	char **list;		/* ended by NULL */
	bool asked;		/* by an annotation: what it does not know is then a failure */
	bool left_out;		/* this systemd does not know it */
};

struct systemd_properties {
	struct systemd_property *items;
	size_t count;
};
void systemd_properties_done(struct systemd_properties *properties);

/* systemd_property_add() - one more, whose value the caller fills in. Return: it, or NULL with a recorded failure. */
struct systemd_property *systemd_property_add(struct systemd_properties *properties, const char *name,
					      enum systemd_type type);
/* systemd_properties_limits() - what systemd knows of these limits. Return: 0 or a recorded failure. */
int systemd_properties_limits(struct systemd_properties *properties, const struct cgroup_limits *limits);
/* systemd_properties_annotations() - org.systemd.property.*, in the text form of GVariant. Return: 0 or a recorded failure. */
int systemd_properties_annotations(struct systemd_properties *properties, const struct str_list *annotations);

/*
 * systemd_manager_call() - call a method of the manager
 * @types, ...: its arguments: 's' a string, 'p' an array of one pid; NULL: none
 * @ret_reply: message_unref() it; may be NULL
 *
 * Return: 0, one of the outcomes below, or a recorded failure.
 */
enum { SYSTEMD_NO_SUCH_UNIT = 1, SYSTEMD_UNIT_EXISTS = 2, SYSTEMD_UNKNOWN_PROPERTY = 3 };
int systemd_manager_call(struct systemd_bus *bus, const char *method, sd_bus_message **ret_reply, const char *types, ...);

/*
 * systemd_properties_call() - the same for a method that takes properties
 * @before: types and values in front of them are (name, @mode): "ss", or "sb"
 *
 * Properties that this systemd does not know are left out, and it is tried again.
 */
int systemd_properties_call(struct systemd_bus *bus, const char *method, const char *unit, const char *mode,
			    struct systemd_properties *properties, sd_bus_message **ret_reply);

/*
 * systemd_job_wait() - wait for the job that @reply names
 * @ret_result: "done", "failed", "canceled", "timeout", "dependency", "skipped"; points into @bus
 */
int systemd_job_wait(struct systemd_bus *bus, sd_bus_message *reply, const char **ret_result);

/* systemd_job_removed() - the handler of the manager's signal; @data: struct systemd_bus. Return: 0. */
int systemd_job_removed(sd_bus_message *m, void *data, sd_bus_error *error);
