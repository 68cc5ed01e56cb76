/* Which HEVC streams may have frames skipped that nothing refers to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/hevc_sps.h"

enum { VPS = 32, SPS = 33 };

/* One byte of SPS after the header: vps id 0, sub-layers, nesting flag. */
static void put_nal(uint8_t *p, int type, int sub_layers_minus1)
{
	p[0] = (uint8_t)(type << 1);
	p[1] = 1;
	p[2] = (uint8_t)(sub_layers_minus1 << 1 | 1);
}

static size_t make_hvcc(uint8_t *p, const int *types, const int *layers, unsigned n)
{
	size_t at = 23;

	memset(p, 0, at);
	p[0] = 1;
	p[22] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++, at += 8) {
		p[at] = (uint8_t)types[i];
		p[at + 1] = 0;
		p[at + 2] = 1;
		p[at + 3] = 0;
		p[at + 4] = 3;
		put_nal(p + at + 5, types[i], layers[i]);
	}
	return at;
}

static bool ask(const uint8_t *p, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	bool answer;

	assert_non_null(exact);
	memcpy(exact, p, size);
	answer = hevc_sps_single_layer(exact, size);
	free(exact);
	return answer;
}

static void hvcc_is_read(void **state)
{
	static const struct {
		int types[3], layers[3];
		unsigned n;
		bool answer;
	} cases[] = {
		{{VPS, SPS}, {0, 0}, 2, true},
		{{VPS, SPS}, {2, 0}, 2, true},
		{{VPS, SPS}, {0, 1}, 2, false},
		{{VPS, SPS, SPS}, {0, 0, 0}, 3, true},
		{{SPS, SPS, VPS}, {0, 6, 0}, 3, false},
		{{VPS}, {0}, 1, false},
		{{0}, {0}, 0, false},
	};
	uint8_t p[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = make_hvcc(p, cases[i].types, cases[i].layers, cases[i].n);

		assert_int_equal(ask(p, size), cases[i].answer);
	}
}

static void annex_b_is_read(void **state)
{
	uint8_t p[14] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1};

	(void)state;
	put_nal(p + 4, VPS, 0);
	put_nal(p + 11, SPS, 0);
	assert_true(ask(p, sizeof(p)));
	put_nal(p + 11, SPS, 2);
	assert_false(ask(p, sizeof(p)));
	put_nal(p + 11, VPS, 0);
	assert_false(ask(p, sizeof(p)));
}

static void cut_and_changed_bytes_are_survived(void **state)
{
	static const int types[] = {VPS, SPS, SPS}, layers[] = {0, 0, 0};
	uint8_t p[64], changed[64];
	size_t size = make_hvcc(p, types, layers, 3);
	unsigned seed = 7;

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(ask(p, n), n >= 23 + 8 + 8);
	for (int i = 0; i < 100000; i++) {
		memcpy(changed, p, size);
		changed[(size_t)rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
		changed[(size_t)rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
		(void)ask(changed, (size_t)rand_r(&seed) % (size + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hvcc_is_read),
		cmocka_unit_test(annex_b_is_read),
		cmocka_unit_test(cut_and_changed_bytes_are_survived),
	};

	return cmocka_run_group_tests_name("hevc_sps", tests, NULL, NULL);
}
