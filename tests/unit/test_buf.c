/* The growing buffer with a cap, and shared blobs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/buf.h"

static void appends_add_up_and_stay_terminated(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_puts(&b, "ab");
	buf_putc(&b, 'c');
	buf_printf(&b, "%d-%s", 42, "x");
	buf_add(&b, "\0y", 2);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abc42-x\0y", 10);
	buf_done(&b);
}

static void len_reaches_the_cap_but_never_passes_it(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_puts(&b, "12345");
	assert_int_equal(buf_error(&b), 0);
	buf_add(&b, NULL, 0);
	assert_int_equal(buf_error(&b), 0);
	buf_putc(&b, '6');
	assert_int_equal(buf_error(&b), -EMSGSIZE);
	assert_string_equal(b.data, "12345");
	buf_done(&b);
}

static void failure_is_sticky_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "12");
	buf_printf(&b, "%s", "345");
	buf_putc(&b, '3');
	assert_int_equal(buf_error(&b), -EMSGSIZE);
	assert_string_equal(b.data, "12");
	assert_null(buf_take(&b));
	buf_reset(&b);
	buf_puts(&b, "ok");
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(b.data, "ok");
	buf_done(&b);
}

static void a_length_beyond_the_address_space_is_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_puts(&b, "abc");
	buf_add(&b, "", SIZE_MAX - 2);
	assert_int_equal(buf_error(&b), -EMSGSIZE);
	buf_done(&b);
}

static void take_hands_over_the_string(void **state)
{
	struct buf b;
	char *s;

	(void)state;
	buf_init(&b, 100);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	for (int i = 0; i < 100; i++)
		buf_putc(&b, 'x');
	s = buf_take(&b);
	assert_int_equal(strlen(s), 100);
	assert_int_equal(b.len, 0);
	free(s);
	buf_puts(&b, "again");
	assert_string_equal(b.data, "again");
	buf_done(&b);
}

static void a_blob_lives_until_its_last_reference(void **state)
{
	struct blob *b = blob_new(100);
	struct blob *copy;

	(void)state;
	memset(blob_writable(b), 7, 100);
	blob_truncate(b, 60);
	assert_ptr_equal(blob_ref(b), b);
	blob_unref(b);
	assert_int_equal(blob_len(b), 60);
	assert_int_equal(blob_data(b)[59], 7);
	assert_int_equal((uintptr_t)blob_data(b) % 64, 0);
	copy = blob_copy(blob_data(b), 60);
	blob_unref(b);
	assert_int_equal(blob_len(copy), 60);
	assert_int_equal(blob_data(copy)[0], 7);
	blob_unref(copy);
	blob_unref(NULL);
}

static void an_impossible_blob_is_no_memory(void **state)
{
	struct blob *empty = blob_copy(NULL, 0);

	(void)state;
	assert_int_equal(blob_len(empty), 0);
	blob_unref(empty);
	assert_null(blob_new(SIZE_MAX));
	assert_null(blob_new(SIZE_MAX - 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_add_up_and_stay_terminated),
		cmocka_unit_test(len_reaches_the_cap_but_never_passes_it),
		cmocka_unit_test(failure_is_sticky_until_reset),
		cmocka_unit_test(a_length_beyond_the_address_space_is_refused),
		cmocka_unit_test(take_hands_over_the_string),
		cmocka_unit_test(a_blob_lives_until_its_last_reference),
		cmocka_unit_test(an_impossible_blob_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
