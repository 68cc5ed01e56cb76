/* Tables of samples: from a listing, as rows, and as index.csv. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "view/catalog_csv.h"
#include "view/catalog_list.h"
#include "view/catalog_spec.h"

static const char *const videos[] = { "*.mp4", NULL }, *const sounds[] = { "*.wav", "*.mp4", NULL };
static const char *const splits[] = { "train", "val", NULL };
static const char *const hidden[] = { "index.csv", "classes.txt", NULL };

static const struct catalog_spec spec = {
	.match = (char **)(uintptr_t)videos,
	.audio_match = (char **)(uintptr_t)sounds,
	.split_names = (char **)(uintptr_t)splits,
	.audio = (char *)(uintptr_t)"{dir}/{stem}.*",
	.hidden = hidden,
};

static size_t allowed, asked;

static int room(void *arg, size_t bytes)
{
	(void)arg;
	asked = bytes;
	return bytes <= allowed ? 0 : -ENOSPC;
}

static struct catalog_rows *rows_of(const struct catalog_source *source)
{
	struct catalog_rows *r = NULL;

	allowed = SIZE_MAX;
	assert_int_equal(catalog_rows_new(source, room, NULL, &r), 0);
	return r;
}

static void add(struct catalog_listing *l, const char *key, const char *etag)
{
	struct object_meta meta = { .size = strlen(key) };

	snprintf(meta.etag, sizeof(meta.etag), "%s", etag);
	assert_int_equal(catalog_list_add(&l->list, key, &meta), 0);
}

static void expect_texts(const struct catalog_rows *r, const char *index_csv, const char *classes_txt)
{
	struct blob *index = NULL, *classes = catalog_csv_classes(r);
	size_t size;

	assert_int_equal(catalog_csv_size(r, &size), 0);
	assert_int_equal(catalog_csv_index(r, size, &index), 0);
	assert_int_equal(size, strlen(index_csv));
	assert_memory_equal(blob_data(index), index_csv, size);
	assert_int_equal(blob_len(classes), strlen(classes_txt));
	assert_memory_equal(blob_data(classes), classes_txt, blob_len(classes));
	blob_unref(index);
	blob_unref(classes);
}

static void a_listing_gives_each_sample_with_its_sound_and_class(void **state)
{
	static const char *const keys[] = {
		"index.csv/x.mp4", "top.mp4", "train/a/1.mp4", "train/a/1.wav", "train/a/2.MP4", "train/a/notes.txt",
		"train/b, \"c\"/3.mp4", "val/a/4.mp4", "val/a/4.mp4-5.mp4", "val/a/4.mp4/deep.mp4", "val/a/6.mp4",
		"val/a/6.x.wav",
	};
	struct catalog_listing l = { .spec = &spec };
	const struct catalog_source source = catalog_list_source(&l);
	struct catalog_rows *r;

	(void)state;
	for (size_t i = sizeof(keys) / sizeof(keys[0]); i-- > 0;)
		add(&l, keys[i], "v");
	add(&l, keys[3], "v");
	catalog_list_sort(&l.list);
	r = rows_of(&source);
	assert_int_equal(l.left_out, 2);
	expect_texts(r,
	             "path,split,label,class,video,audio,etag,size\n"
	             "top.mp4,,,0,top.mp4,top.mp4,v,7\n"
	             "train/a/1.mp4,train,a,1,train/a/1.mp4,train/a/1.wav,v,13\n"
	             "train/a/2.MP4,train,a,1,train/a/2.MP4,train/a/2.MP4,v,13\n"
	             "\"train/b, \"\"c\"\"/3.mp4\",train,\"b, \"\"c\"\"\",2,\"train/b, \"\"c\"\"/3.mp4\","
	             "\"train/b, \"\"c\"\"/3.mp4\",v,18\n"
	             "val/a/4.mp4-5.mp4,val,a,1,val/a/4.mp4-5.mp4,val/a/4.mp4-5.mp4,v,17\n"
	             "val/a/4.mp4/deep.mp4,val,a,1,val/a/4.mp4/deep.mp4,val/a/4.mp4/deep.mp4,v,20\n"
	             "val/a/6.mp4,val,a,1,val/a/6.mp4,val/a/6.mp4,v,11\n",
	             "\na\nb, \"c\"\n");
	assert_int_equal(catalog_rows_class(r, "a", 1), 1);
	assert_int_equal(catalog_rows_class(r, "ab", 1), 1);
	assert_int_equal(catalog_rows_class(r, "", 0), 0);
	assert_int_equal(catalog_rows_class(r, "b", 1), -1);
	catalog_rows_free(r);
	catalog_list_done(&l.list);
}

/* Rows told by whoever has them, as a manifest would be. */
static const struct catalog_row told[] = {
	{ .key = "k/1", .split = "s", .split_len = 1, .label = "zz", .label_len = 2, .audio = "other", .version = "v1",
	  .size = 5, .start = 1.5, .end = 2.5 },
	{ .key = "k/1", .split = "", .label = "b", .label_len = 1, .audio = "k/1", .version = "v1", .size = 5 },
	{ .key = "a", .split = "s", .split_len = 1, .label = "zz", .label_len = 2, .audio = "ab", .version = "" },
};

