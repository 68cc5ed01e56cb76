/* Lists of samples: where they come from, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/clip.h"
#include "data/hint.h"
#include "data/plan.h"
#include "data/samples.h"
#include "data/template.h"
#include "format/csv.h"
#include "sample_tree.h"
#include "util/why.h"

static char folder[64];
static struct why why;

static void put_index(const char *text)
{
	tree_file(folder, "index.csv", text, strlen(text));
}

static int load(const struct samples_config *config, struct samples **ret)
{
	return samples_load(folder, config, ret, &why);
}

/* index.csv with this text is refused, and the sentence says this. */
static void refuse(const char *text, const char *sentence)
{
	const struct samples_config config = { 0 };
	struct samples *s;

	put_index(text);
	assert_int_equal(load(&config, &s), -EINVAL);
	if (!strstr(why.text, sentence))
		fail_msg("\"%s\" doesn't say \"%s\"", why.text, sentence);
}

/* ---- index.csv ---------------------------------------------------------------------------- */

static void an_index_is_read_by_its_column_names(void **state)
{
	const struct samples_config config = { 0 };
	struct samples *s;

	(void)state;
	put_index("label,class,size,path,split\r\n"
	          "\"dog, big\",1,5,\"train/a \"\"b\"\"\",train\r\n\r\n"
	          "cat,0,6,train/c,train\nbird,2,7,d,val\nbird,2,7,e,\ncat,0,1,f,test\n");
	assert_int_equal(load(&config, &s), 0);
	assert_int_equal(s->n, 5);
	assert_string_equal(s->sample[0].path, "train/a \"b\"");
	assert_string_equal(s->sample[0].label, "dog, big");
	assert_int_equal(s->n_classes, 3);
	assert_string_equal(s->class[1], "dog, big");
	assert_int_equal(s->n_train, 3);
	assert_int_equal(s->train[2], 3);
	assert_int_equal(s->n_val, 1);
	assert_int_equal(s->val[0], 2);
	samples_free(s);
}

static void without_classes_labels_are_numbered_bytewise(void **state)
{
	const struct samples_config config = { 0 };
	struct samples *s;

	(void)state;
	put_index("path,label\na,b\nb,a\nc,B\n");
	assert_int_equal(load(&config, &s), 0);
	assert_string_equal(s->class[0], "B");
	assert_int_equal(s->sample[0].class, 2);
	assert_int_equal(s->n_val, 0);
	samples_free(s);
}

static void a_bad_index_is_refused_with_its_line(void **state)
{
	(void)state;
	refuse("", "is empty");
	refuse("path,class\n", "columns path and label");
	refuse("path,label\n", "no samples");
	refuse("path,label\na,x\nb\n", "index.csv:3: 1 fields, the first line has 2");
	refuse("path,label\na,\"x\n", "index.csv:2: a quote is never closed");
	refuse("path,label\na,x\"\n", "index.csv:2: a quote inside");
	refuse("path,label\na,\"x\"y\n", "behind a closing quote");
	refuse("path,label\n../a,x\n", "index.csv:2: \"../a\" is no path below the data");
	refuse("path,label\n/a,x\n", "no path below");
	refuse("path,label\na/../../b,x\n", "no path below");
	refuse("path,label\na,\n", "the label is empty");
	refuse("path,label,class\na,x,one\n", "class = one is no number");
	refuse("path,label\na,x\na,y\n", "\"a\" is there twice");
}

static void classes_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	refuse("path,label\na,x\nb,x\n", "only one class, \"x\"");
	refuse("path,label,class\na,x,0\nb,x,1\n", "label \"x\" is class");
	refuse("path,label,class\na,x,0\nb,y,0\n", "class 0 is \"x\" and \"y\"");
	refuse("path,label,class\na,x,0\nb,y,2\n", "class 1 has no samples");
	refuse("path,label,split\na,x,train\nb,y,val\n", "class \"y\" has no training samples");
}

