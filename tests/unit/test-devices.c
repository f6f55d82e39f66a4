/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device filter, loaded for real and asked by real opens from inside a cgroup. */
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "cgroups/devices.h"
#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/error.h"
#include "tests/unit/cgroup-mount.h"
#include "tests/unit/tap.h"

static bool have_bpf;

#define NEEDS_BPF() \
	do { \
		if (!have_bpf) { \
			tap_skip("needs root, cgroup v2 and eBPF"); \
			return; \
		} \
	} while (0)

enum { NONE = -1, R = 1, W = 2, M = 4, RW = R | W, RWM = R | W | M };

static struct cgroup_device_rule rule(bool allow, char type, int major, int minor, int access)
{
	return (struct cgroup_device_rule){ .allow = allow,
					    .type = type,
					    .major = major,
					    .minor = minor,
					    .read = access & R,
					    .write = access & W,
					    .mknod = access & M };
}

struct probe {
	char type;
	unsigned int major, minor;
	int access; /* R, W, RW: open; M: mknod */
	bool allowed; /* the answer */
};

/* Where device nodes work: a tmpfs of ours. */
static char folder[64];

static void node_path(char *path, size_t size, const struct probe *probe, const char *suffix)
{
	(void)snprintf(path, size, "%s/%c-%u-%u%s", folder, probe->type, probe->major, probe->minor,
		       suffix);
}

static mode_t node_type(const struct probe *probe)
{
	return (probe->type == 'b' ? S_IFBLK : S_IFCHR) | 0600;
}

/*
 * access(2) asks the filter as open(2) does, but no driver and so no module loader, which for
 * numbers that nobody has would run each time. For the devices of memory, always there, both are
 * asked.
 */
