/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF image is loaded segment by segment to its physical addresses, and entered by one of two
 * protocols: Linux's own 64-bit one (%rsi points to boot_params) or PVH (%ebx points to
 * hvm_start_info), which other kernels understand too. Nothing is unpacked here: a compressed kernel
 * is somebody else's work, outside the monitor. Sources: Documentation/arch/x86/boot.rst;
 * xen/include/public/arch-x86/hvm/start_info.h; elf(5).
 */
#include "runtime/kvm/boot.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/acpi.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86.h"

enum {
	SEGMENTS_MAX = 32,
	NOTES_MAX = 4096,
	NOTE_PVH_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
	LOADER_UNDEFINED = 0xff,
	BOOT_FLAG = 0xaa55,
	BOOT_VERSION = 0x020f,
	SETUP_SEED = 9, /* SETUP_RNG_SEED, Linux 6.0 and newer */
	SEED_SIZE = 32,
	E820_USABLE = 1,
	E820_RESERVED = 2,
	MAP_ENTRIES = 4,
};

#define PVH_MAGIC   0x336ec578U
#define HDRS        0x53726448U /* "HdrS" */
#define KERNEL_STEP 0x1000000U

struct pvh_start_info {
	uint32_t magic, version, flags, modules_count;
	uint64_t modules, cmdline, rsdp, map;
	uint32_t map_entries, reserved;
};

struct pvh_module {
	uint64_t address, size, cmdline, reserved;
};

struct pvh_map_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

/* What loading found out. */
struct image {
	uint64_t entry, pvh_entry; /* pvh_entry 0: no note */
	uint64_t end; /* first address behind all segments */
	uint64_t initrd, initrd_size;
};

static int read_exactly(int fd, void *to, uint64_t size, uint64_t offset, const char *what)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "read the %s", what);
		if (n == 0)
			return fail_plain(ENOEXEC, "the %s ends too early", what);
		done += (uint64_t)n;
	}
	return 0;
}

static int header_read(int fd, Elf64_Ehdr *ret)
{
	int r = read_exactly(fd, ret, sizeof(*ret), 0, "kernel");

	if (r < 0)
		return r;
	if (memcmp(ret->e_ident, ELFMAG, SELFMAG) != 0)
		return fail_plain(ENOEXEC, "the kernel is not an ELF image");
	if (ret->e_ident[EI_CLASS] != ELFCLASS64 || ret->e_machine != EM_X86_64)
		return fail_plain(ENOEXEC, "the kernel is not an ELF image for x86-64");
	if (ret->e_phentsize != sizeof(Elf64_Phdr) || ret->e_phnum == 0 ||
	    ret->e_phnum > SEGMENTS_MAX)
		return fail_plain(ENOEXEC, "the kernel has %u segments of %u bytes", ret->e_phnum,
				  ret->e_phentsize);
	return 0;
}

static int segment_load(const struct vm *vm, int fd, const Elf64_Phdr *ph, struct image *image)
{
	uint64_t end = ph->p_paddr + ph->p_memsz;
	void *to;

	if (ph->p_memsz == 0)
		return 0;
	if (ph->p_paddr < BOOT_HIGH_MEM || ph->p_filesz > ph->p_memsz)
		return fail_plain(ENOEXEC, "the kernel has a segment at 0x%llx, 0x%llx bytes",
				  (unsigned long long)ph->p_paddr, (unsigned long long)ph->p_memsz);
	to = vm_guest(vm, ph->p_paddr, ph->p_memsz, VM_WRITE);
	if (!to)
		return fail_plain(ENOMEM,
				  "the kernel does not fit: a segment needs memory up to 0x%llx",
				  (unsigned long long)end);
	if (end > image->end)
		image->end = end;
	/* What the file does not fill is zero already: the memory is fresh. */
	return read_exactly(fd, to, ph->p_filesz, ph->p_offset, "kernel");
}

