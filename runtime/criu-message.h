/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * criu-message - requests to criu and its answers, as bytes
 *
 * They are protocol buffers: a message is a row of fields, each a number with a variable length or a counted string, which
 * may itself be a message. The few that we need are written and read by hand: libcriu runs criu itself, so that nothing of ours
 * could be done in criu's process before (criu.h, `enter`), and nobody else could have the restored process as its child;
 * and what protobuf-c makes of all of rpc.proto is 12 KiB of pointers, which every start of a container would relocate.
 * Source: criu's images/rpc.proto, which tests/bats/checkpoint.bats compares with the numbers here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum criu_request { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4, CRIU_NOTIFY = 6 };

/* Fields of criu_req, and of its options. */
enum criu_field { CRIU_REQUEST_TYPE = 1, CRIU_REQUEST_OPTIONS = 2, CRIU_REQUEST_NOTIFIED = 3 };
enum criu_option {
	CRIU_IMAGES_FD = 1,
	CRIU_PID = 2,
	CRIU_LEAVE_RUNNING = 3,
	CRIU_EXT_UNIX_SK = 4,
	CRIU_TCP_ESTABLISHED = 5,
	CRIU_SHELL_JOB = 7,
	CRIU_FILE_LOCKS = 8,
	CRIU_LOG_LEVEL = 9,
	CRIU_LOG_FILE = 10,
	CRIU_NOTIFY_SCRIPTS = 12,
	CRIU_ROOT = 13,
	CRIU_PARENT_IMAGES = 14,
	CRIU_TRACK_MEMORY = 15,
	CRIU_AUTO_DEDUP = 16,
	CRIU_WORK_FD = 17,
	CRIU_MANAGE_CGROUPS = 24,
	CRIU_RESTORE_SIBLING = 26,
	CRIU_INHERIT_FD = 27,		/* a message of key (1) and fd (2) */
	CRIU_MANAGE_CGROUPS_MODE = 34,	/* 0: ignore them */
	CRIU_EXTERNAL = 37,
	CRIU_EMPTY_NS = 38,		/* of CLONE_NEWNET */
	CRIU_JOIN_NS = 39,		/* a message of kind (1) and file (2) */
	CRIU_FREEZE_CGROUP = 44,
	CRIU_ORPHAN_TERMINAL = 50,
	CRIU_CONFIG_FILE = 51,
	CRIU_TCP_CLOSE = 52,
	CRIU_LSM_PROFILE = 53,
	CRIU_LSM_MOUNT_CONTEXT = 63,
};

/* A message that grows. All zero is an empty one. */
struct criu_bytes {
	unsigned char *data;
	size_t size;
};
void criu_bytes_done(struct criu_bytes *bytes);

/* criu_put_number() - append a field: a number, or a truth. Return: 0 or a recorded -ENOMEM. */
int criu_put_number(struct criu_bytes *to, unsigned int field, uint64_t value);
/* criu_put_text(), criu_put_message() - the same for a string and a message; a NULL text appends nothing. */
int criu_put_text(struct criu_bytes *to, unsigned int field, const char *text);
int criu_put_message(struct criu_bytes *to, unsigned int field, const struct criu_bytes *message);

enum { CRIU_SCRIPT_SIZE = 64, CRIU_ERROR_SIZE = 512 };

/* What it answers, or asks in between. */
struct criu_answer {
	uint64_t type;
	bool success;
	pid_t pid;			/* of the restored process, or the one that is notified about; 0 */
	char script[CRIU_SCRIPT_SIZE];	/* of a notification: where it has come to */
	char error[CRIU_ERROR_SIZE];	/* "" */
};

/* criu_answer_read() - Return: 0, or a recorded failure: it makes no sense. */
int criu_answer_read(const unsigned char *data, size_t size, struct criu_answer *ret);
