/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers that mean harm: what a tar can say that should not come true.
 */
#include "tests/hostile/hostile.h"

#define UP	  "../../../../../outside"	/* from a layer in the stage */
#define FILE(n)	  { .type = '0', .name = n, .text = "gone" }
#define DIR(n)	  { .type = '5', .name = n }
#define LINK(n, l) { .type = '2', .name = n, .link = l }
#define HARD(n, l) { .type = '1', .name = n, .link = l }
#define NODE(n)	  { .type = '3', .name = n, .major = 1, .minor = 3 }
#define BLOCK(n)  { .type = '4', .name = n, .major = 7, .minor = 0 }
#define PIPE(n)	  { .type = '6', .name = n }
#define XATTR(t, x) { .type = t, .name = "x", .xattr = x }
#define E(...)	  .entries = { __VA_ARGS__ }

#define T10(s) s s s s s s s s s s
#define T50(s) T10(s) T10(s) T10(s) T10(s) T10(s)

/* Names that lead out, by each kind of entry. */
#define OUT(path, n)                                                          \
	{ .name = "file " n, E(FILE(path)) }, { .name = "folder " n, E(DIR(path)) },   \
	{ .name = "link " n, E(LINK(path, "x")) }, { .name = "hard link " n, E(FILE("f"), HARD(path, "f")) }, \
	{ .name = "device " n, E(NODE(path)) }, { .name = "pipe " n, E(PIPE(path)) }

/* Writing through a link of the same layer. */
#define THROUGH(to, n)                                                                                    \
	{ .name = "file through a link to " n, E(LINK("l", to), FILE("l/keep")) },                       \
	{ .name = "folder through a link to " n, E(LINK("l", to), DIR("l/made")) },                      \
	{ .name = "link through a link to " n, E(LINK("l", to), LINK("l/made", "x")) },                  \
	{ .name = "hard link through a link to " n, E(FILE("f"), LINK("l", to), HARD("l/keep", "f")) },  \
	{ .name = "device through a link to " n, E(LINK("l", to), NODE("l/made")) },                     \
	{ .name = "whiteout through a link to " n, .upper = true, E(LINK("d", to), FILE("d/.wh.f")) }

#define CUT(eighth, what, p)                                                                     \
	{ .name = "cut, " what, .packer = p, .cut = eighth, .stale = true, E(DIR("d"), FILE("d/f"), LINK("d/l", "f")) }, \
	{ .name = "changed, " what, .packer = p, .flip = eighth, .stale = true, E(DIR("d"), FILE("d/f"), LINK("d/l", "f")) }
#define CUTS(what, p) CUT(1, what " at 1/8", p), CUT(3, what " at 3/8", p), CUT(5, what " at 5/8", p), CUT(7, what " at 7/8", p)