static void a_split_by_name_has_to_be_there(void **state)
{
	const struct samples_config config = { .val_split = "dev" };
	struct samples *s;

	(void)state;
	put_index("path,label,split\na,x,dev\nb,y,\nc,x,val\n");
	assert_int_equal(load(&config, &s), 0);
	/* val is then a split like any other */
	assert_int_equal(s->n_val, 1);
	assert_int_equal(s->n_train, 2);
	samples_free(s);
	put_index("path,label\na,x\nb,y\n");
	assert_int_equal(load(&config, &s), -EINVAL);
	assert_non_null(strstr(why.text, "no sample has the split \"dev\""));
}

static void a_share_is_drawn_by_the_seed(void **state)
{
	struct samples_config config = { .val_share = 0.25, .seed = 1 };
	struct samples *a, *b, *c;
	char text[2000] = "path,label\n";

	(void)state;
	for (int i = 0; i < 40; i++)
		sprintf(text + strlen(text), "s%d,%s\n", i, i % 2 ? "x" : "y");
	put_index(text);
	assert_int_equal(load(&config, &a), 0);
	assert_int_equal(a->n_val, 10);
	assert_int_equal(a->n_train, 30);
	assert_int_equal(load(&config, &b), 0);
	assert_memory_equal(a->val, b->val, 10 * sizeof(*a->val));
	assert_string_equal(a->sha256, b->sha256);
	config.seed = 2;
	assert_int_equal(load(&config, &c), 0);
	assert_memory_not_equal(a->val, c->val, 10 * sizeof(*a->val));
	/* Another division is another list. */
	assert_string_not_equal(a->sha256, c->sha256);
	samples_free(a);
	samples_free(b);
	samples_free(c);
}

static void every_field_changes_the_hash(void **state)
{
	static const char *const texts[] = {
		"path,label,etag\na,x,1\nb,y,1\n", "path,label,etag\nc,x,1\nb,y,1\n",
		"path,label,etag\na,z,1\nb,y,1\n", "path,label,etag\na,x,2\nb,y,1\n",
		"path,label,split\na,x,train\nb,y,\n",
	};
	const struct samples_config config = { 0 };
	char hash[5][SHA256_HEX_SIZE];

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct samples *s;

		put_index(texts[i]);
		assert_int_equal(load(&config, &s), 0);
		memcpy(hash[i], s->sha256, sizeof(hash[i]));
		samples_free(s);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(hash[i], hash[j]);
	}
}

/* ---- folders ------------------------------------------------------------------------------- */

static void folders_with_labels_are_samples(void **state)
{
	const struct samples_config config = { 0 };
	struct samples *s;

	(void)state;
	tree_remove(folder);
	tree_new(folder);
	tree_sample(folder, "train/y/2", "y", 0);
	tree_sample(folder, "train/x/1", "x", 0);
	tree_sample(folder, "train/x/.hidden", "x", 0);
	tree_sample(folder, "valid/x/1", "x", 0);
	tree_sample(folder, "test/x/1", "x", 0);
	tree_file(folder, "train/notes.txt", "x", 1);
	assert_int_equal(load(&config, &s), 0);
	assert_int_equal(s->n, 4);
	assert_string_equal(s->sample[1].path, "train/x/1");
	assert_string_equal(s->sample[1].label, "x");
	assert_int_equal(s->n_train, 2);
	assert_int_equal(s->n_val, 1);
	samples_free(s);
}

static void a_sample_without_a_label_is_named(void **state)
{
	const struct samples_config config = { 0 };
	struct samples *s;
	char name[128];

	(void)state;
	tree_sample(folder, "a", "x", 0);
	snprintf(name, sizeof(name), "%s/a/label.txt", folder);
	unlink(name);
	assert_int_equal(load(&config, &s), -EINVAL);
	assert_non_null(strstr(why.text, "/a: has arrays and no label.txt"));
	tree_file(folder, "a/label.txt", "\n", 1);
	assert_int_equal(load(&config, &s), -EINVAL);
	assert_non_null(strstr(why.text, "the label is empty"));
}

