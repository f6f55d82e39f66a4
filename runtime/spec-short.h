/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-short - the short form: a few top-level keys, each sugar that expands to OCI sections
 *
 * Works on JSON alone, in and out, so that `nacelle spec --expand` shows exactly what runs.
 * Priority when parts merge: command-line flag, OCI section, short form, image config, default.
 */

#include <stdbool.h>

#include <jansson.h>

/*
 * The prefix of the annotations that keep what has no home in OCI:
 *	io.nacelle.name		name of the container
 *	io.nacelle.user		"user[:group]" with a name in it, to be looked up in the root's passwd and group;
 *				process.user is 65534 (nobody) until then, never root, and
 *				spec_read() refuses it as long as nobody looks it up
 *	io.nacelle.label.KEY	a label
 *	io.nacelle.network	networks to join, io.nacelle.ports, io.nacelle.dns: see network-wish.h
 *	io.nacelle.stop_signal	"SIGTERM" or "15"
 *	io.nacelle.stop_timeout	whole seconds
 *	io.nacelle.restart, health, log, init	see runtime/spec-service.h
 */
#define SHORT_ANNOTATION "io.nacelle."

/*
 * The root made of layers is the first mount, of type "overlay", with destination "/". Its options, each
 * one path so that no character needs escaping, in this order:
 *	"lowerdir+=ABSOLUTE"	one for each layer, top-most first
 *	"upper=tmpfs"		changes go to memory, or
 *	"upper=disk"		changes go to a folder that is deleted with the container, or
 *	"upper=auto"		to one of the two (upper.h), or
 *	"upperdir=ABSOLUTE"	changes go to this directory (rootfs makes a workdir beside it), or
 *	neither			read-only
 * In OCI documents also the classic "lowerdir=A:B" and "workdir=ABSOLUTE".
 */

/* spec_is_short() - whether any short-form key stands at the top level of @v. */
bool spec_is_short(json_t *v);

/*
 * spec_expand() - an OCI document from whatever a user wrote
 * @v: the document as loaded (short, mixed or pure OCI); untouched
 * @overrides: a short-form object made from command-line flags (or NULL): wins over all
 * @defaults: the user configuration's "defaults" object in short form (or NULL): loses to all
 * @folder: absolute path of the file's folder, for relative layers and volumes; NULL for stdin (relative is then refused)
 * @ret_v: new reference. A pure OCI document without overrides comes back as it is, literally.
 *
 * A file with a short key refuses an unknown top-level key with the nearest name. An empty object is refused.
 * Return: 0 or a recorded failure with the JSON path.
 */
int spec_expand(json_t *v, json_t *overrides, json_t *defaults, const char *folder, json_t **ret_v);

/*
 * spec_write_out() - @v with objects where it has a word of ours (linux.seccomp), as other runtimes read it
 * @v: what spec_expand() gave; untouched
 * @ret_v: new reference
 *
 * Return: 0 or a recorded failure.
 */
int spec_write_out(json_t *v, json_t **ret_v);

/* spec_default() - OCI's default config, what `nacelle spec` prints: new reference, NULL without memory. @rootless: with a user namespace that maps the caller. */
json_t *spec_default(bool rootless);