static int each_told(void *of, catalog_each_fn *row, void *arg)
{
	int err = 0;

	for (size_t i = 0; i < 3 && !err; i++)
		err = row(arg, &told[i]);
	return err ? err : *(int *)of;
}

static void rows_are_told_back_as_they_came(void **state)
{
	char audio[OBJECT_KEY_MAX + 1];
	int err = 0;
	const struct catalog_source source = { each_told, &err };
	struct catalog_rows *r = rows_of(&source);
	struct catalog_row row;

	(void)state;
	assert_int_equal(catalog_rows_count(r), 3);
	for (size_t i = 0; i < 3; i++) {
		catalog_rows_get(r, i, audio, &row);
		assert_string_equal(row.key, told[i].key);
		assert_int_equal(row.split_len, told[i].split_len);
		assert_memory_equal(row.split, told[i].split, row.split_len);
		assert_string_equal(row.label, told[i].label);
		assert_string_equal(row.audio, told[i].audio);
		assert_string_equal(row.version, told[i].version);
		assert_int_equal(row.size, told[i].size);
		assert_true(row.start == told[i].start && row.end == told[i].end);
		assert_int_equal(row.class, i == 1 ? 0 : 1);
	}
	catalog_rows_free(r);
}

static void a_source_that_fails_and_too_little_room_end_it(void **state)
{
	int err = -EIO;
	const struct catalog_source source = { each_told, &err };
	struct catalog_rows *r = NULL;

	(void)state;
	allowed = SIZE_MAX;
	assert_int_equal(catalog_rows_new(&source, room, NULL, &r), -EIO);
	err = 0;
	allowed = 100;
	assert_int_equal(catalog_rows_new(&source, room, NULL, &r), -ENOSPC);
	assert_null(r);
	allowed = asked;
	assert_int_equal(catalog_rows_new(&source, room, NULL, &r), 0);
	catalog_rows_free(r);
}

#define MANY 20000

static void a_row_takes_at_most_150_bytes_beside_its_key(void **state)
{
	struct catalog_listing l = { .spec = &spec };
	const struct catalog_source source = catalog_list_source(&l);
	struct catalog_rows *r;
	size_t keys = 0;
	char key[128];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "train/class-%03d/a-clip-with-a-name-of-some-length-%06d.mp4", i % 400, i);
		add(&l, key, "0123456789abcdef0123456789abcdef-12");
		keys += strlen(key);
		snprintf(strrchr(key, '.'), 5, ".wav");
		add(&l, key, "0123456789abcdef0123456789abcdef-12");
	}
	catalog_list_sort(&l.list);
	r = rows_of(&source);
	assert_int_equal(catalog_rows_count(r), MANY);
	assert_int_equal(catalog_rows_classes(r), 400);
	assert_true(asked - keys <= (size_t)150 * MANY);
	catalog_rows_free(r);
	catalog_list_done(&l.list);
}

static void specs_are_the_same_by_what_they_find(void **state)
{
	struct catalog_spec copy, other;

	(void)state;
	assert_int_equal(catalog_spec_copy(&copy, &spec), 0);
	assert_true(catalog_spec_same(&copy, &spec));
	other = copy;
	other.path = (char *)(uintptr_t)"{label}/**";
	assert_false(catalog_spec_same(&copy, &other));
	other = copy;
	other.audio_match = other.match;
	assert_false(catalog_spec_same(&copy, &other));
	other = copy;
	other.split_names = NULL;
	assert_false(catalog_spec_same(&copy, &other));
	catalog_spec_done(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listing_gives_each_sample_with_its_sound_and_class),
		cmocka_unit_test(rows_are_told_back_as_they_came),
		cmocka_unit_test(a_source_that_fails_and_too_little_room_end_it),
		cmocka_unit_test(a_row_takes_at_most_150_bytes_beside_its_key),
		cmocka_unit_test(specs_are_the_same_by_what_they_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
