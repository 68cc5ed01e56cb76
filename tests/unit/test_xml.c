/* xml and date: what a store tells us, believed or not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "aws/date.h"
#include "s3/xml.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* In the manner of the ListObjectsV2 examples of the S3 API reference. */
static const char page[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
	"  <Name>quotes</Name><Prefix>E</Prefix><KeyCount>3</KeyCount><MaxKeys>3</MaxKeys>\n"
	"  <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\n"
	"  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>\n"
	"  <Contents>\n"
	"    <Key>dir/a+b%2B%C3%BC.mp4</Key><LastModified>2013-09-17T18:07:53.000Z</LastModified>\n"
	"    <ETag>&quot;599bab3ed2c697f1d26842727561fd94&quot;</ETag><Size>857</Size>\n"
	"    <Owner><ID>x</ID><DisplayName>Key</DisplayName></Owner>\n"
	"    <StorageClass>REDUCED_REDUNDANCY</StorageClass>\n"
	"  </Contents>\n"
	"  <Contents>\n"
	"    <Key>dir/b</Key><LastModified>2013-09-17T18:07:53Z</LastModified>\n"
	"    <ETag>unquoted-2</ETag><Size>0</Size>\n"
	"  </Contents>\n"
	"  <CommonPrefixes><Prefix>dir/sub/</Prefix></CommonPrefixes>\n"
	"</ListBucketResult>";

static void a_page_is_read_whole(void **state)
{
	struct xml_list l;

	(void)state;
	assert_int_equal(xml_parse_list(page, sizeof(page) - 1, &l), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.entries[0].name, "dir/a b+\xc3\xbc.mp4");
	assert_false(l.entries[0].is_prefix);
	assert_int_equal(l.entries[0].size, 857);
	assert_true(l.entries[0].mtime_ns == INT64_C(1379441273000000000));
	assert_string_equal(l.entries[0].etag, "599bab3ed2c697f1d26842727561fd94");
	assert_string_equal(l.entries[0].storage_class, "REDUCED_REDUNDANCY");
	assert_string_equal(l.entries[1].etag, "unquoted-2");
	assert_true(l.entries[1].mtime_ns == l.entries[0].mtime_ns);
	assert_string_equal(l.entries[2].name, "dir/sub/");
	assert_true(l.entries[2].is_prefix);
	assert_string_equal(l.next, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
	xml_list_done(&l);
}

static void a_page_cut_at_any_byte_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(page) - 1; len++) {
		/* A copy of just that size: reading past it would be found. */
		char *cut = malloc(len ? len : 1);
		struct xml_list l;

		memcpy(cut, page, len);
		assert_int_equal(xml_parse_list(cut, len, &l), -EPROTO);
		free(cut);
	}
}

/* With one byte of it changed, the page must be read or refused, never harm. */
static void a_page_with_a_wrong_byte_does_no_harm(void **state)
{
	char *copy = malloc(sizeof(page) - 1);

	(void)state;
	for (size_t at = 0; at < sizeof(page) - 1; at++) {
		static const char bytes[] = { '\0', '<', '&', '%', '\xff' };

		for (size_t i = 0; i < COUNT(bytes); i++) {
			struct xml_list l;

			memcpy(copy, page, sizeof(page) - 1);
			copy[at] = bytes[i];
			if (xml_parse_list(copy, sizeof(page) - 1, &l) == 0) {
				for (size_t n = 0; n < l.n; n++)
					assert_true(strlen(l.entries[n].name) <= XML_KEY_MAX);
				xml_list_done(&l);
			}
		}
	}
	free(copy);
}

static int parse_one(const char *encoding, const char *inside, struct xml_list *ret)
{
	char text[4096];

	snprintf(text, sizeof(text), "<ListBucketResult>%s%s</ListBucketResult>", encoding, inside);
	return xml_parse_list(text, strlen(text), ret);
}

static void assert_key(const char *encoding, const char *sent, const char *meant)
{
	char inside[1024];
	struct xml_list l;

	snprintf(inside, sizeof(inside), "<Contents><Key>%s</Key><Size>1</Size></Contents>", sent);
	assert_int_equal(parse_one(encoding, inside, &l), 0);
	assert_string_equal(l.entries[0].name, meant);
	assert_null(l.next);
	xml_list_done(&l);
}