/* Look for PVH's entry among the notes; what is malformed ends the search. */
static int notes_search(int fd, const Elf64_Phdr *ph, struct image *image)
{
	uint8_t notes[NOTES_MAX];
	uint64_t size = ph->p_filesz < sizeof(notes) ? ph->p_filesz : sizeof(notes);
	uint64_t at = 0;
	int r = read_exactly(fd, notes, size, ph->p_offset, "kernel's notes");

	if (r < 0)
		return r;
	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, desc;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		desc = name + (((uint64_t)note.n_namesz + 3) & ~3ULL);
		at = desc + (((uint64_t)note.n_descsz + 3) & ~3ULL);
		if (at > size)
			return 0;
		if (note.n_type != NOTE_PVH_ENTRY || note.n_namesz != 4 || note.n_descsz < 4 ||
		    memcmp(notes + name, "Xen", 4) != 0)
			continue;
		memcpy(&image->pvh_entry, notes + desc, note.n_descsz < 8 ? 4 : 8);
	}
	return 0;
}

static int image_load(const struct vm *vm, int fd, struct image *image)
{
	Elf64_Phdr headers[SEGMENTS_MAX];
	Elf64_Ehdr elf;
	int r = header_read(fd, &elf);

	if (r < 0)
		return r;
	r = read_exactly(fd, headers, elf.e_phnum * sizeof(headers[0]), elf.e_phoff, "kernel");
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < elf.e_phnum; i++) {
		if (headers[i].p_type == PT_LOAD)
			r = segment_load(vm, fd, &headers[i], image);
		else if (headers[i].p_type == PT_NOTE)
			r = notes_search(fd, &headers[i], image);
		if (r < 0)
			return r;
	}
	image->entry = elf.e_entry;
	if (image->end == 0)
		return fail_plain(ENOEXEC, "the kernel has nothing to load");
	return 0;
}

/* As high as it fits below the gap, where no kernel unpacks itself. */
static int initrd_load(const struct vm *vm, int fd, struct image *image)
{
	struct stat st;
	void *to;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at the initrd");
	image->initrd_size = (uint64_t)st.st_size;
	if (image->initrd_size >= vm_ram_low(vm))
		return fail_plain(ENOMEM, "the initrd does not fit into the guest's memory");
	image->initrd = (vm_ram_low(vm) - image->initrd_size) & ~4095ULL;
	to = vm_guest(vm, image->initrd, image->initrd_size, VM_WRITE);
	if (!to || image->initrd < image->end)
		return fail_plain(ENOMEM, "kernel and initrd do not fit into the guest's memory");
	return read_exactly(fd, to, image->initrd_size, 0, "initrd");
}

/* The memory map, as both protocols tell it. Return: how many entries. */
static unsigned int map_fill(const struct vm *vm, struct pvh_map_entry map[MAP_ENTRIES])
{
	uint64_t low = vm_ram_low(vm);
	unsigned int n = 0;

	map[n++] =
		(struct pvh_map_entry){ .address = 0, .size = BOOT_LOW_END, .type = E820_USABLE };
	map[n++] = (struct pvh_map_entry){
		.address = ACPI_BASE,
		.size = ACPI_SIZE,
		.type = E820_RESERVED,
	};
	map[n++] = (struct pvh_map_entry){
		.address = BOOT_HIGH_MEM,
		.size = low - BOOT_HIGH_MEM,
		.type = E820_USABLE,
	};
	if (vm->ram_size > low)
		map[n++] = (struct pvh_map_entry){
			.address = VM_GAP_END,
			.size = vm->ram_size - low,
			.type = E820_USABLE,
		};
	return n;
}

/* Random bytes for the guest's first moments, so that it need not wait for some of its own. */
static int seed_write(const struct vm *vm)
{
	struct setup_data *data = vm_guest(vm, BOOT_SEED, sizeof(*data) + SEED_SIZE, VM_WRITE);

	if (!data)
		return fail_plain(EFAULT, "no memory for the guest's seed");
	*data = (struct setup_data){ .type = SETUP_SEED, .len = SEED_SIZE };
	if (getrandom(data->data, SEED_SIZE, 0) != SEED_SIZE)
		return fail(errno, "getrandom");
	return 0;
}