static bool probe_inside(const struct probe *probe)
{
	static const int flags[] = { [R] = O_RDONLY, [W] = O_WRONLY, [RW] = O_RDWR };
	char path[128];
	bool may;
	int fd;

	if (probe->access == M) {
		node_path(path, sizeof(path), probe, "-new");
		may = mknod(path, node_type(probe), makedev(probe->major, probe->minor)) == 0;
		(void)unlink(path);
		return may;
	}
	node_path(path, sizeof(path), probe, "");
	may = access(path, (probe->access & R ? R_OK : 0) | (probe->access & W ? W_OK : 0)) == 0;
	if (probe->type != 'c' || probe->major != 1)
		return may;
	fd = open(path, flags[probe->access] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (may != (fd >= 0 || errno != EPERM))
		abort();
	if (fd >= 0)
		close(fd);
	return may;
}

/* Ask all of them from a process in the cgroup. */
static void probe_all(const struct cgroup *cg, struct probe *probes, size_t count)
{
	int result[2];
	pid_t pid;

	for (size_t i = 0; i < count; i++) {
		char path[128];

		node_path(path, sizeof(path), &probes[i], "");
		if (mknod(path, node_type(&probes[i]), makedev(probes[i].major, probes[i].minor)) <
			    0 &&
		    errno != EEXIST)
			abort();
	}
	if (pipe2(result, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		int status = cgroup_attach(cg, getpid()) < 0;

		for (size_t i = 0; i < count && !status; i++) {
			char answer = probe_inside(&probes[i]) ? 1 : 0;

			status = write(result[1], &answer, 1) != 1;
		}
		_exit(status);
	}
	close(result[1]);
	for (size_t i = 0; i < count; i++) {
		char answer = 0;

		if (!CHECK(read(result[0], &answer, 1) == 1))
			break;
		probes[i].allowed = answer;
	}
	close(result[0]);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static bool allowed(const struct cgroup *cg, char type, unsigned int major, unsigned int minor,
		    int access)
{
	struct probe probe = { .type = type, .major = major, .minor = minor, .access = access };

	probe_all(cg, &probe, 1);
	return probe.allowed;
}

static struct cgroup made(void)
{
	struct cgroup cg = cgroup_of_test(NULL);
	struct cgroup_limits none;

	cgroup_limits_init(&none);
	CHECK_INT(cgroup_make(&cg, &none), 0);
	return cg;
}

static void gone(struct cgroup *cg)
{
	CHECK_INT(cgroup_remove(cg, 2000), 0);
	cgroup_close(cg);
}

static int attach(const struct cgroup *cg, struct cgroup_device_rule *rules, size_t count)
{
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.devices = rules;
	limits.device_count = count;
	limits.devices_set = true;
	return cgroup_devices_attach(cg->fd, &limits);
}

/* Number of programs attached to this very cgroup. */
static unsigned int programs(const struct cgroup *cg, uint32_t *ids)
{
	union bpf_attr attr = { .query = { .target_fd = (uint32_t)cg->fd,
					   .attach_type = BPF_CGROUP_DEVICE,
					   .prog_ids = (uint64_t)(uintptr_t)ids,
					   .prog_cnt = 8 } };

	return syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0 ? 99 : attr.query.prog_cnt;
}

static void test_what_engines_write_leaves_the_usual_devices(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(false, 'a', NONE, NONE, RWM),
					      rule(true, 'c', 10, 200, RW) };
	struct cgroup cg = made();

	CHECK_INT(attach(&cg, rules, 2), 0);
	CHECK(allowed(&cg, 'c', 1, 3, RW));
	CHECK(allowed(&cg, 'c', 1, 5, RW));
	CHECK(allowed(&cg, 'c', 1, 7, RW));
	CHECK(allowed(&cg, 'c', 1, 8, R));
	CHECK(allowed(&cg, 'c', 1, 9, R));
	CHECK(allowed(&cg, 'c', 5, 0, RW));
	CHECK(!allowed(&cg, 'c', 5, 1, RW)); /* the machine's */
	CHECK(allowed(&cg, 'c', 5, 2, RW));
	CHECK(allowed(&cg, 'c', 136, 1234, RW));
	CHECK(allowed(&cg, 'c', 10, 200, RW));
	CHECK(allowed(&cg, 'c', 1, 1, M));
	CHECK(allowed(&cg, 'b', 8, 0, M));
	CHECK(!allowed(&cg, 'c', 1, 1, R));
	CHECK(!allowed(&cg, 'c', 1, 11, R));
	CHECK(!allowed(&cg, 'c', 10, 229, RW));
	CHECK(!allowed(&cg, 'b', 8, 0, R));
	CHECK(!allowed(&cg, 'b', 1, 3, R));
	CHECK(!allowed(&cg, 'c', 137, 0, R));
	gone(&cg);
}

static void test_no_rules_deny_all_but_the_usual(void)
{
	NEEDS_BPF();

	struct cgroup cg = made();

	CHECK_INT(attach(&cg, NULL, 0), 0);
	CHECK(allowed(&cg, 'c', 1, 3, RW));
	CHECK(!allowed(&cg, 'c', 1, 11, R));
	gone(&cg);
}

static void test_all_allowed_is_all_allowed(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(false, 'c', 1, 11, RWM),
					      rule(true, 'a', NONE, NONE, RWM) };
	struct cgroup cg = made();

	CHECK_INT(attach(&cg, rules, 2), 0);
	CHECK(allowed(&cg, 'c', 1, 11, R));
	CHECK(allowed(&cg, 'b', 8, 0, RW));
	gone(&cg);
}

/* OCI: config-linux.md, Allowed device list: entries MUST be applied in the listed order */
static void test_the_last_rule_that_matches_decides(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(true, 'a', NONE, NONE, RWM),
					      rule(false, 'c', 1, NONE, RWM),
					      rule(true, 'c', 1, 11, R) };
	struct cgroup cg = made();

	CHECK_INT(attach(&cg, rules, 3), 0);
	CHECK(allowed(&cg, 'c', 1, 11, R));
	CHECK(!allowed(&cg, 'c', 1, 11, W));
	CHECK(!allowed(&cg, 'c', 1, 11, RW));
	CHECK(allowed(&cg, 'c', 10, 229, RW));
	CHECK(allowed(&cg, 'b', 1, 0, RW));
	/* a denial that names the device holds for the usual ones too */
	CHECK(!allowed(&cg, 'c', 1, 5, R));
	gone(&cg);
}

static void test_a_denied_bit_is_denied_in_company(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(true, 'c', 10, 229, RW),
					      rule(false, 'c', 10, 229, W) };
	struct cgroup cg = made();

	CHECK_INT(attach(&cg, rules, 2), 0);
	CHECK(allowed(&cg, 'c', 10, 229, R));
	CHECK(!allowed(&cg, 'c', 10, 229, W));
	CHECK(!allowed(&cg, 'c', 10, 229, RW));
	gone(&cg);
}

