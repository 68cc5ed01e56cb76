/* What a process of the pool is started with, and what happens when starting
 * goes wrong. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "pool_world.h"

#define LONG_MS 60000       /* a deadline that no test reaches */

static struct world world;

static int setup(void **state)
{
	world_init(&world);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_done(*state);
	return 0;
}

/* -- what a process is started with -- */

static void expect_line(const char *report, const char *line)
{
	char with_newlines[512];

	snprintf(with_newlines, sizeof(with_newlines), "\n%s\n", line);
	if (!strstr(report, with_newlines))
		fail_msg("no line \"%s\" in\n%s", line, report);
}

/* Exactly LANG, and of the sanitizers' and linker's variables those we have. */
static void expect_environment(const char *report)
{
	static const char *const kept[] = {
		"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH",
	};
	char line[4096] = "environ=LANG=C.UTF-8|";

	for (unsigned i = 0; i < 4; i++) {
		const char *value = getenv(kept[i]);

		if (value)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s=%s|",
			         kept[i], value);
	}
	expect_line(report, line);
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
		n++;
	return n;
}

static void expect_descriptors(const char *report)
{
#ifdef S3SAMPLEFS_SANITIZE
	/* Where the sanitizers report to: ours. */
	char stderr_target[300] = "fd 2=";

	assert_true(readlink("/proc/self/fd/2", stderr_target + 5, sizeof(stderr_target) - 6) > 0);
#else
	const char *stderr_target = "fd 2=/dev/null";
#endif

	expect_line(report, "fd 0=/dev/null");
	expect_line(report, "fd 1=/dev/null");
	expect_line(report, stderr_target);
	assert_non_null(strstr(report, "\nfd 3=socket:["));
	expect_line(report, "fd 4=/memfd:s3samplefs-window (deleted)");
	assert_int_equal(count_of(report, "\nfd "), 5);
}

/* But for 32 and 33, which are the C library's own: nobody can reset them. */
static void expect_none_ignored(const char *report)
{
	const char *line = strstr(report, "SigIgn:\t");

	assert_non_null(line);
	assert_int_equal(strtoull(line + strlen("SigIgn:\t"), NULL, 16) & ~(UINT64_C(3) << 31), 0);
}

static void a_process_gets_nothing_it_does_not_need(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_REPORT, WORLD_SMALL);
	int inheritable = open("/etc/passwd", O_RDONLY); /* not close-on-exec */
	int far = fcntl(inheritable, F_DUPFD, 100);
	sigset_t usr1;
	char *report;

	assert_true(inheritable >= 0 && far >= 0);
	setenv("AWS_SECRET_ACCESS_KEY", "not for children", 1);
	setenv("LD_LIBRARY_PATH", "/nonexistent", 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	world_start_pool(w, 1, LONG_MS);
	assert_int_equal(request_run(w, r), 0);
	report = (char *)r->out;
	report[r->out_len] = '\0';
	expect_environment(report);
	expect_descriptors(report);
	assert_null(strstr(report, "not for children"));
	expect_line(report, "cwd=/");
	expect_line(report, "own group=1");
	expect_line(report, "own session=1");
	expect_line(report, "deathsig=9");
	expect_line(report, "core=0");
	expect_line(report, "data=-1");
	expect_line(report, "privs=1");
	expect_line(report, "SigBlk:\t0000000000000000");
	expect_none_ignored(report);
	free(r);
	world_stop_pool(w);
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("LD_LIBRARY_PATH");
	signal(SIGPIPE, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	close(inheritable);
	close(far);
}

static void cpu_time_is_limited_by_the_job(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_REPORT, WORLD_SMALL);
	long long limit, used;

	world_start_pool(w, 1, 7000);
	assert_int_equal(request_run(w, r), 0);
	r->out[r->out_len] = '\0';
	assert_int_equal(sscanf((char *)r->out, "cpu limit=%lld\ncpu used=%lld\n", &limit, &used),
	                 2);
	assert_in_range(limit, used + 7, used + 10);
	free(r);
	world_stop_pool(w);
}