const struct hostile hostile_layers[] = {
	OUT("..", "named '..'"),
	OUT(UP "/keep", "above the root"),
	OUT("a/b/../../../" UP "/keep", "down and up"),
	{ .name = "a name with '..' inside", E(FILE("a/../b")) },
	{ .name = "a name that ends in '..'", E(FILE("a/..")) },
	{ .name = "an absolute name", .outcome = CONTAINED, E(FILE("@OUT/keep")) },
	{ .name = "an absolute name of the host", .outcome = CONTAINED, E(FILE("/etc/nacelle-hostile")) },
	{ .name = "an absolute name with '..'", E(FILE("/../../../../../../../../tmp/nacelle-hostile")) },
	THROUGH("@OUT", "an absolute place"),
	THROUGH(UP, "a place above"),
	THROUGH("/proc/self/cwd", "/proc"),
	THROUGH(".", "itself"),
	{ .name = "two links in a row", E(LINK("a", UP), LINK("b", "a"), FILE("b/keep")) },
	{ .name = "a link in the middle of a path", E(DIR("d"), LINK("d/l", "../" UP), FILE("d/l/keep")) },
	{ .name = "a file over a link", .outcome = CONTAINED, E(LINK("l", "@OUT/keep"), FILE("l")) },
	{ .name = "a folder over a link", .outcome = CONTAINED, E(LINK("l", "@OUT"), DIR("l"), FILE("l/keep")) },
	{ .name = "through a link of the layer below", .outcome = CONTAINED, .upper = true, E(FILE("out/keep")) },
	{ .name = "a whiteout below a link of the layer below", .outcome = CONTAINED, .upper = true, E(FILE("out/.wh.keep")) },
	{ .name = "hard link to a file outside", E(HARD("h", "@OUT/keep")) },
	{ .name = "hard link upwards", E(HARD("h", UP "/keep")) },
	{ .name = "hard link to /etc/passwd", E(HARD("h", "/etc/passwd")) },
	{ .name = "hard link through a link", E(LINK("l", "@OUT"), HARD("h", "l/keep")) },
	{ .name = "hard link to a link, then written", .outcome = CONTAINED, E(LINK("l", "@OUT/keep"), HARD("h", "l"), FILE("h")) },
	{ .name = "hard link to nothing", E(HARD("h", "nothing")) },
	{ .name = "hard link to a folder", E(DIR("d"), HARD("h", "d")) },
	{ .name = "hard link to itself", E(HARD("h", "h")) },
	{ .name = "hard link to the root", E(HARD("h", "/")) },
	{ .name = "hard link to '.'", E(HARD("h", ".")) },
	{ .name = "hard link through a link of the layer below", .upper = true, E(HARD("h", "out/keep")) },
	{ .name = "hard link to a link of the layer below", .upper = true, E(HARD("h", "out")) },
	{ .name = "hard link to what a whiteout hides", .upper = true, E(FILE("d/.wh.f"), HARD("h", "d/f")) },

	{ .name = "a whiteout of nothing", E(FILE(".wh.")) },
	{ .name = "a whiteout of '.'", E(FILE(".wh..")) },
	{ .name = "a whiteout of '..'", E(FILE(".wh...")) },
	{ .name = "a whiteout of '..' in a folder", .upper = true, E(FILE("d/.wh...")) },
	{ .name = "a whiteout of a whiteout", E(FILE(".wh..wh.x")) },
	{ .name = "a whiteout as a folder of a path", E(FILE(".wh.d/f")) },
	{ .name = "a whiteout that is a folder", E(DIR(".wh.d")) },
	{ .name = "an opaque mark that is a folder", E(DIR("d/.wh..wh..opq")) },
	{ .name = "an opaque mark with a file in it", E(FILE("d/.wh..wh..opq/f")) },
	{ .name = "a whiteout that leads out", E(FILE("../.wh.keep")) },
	{ .name = "an opaque mark outside", E(FILE(UP "/.wh..wh..opq")) },
	{ .name = "a whiteout of what is not there", .outcome = CONTAINED, E(FILE(".wh.f"), FILE("d/.wh.f")) },
	{ .name = "a whiteout that is a link", .outcome = CONTAINED, .upper = true, E(LINK("d/.wh.f", "@OUT/keep")) },
	{ .name = "a whiteout that is a device", .outcome = CONTAINED, .upper = true, E(NODE("d/.wh.f")) },
	{ .name = "aufs's own file", .outcome = CONTAINED, E(HARD(".wh..wh.plnk/1.2", "@OUT/keep")) },
	{ .name = "overlayfs's device as a whiteout", E({ .type = '3', .name = "x" }) },
	{ .name = "overlayfs's device over a file below", .upper = true, E({ .type = '3', .name = "d/f" }) },
	{ .name = "a mark: trusted opaque", E(XATTR('5', "trusted.overlay.opaque=y")) },
	{ .name = "a mark: user opaque", E(XATTR('5', "user.overlay.opaque=y")) },
	{ .name = "a mark: trusted redirect", E(XATTR('5', "trusted.overlay.redirect=/outside")) },
	{ .name = "a mark: user redirect", E(XATTR('5', "user.overlay.redirect=/outside")) },
	{ .name = "a mark: trusted metacopy", E(XATTR('0', "trusted.overlay.metacopy=x")) },
	{ .name = "a mark: user metacopy", E(XATTR('0', "user.overlay.metacopy=x")) },
	{ .name = "a mark: trusted origin", E(XATTR('0', "trusted.overlay.origin=x")) },
	{ .name = "a mark: whiteout by attribute", E(XATTR('0', "user.overlay.whiteout=y")) },
	{ .name = "a mark: folder of such whiteouts", E(XATTR('5', "user.overlay.opaque=x")) },
	{ .name = "an attribute of the host's security", .outcome = CONTAINED, E(XATTR('0', "security.selinux=system_u")) },
	{ .name = "an attribute of the host's trust", .outcome = CONTAINED, E(XATTR('0', "trusted.md5sum=x")) },
	{ .name = "an attribute that is no such thing", .outcome = CONTAINED, E(XATTR('0', "nonsense=x")) },
	{ .name = "capabilities that are none", E(XATTR('0', "security.capability=x")) },
	{ .name = "an access list that is none", E(XATTR('0', "system.posix_acl_access=x")) },

	{ .name = "a file that becomes a folder", E(FILE("f"), FILE("f/keep")) },
	{ .name = "a folder that becomes a link", E(FILE("d/x"), LINK("d", UP), FILE("d/keep")) },
	{ .name = "an empty folder that becomes a link", E(DIR("d"), LINK("d", UP)) },
	{ .name = "a folder that becomes a file", E(FILE("d/x"), FILE("d")) },
	{ .name = "a folder that becomes a device", E(FILE("d/x"), NODE("d")) },
	{ .name = "below a device", E(NODE("n"), FILE("n/x")) },
	{ .name = "below a pipe", E(PIPE("p"), FILE("p/x")) },
	{ .name = "a file over a pipe", .outcome = CONTAINED, E(PIPE("p"), FILE("p")) },
	{ .name = "a file over the machine's null", .outcome = CONTAINED, E(NODE("n"), FILE("n")) },
	{ .name = "a file over a disk", .outcome = CONTAINED, E(BLOCK("b"), FILE("b")) },
	{ .name = "the root as a link", E(LINK(".", "@OUT")) },
	{ .name = "the root as a file", E(FILE(".")) },
	{ .name = "the root as a device", E(NODE("./")) },
	{ .name = "the root as a hard link", E(FILE("f"), HARD("./", "f")) },
	{ .name = "a set-id root folder", .outcome = CONTAINED, E({ .type = '5', .name = "./", .mode = 06777 }) },

	{ .name = "a name of 256 characters", E(FILE(T50("aaaaa") "aaaaaa")) },
	{ .name = "a folder of 256 characters", E(FILE(T50("aaaaa") "aaaaaa/f")) },
	{ .name = "201 folders deep", E(FILE(T50("d/") T50("d/") T50("d/") T50("d/") "f")) },
	{ .name = "a path of 4100 characters", E(FILE(T50(T10("ddddddd/")) T10("ddddddd/") T10("d") "f")) },
	{ .name = "a path of 20000 characters", E(FILE(T50(T50("ddddddd/")) "f")) },
	{ .name = "a name without characters", E(FILE("")) },
	{ .name = "a name that ends lines and colours them", E(FILE("../\033[31m\nnacelle: all is well\n")) },
	{ .name = "a name that is no text", .outcome = CONTAINED, E(FILE("\xff\xfe\x80")) },
	{ .name = "a link that leads nowhere", E(LINK("l", "")) },
	{ .name = "a link of 5000 characters", E(LINK("l", T50(T50("aa")))) },

	{ .name = "an owner below 0", E({ .type = '0', .name = "x", .uid = -1 }) },
	{ .name = "the owner that is none", E({ .type = '0', .name = "x", .uid = 4294967295 }) },
	{ .name = "an owner of 33 bits", E({ .type = '0', .name = "x", .uid = 4294967296 }) },
	{ .name = "an owner of 63 bits", E({ .type = '0', .name = "x", .uid = INT64_MAX }) },
	{ .name = "a size beyond the end", E({ .type = '0', .name = "x", .text = "x", .size = 1 << 20 }) },
	{ .name = "a size of 1 TiB", E({ .type = '0', .name = "x", .text = "x", .size = 1LL << 40 }) },
	{ .name = "a size of 63 bits", E({ .type = '0', .name = "x", .text = "x", .size = INT64_MAX }) },
	{ .name = "a link with a size", .outcome = CONTAINED, E({ .type = '2', .name = "x", .link = "y", .size = 512 }) },
	{ .name = "a hole of 1 TiB", E({ .type = '0', .name = "x", .sparse = 1LL << 40 }) },
	{ .name = "holes of 48 GiB, twice", E({ .type = '0', .name = "x", .sparse = 48LL << 30 },
					      { .type = '0', .name = "y", .sparse = 48LL << 30 }) },
	{ .name = "a kind of entry that nobody knows", .outcome = CONTAINED, E({ .type = 'Q', .name = "x", .text = "y" }) },

	CUTS("plain", 0),
	CUTS("gzip", 'g'),
	CUTS("zstd", 'z'),
	{ .name = "cut in a file, and its own diff id", .cut = 4, E({ .type = '0', .name = "f", .text = T50(T50("long")) }) },
	{ .name = "cut gzip, and its own diff id", .packer = 'g', .cut = 6, E({ .type = '0', .name = "f", .text = T50(T50("long")) }) },
	{ .name = "cut zstd, and its own diff id", .packer = 'z', .cut = 6, E({ .type = '0', .name = "f", .text = T50(T50("long")) }) },
	{ .name = NULL },
};
