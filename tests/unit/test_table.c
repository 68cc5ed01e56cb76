/* table_check believes nothing: a good table passes, every corruption of it is
 * refused, and no bytes make it read outside of them. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/spec.h"
#include "media/table.h"

#define OBJECT_SIZE 10000u
#define N_PACKETS 3u
#define PARAMS_LEN 5u

struct good {
	struct table_head head;
	struct table_packet packets[N_PACKETS];
	uint8_t params[PARAMS_LEN];
};

#define GOOD_LEN (offsetof(struct good, params) + PARAMS_LEN)

static void make_good(struct good *g)
{
	memset(g, 0, sizeof(*g));
	g->head = (struct table_head){
		.magic = TABLE_MAGIC, .flags = TABLE_CONTIGUOUS | TABLE_SKIP_NONREF, .object_size = OBJECT_SIZE,
		.container = "mov,mp4,m4a,3gp,3g2,mj2", .n_streams = 2, .video_stream = 0, .audio_stream = 1,
		.rotation = 90, .width = 720, .height = 1280, .time_base_num = 1, .time_base_den = 12800,
		.n_packets = N_PACKETS, .params_len = PARAMS_LEN, .avg_rate_num = 25, .avg_rate_den = 1,
		.colour = "bt709 tv",
	};
	g->head.streams[0] = (struct table_stream){.type = 'v', .selected = 1, .codec = "h264"};
	g->head.streams[1] = (struct table_stream){.type = 'a', .selected = 1, .codec = "aac", .language = "und"};
	for (uint32_t i = 0; i < N_PACKETS; i++)
		g->packets[i] = (struct table_packet){.pts = 512 * i, .dts = 512 * (int64_t)i - 1024,
			.pos = 100 + 1000 * i, .duration = 512, .size = 1000, .flags = i ? 0 : TABLE_KEY};
	memset(g->params, 0xff, PARAMS_LEN);
}

/* Copies the bytes to where a sanitizer sees one read behind them. */
static int check(const void *data, size_t len, char *why)
{
	void *exact = malloc(len ? len : 1);
	int err;

	assert_non_null(exact);
	memcpy(exact, data, len);
	why[0] = '\0';
	err = table_check(exact, len, OBJECT_SIZE, why);
	free(exact);
	return err;
}

static void assert_good(const struct good *g)
{
	char why[256];

	if (check(g, GOOD_LEN, why) != 0)
		fail_msg("%s", why);
}

static void assert_refused(const struct good *g, size_t len, int line)
{
	char why[256];
	int err = check(g, len, why);

	if (err != -EBADMSG || !why[0] || !memchr(why, 0, sizeof(why)))
		fail_msg("line %d: err %d, why '%s'", line, err, why);
}

/* Each statement spoils a good table. */
#define REFUSED(statement) do { \
		struct good g; \
		make_good(&g); \
		statement; \
		assert_refused(&g, GOOD_LEN, __LINE__); \
	} while (0)

#define ACCEPTED(statement) do { \
		struct good g; \
		make_good(&g); \
		statement; \
		assert_good(&g); \
	} while (0)

static void good_tables_pass(void **state)
{
	(void)state;
	ACCEPTED((void)0);
	ACCEPTED(g.head.audio_stream = -1);
	ACCEPTED(g.head.avg_rate_num = g.head.avg_rate_den = 0);
	ACCEPTED(g.packets[2].size = OBJECT_SIZE - 2100);
	ACCEPTED(g.head.flags = TABLE_WHOLE; g.packets[1].pos = -1);
	ACCEPTED(g.head.flags = 0; g.packets[1].pos = OBJECT_SIZE - 1);
	ACCEPTED(for (uint32_t i = 0; i < N_PACKETS; i++) g.packets[i].pts = TABLE_NOPTS);
	ACCEPTED(g.packets[1].dts = TABLE_NOPTS);
	ACCEPTED(g.head.n_streams = 1000000; g.head.video_stream = 500000;
	         for (int i = 2; i < 16; i++) g.head.streams[i].type = '?');
}

static void an_object_without_video_has_no_packets(void **state)
{
	struct good silent;
	char why[256];

	(void)state;
	make_good(&silent);
	silent.head.video_stream = -1;
	silent.head.n_packets = 0;
	silent.head.params_len = 0;
	assert_int_equal(check(&silent, sizeof(silent.head), why), 0);
	REFUSED(g.head.video_stream = -1);
}

