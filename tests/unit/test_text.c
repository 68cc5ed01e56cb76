/* Numbers with units, percent-encoding, globs, hashes, text for people. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void sizes_are_powers_of_1024_in_any_case(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "4096B", 0, 4096 },
		{ "64K", 0, 64 << 10 },
		{ "64k", 0, 64 << 10 },
		{ "64KiB", 0, 64 << 10 },
		{ "10mB", 0, 10 << 20 },
		{ "1G", 0, 1 << 30 },
		{ "2T", 0, UINT64_C(2) << 40 },
		{ "1E", 0, UINT64_C(1) << 60 },
		{ "15E", 0, UINT64_C(15) << 60 },
		{ "16E", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999K", -ERANGE, 0 },
		{ "99999999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "1Ki", -EINVAL, 0 },
		{ "1iB", -EINVAL, 0 },
		{ "1KBB", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 77;

		if (text_parse_size(cases[i].text, &v) != cases[i].err)
			fail_msg("\"%s\": wrong status", cases[i].text);
		assert_int_equal(v, cases[i].err ? 77 : cases[i].bytes);
	}
}

static void durations_are_milliseconds(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t ms;
	} cases[] = {
		{ "250ms", 0, 250 },
		{ "60s", 0, 60000 },
		{ "60", 0, 60000 },
		{ "0", 0, 0 },
		{ "5m", 0, 300000 },
		{ "1h", 0, 3600000 },
		{ "0.5s", 0, 500 },
		{ "1.25h", 0, 4500000 },
		{ "0.0019", 0, 1 },
		{ "0.99999999999999999999s", 0, 999 },
		{ "1.s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "forever", -EINVAL, 0 },
		{ "18446744073709551615ms", 0, UINT64_MAX },
		{ "18446744073709551615.9s", -ERANGE, 0 },
		{ "18446744073709551616ms", -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 77;

		if (text_parse_duration_ms(cases[i].text, &v) != cases[i].err)
			fail_msg("\"%s\": wrong status", cases[i].text);
		assert_int_equal(v, cases[i].err ? 77 : cases[i].ms);
	}
}

static void uints_are_digits_within_bounds(void **state)
{
	uint64_t v = 77;

	(void)state;
	assert_int_equal(text_parse_uint("12", 1, 12, &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(text_parse_uint("13", 1, 12, &v), -ERANGE);
	assert_int_equal(text_parse_uint("0", 1, 12, &v), -ERANGE);
	assert_int_equal(text_parse_uint("99999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(text_parse_uint("-1", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(text_parse_uint("1x", 0, 9, &v), -EINVAL);
	assert_int_equal(text_parse_uint("", 0, 9, &v), -EINVAL);
	assert_int_equal(v, 12);
}

static void doubles_are_finite_decimals(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "0x1p3", "inf", "nan",
		                            "1,5", "1e999", "-", "1e", "1.2.3" };
	double v = 0;

	(void)state;
	assert_int_equal(text_parse_double("-1.5e2", &v), 0);
	assert_float_equal(v, -150.0, 0);
	assert_int_equal(text_parse_double(".25", &v), 0);
	assert_float_equal(v, 0.25, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(text_parse_double(bad[i], &v), -EINVAL);
	assert_float_equal(v, 0.25, 0);
}

static void bools_have_four_words_each(void **state)
{
	bool v = false;

	(void)state;
	assert_int_equal(text_parse_bool("Yes", &v), 0);
	assert_true(v);
	assert_int_equal(text_parse_bool("OFF", &v), 0);
	assert_false(v);
	assert_int_equal(text_parse_bool("1", &v), 0);
	assert_true(v);
	assert_int_equal(text_parse_bool("", &v), -EINVAL);
	assert_int_equal(text_parse_bool("yess", &v), -EINVAL);
	assert_true(v);
}

static void check_encode(const char *in, bool keep_slash, const char *out)
{
	char *enc = text_uri_encode(in, keep_slash);
	char *dec;

	assert_non_null(enc);
	assert_string_equal(enc, out);
	dec = text_uri_decode(enc);
	assert_non_null(dec);
	assert_string_equal(dec, in);
	free(enc);
	free(dec);
}

static void uri_encoding_is_what_sigv4_signs(void **state)
{
	(void)state;
	check_encode("", true, "");
	check_encode("a/b c+d", true, "a/b%20c%2Bd");
	check_encode("a/b", false, "a%2Fb");
	check_encode("AZaz09-_.~", false, "AZaz09-_.~");
	check_encode("!'()*", false, "%21%27%28%29%2A");
	check_encode("\xc3\xa4\xff\x01", false, "%C3%A4%FF%01");
}

static void uri_decoding_refuses_bad_escapes(void **state)
{
	static const char *const bad[] = { "%", "%2", "%zz", "%2z", "a%00b" };
	char *plus = text_uri_decode("a+b%2f");

	(void)state;
	assert_string_equal(plus, "a+b/");
	free(plus);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(text_uri_decode(bad[i]));
}

static void globs_match_the_base_name_in_any_case(void **state)
{
	(void)state;
	assert_true(text_glob_basename("*.mp4", "a/b/Clip.MP4"));
	assert_true(text_glob_basename("*.mp4", ".hidden.mp4"));
	assert_true(text_glob_basename("clip[0-9].*", "x.y/clip7.mov"));
	assert_false(text_glob_basename("*.mp4", "a.mp4/b.txt"));
	assert_false(text_glob_basename("*.mp4", "a.mp4/"));
	assert_false(text_glob_basename("a/*", "a/b"));
	assert_true(text_glob_basename("*", "a/"));
}

static void hash_is_fnv1a_64(void **state)
{
	/* Test vectors of http://www.isthe.com/chongo/src/fnv/test_fnv.c. */
	(void)state;
	assert_int_equal(text_hash64("", 0), UINT64_C(0xcbf29ce484222325));
	assert_int_equal(text_hash64("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	assert_int_equal(text_hash64("foobar", 6), UINT64_C(0x85944171f73967e8));
}

static void check_sanitize(size_t size, const char *src, size_t src_len, const char *want)
{
	char dst[64];

	memset(dst, 'x', sizeof(dst));
	text_sanitize(dst, size, src, src_len);
	assert_string_equal(dst, want);
	assert_int_equal(dst[size], 'x');
}

static void sanitized_text_is_valid_utf8_without_controls(void **state)
{
	(void)state;
	check_sanitize(40, "plain", 5, "plain");
	check_sanitize(40, "a\nb\x1b[1m\x7f", 8, "a?b?[1m?");
	check_sanitize(40, "a\0b", 3, "a?b");
	check_sanitize(40, "\xc2\x9b" "1m", 4, "?1m");
	check_sanitize(40, "\xed\xa0\x80", 3, "???");
	check_sanitize(40, "\xc0\xaf", 2, "??");
	check_sanitize(40, "\xf4\x90\x80\x80", 4, "????");
	check_sanitize(40, "\xe2\x82", 2, "??");
	check_sanitize(40, "\xf0\x9f\x8e\xac", 4, "\xf0\x9f\x8e\xac");
}

static void sanitized_text_is_cut_between_characters(void **state)
{
	(void)state;
	check_sanitize(4, "abcdef", 6, "abc");
	check_sanitize(4, "ab\xc3\xa4", 4, "ab");
	check_sanitize(5, "ab\xc3\xa4", 4, "ab\xc3\xa4");
	check_sanitize(1, "ab", 2, "");
	text_sanitize(NULL, 0, "ab", 2);
}

static void clocks_agree_and_never_go_back(void **state)
{
	uint64_t a = clock_ns(), ms = clock_ms(), b = clock_ns();

	(void)state;
	assert_true(a <= b);
	assert_true(a / 1000000 <= ms && ms <= b / 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_powers_of_1024_in_any_case),
		cmocka_unit_test(durations_are_milliseconds),
		cmocka_unit_test(uints_are_digits_within_bounds),
		cmocka_unit_test(doubles_are_finite_decimals),
		cmocka_unit_test(bools_have_four_words_each),
		cmocka_unit_test(uri_encoding_is_what_sigv4_signs),
		cmocka_unit_test(uri_decoding_refuses_bad_escapes),
		cmocka_unit_test(globs_match_the_base_name_in_any_case),
		cmocka_unit_test(hash_is_fnv1a_64),
		cmocka_unit_test(sanitized_text_is_valid_utf8_without_controls),
		cmocka_unit_test(sanitized_text_is_cut_between_characters),
		cmocka_unit_test(clocks_agree_and_never_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