static void test_bits_of_two_rules_add_up(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(false, 'a', NONE, NONE, RWM),
					      rule(true, 'c', 10, 229, R),
					      rule(true, 'c', 10, NONE, W),
					      rule(true, 'c', 10, 230, 0) };
	struct cgroup cg = made();

	CHECK_INT(attach(&cg, rules, 4), 0);
	CHECK(allowed(&cg, 'c', 10, 229, RW));
	CHECK(allowed(&cg, 'c', 10, 230, W));
	CHECK(!allowed(&cg, 'c', 10, 230, RW));
	gone(&cg);
}

static void test_a_denied_mknod_is_denied(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(false, 'a', NONE, NONE, RWM),
					      rule(false, 'c', 10, 229, M) };
	struct cgroup cg = made();

	CHECK_INT(attach(&cg, rules, 2), 0);
	CHECK(!allowed(&cg, 'c', 10, 229, M));
	CHECK(allowed(&cg, 'c', 10, 230, M));
	gone(&cg);
}

static void test_an_update_replaces(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule first[] = { rule(true, 'c', 1, 11, R) },
				  second[] = { rule(true, 'c', 10, 229, R) };
	struct cgroup cg = made();
	uint32_t before[8] = { 0 }, after[8] = { 0 };

	CHECK_INT(attach(&cg, first, 1), 0);
	CHECK_INT(programs(&cg, before), 1);
	CHECK(allowed(&cg, 'c', 1, 11, R));
	CHECK_INT(attach(&cg, second, 1), 0);
	CHECK_INT(programs(&cg, after), 1);
	CHECK(before[0] != after[0]);
	CHECK(!allowed(&cg, 'c', 1, 11, R));
	CHECK(allowed(&cg, 'c', 10, 229, R));
	gone(&cg);
}

/* A filter of somebody else's: denies everything, or allows everything. */
static void foreign_attach(const struct cgroup *cg, bool allow)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = allow },
		{ .code = BPF_JMP | BPF_EXIT }
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
				.insn_cnt = 2,
				.insns = (uint64_t)(uintptr_t)code,
				.license = (uint64_t)(uintptr_t) "GPL" };
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	CHECK(fd >= 0);
	attr = (union bpf_attr){ .target_fd = (uint32_t)cg->fd };
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	CHECK(syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) == 0);
	close(fd);
}

static void test_a_filter_of_somebody_else_stays(void)
{
	NEEDS_BPF();

	struct cgroup_device_rule rules[] = { rule(true, 'c', 1, 11, R) };
	struct cgroup cg = made();
	uint32_t before[8] = { 0 }, after[8] = { 0 };

	foreign_attach(&cg, false);
	CHECK_INT(programs(&cg, before), 1);
	CHECK_INT(attach(&cg, rules, 1), 0);
	CHECK_INT(attach(&cg, rules, 1), 0);
	CHECK_INT(programs(&cg, after), 2);
	CHECK(before[0] == after[0] || before[0] == after[1]);
	CHECK(!allowed(&cg, 'c', 1, 3, R));
	gone(&cg);
}

static void test_the_root_cgroup_is_refused(void)
{
	NEEDS_BPF();

	struct cgroup root = { .path = NULL, .fd = -1 };
	uint32_t ids[8] = { 0 };
	unsigned int before;

	CHECK(cgroup_host_open(&root.fd) > 0);
	before = programs(&root, ids);
	CHECK(attach(&root, NULL, 0) < 0);
	CHECK_HAS(fail_text(), "root cgroup");
	CHECK_INT(programs(&root, ids), before);
	close(root.fd);
}

