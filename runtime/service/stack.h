/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack - services that belong together, as one file says
 *
 * A stack file is one JSON object, read by the tables of stack-read.c: strictly, with the JSON path in every message. A
 * service is a spec (any that `run` takes: short or OCI, container or machine), and a few keys beside it that say how many
 * there are of it and what it needs; each replica is an ordinary detached container "STACK-SERVICE-N". Nothing else keeps
 * a stack: what there is of one is found by the annotations of its containers, and the labels of its networks and volumes.
 *
 *	<data>/stacks/NAME/		locked by whoever changes the stack (stack-place.h)
 *	<data>/stacks/NAME/stack.json	what it was last brought to, variables replaced: what a bare NAME stands for
 *	<root>/.stacks/NAME/		contents of its configs and secrets, named by what is in them (stack-files.h)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <jansson.h>
#include <sha2.h>

#include "runtime/base/str.h"

/* Annotations of a replica, and labels of networks and volumes, behind SHORT_ANNOTATION. */
#define STACK_ANNOTATION "stack"
#define STACK_SERVICE_ANNOTATION "stack_service"
#define STACK_REPLICA_ANNOTATION "stack_replica"
#define STACK_NEEDS_ANNOTATION "stack_needs"	/* services, with blanks between: what `down` ends after it */
#define STACK_FILES_ANNOTATION "stack_files"	/* names below <root>/.stacks/NAME, with blanks between */
#define STACK_DIGEST_ANNOTATION "stack_digest"	/* of all else: another one means that it is to be replaced */

/* The network of services that name none. */
#define STACK_NETWORK "default"

enum { STACK_NAME_MAX = 63, STACK_REPLICAS_MAX = 1000, STACK_TIMEOUT_S = 60 };

/* What another service waits for. */
enum stack_condition { STACK_STARTED, STACK_HEALTHY, STACK_COMPLETED };

struct json_at;

struct stack_need {
	char *service;
	int condition;		/* enum stack_condition */
	size_t index;		/* of the service in the stack */
};

/* A network of the stack, or one that is there. */
struct stack_network {
	char *name, *real;	/* in the file; on the host */
	bool external, internal, ipv6;
	uint32_t mtu;
	struct str_list subnets, gateways, labels;
	char digest[SHA256_DIGEST_STRING_LENGTH];	/* of how it is to be made */
};

struct stack_volume {
	char *name, *real;
	bool external;
	struct str_list labels;
};

/* What a config or secret holds: exactly one is set. */
struct stack_file {
	char *name, *path, *content, *variable;
	bool secret;
};

/* A config or secret that a service has. */
struct stack_use {
	char *source;			/* name of the config or secret */
	bool secret;
	size_t file;			/* its index */
	char *target;			/* absolute */
	uint32_t uid, gid, mode;
};

struct stack_update {
	uint64_t timeout_ms;	/* how long a new replica has to become healthy */
	uint64_t watch_ms;	/* without a health check: how long it must live */
};

struct stack_service {
	char *name;
	json_t *spec;		/* an object: what stands beside the stack's keys, paths absolute, networks and volumes as in the file */
	char *base;		/* file or bundle folder that it starts from, absolute; NULL: spec is all */
	int64_t replicas;
	struct stack_need *needs;
	size_t need_count;
	struct stack_use *uses;
	size_t use_count;
	struct str_list profiles;
	struct stack_update update;
	bool active;		/* no profile of its own, or one that was asked for */
	bool selected;		/* this command is about it */
};

struct stack {
	char *name;
	char *folder;		/* absolute: relative paths count from it */
	json_t *text;		/* the whole, variables replaced and paths absolute */
	struct stack_service *services;	/* what needs another stands behind it */
	size_t service_count;
	struct stack_network *networks;
	size_t network_count;
	struct stack_volume *volumes;
	size_t volume_count;
	struct stack_file *files;
	size_t file_count;
};

/* stack_name_check() - letters, digits and '-', as a host name has them. Return: 0 or a recorded failure. */
int stack_name_check(const char *name);

/* stack_name_make() - what was written, or else the last part of the folder, in small letters. @ret: the caller's. Return: 0 or a recorded failure. */
int stack_name_make(const char *written, const char *folder, char **ret);

/*
 * stack_read() - from JSON text that has no variables left
 * @folder: absolute
 * @name: wins over the file's; NULL
 * @profiles: those that were asked for
 * @ret: stack_done() it, after a failure too
 *
 * Services come in an order in which each stands behind what it needs; a circle is refused. Return: 0 or a recorded failure.
 */
int stack_read(json_t *v, const char *folder, const char *name, const struct str_list *profiles, struct stack *ret);
void stack_done(struct stack *stack);

/* stack_order() - put services behind what they need, and resolve needs. Return: 0 or a recorded failure. */
int stack_order(struct stack *stack);

/*
 * stack_select() - have the command be about these services, and what they need; none: about all that are active
 * @alone: without what they need
 *
 * Return: 0 or a recorded failure: an unknown one.
 */
int stack_select(struct stack *stack, char *const *names, size_t count, bool alone);

/* stack_service_find() - NULL: there is none. */
struct stack_service *stack_service_find(const struct stack *stack, const char *name);
/* stack_service_unknown() - record that there is none, with the nearest. Return: -ENOENT. */
int stack_service_unknown(const struct stack *stack, const char *name);
const struct stack_network *stack_network_find(const struct stack *stack, const char *name);
const struct stack_volume *stack_volume_find(const struct stack *stack, const char *name);

/*
 * stack_vars_replace() - ${NAME} and its kin in all strings of a document
 * @env: "NAME=value"
 * @ret: new reference
 *
 *	${NAME}			its value; unset is a failure
 *	${NAME:-text}		text when it is unset or empty; ${NAME-text} when it is unset
 *	${NAME:?text}, ${NAME?text}	a failure that says text, the same way
 *	${NAME:+text}, ${NAME+text}	text when it is set (and not empty), else nothing
 *	$${			a plain "${"
 *
 * A '$' before anything else is a plain one, so that a shell's script may stand in args. Return: 0 or a recorded failure.
 */
int stack_vars_replace(const struct json_at *at, json_t *v, const struct str_list *env, json_t **ret);

/* stack_paths_absolute() - relative paths of a service's short keys, in place. Return: 0 or a recorded failure. */
int stack_paths_absolute(json_t *service, const char *folder);