static void blanks_are_decoded_both_ways(void **state)
{
	static const char url[] = "<EncodingType>url</EncodingType>";

	(void)state;
	assert_key(url, "a+b", "a b");
	assert_key(url, "a+b%2Bc", "a b+c");
	assert_key(url, "a%20b+c%2Bd", "a b c+d");
	assert_key(url, "a%2520b+c", "a%20b c");
	assert_key("", "a+b%20c", "a+b%20c");
	assert_key("", "a &amp; &#98;", "a & b");
}

static void encoding_may_be_told_after_the_keys(void **state)
{
	struct xml_list l;

	(void)state;
	assert_int_equal(parse_one("<Contents><Size>1</Size><Key>a%2Fb</Key></Contents>",
	                           "<EncodingType>url</EncodingType>", &l), 0);
	assert_string_equal(l.entries[0].name, "a/b");
	xml_list_done(&l);
}

static void namespaces_dont_matter(void **state)
{
	static const char text[] =
		"<s3:ListBucketResult xmlns:s3='http://doc.s3.amazonaws.com/2006-03-01'>"
		"<s3:Contents><s3:Key>k</s3:Key><s3:Size>5</s3:Size></s3:Contents></s3:ListBucketResult>";
	struct xml_list l;

	(void)state;
	assert_int_equal(xml_parse_list(text, sizeof(text) - 1, &l), 0);
	assert_int_equal(l.entries[0].size, 5);
	xml_list_done(&l);
}

static void an_empty_page_is_the_last(void **state)
{
	struct xml_list l;

	(void)state;
	assert_int_equal(parse_one("", "<IsTruncated>false</IsTruncated>"
	                           "<NextContinuationToken>x</NextContinuationToken>", &l), 0);
	assert_int_equal(l.n, 0);
	assert_null(l.next);
	xml_list_done(&l);
}

static void what_cant_be_true_is_refused(void **state)
{
	static const char *const bad[] = {
		"<IsTruncated>true</IsTruncated>",
		"<IsTruncated>true</IsTruncated><NextContinuationToken/>",
		"<Contents><Size>1</Size></Contents>",
		"<Contents><Key>a</Key></Contents>",
		"<Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>",
		"<Contents><Key>a</Key><Size>-1</Size></Contents>",
		"<Contents><Key>a</Key><Size>9223372036854775808</Size></Contents>",
		"<Contents><Key>a</Key><Size>99999999999999999999999</Size></Contents>",
		"<Contents><Key>a</Key><Size>0x10</Size></Contents>",
		"<CommonPrefixes></CommonPrefixes>",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct xml_list l;

		assert_int_equal(parse_one("", bad[i], &l), -EPROTO);
	}
}

/* One odd key must not hide the directory it is in. */
static void names_no_object_can_have_become_empty(void **state)
{
	static const char *const odd[] = {
		"<Contents><Key></Key><Size>1</Size></Contents>",
		"<Contents><Key>a%</Key><Size>1</Size></Contents><EncodingType>url</EncodingType>",
		"<Contents><Key>a%00b</Key><Size>1</Size></Contents><EncodingType>url</EncodingType>",
		"<CommonPrefixes><Prefix>no-slash</Prefix></CommonPrefixes>",
	};
	struct xml_list l;

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		assert_int_equal(parse_one("", odd[i], &l), 0);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.entries[0].name, "");
		xml_list_done(&l);
	}
	assert_int_equal(parse_one("", "<Contents><Key>a</Key><Size>1</Size><LastModified>yesterday</LastModified>"
	                               "</Contents>", &l), 0);
	assert_true(l.entries[0].mtime_ns == 0);
	assert_false(l.entries[0].has_mtime);
	xml_list_done(&l);
	assert_int_equal(parse_one("", "<Contents><Key>a</Key><Size>1</Size>"
	                               "<LastModified>1970-01-01T00:00:00.000+00:00</LastModified></Contents>", &l), 0);
	assert_true(l.entries[0].has_mtime);
	assert_true(l.entries[0].mtime_ns == 0);
	xml_list_done(&l);
}