static void a_shared_memory_cannot_be_resized(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SEALS, WORLD_SMALL);

	world_start_pool(w, 1, LONG_MS);
	assert_int_equal(request_run(w, r), 0);
	assert_int_equal(request_sum(r)->hash, 0);
	free(r);
	world_stop_pool(w);
}

/* -- no descriptors left -- */

static void limit_descriptors(rlim_t limit)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
}

/* Every step of the start fails once. */
static void a_start_without_descriptors_leaves_nothing_behind(void **state)
{
	struct world *w = *state;
	struct rlimit before;
	unsigned failures = 0;
	char why[256];
	int err;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t limit = 3;; limit++) {
		why[0] = '\0';
		w->open_before = world_count_descriptors(w);
		limit_descriptors(limit);
		err = world_make_pool(w, NULL, 2, LONG_MS, 0, why);
		limit_descriptors(before.rlim_cur);
		if (!err)
			break;
		/* EINVAL: dup to a number over the limit. */
		assert_true(err == -EMFILE || err == -EINVAL);
		assert_true(strlen(why) > 0);
		assert_int_equal(world_count_descriptors(w), w->open_before);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		failures++;
	}
	assert_true(failures > 5);
	expect_service(w);
	world_stop_pool(w);
}

static void a_job_without_descriptors_fails_alone(void **state)
{
	struct world *w = *state;
	struct rlimit before;

	world_start_pool(w, 1, LONG_MS);
	expect_service(w); /* its bytes are cached: nothing else needs a descriptor */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit_descriptors(3);
	expect_failure(w, request_mfcc(w, ACT_SUM, WORLD_SMALL), -EIO,
	               "can't hand the job to a decoder process: Too many open files");
	expect_failure(w, request_frames(w, ACT_ROWS, WORLD_SMALL), -EIO,
	               "can't hand the job to a decoder process: Too many open files");
	limit_descriptors(before.rlim_cur);
	expect_service(w);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 0);
	world_stop_pool(w);
}

/* -- a broken program -- */

static void a_missing_program_is_told_at_once(void **state)
{
	struct world *w = *state;
	char why[256] = "";

	assert_int_equal(world_try_pool(w, "/nonexistent/worker", 2, LONG_MS, 0, why), -ENOENT);
	assert_string_equal(why, "can't find the decoder program /nonexistent/worker: "
	                         "No such file or directory");
	assert_int_equal(world_try_pool(w, "/etc/passwd", 2, LONG_MS, 0, why), -EACCES);
	assert_string_equal(why, "can't start /etc/passwd: Permission denied");
	assert_int_equal(world_count_descriptors(w), w->open_before);
}

static void copy_program(const char *from, const char *to)
{
	char command[8192];

	snprintf(command, sizeof(command), "cp '%s' '%s.new' && mv '%s.new' '%s'", from, to, to,
	         to);
	assert_int_equal(system(command), 0);
}

/* Of whichever thread: the pool's starts them. */
static void kill_children(void)
{
	char command[128];

	snprintf(command, sizeof(command), "kill -9 $(cat /proc/%d/task/*/children | tr ' ' '\\n' | grep -vx $$)",
	         (int)getpid());
	if (system(command) < 0) /* the shell itself may be among them by then */
		fail();
}

