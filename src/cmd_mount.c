/* cmd_mount.c - the command that mounts: goes to the background, mounts, serves
 * until it is told to stop. Tells the user in one sentence why
 * it can't, before it leaves the terminal. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/thread.h"
#include "cmd.h"
#include "config/config.h"
#include "fs/fsys.h"
#include "fs/mount.h"
#include "stack.h"

/* What the background process tells the one on the terminal. */
struct verdict {
	int status;                 /* exit status */
	char why[STACK_WHY_MAX];    /* when it is 0: a warning, or "" */
};

/* 0, or an exit status with a sentence. */
static int set_up_log(const struct config *c, char *why)
{
	enum log_level level = LOG_LEVEL_INFO;
	const char *where = c->log ? c->log : c->foreground ? NULL : "syslog";
	int err;

	if (c->log_level)
		log_parse_level(c->log_level, &level);
	if (c->debug)
		level = LOG_LEVEL_DEBUG;
	log_set_level(level);
	err = log_open(where);
	if (err == 0)
		return 0;
	snprintf(why, STACK_WHY_MAX, "log=%.500s can't be written: %s", where, strerror(-err));
	return 2;
}

/* All threads inherit the mask, so that only the main one hears the signals. */
static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);   /* whoever started us may ignore it: then nobody learns how workers end */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Until something is mounted, a signal simply ends the process: nothing would be
 * left behind but workers, which end with it. */
struct watch {
	pthread_t thread;
	int signals;
	int stop;                   /* eventfd */
	bool started;
};

static void *watch_main(void *arg)
{
	const struct watch *w = arg;
	struct pollfd fds[] = { { w->signals, POLLIN, 0 }, { w->stop, POLLIN, 0 } };

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents)
		_exit(1);
	return NULL;
}

static void watch_start(struct watch *w, int signals)
{
	w->signals = signals;
	w->stop = eventfd(0, EFD_CLOEXEC);
	w->started = w->stop >= 0 && thread_start(&w->thread, "watch", 0, watch_main, w) == 0;
}

static void watch_stop(struct watch *w)
{
	if (w->started && eventfd_write(w->stop, 1) == 0)
		pthread_join(w->thread, NULL);
	if (w->stop >= 0)
		close(w->stop);
}

static void wait_for_end(const struct mount *m, int signals)
{
	struct pollfd fds[] = { { mount_ended_fd(m), POLLIN, 0 }, { signals, POLLIN, 0 } };

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	log_info(fds[0].revents ? "unmounted" : "asked to stop");
}

/* Tells the terminal's process, or the terminal itself. False: nobody is there any more. */
static bool tell(int to_parent, const struct verdict *v)
{
	bool told;

	if (to_parent < 0) {
		if (v->why[0])
			fprintf(stderr, "s3samplefs: %s%s\n", v->status ? "" : "warning: ", v->why);
		return true;
	}
	told = write(to_parent, v, sizeof(*v)) == (ssize_t)sizeof(*v);
	if (!told)
		log_error("%s", v->status ? v->why : "given up: whoever asked for the mount is gone");
	close(to_parent);
	return told;
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/* Where nobody sees the terminal, they are in the log as well. */
static void log_warnings(const struct config *c)
{
	for (const char *at = c->warnings; at && *at;) {
		int len = (int)strcspn(at, "\n");

		log_warn("%.*s", len, at);
		at += len + 1;
	}
}

/* What serves the mount, from the stack up. */
struct service {
	struct stack *stack;
	struct fsys *fs;
	struct mount *mount;
	char *config_text;
};

static char *print_config(const struct config *c)
{
	struct buf b;
	char *text;

	buf_init(&b, (size_t)1 << 20);
	config_print(c, &b);
	text = buf_take(&b);
	buf_done(&b);
	return text;
}

/* 0, or an exit status with a sentence in why, in which there may be a warning all the same.
 * service_end in either case. */
static int service_open(struct service *s, const struct config *c, char why[STACK_WHY_MAX])
{
	int status = stack_new(c, STACK_VIEWS, why, &s->stack);
	struct fsys_options o;

	if (status)
		return status;
	s->config_text = print_config(c);
	o = (struct fsys_options){ stack_views(s->stack), stack_stats(s->stack), s->config_text,
		                   stack_inode_bytes(s->stack), c->timeout_ms };
	s->fs = s->config_text ? fsys_new(&o) : NULL;
	if (s->fs)
		return 0;
	snprintf(why, STACK_WHY_MAX, "not enough memory");
	return 1;
}

static int service_mount(struct service *s, const struct config *c, char why[STACK_WHY_MAX])
{
	char refused[MOUNT_WHY_MAX];

	if (mount_start(s->fs, c->mountpoint, c->source, c->fuse_options, refused, &s->mount) == 0)
		return 0;
	snprintf(why, STACK_WHY_MAX, "%s", refused);
	return 1;
}

static void service_end(struct service *s)
{
	mount_stop(s->mount);
	stack_stop(s->stack);
	fsys_free(s->fs);
	stack_free(s->stack);
	free(s->config_text);
}

/* Everything that needs threads and children happens here, after the fork. */
static int serve(const struct config *c, int to_parent)
{
	struct verdict v = { 0 };
	struct service s = { 0 };
	struct watch watch = { .stop = -1 };
	int signals = open_signals();

	v.status = set_up_log(c, v.why);
	watch_start(&watch, signals);
	if (v.status == 0)
		v.status = service_open(&s, c, v.why);
	watch_stop(&watch);
	if (v.status == 0)
		v.status = service_mount(&s, c, v.why);
	if (v.status == 0) {
		log_info("%s is mounted on %s", c->source, c->mountpoint);
		if (to_parent >= 0 || c->log) {  /* else the log is where it is told anyway */
			log_warnings(c);
			if (v.why[0])
				log_warn("%s", v.why);
		}
	}
	if (tell(to_parent, &v) && v.status == 0)
		wait_for_end(s.mount, signals);
	service_end(&s);
	close(signals);
	return v.status;
}

/* Returns the exit status of the process on the terminal; the one in the
 * background never returns. */
static int serve_in_background(const struct config *c)
{
	struct verdict v = { .status = 1, .why = "the background process ended before it could mount" };
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "s3samplefs: can't go to the background: %s\n", strerror(errno));
		return 1;
	}
	if (pid == 0) {
		close(fds[0]);
		setsid();
		if (chdir("/") < 0)
			log_debug("can't change to /: %s", strerror(errno));
		/* Before workers are started, who would hold on to it. */
		leave_terminal();
		exit(serve(c, fds[1]));
	}
	close(fds[1]);
	/* One write of less than PIPE_BUF arrives whole. */
	if (read(fds[0], &v, sizeof(v)) == (ssize_t)sizeof(v))
		v.why[sizeof(v.why) - 1] = '\0';
	close(fds[0]);
	tell(-1, &v);
	return v.status;
}

int cmd_mount(const struct config *c)
{
	return c->foreground ? serve(c, -1) : serve_in_background(c);
}
