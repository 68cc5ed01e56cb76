/* What the signals of a thread that waits mean for its request. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/caller.h"

#define BIT(signal) (UINT64_C(1) << ((signal) - 1))

static enum caller_state judge(int pending, uint64_t blocked, uint64_t ignored, uint64_t caught)
{
	const struct caller_signals s = { BIT(pending), blocked, ignored, caught };

	return caller_judge(&s);
}

static void a_signal_without_a_handler_is_fatal_unless_it_is_harmless(void **state)
{
	static const int harmless[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	(void)state;
	for (int n = 1; n <= 64; n++) {
		bool is_harmless = false;

		for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
			is_harmless |= n == harmless[i];
		assert_int_equal(judge(n, 0, 0, 0), is_harmless ? CALLER_WAITS : CALLER_GONE);
	}
}

static void of_signals_with_handlers_three_ask_for_an_end(void **state)
{
	(void)state;
	for (int n = 1; n <= 64; n++) {
		bool asks = n == SIGINT || n == SIGTERM || n == SIGQUIT;

		if (n != SIGKILL)  /* which can have none */
			assert_int_equal(judge(n, 0, 0, BIT(n)), asks ? CALLER_ASKED : CALLER_WAITS);
	}
}

static void what_is_blocked_or_ignored_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(judge(SIGINT, BIT(SIGINT), 0, 0), CALLER_WAITS);
	assert_int_equal(judge(SIGINT, BIT(SIGINT), 0, BIT(SIGINT)), CALLER_WAITS);
	assert_int_equal(judge(SIGTERM, 0, BIT(SIGTERM), 0), CALLER_WAITS);
}

static void one_fatal_signal_among_others_is_enough(void **state)
{
	const struct caller_signals s = { BIT(SIGALRM) | BIT(SIGHUP), 0, 0, BIT(SIGALRM) };

	(void)state;
	assert_int_equal(caller_judge(&s), CALLER_GONE);
}

static void the_file_of_proc_is_read(void **state)
{
	struct caller_signals s;

	(void)state;
	assert_true(caller_parse_signals("Name:\tSigPnd: 1\nSigQ:\t0/1\nSigPnd:\t0000000000000001\n"
	                                 "ShdPnd:\t8000000000000002\nSigBlk:\t0000000000000004\n"
	                                 "SigIgn:\t0000000000000008\nSigCgt:\t0000000000000010\nCapInh:\t0\n", &s));
	assert_int_equal(s.pending, UINT64_C(0x8000000000000003));
	assert_int_equal(s.blocked, 4);
	assert_int_equal(s.ignored, 8);
	assert_int_equal(s.caught, 16);
	assert_false(caller_parse_signals("", &s));
	assert_false(caller_parse_signals("Name:\tx\nSigPnd:\t1\nShdPnd:\t\n", &s));
}

static void a_process_that_is_there_waits_and_one_that_is_not_is_gone(void **state)
{
	pid_t child;

	(void)state;
	assert_true(caller_proc_is_ours());
	assert_int_equal(caller_look(getpid(), true, true), CALLER_WAITS);
	child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(caller_look(child, false, true), CALLER_GONE);  /* a zombie */
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(caller_look(child, false, false), CALLER_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_without_a_handler_is_fatal_unless_it_is_harmless),
		cmocka_unit_test(of_signals_with_handlers_three_ask_for_an_end),
		cmocka_unit_test(what_is_blocked_or_ignored_is_nothing),
		cmocka_unit_test(one_fatal_signal_among_others_is_enough),
		cmocka_unit_test(the_file_of_proc_is_read),
		cmocka_unit_test(a_process_that_is_there_waits_and_one_that_is_not_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