static void write_program(const char *to, const char *line)
{
	char script[160];
	FILE *f;

	snprintf(script, sizeof(script), "%s.script", to);
	f = fopen(script, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", line);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(script, 0755), 0);
	assert_int_equal(rename(script, to), 0);
}

/* From now on it ends at its start, and nobody is left who was there before. */
static void break_program(struct world *w, const char *program)
{
	int64_t deaths = world_stat(w, STAT_worker_deaths);
	int64_t alive = world_stat(w, STAT_worker_starts) - deaths;

	copy_program("/bin/false", program);
	kill_children();
	while (world_stat(w, STAT_worker_deaths) < deaths + alive)
		world_wait_a_turn(w);
}

static void a_program_that_ends_at_once_is_told_at_once(void **state)
{
	struct world *w = *state;
	char program[128], why[256] = "";

	assert_int_equal(world_try_pool(w, "/bin/true", 2, LONG_MS, 0, why), -EIO);
	assert_non_null(strstr(why, "/true ended with status 0"));
	snprintf(program, sizeof(program), "%s/program", w->folder);
	write_program(program, "kill -SEGV $$");
	assert_int_equal(world_try_pool(w, program, 2, LONG_MS, 0, why), -EIO);
	assert_non_null(strstr(why, "/program crashed (SIGSEGV)"));
	assert_int_equal(world_count_descriptors(w), w->open_before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	unlink(program);
}

/* It may take another try or two until it is seen that the program works again. */
static void expect_service_soon(struct world *w)
{
	int err;

	do {
		struct request *r = request_mfcc(w, ACT_SUM, WORLD_SMALL);

		err = request_run(w, r);
		assert_true(err == 0 || err == -EIO);
		free(r);
	} while (err);
	expect_service(w);
}

static void a_broken_program_fails_jobs_and_may_be_repaired(void **state)
{
	struct world *w = *state;
	struct request *r[50];
	char program[128], why[256];

	snprintf(program, sizeof(program), "%s/program", w->folder);
	copy_program(w->child, program);
	assert_int_equal(world_try_pool(w, program, 3, LONG_MS, 0, why), 0);
	break_program(w, program);
	for (int i = 0; i < 50; i++) {
		r[i] = request_mfcc(w, ACT_SUM, WORLD_SMALL);
		request_submit(w, r[i]);
	}
	for (int i = 0; i < 50; i++) {
		request_wait(r[i]);
		assert_int_equal(r[i]->err, -EIO);
		assert_non_null(strstr(r[i]->why, "decoder processes don't start: "));
		assert_non_null(strstr(r[i]->why, "/program ended with status 1"));
		free(r[i]);
	}
	assert_in_range(world_stat(w, STAT_worker_starts), 8, 20);
	copy_program(w->child, program);
	expect_service_soon(w);
	world_stop_pool(w);
	unlink(program);
}

/* What stays without a word may work or not: until that is known it is the only one. */
static void one_process_at_a_time_shows_whether_a_program_works_again(void **state)
{
	struct world *w = *state;
	struct request *r = request_mfcc(w, ACT_SUM, WORLD_SMALL);
	char program[128], started[128], line[160], why[256];

	snprintf(program, sizeof(program), "%s/program", w->folder);
	snprintf(started, sizeof(started), "%s/started", w->folder);
	snprintf(line, sizeof(line), "echo > %s; exec sleep 1000", started);
	copy_program(w->child, program);
	assert_int_equal(world_try_pool(w, program, 4, LONG_MS, 0, why), 0);
	break_program(w, program);
	expect_failure(w, request_mfcc(w, ACT_SUM, WORLD_SMALL), -EIO, "decoder processes don't start: ");
	write_program(program, line);
	request_submit(w, r);
	while (access(started, F_OK) < 0) {
		if (request_is_done(r)) {
			assert_int_equal(r->err, -EIO);
			free(r);
			r = request_mfcc(w, ACT_SUM, WORLD_SMALL);
			request_submit(w, r);
		}
		world_wait_a_turn(w);
	}
	for (int i = 0; i < 10; i++)
		world_wait_a_turn(w);
	assert_int_equal(world_stat(w, STAT_worker_starts) - world_stat(w, STAT_worker_deaths), 1);
	copy_program(w->child, program);
	kill_children();
	request_wait(r);
	free(r);
	expect_service_soon(w);
	while (world_stat(w, STAT_worker_starts) - world_stat(w, STAT_worker_deaths) < 4)
		world_wait_a_turn(w);
	world_stop_pool(w);
	unlink(program);
	unlink(started);
}

/* -- a worker that goes on as another process -- */

static void the_process_that_serves_is_the_one_that_counts(void **state)
{
	struct world *w = *state;
	struct request *r;
	char program[128], why[256];
	long long limit, used;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/%s", w->folder, CHILD_FORKS);
	copy_program(w->child, program);
	assert_int_equal(world_try_pool(w, program, 1, 7000, 0, why), 0);
	pid = expect_service(w);
	r = request_mfcc(w, ACT_REPORT, WORLD_SMALL);
	assert_int_equal(request_run(w, r), 0);
	r->out[r->out_len] = '\0';
	assert_int_equal(sscanf((char *)r->out, "cpu limit=%lld\ncpu used=%lld\n", &limit, &used), 2);
	assert_in_range(limit, used + 7, used + 10);
	free(r);
	expect_failure(w, request_mfcc(w, ACT_CRASH, WORLD_SMALL), -EBADMSG,
	               "the decoder process crashed (SIGSEGV)");
	assert_int_not_equal(expect_service(w), pid);
	expect_failure(w, request_mfcc(w, ACT_EXIT, WORLD_SMALL), -EBADMSG, "ended with status 1");
	pid = expect_service(w);
	kill_and_wait(pid, SIGKILL);
	assert_int_not_equal(expect_service(w), pid);
	assert_int_equal(world_stat(w, STAT_worker_deaths), 3);
	assert_int_equal(world_stat(w, STAT_worker_starts), 4);
	world_stop_pool(w); /* holds that there are no children left */
	unlink(program);
}

/* -- the daemon's own death -- */

/* Started as a program of its own: tells the pid of a worker that is stuck in
 * a job and won't see an end-of-file, then waits to be killed. */
static int be_a_daemon(int out)
{
	struct request *r;
	pid_t pid;

	world_init(&world);
	world_start_pool(&world, 1, LONG_MS);
	r = request_frames(&world, ACT_ROW_THEN_HANG, WORLD_SMALL);
	request_submit(&world, r);
	request_wait_row(r);
	pid = (pid_t)r->rows[0].pid;
	if (write(out, &pid, sizeof(pid)) != (ssize_t)sizeof(pid) ||
	    write(out, world.folder, sizeof(world.folder)) != (ssize_t)sizeof(world.folder))
		return 1;
	for (;;)
		pause();
}

static pid_t start_daemon(int out)
{
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", out);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_pool_process", "--be-a-daemon", number, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void remove_folder(const char *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

static void workers_die_with_the_daemon(void **state)
{
	struct pollfd p = { .events = POLLIN };
	char folder[sizeof(world.folder)];
	int out[2], status;
	pid_t daemon, worker;

	(void)state;
	assert_int_equal(pipe(out), 0);
	daemon = start_daemon(out[1]);
	assert_true(daemon > 0);
	assert_int_equal(read(out[0], &worker, sizeof(worker)), sizeof(worker));
	assert_int_equal(read(out[0], folder, sizeof(folder)), sizeof(folder));
	p.fd = (int)syscall(SYS_pidfd_open, worker, 0);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0); /* alive */
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(poll(&p, 1, 60000), 1); /* dead */
	close(p.fd);
	close(out[0]);
	close(out[1]);
	remove_folder(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_process_gets_nothing_it_does_not_need),
		TEST(cpu_time_is_limited_by_the_job),
		TEST(a_shared_memory_cannot_be_resized),
		TEST(a_start_without_descriptors_leaves_nothing_behind),
		TEST(a_job_without_descriptors_fails_alone),
		TEST(a_missing_program_is_told_at_once),
		TEST(a_program_that_ends_at_once_is_told_at_once),
		TEST(a_broken_program_fails_jobs_and_may_be_repaired),
		TEST(one_process_at_a_time_shows_whether_a_program_works_again),
		TEST(the_process_that_serves_is_the_one_that_counts),
		cmocka_unit_test(workers_die_with_the_daemon),
	};

	log_set_level(LOG_LEVEL_ERROR);
	if (argc == 3 && strcmp(argv[1], "--be-a-daemon") == 0)
		return be_a_daemon(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
