/* Paths below a folder: which are valid, and that none leads out of it, with
 * the kernel's help and without. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/beneath.h"
#include "store/object.h"

static char folder[64];
static struct beneath below;

static int set_up(void **state)
{
	char line[512];

	(void)state;
	strcpy(folder, "/tmp/test_beneath.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(line, sizeof(line),
	         "cd '%s' && mkdir -p in/deep && printf abc > in/deep/f && ln -s in/deep/f file &&"
	         " ln -s ../in/deep in/up && ln -s ../../../../etc/passwd out && ln -s /etc etc &&"
	         " ln -s /proc/self/root/etc magic && ln -s round round && mkfifo fifo", folder);
	if (system(line) != 0)
		return -1;
	beneath_init(&below, open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
	return below.root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char line[128];

	(void)state;
	beneath_done(&below);
	snprintf(line, sizeof(line), "rm -rf '%s'", folder);
	return system(line);
}

struct expected {
	const char *path;
	int by_kernel, by_steps; /* 0 or -errno */
};

static const struct expected paths[] = {
	{ "in/deep/f", 0, 0 },
	{ "in", 0, 0 },
	{ "", 0, 0 },
	{ "fifo", 0, 0 },
	{ "file", 0, -ENOENT },
	{ "in/up/f", 0, -ENOENT },
	{ "out", -ENOENT, -ENOENT },
	{ "etc/passwd", -ENOENT, -ENOENT },
	{ "magic/passwd", -ENOENT, -ENOENT },
	{ "round", -ENOENT, -ENOENT },
	{ "nope", -ENOENT, -ENOENT },
	{ "in/deep/f/x", -ENOENT, -ENOENT },
	{ "..", -ENOENT, -ENOENT },
	{ "in/../in/deep/f", -ENOENT, -ENOENT },
	{ "./in", -ENOENT, -ENOENT },
	{ "/etc/passwd", -ENOENT, -ENOENT },
	{ "in//deep", -ENOENT, -ENOENT },
	{ "in/", -ENOENT, -ENOENT },
};

#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

/* Opens it for reading, which doesn't wait for the FIFO's writer. */
static int try_open(const char *path)
{
	int fd = beneath_open(&below, path, O_RDONLY);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void the_kernel_follows_links_that_stay_inside(void **state)
{
	struct stat st;

	(void)state;
	for (size_t i = 0; i < N_PATHS; i++) {
		if (try_open(paths[i].path) != paths[i].by_kernel)
			fail_msg("\"%s\" is %d", paths[i].path, try_open(paths[i].path));
	}
	assert_int_equal(beneath_stat(&below, "file", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, 3);
	assert_int_equal(beneath_stat(&below, "etc", &st), -ENOENT);
}

/* Makes openat2 fail with err in this process, for good. */
static bool without_openat2(unsigned err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
	       syscall(SYS_openat2, AT_FDCWD, ".", NULL, 0) == -1 && errno == (int)err;
}

/* 0, or what went wrong: 1, or 2 + the path's index. */
static int child(unsigned err)
{
	if (!without_openat2(err))
		return 1;
	for (size_t i = 0; i < N_PATHS; i++) {
		if (try_open(paths[i].path) != paths[i].by_steps)
			return 2 + (int)i;
	}
	return 0;
}

static void without_openat2_no_link_is_followed(void **state)
{
	static const unsigned errs[] = { ENOSYS, EPERM };
	int status;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(child(errs[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void valid_paths_are_plain_components(void **state)
{
	char longest[OBJECT_KEY_MAX + 1];

	(void)state;
	assert_true(beneath_valid("a", 1));
	assert_true(beneath_valid(".a/..b/...", 10));
	assert_true(beneath_valid("a/bXXXX", 3));
	assert_false(beneath_valid("a/", 2));
	assert_false(beneath_valid("", 0));
	assert_false(beneath_valid(".", 1));
	assert_false(beneath_valid("a/..", 4));
	assert_false(beneath_valid("a\nb", 3));
	assert_false(beneath_valid("a\0b", 3));
	memset(longest, 'x', sizeof(longest));
	assert_true(beneath_valid(longest, OBJECT_KEY_MAX));
	assert_false(beneath_valid(longest, OBJECT_KEY_MAX + 1));
}

static void check_table(const char *text, const char *folder_path, size_t lines, uint64_t ours, bool below_it)
{
	struct mounts_entry *v;
	size_t n;
	bool is_below;

	assert_int_equal(mounts_parse(text, strlen(text), folder_path, &v, &n, &is_below), 0);
	assert_int_equal(n, lines);
	for (size_t i = 0; i < n; i++)
		assert_true(v[i].ours == (v[i].id == ours));
	assert_true(is_below == below_it);
	free(v);
}

static void the_table_of_mounts_tells_which_are_ours(void **state)
{
	static const char text[] =
		"21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
		"22 21 0:20 / /mnt/a\\040b rw,nosuid - fuse.s3samplefs dir:/x rw,user_id=0\n"
		"23 21 0:21 / /mnt/other rw master:2 propagate_from:3 - fuse.s3samplefs2 x\n"
		"24 21 0:22 / /fuse.s3samplefs rw - tmpfs fuse.s3samplefs rw";

	(void)state;
	check_table(text, "/mnt/a b", 4, 22, true);
	check_table(text, "/mnt", 4, 22, true);
	check_table(text, "/", 4, 22, true);
	check_table(text, "/mnt/a", 4, 22, false);
	check_table(text, "/mnt/a b/c", 4, 22, false);
	check_table(text, "/mnt/other", 4, 22, false);
	check_table("", "/", 0, 0, false);
	check_table("nonsense\n5\n6 \n7 - fuse.s3samplefs\n8 1 2 3 /x rw - fuse.s3samplefs", "/x", 1, 8, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_follows_links_that_stay_inside),
		cmocka_unit_test(without_openat2_no_link_is_followed),
		cmocka_unit_test(valid_paths_are_plain_components),
		cmocka_unit_test(the_table_of_mounts_tells_which_are_ours),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