static void a_dtd_is_refused(void **state)
{
	static const char bomb[] =
		"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
		"<ListBucketResult><Contents><Key>&b;</Key><Size>1</Size></Contents></ListBucketResult>";
	static const char external[] =
		"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><ListBucketResult></ListBucketResult>";
	struct xml_list l;

	(void)state;
	assert_int_equal(xml_parse_list(bomb, sizeof(bomb) - 1, &l), -EPROTO);
	assert_int_equal(xml_parse_list(external, sizeof(external) - 1, &l), -EPROTO);
}

static void other_documents_are_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "<html><body>Sign in to the network</body></html>", "{\"json\": true}",
		"<ListAllMyBucketsResult/>", "<Error><Code>InternalError</Code></Error>",
		"<ListBucketResult/><ListBucketResult/>", "<ListBucketResult>&undefined;</ListBucketResult>",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct xml_list l;

		assert_int_equal(xml_parse_list(bad[i], strlen(bad[i]), &l), -EPROTO);
	}
}

static void depth_and_text_have_caps(void **state)
{
	struct xml_list l;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "<ListBucketResult>");
	for (int i = 0; i < 100; i++)
		buf_puts(&b, "<a>");
	for (int i = 0; i < 100; i++)
		buf_puts(&b, "</a>");
	buf_puts(&b, "</ListBucketResult>");
	assert_int_equal(xml_parse_list(b.data, b.len, &l), -EPROTO);

	buf_reset(&b);
	buf_puts(&b, "<ListBucketResult><Contents><Size>1</Size><Key>");
	for (int i = 0; i < XML_KEY_MAX + 1; i++)
		buf_putc(&b, 'k');
	buf_puts(&b, "</Key></Contents></ListBucketResult>");
	assert_int_equal(xml_parse_list(b.data, b.len, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.entries[0].name, "");
	xml_list_done(&l);

	buf_reset(&b);
	buf_puts(&b, "<ListBucketResult><NextContinuationToken>");
	for (int i = 0; i < XML_TOKEN_MAX + 1; i++)
		buf_putc(&b, 't');
	buf_puts(&b, "</NextContinuationToken></ListBucketResult>");
	assert_int_equal(xml_parse_list(b.data, b.len, &l), -EMSGSIZE);
	buf_done(&b);
}

static void long_keys_survive(void **state)
{
	struct xml_list l;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "<ListBucketResult><EncodingType>url</EncodingType><Contents><Size>1</Size><Key>");
	for (int i = 0; i < XML_KEY_MAX; i++)
		buf_puts(&b, "%FF");
	buf_puts(&b, "</Key></Contents></ListBucketResult>");
	assert_int_equal(xml_parse_list(b.data, b.len, &l), 0);
	assert_int_equal(strlen(l.entries[0].name), XML_KEY_MAX);
	xml_list_done(&l);
	buf_done(&b);
}

