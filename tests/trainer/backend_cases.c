#include "backend_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/narrow.h"
#include "backend/reference.h"
#include "backend_world.h"

/* ---- buffers ------------------------------------------------------------------------- */

static const size_t sizes[] = { 1, 3, 4096, (4 << 20) - 1, 4 << 20, (9 << 20) + 5 };

static void what_is_uploaded_comes_back(void **state)
{
	struct backend *b = world.backend[FIRST];

	(void)state;
	for (size_t s = 0; s < COUNT(sizes); s++) {
		uint8_t *in = malloc(sizes[s]), *out = malloc(sizes[s]);
		void *buffer;

		assert_true(in && out);
		for (size_t i = 0; i < sizes[s]; i++)
			in[i] = (uint8_t)(i * 2654435761u >> 13);
		assert_int_equal(b->ops->alloc(b, sizes[s], &buffer), 0);
		assert_int_equal(b->ops->upload(b, buffer, in, sizes[s]), 0);
		assert_int_equal(b->ops->download(b, out, buffer, sizes[s]), 0);
		assert_memory_equal(in, out, sizes[s]);
		b->ops->release(b, buffer);
		free(in);
		free(out);
	}
}

static void new_and_zeroed_buffers_are_zero(void **state)
{
	struct backend *b = world.backend[FIRST];
	size_t n = 100003;
	uint8_t *full = malloc(n), *out = malloc(n);
	void *buffer;

	(void)state;
	assert_true(full && out);
	memset(full, 0x5a, n);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(b->ops->alloc(b, n, &buffer), 0);
		assert_int_equal(b->ops->download(b, out, buffer, n), 0);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(out[k], 0);
		assert_int_equal(b->ops->upload(b, buffer, full, n), 0);
		assert_int_equal(b->ops->zero(b, buffer, n - 1), 0);
		assert_int_equal(b->ops->download(b, out, buffer, n), 0);
		assert_int_equal(out[n - 2], 0);
		assert_int_equal(out[n - 1], 0x5a);
		b->ops->release(b, buffer);
	}
	free(full);
	free(out);
}

/* An upload overtakes nothing that was asked for before it, takes the host's values as they
 * are when it is called, and nothing asked for after it overtakes it. */
static void uploads_keep_their_place_among_the_functions(void **state)
{
	enum { ROUNDS = 40, N = 300007 };
	struct backend *b = world.backend[FIRST];
	float *host = malloc(N * sizeof(*host));
	const struct sgd_step copy = { 0, 0, 0 };
	void *in, *weights, *out[ROUNDS];

	(void)state;
	assert_non_null(host);
	assert_int_equal(b->ops->alloc(b, N * sizeof(*host), &in), 0);
	assert_int_equal(b->ops->alloc(b, N * sizeof(*host), &weights), 0);
	for (int r = 0; r < ROUNDS; r++)
		assert_int_equal(b->ops->alloc(b, N * sizeof(*host), &out[r]), 0);
	for (int r = 0; r < ROUNDS; r++) {
		for (int i = 0; i < N; i++)
			host[i] = (float)(r * 1000 + i % 1000);
		assert_int_equal(b->ops->upload(b, in, host, N * sizeof(*host)), 0);
		assert_int_equal(b->ops->sgd(b, &copy, N, in, weights, out[r]), 0);
	}
	for (int r = 0; r < ROUNDS; r++) {
		assert_int_equal(b->ops->download(b, host, out[r], N * sizeof(*host)), 0);
		for (int i = 0; i < N; i++)
			if (host[i] != (float)(r * 1000 + i % 1000))
				fail_msg("round %d, value %d is %g", r, i, (double)host[i]);
		b->ops->release(b, out[r]);
	}
	b->ops->release(b, weights);
	b->ops->release(b, in);
	free(host);
}

/* The same out of memory that the device reads by itself, whole and in parts, beside plain
 * memory; what was downloaded since may be changed. */
static void uploads_from_the_backends_own_host_memory_keep_their_place_too(void **state)
{
	enum { ROUNDS = 12, SLOTS = 3, N = 1500007 };
	struct backend *b = world.backend[FIRST];
	const struct sgd_step copy = { 0, 0, 0 };
	float plain[16], *host[SLOTS], *back = malloc(N * sizeof(*back));
	void *in, *weights, *out;

	(void)state;
	assert_non_null(back);
	assert_int_equal(b->ops->alloc(b, N * sizeof(*back), &in), 0);
	assert_int_equal(b->ops->alloc(b, N * sizeof(*back), &weights), 0);
	assert_int_equal(b->ops->alloc(b, N * sizeof(*back), &out), 0);
	for (int s = 0; s < SLOTS; s++) {
		void *memory;

		assert_int_equal(b->ops->host_alloc(b, N * sizeof(*back), &memory), 0);
		host[s] = memory;
		for (int i = 0; i < N; i++)
			assert_true(host[s][i] == 0);
	}
	for (int r = 0; r < ROUNDS; r++) {
		float *from = host[r % SLOTS];

		for (int i = 0; i < N; i++)
			from[i] = (float)(r * 1000 + i % 1000);
		for (int i = 0; i < (int)COUNT(plain); i++)
			plain[i] = (float)-r;
		assert_int_equal(b->ops->upload(b, in, from, N * sizeof(*back)), 0);
		assert_int_equal(b->ops->sgd(b, &copy, N, in, weights, out), 0);
		assert_int_equal(b->ops->upload(b, in, from + 1, (N - 1) * sizeof(*back)), 0);
		assert_int_equal(b->ops->upload(b, in, plain, sizeof(plain)), 0);
		memset(plain, 0, sizeof(plain));
		assert_int_equal(b->ops->download(b, back, out, N * sizeof(*back)), 0);
		for (int i = 0; i < N; i++)
			if (back[i] != (float)(r * 1000 + i % 1000))
				fail_msg("round %d, value %d is %g", r, i, (double)back[i]);
	}
	assert_int_equal(b->ops->download(b, back, in, (N - 1) * sizeof(*back)), 0);
	for (int i = 0; i < N - 1; i++)
		if (back[i] != (i < (int)COUNT(plain) ? 1 - ROUNDS : (ROUNDS - 1) * 1000 + (i + 1) % 1000))
			fail_msg("value %d is %g", i, (double)back[i]);
	for (int s = 0; s < SLOTS; s++)
		b->ops->host_free(b, host[s]);
	b->ops->host_free(b, NULL);
	b->ops->release(b, in);
	b->ops->release(b, weights);
	b->ops->release(b, out);
	free(back);
}

/* ---- all of them --------------------------------------------------------------------- */

int backend_cases_run(const char *name, const struct backend_cases *c)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_uploaded_comes_back),
		cmocka_unit_test(new_and_zeroed_buffers_are_zero),
		cmocka_unit_test(uploads_keep_their_place_among_the_functions),
		cmocka_unit_test(uploads_from_the_backends_own_host_memory_keep_their_place_too),
	};
	struct backend *reference;
	int failed;

	if (reference_new(&reference))
		return 1;
	if (c->tested->activations != PRECISION_FLOAT32 &&
	    narrow_new(reference, c->tested->activations, &reference))
		return 1;
	world = (struct world){ *c, { reference, c->tested, c->tested } };
	failed = cmocka_run_group_tests_name(name, tests, NULL, NULL);
	failed += backend_cases_layers(name);
	failed += backend_cases_ends(name);
	backend_free(reference);
	return failed;
}
