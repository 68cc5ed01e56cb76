/* .npy headers against those numpy.save wrote (make_npy_vectors.py). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "format/npy.h"
#include "format/npy_read.h"
#include "npy_vectors.h"

static void headers_are_those_of_numpy_save(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct buf b;

		buf_init(&b, 4096);
		assert_int_equal(npy_header(v->descr, v->shape, v->ndim, &b), 0);
		assert_int_equal(b.len, v->size);
		assert_memory_equal(b.data, v->header, v->size);
		assert_int_equal(npy_header_size(v->descr, v->shape, v->ndim), v->size);
		buf_done(&b);
	}
}

static void any_dimension_fits(void **state)
{
	uint64_t shape[NPY_DIMS_MAX];
	char descr[NPY_DESCR_MAX + 1];
	struct buf b;

	(void)state;
	memset(shape, 0xff, sizeof(shape));
	memset(descr, 'x', sizeof(descr) - 1);
	descr[sizeof(descr) - 1] = '\0';
	buf_init(&b, 4096);
	assert_int_equal(npy_header(descr, shape, NPY_DIMS_MAX, &b), 0);
	assert_int_equal(b.len, npy_header_size(descr, shape, NPY_DIMS_MAX));
	assert_int_equal(b.len % 64, 0);
	assert_int_equal(b.data[b.len - 1], '\n');
	buf_done(&b);
}

static void what_numpy_would_write_otherwise_is_refused(void **state)
{
	static const char *const bad[] = { "", "'", "<f4'", "a\\b", "\n", "\xc3\xa4",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
	uint64_t shape[NPY_DIMS_MAX + 1] = { 1 };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(npy_header("<f4", shape, NPY_DIMS_MAX + 1, &b), -EINVAL);
	assert_int_equal(npy_header_size("<f4", shape, NPY_DIMS_MAX + 1), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(npy_header(bad[i], shape, 1, &b), -EINVAL);
		assert_int_equal(npy_header_size(bad[i], shape, 1), 0);
	}
	assert_int_equal(b.len, 0);
	buf_done(&b);
	buf_init(&b, 100);
	assert_int_equal(npy_header("<f4", shape, 1, &b), -EMSGSIZE);
	buf_done(&b);
}

static void what_is_written_is_read(void **state)
{
	static const uint64_t shape[] = {16, 224, 0, 3};
	struct npy_info info;
	struct buf b;
	size_t need;

	(void)state;
	for (unsigned ndim = 0; ndim <= 4; ndim++) {
		buf_init(&b, 4096);
		assert_int_equal(npy_header("<f4", shape, ndim, &b), 0);
		assert_int_equal(npy_parse(b.data, b.len - 1, &info, &need), -EAGAIN);
		assert_int_equal(need, b.len);
		assert_int_equal(npy_parse(b.data, b.len, &info, &need), 0);
		assert_string_equal(info.descr, "<f4");
		assert_int_equal(info.ndim, ndim);
		assert_memory_equal(info.shape, shape, ndim * sizeof(shape[0]));
		assert_int_equal(info.offset, b.len);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_those_of_numpy_save),
		cmocka_unit_test(any_dimension_fits),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_numpy_would_write_otherwise_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