static void test_a_directory_that_is_no_cgroup_is_refused(void)
{
	NEEDS_BPF();

	struct cgroup other = { .path = NULL,
				.fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

	CHECK(attach(&other, NULL, 0) < 0);
	CHECK_HAS(fail_text(), "linux.resources.devices");
	close(other.fd);
}

static void test_many_rules_load(void)
{
	NEEDS_BPF();

	enum { MANY = 4096 };
	struct cgroup_device_rule *rules = calloc(MANY, sizeof(*rules));
	struct cgroup cg = made();

	for (int i = 0; i < MANY; i++)
		rules[i] = rule(i % 2, i % 3 ? 'c' : 'b', i % 300, i % 7 ? i : NONE, 1 + i % 7);
	rules[MANY - 1] = rule(true, 'c', 1, 11, R);
	CHECK_INT(attach(&cg, rules, MANY), 0);
	CHECK(allowed(&cg, 'c', 1, 11, R));
	free(rules);
	gone(&cg);
}

static void test_too_many_rules_are_refused(void)
{
	struct cgroup_device_rule *rules = calloc(4097, sizeof(*rules));
	struct cgroup_limits limits;
	struct bpf_insn *insns = NULL;
	size_t count;

	cgroup_limits_init(&limits);
	limits.devices = rules;
	limits.device_count = 4097;
	CHECK(cgroup_devices_compile(&limits, &insns, &count) < 0);
	CHECK_HAS(fail_text(), "4097 rules are more than 4096");
	free(rules);
}

/*
 * The meaning as the header tells it, in the plainest way: each bit by itself, from the last rule
 * back.
 */
static bool model_bit(const struct cgroup_device_rule *rules, size_t count,
		      const struct probe *probe, int bit)
{
	for (size_t i = count; i > 0; i--) {
		const struct cgroup_device_rule *r = &rules[i - 1];
		bool speaks = bit == R ? r->read : bit == W ? r->write : r->mknod;

		if (speaks && (r->type == 'a' || r->type == probe->type) &&
		    (r->major < 0 || r->major == probe->major) &&
		    (r->minor < 0 || r->minor == probe->minor))
			return r->allow;
	}
	return false;
}

static void test_random_lists_mean_what_the_model_says(void)
{
	NEEDS_BPF();

	static const int majors[] = { NONE, 60, 61 }, minors[] = { NONE, 3, 11 };
	struct probe probes[24];
	unsigned int seed = 4;

	for (size_t i = 0; i < 24; i++)
		probes[i] = (struct probe){ .type = i & 1 ? 'b' : 'c',
					    .major = i & 2 ? 60 : 61,
					    .minor = i & 4 ? 3 : 11,
					    .access = 1 + (int)i / 8 };
	for (int round = 0; round < 40; round++) {
		struct cgroup_device_rule rules[6];
		struct cgroup cg = made();

		for (size_t i = 0; i < 6; i++)
			rules[i] = rule(rand_r(&seed) % 2, "abc"[rand_r(&seed) % 3],
					majors[rand_r(&seed) % 3], minors[rand_r(&seed) % 3],
					1 + rand_r(&seed) % 7);
		CHECK_INT(attach(&cg, rules, 6), 0);
		probe_all(&cg, probes, 24);
		for (size_t i = 0; i < 24; i++) {
			bool want = true;

			for (int bit = R; bit <= W; bit <<= 1) {
				if (probes[i].access & bit)
					want = want && model_bit(rules, 6, &probes[i], bit);
			}
			tap_check(probes[i].allowed == want, __FILE__, __LINE__,
				  "round %d: %c %u:%u access %d is %d", round, probes[i].type,
				  probes[i].major, probes[i].minor, probes[i].access, want);
		}
		gone(&cg);
	}
}

static void test_a_match_for_all_ends_the_program(void)
{
	struct cgroup_device_rule rules[] = { rule(true, 'c', 1, 11, R),
					      rule(true, 'a', NONE, NONE, RWM) };
	struct cgroup_limits limits;
	struct bpf_insn *insns = NULL;
	size_t count = 0;

	cgroup_limits_init(&limits);
	limits.devices = rules;
	limits.device_count = 2;
	CHECK_INT(cgroup_devices_compile(&limits, &insns, &count), 0);
	CHECK_INT(count, 10 + 2 * 2); /* the beginning, and an answer for each type */
	free(insns);
}

int main(void)
{
	int status;

	cgroup_mount_own();
	strcpy(folder, "/tmp/nacelle-devices-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	have_bpf = have_cgroups && mount("nodes", folder, "tmpfs", 0, NULL) == 0;
	status = tap_run((struct tap_test[]){
		TEST(test_what_engines_write_leaves_the_usual_devices),
		TEST(test_no_rules_deny_all_but_the_usual),
		TEST(test_all_allowed_is_all_allowed),
		TEST(test_the_last_rule_that_matches_decides),
		TEST(test_a_denied_bit_is_denied_in_company),
		TEST(test_bits_of_two_rules_add_up),
		TEST(test_a_denied_mknod_is_denied),
		TEST(test_an_update_replaces),
		TEST(test_a_filter_of_somebody_else_stays),
		TEST(test_the_root_cgroup_is_refused),
		TEST(test_a_directory_that_is_no_cgroup_is_refused),
		TEST(test_many_rules_load),
		TEST(test_too_many_rules_are_refused),
		TEST(test_random_lists_mean_what_the_model_says),
		TEST(test_a_match_for_all_ends_the_program),
		{ 0 },
	});
	if (have_bpf)
		(void)umount2(folder, MNT_DETACH);
	(void)rmdir(folder);
	return status;
}