static void errors_tell_code_message_and_region(void **state)
{
	static const char text[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PermanentRedirect</Code>"
		"<Message>The bucket\nis elsewhere</Message><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>"
		"<Region>eu-west-1</Region><RequestId>1</RequestId><a><Code>inner</Code></a></Error>";
	struct xml_error e;

	(void)state;
	assert_int_equal(xml_parse_error(text, sizeof(text) - 1, &e), 0);
	assert_string_equal(e.code, "PermanentRedirect");
	assert_string_equal(e.message, "The bucket?is elsewhere");
	assert_string_equal(e.endpoint, "b.s3.eu-west-1.amazonaws.com");
	assert_string_equal(e.region, "eu-west-1");
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(xml_parse_error(text, len, &e), -EPROTO);
	assert_int_equal(xml_parse_error(page, sizeof(page) - 1, &e), -EPROTO);
}

static void etags_lose_their_quotes(void **state)
{
	static const struct {
		const char *sent;
		const char *meant;
	} etags[] = {
		{ "\"abc-2\"", "abc-2" }, { "abc", "abc" },       { "W/\"abc\"", "abc" }, { "W/abc", "abc" },
		{ "\"\"", "" },           { "", "" },             { "\"", "" },           { "\"a\"b\"", "" },
		{ "a\r\nX: y", "" },      { "too-long-by-far", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(etags); i++) {
		char got[8] = "?";

		xml_strip_etag(got, sizeof(got), etags[i].sent);
		assert_string_equal(got, etags[i].meant);
	}
}

static void dates_are_read_and_written(void **state)
{
	static const char *const bad_iso[] = {
		"", "2013", "2013-05-24", "2013-05-24T00:00:00", "2013-05-24T00:00:00+01:00",
		"2013-05-24T24:00:00Z", "2013-13-24T00:00:00Z", "2013-02-30T00:00:00Z",
		"2013-05-24T00:00:00.Z", "2013-05-24T00:00:00Zx", "1677-12-31T23:59:59Z",
		"9999-01-01T00:00:00Z", "20130524T000000Z", "2013-05-24T00:00:00+0", "2013-05-24T00:00:00+00:0",
	};
	static const char *const bad_http[] = {
		"", "Fri", "Fri, 24 May 2013 00:00:00", "Fri, 24 Mai 2013 00:00:00 GMT",
		"Fri, 31 Jun 2013 00:00:00 GMT", "Friday, 24-May-13 00:00:00 GMT", "24 May 2013 00:00:00 GMT",
	};
	char text[DATE_AMZ_SIZE];
	int64_t t;

	(void)state;
	assert_int_equal(date_parse_iso8601("2013-05-24T00:00:00Z", 20, &t), 0);
	assert_true(t == INT64_C(1369353600000000000));
	assert_int_equal(date_parse_iso8601("2024-02-29T23:59:59.123456789123Z", 33, &t), 0);
	assert_true(t == INT64_C(1709251199123456789));
	assert_int_equal(date_parse_iso8601("2024-02-29T23:59:59.5Z", 22, &t), 0);
	assert_true(t == INT64_C(1709251199500000000));
	assert_int_equal(date_parse_iso8601("2013-05-24T00:00:00.000+00:00", 29, &t), 0);
	assert_true(t == INT64_C(1369353600000000000));
	assert_int_equal(date_parse_iso8601("2013-05-24T00:00:00+0000", 24, &t), 0);
	assert_true(t == INT64_C(1369353600000000000));
	assert_int_equal(date_parse_iso8601("1970-01-01T00:00:00Z", 20, &t), 0);
	assert_true(t == 0);
	assert_int_equal(date_parse_iso8601("1969-12-31T23:59:58.25Z", 23, &t), 0);
	assert_true(t == INT64_C(-1750000000));
	assert_int_equal(date_parse_http("Wed, 31 Dec 1969 23:59:58 GMT", &t), 0);
	assert_true(t == -2);
	for (size_t i = 0; i < COUNT(bad_iso); i++)
		assert_int_equal(date_parse_iso8601(bad_iso[i], strlen(bad_iso[i]), &t), -EINVAL);
	assert_int_equal(date_parse_http("Fri, 24 May 2013 00:00:00 GMT", &t), 0);
	assert_true(t == 1369353600);
	for (size_t i = 0; i < COUNT(bad_http); i++)
		assert_int_equal(date_parse_http(bad_http[i], &t), -EINVAL);
	date_format_amz(1369353600, text);
	assert_string_equal(text, "20130524T000000Z");
	date_format_amz(INT64_MAX, text);
	assert_string_equal(text, "99991231T235959Z");
	date_format_amz(INT64_MIN, text);
	assert_string_equal(text, "19700101T000000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_read_whole),
		cmocka_unit_test(a_page_cut_at_any_byte_is_refused),
		cmocka_unit_test(a_page_with_a_wrong_byte_does_no_harm),
		cmocka_unit_test(blanks_are_decoded_both_ways),
		cmocka_unit_test(encoding_may_be_told_after_the_keys),
		cmocka_unit_test(namespaces_dont_matter),
		cmocka_unit_test(an_empty_page_is_the_last),
		cmocka_unit_test(what_cant_be_true_is_refused),
		cmocka_unit_test(names_no_object_can_have_become_empty),
		cmocka_unit_test(a_dtd_is_refused),
		cmocka_unit_test(other_documents_are_refused),
		cmocka_unit_test(depth_and_text_have_caps),
		cmocka_unit_test(long_keys_survive),
		cmocka_unit_test(errors_tell_code_message_and_region),
		cmocka_unit_test(etags_lose_their_quotes),
		cmocka_unit_test(dates_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
