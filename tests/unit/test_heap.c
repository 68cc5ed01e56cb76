/* Memory that is freed goes back to the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/heap.h"

/* The sanitizers keep what is freed, to find who uses it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED 0
#else
#define MEASURED 1
#endif

#define TOTAL ((size_t)96 << 20)

/* Bytes of ours in memory. */
static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t all, pages;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu %zu", &all, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Makes TOTAL bytes of blobs, and frees all but one in eight. Returns what is left of them in memory. */
static size_t make_and_free(size_t size, struct blob **blobs, size_t n)
{
	size_t before = resident();

	for (size_t i = 0; i < n; i++) {
		blobs[i] = blob_new(size);
		assert_non_null(blobs[i]);
		memset(blob_writable(blobs[i]), 1, size);
	}
	assert_true(resident() - before > TOTAL / 10 * 9 || !MEASURED);
	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			continue;
		blob_unref(blobs[i]);
		blobs[i] = NULL;
	}
	if (size < HEAP_MAPPED)
		heap_trim();
	return resident() > before ? resident() - before : 0;
}

static void freed_rows_are_given_back(void **state)
{
	static const size_t sizes[] = { 64 * 64 * 3, 112 * 112 * 3, 224 * 224 * 3, 1 << 20 };
	(void)state;

	for (unsigned i = 0; i < 4; i++) {
		size_t n = TOTAL / sizes[i];
		struct blob **blobs = calloc(n, sizeof(*blobs));

		/* What is larger than any of them was freed before. */
		blob_unref(blob_new((size_t)16 << 20));
		size_t left = make_and_free(sizes[i], blobs, n);
		assert_true(left < TOTAL / 4 || !MEASURED);
		for (size_t k = 0; k < n; k++)
			blob_unref(blobs[k]);
		free(blobs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freed_rows_are_given_back),
	};

	heap_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