static void every_corruption_of_the_head_is_refused(void **state)
{
	(void)state;
	REFUSED(g.head.magic++);
	ACCEPTED(g.head.flags |= TABLE_CUT);
	ACCEPTED(g.head.flags |= TABLE_MIRRORED | TABLE_NEW_PARAMS | TABLE_JOINED);
	REFUSED(g.head.flags |= 256);
	REFUSED(g.head.object_size++);
	REFUSED(memset(g.head.container, 'a', sizeof(g.head.container)));
	REFUSED(memset(g.head.colour, 'a', sizeof(g.head.colour)));
	REFUSED(g.head.colour[0] = '\n');
	REFUSED(g.head.colour[0] = (char)0xc3);
	REFUSED(g.head.n_streams = 0);
	REFUSED(g.head.video_stream = 2);
	REFUSED(g.head.video_stream = -2);
	REFUSED(g.head.audio_stream = 2);
	REFUSED(g.head.audio_stream = INT32_MIN);
	REFUSED(g.head.rotation = 45);
	REFUSED(g.head.width = 0);
	REFUSED(g.head.height = 0);
	REFUSED(g.head.width = SPEC_SIDE_MAX + 1);
	REFUSED(g.head.height = UINT32_MAX);
	REFUSED(g.head.time_base_num = 0);
	REFUSED(g.head.time_base_den = 0);
	REFUSED(g.head.time_base_den = -12800);
	REFUSED(g.head.n_packets++);
	REFUSED(g.head.n_packets--);
	REFUSED(g.head.n_packets = 0);
	REFUSED(g.head.n_packets = TABLE_PACKETS_MAX + 1);
	REFUSED(g.head.n_packets = UINT32_MAX);
	REFUSED(g.head.params_len++);
	REFUSED(g.head.params_len = TABLE_PARAMS_MAX + 1);
	REFUSED(g.head.params_len = UINT32_MAX);
	REFUSED(g.head.avg_rate_den = 0);
	REFUSED(g.head.avg_rate_num = 0);
	REFUSED(g.head.streams[0].type = 'x');
	REFUSED(g.head.streams[0].type = '\0');
	REFUSED(g.head.streams[1].selected = 2);
	REFUSED(g.head.streams[0].duration_us = -1);
	REFUSED(g.head.streams[0].duration_us = INT64_MAX);
	REFUSED(memset(g.head.streams[1].codec, 'a', sizeof(g.head.streams[1].codec)));
	REFUSED(memset(g.head.streams[1].detail, 'a', sizeof(g.head.streams[1].detail)));
	REFUSED(memset(g.head.streams[1].language, 'a', sizeof(g.head.streams[1].language)));
}

static void every_corruption_of_a_packet_is_refused(void **state)
{
	(void)state;
	REFUSED(g.packets[1].flags = 4);
	REFUSED(g.packets[1].pts = INT64_MAX);
	REFUSED(g.packets[1].pts = INT64_MIN + 1);
	REFUSED(g.packets[1].pts = TABLE_NOPTS);
	REFUSED(g.packets[1].dts = INT64_MAX);
	REFUSED(g.packets[1].duration = -1);
	REFUSED(g.packets[1].duration = INT64_MAX);
	REFUSED(g.packets[1].pos = -1);
	REFUSED(g.packets[1].pos = INT64_MIN);
	REFUSED(g.packets[1].pos = INT64_MAX);
	REFUSED(g.packets[1].pos = OBJECT_SIZE - 999);
	REFUSED(g.packets[1].size = 0);
	REFUSED(g.packets[1].size = UINT32_MAX);
	REFUSED(g.packets[1].size = OBJECT_SIZE - 1099);
	REFUSED(g.head.flags = 0; g.packets[1].pos = OBJECT_SIZE);
	REFUSED(g.head.flags = 0; g.packets[1].pos = -2);
	REFUSED(g.head.flags = 0; g.packets[1].size = UINT32_MAX);
}

static void every_other_length_is_refused(void **state)
{
	struct good g;
	uint8_t longer[sizeof(g) + 64] = {0};
	char why[256];

	(void)state;
	make_good(&g);
	for (size_t len = 0; len < GOOD_LEN; len++)
		assert_refused(&g, len, __LINE__);
	memcpy(longer, &g, GOOD_LEN);
	for (size_t len = GOOD_LEN + 1; len <= sizeof(longer); len++)
		assert_int_equal(check(longer, len, why), -EBADMSG);
}

static uint64_t next_random(uint64_t *s)
{
	/* xorshift64* */
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * UINT64_C(2685821657736338717);
}

/* What passes must be safe to plan from; the rest says why. */
static void random_bytes_are_survived(void **state)
{
	uint64_t seed = 42;
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct good g;
		char why[256];
		int err;

		make_good(&g);
		for (uint64_t n = next_random(&seed) % 4 + 1; n; n--)
			((uint8_t *)&g)[next_random(&seed) % GOOD_LEN] = (uint8_t)next_random(&seed);
		err = check(&g, GOOD_LEN, why);
		if (err) {
			assert_int_equal(err, -EBADMSG);
			assert_true(why[0]);
			continue;
		}
		passed++;
		assert_int_equal(g.head.n_packets, N_PACKETS);
		for (uint32_t j = 0; j < N_PACKETS; j++)
			assert_true(!(g.head.flags & TABLE_CONTIGUOUS) ||
			            (uint64_t)g.packets[j].pos + g.packets[j].size <= OBJECT_SIZE);
	}
	assert_true(passed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_tables_pass),
		cmocka_unit_test(an_object_without_video_has_no_packets),
		cmocka_unit_test(every_corruption_of_the_head_is_refused),
		cmocka_unit_test(every_corruption_of_a_packet_is_refused),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(random_bytes_are_survived),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
