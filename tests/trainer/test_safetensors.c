/* Checkpoint files: what is written is read, and nothing else is believed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "checkpoint/safetensors.h"
#include "util/file.h"
#include "util/why.h"

static char folder[] = "/tmp/test_safetensors.XXXXXX";
static char path[64];
static struct why why;

static const float values[6] = { 1, -2, 3.5f, 0, 1e30f, -1e-30f };
static const int64_t numbers[2] = { 1, -1 };
static const struct tensor tensors[] = {
	{ .name = "a.weight", .type = TENSOR_F32, .ndim = 2, .shape = { 2, 3 }, .data = values },
	{ .name = "b", .type = TENSOR_I64, .ndim = 1, .shape = { 2 }, .data = numbers },
	{ .name = "nothing", .type = TENSOR_I64, .ndim = 1, .shape = { 0 }, .data = numbers },
};
static const struct tensor_meta meta[] = { { "step", "7" }, { "text", "\"quoted\"\n\xc3\xa4" } };

static int write_it(const char *step)
{
	struct tensor_meta with[2] = { meta[0], meta[1] };

	with[0].value = step;
	return safetensors_write(path, tensors, 3, with, 2, &why);
}

static void what_is_written_is_read(void **state)
{
	struct safetensors *s;
	struct tensor t;

	(void)state;
	assert_int_equal(write_it("7"), 0);
	assert_int_equal(safetensors_read(path, &s, &why), 0);
	assert_string_equal(safetensors_meta(s, "step"), "7");
	assert_string_equal(safetensors_meta(s, "text"), meta[1].value);
	assert_null(safetensors_meta(s, "other"));
	assert_int_equal(safetensors_tensor(s, "a.weight", &t), 0);
	assert_string_equal(t.name, "a.weight");
	assert_int_equal(t.type, TENSOR_F32);
	assert_int_equal(t.ndim, 2);
	assert_int_equal(t.shape[1], 3);
	assert_memory_equal(t.data, values, sizeof(values));
	assert_int_equal(safetensors_tensor(s, "b", &t), 0);
	assert_memory_equal(t.data, numbers, sizeof(numbers));
	assert_int_equal(safetensors_tensor(s, "nothing", &t), 0);
	assert_int_equal(tensor_bytes(&t), 0);
	assert_int_equal(safetensors_tensor(s, "__metadata__", &t), -ENOENT);
	assert_int_equal(safetensors_tensor(s, "c", &t), -ENOENT);
	safetensors_free(s);
}

static void the_same_is_the_same_file(void **state)
{
	struct buf first, again;

	(void)state;
	buf_init(&first, 1 << 20);
	buf_init(&again, 1 << 20);
	write_it("7");
	assert_int_equal(file_read(path, &first), 0);
	write_it("7");
	assert_int_equal(file_read(path, &again), 0);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.data, again.data, first.len);
	buf_done(&first);
	buf_done(&again);
}

static void put(const char *data, size_t len)
{
	const struct file_part part = { data, len };

	assert_int_equal(file_replace(path, &part, 1, &why), 0);
}

/* Every byte matters, wherever it stands. */
static void a_changed_byte_anywhere_is_found(void **state)
{
	struct safetensors *s;
	struct buf file;

	(void)state;
	buf_init(&file, 1 << 20);
	write_it("7");
	assert_int_equal(file_read(path, &file), 0);
	for (size_t i = 0; i < file.len; i++) {
		file.data[i] ^= 1;
		put(file.data, file.len);
		if (safetensors_read(path, &s, &why) == 0) {
			/* Only the checksum's own name can hide it; then there is none. */
			assert_null(safetensors_meta(s, "checksum"));
			safetensors_free(s);
		}
		file.data[i] ^= 1;
	}
	buf_done(&file);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
	struct safetensors *s;
	struct buf file;

	(void)state;
	buf_init(&file, 1 << 20);
	write_it("7");
	assert_int_equal(file_read(path, &file), 0);
	for (size_t len = 0; len < file.len; len++) {
		put(file.data, len);
		assert_int_equal(safetensors_read(path, &s, &why), -EBADMSG);
		assert_non_null(strstr(why.text, path));
	}
	buf_done(&file);
}

static void put_header(const char *header, size_t data)
{
	char file[1024] = { 0 };
	size_t len = strlen(header);

	file[0] = (char)len;
	file[1] = (char)(len >> 8);
	memcpy(file + 8, header, len);
	put(file, 8 + len + data);
}

static void headers_that_lie_are_refused(void **state)
{
	static const char *const headers[] = {
		"[]",
		"{\"a\":1}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905,2],\"data_offsets\":[0,8]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",
		"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
		"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
	};
	struct safetensors *s;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		put_header(headers[i], 8);
		assert_int_equal(safetensors_read(path, &s, &why), -EBADMSG);
	}
}

/* As Python's safetensors writes them. */
static void other_programs_files_are_read(void **state)
{
	struct safetensors *s;
	struct tensor t;

	(void)state;
	put_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
	           "\"h\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]}}", 8);
	assert_int_equal(safetensors_read(path, &s, &why), 0);
	assert_null(safetensors_meta(s, "format"));
	assert_int_equal(safetensors_tensor(s, "a", &t), 0);
	assert_int_equal(safetensors_tensor(s, "h", &t), -ENOENT);
	safetensors_free(s);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	const struct rlimit small = { 100, RLIM_INFINITY };
	struct rlimit before;
	struct safetensors *s;
	char temporary[80];

	(void)state;
	assert_int_equal(write_it("7"), 0);
	/* A limit on the size of files fails a write half-way, as a full disk does. */
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(write_it("8"), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(why.text, "can't be written"));
	assert_int_equal(safetensors_read(path, &s, &why), 0);
	assert_string_equal(safetensors_meta(s, "step"), "7");
	safetensors_free(s);
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	assert_int_equal(access(temporary, F_OK), -1);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct safetensors *s;

	(void)state;
	unlink(path);
	assert_int_equal(safetensors_read(path, &s, &why), -ENOENT);
	assert_non_null(strstr(why.text, "No such file"));
	assert_int_equal(safetensors_write("/nowhere/at/all", tensors, 3, meta, 2, &why), -ENOENT);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_same_is_the_same_file),
		cmocka_unit_test(a_changed_byte_anywhere_is_found),
		cmocka_unit_test(a_file_cut_anywhere_is_refused),
		cmocka_unit_test(headers_that_lie_are_refused),
		cmocka_unit_test(other_programs_files_are_read),
		cmocka_unit_test(a_full_disk_leaves_the_old_file),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