static int linux_prepare(const struct vm *vm, const struct image *image, uint64_t rsdp,
			 struct x86_entry *ret)
{
	struct boot_params *params = vm_guest(vm, BOOT_PARAMS, sizeof(*params), VM_WRITE);
	struct pvh_map_entry map[MAP_ENTRIES];
	int r;

	if (!params)
		return fail_plain(EFAULT, "no memory for the boot parameters");
	r = seed_write(vm);
	if (r < 0)
		return r;
	params->hdr = (struct setup_header){
		.boot_flag = BOOT_FLAG,
		.header = HDRS,
		.version = BOOT_VERSION,
		.type_of_loader = LOADER_UNDEFINED,
		.loadflags = LOADED_HIGH,
		.cmd_line_ptr = BOOT_CMDLINE,
		.cmdline_size = VM_CMDLINE_SIZE - 1,
		.kernel_alignment = KERNEL_STEP,
		.ramdisk_image = (uint32_t)image->initrd,
		.ramdisk_size = (uint32_t)image->initrd_size,
		.setup_data = BOOT_SEED,
	};
	params->acpi_rsdp_addr = rsdp;
	params->e820_entries = (uint8_t)map_fill(vm, map);
	for (unsigned int i = 0; i < params->e820_entries; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].address,
			.size = map[i].size,
			.type = map[i].type,
		};
	*ret = (struct x86_entry){ .mode = X86_LONG, .rip = image->entry, .rsi = BOOT_PARAMS };
	return 0;
}

static int pvh_prepare(const struct vm *vm, const struct image *image, uint64_t rsdp,
		       struct x86_entry *ret)
{
	struct pvh_start_info *info = vm_guest(vm, BOOT_PARAMS, sizeof(*info), VM_WRITE);
	struct pvh_module *module = vm_guest(vm, BOOT_MODULES, sizeof(*module), VM_WRITE);
	struct pvh_map_entry *map = vm_guest(vm, BOOT_MAP, MAP_ENTRIES * sizeof(*map), VM_WRITE);

	if (!info || !module || !map)
		return fail_plain(EFAULT, "no memory for the start information");
	*info = (struct pvh_start_info){
		.magic = PVH_MAGIC,
		.version = 1,
		.cmdline = BOOT_CMDLINE,
		.rsdp = rsdp,
		.map = BOOT_MAP,
		.map_entries = map_fill(vm, map),
	};
	if (image->initrd_size > 0) {
		*module = (struct pvh_module){
			.address = image->initrd,
			.size = image->initrd_size,
		};
		info->modules = BOOT_MODULES;
		info->modules_count = 1;
	}
	*ret = (struct x86_entry){
		.mode = X86_PROTECTED,
		.rip = image->pvh_entry,
		.rbx = BOOT_PARAMS,
	};
	return 0;
}

int boot_load(struct vm *vm, const struct vm_config *config, uint64_t rsdp,
	      struct x86_entry *ret_entry)
{
	char *cmdline = vm_guest(vm, BOOT_CMDLINE, VM_CMDLINE_SIZE, VM_WRITE);
	struct image image = { .entry = 0 };
	bool pvh;
	int r;

	if (!cmdline)
		return fail_plain(EFAULT, "no memory for the command line");
	memcpy(cmdline, config->cmdline, VM_CMDLINE_SIZE);
	r = image_load(vm, config->kernel_fd, &image);
	if (r < 0)
		return r;
	r = initrd_load(vm, config->initrd_fd, &image);
	if (r < 0)
		return r;
	pvh = config->boot_kind == VM_BOOT_PVH ||
	      (config->boot_kind == VM_BOOT_AUTO && image.pvh_entry != 0);
	if (pvh && image.pvh_entry == 0)
		return fail_plain(ENOEXEC, "the kernel has no PVH entry");
	r = pvh ? pvh_prepare(vm, &image, rsdp, ret_entry)
		: linux_prepare(vm, &image, rsdp, ret_entry);
	if (r < 0)
		return r;
	return x86_tables_write(vm, ret_entry->mode);
}