static void loops_of_links_end(void **state)
{
	const struct samples_config config = { 0 };
	struct samples *s;
	char name[128];

	(void)state;
	snprintf(name, sizeof(name), "%s/loop", folder);
	assert_int_equal(symlink(".", name), 0);
	assert_int_equal(load(&config, &s), -ELOOP);
	assert_non_null(strstr(why.text, "folders deep"));
}

static void a_folder_that_is_not_there_is_named(void **state)
{
	const struct samples_config config = { 0 };
	struct samples *s;

	(void)state;
	assert_int_equal(samples_load("/nowhere", &config, &s, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nowhere"));
}

/* ---- names, plans, hints --------------------------------------------------------------------- */

static void placeholders_are_replaced(void **state)
{
	char *name = template_expand("d@epoch={epoch},seed={seed}/{epoch}", 7, 1ull << 40, &why);

	(void)state;
	assert_string_equal(name, "d@epoch=7,seed=1099511627776/7");
	free(name);
	assert_null(template_expand("d@{what}", 0, 0, &why));
	assert_non_null(strstr(why.text, "{what}"));
}

static void a_plan_has_every_position_once(void **state)
{
	const struct plan p = { .n_train = 10, .n_val = 5, .batch = 4, .epochs = 2 };
	struct plan_cursor c = { 0 };
	struct plan_batch b;
	size_t n = 0, batches = 0, lasts = 0;

	(void)state;
	while (plan_next(&p, &c, &b)) {
		n += b.n;
		batches++;
		lasts += b.last;
		assert_int_equal(b.epoch, batches > 5);
		assert_int_equal(b.training, (batches - 1) % 5 < 3);
	}
	assert_int_equal(n, 30);
	assert_int_equal(batches, 10);
	assert_int_equal(lasts, 4);
	assert_int_equal(plan_steps(&p), 3);
	c = (struct plan_cursor){ .epoch = 1, .position = 10 };
	assert_true(plan_next(&p, &c, &b));
	assert_false(b.training);
	assert_int_equal(b.first, 0);
}

static void a_mount_is_told_the_order(void **state)
{
	const struct samples_config config = { 0 };
	const struct clip_spec spec = { .video = true, .audio = true };
	const uint32_t order[] = { 1, 0 };
	struct samples *s;
	char name[128], text[256] = "";
	FILE *f;

	(void)state;
	put_index("path,label\na/1,x\nb/2,y\n");
	assert_int_equal(load(&config, &s), 0);
	/* A local copy has no such file, which is no failure. */
	assert_int_equal(hint_write(folder, s, &spec, order, 2), 0);
	tree_file(folder, ".s3samplefs/prefetch", "", 0);
	tree_file(folder, "samples/x", "", 0);
	snprintf(name, sizeof(name), "%s/samples/", folder);
	assert_int_equal(hint_write(name, s, &spec, order, 2), 1);
	snprintf(name, sizeof(name), "%s/.s3samplefs/prefetch", folder);
	f = fopen(name, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, "samples/b/2/frames.npy\nsamples/b/2/mfcc.npy\n"
	                          "samples/a/1/frames.npy\nsamples/a/1/mfcc.npy\n");
	samples_free(s);
}

static int set_up(void **state)
{
	(void)state;
	tree_new(folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_remove(folder);
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_index_is_read_by_its_column_names),
		CASE(without_classes_labels_are_numbered_bytewise),
		CASE(a_bad_index_is_refused_with_its_line),
		CASE(classes_that_make_no_sense_are_refused),
		CASE(a_split_by_name_has_to_be_there),
		CASE(a_share_is_drawn_by_the_seed),
		CASE(every_field_changes_the_hash),
		CASE(folders_with_labels_are_samples),
		CASE(a_sample_without_a_label_is_named),
		CASE(loops_of_links_end),
		CASE(a_folder_that_is_not_there_is_named),
		CASE(placeholders_are_replaced),
		CASE(a_plan_has_every_position_once),
		CASE(a_mount_is_told_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
