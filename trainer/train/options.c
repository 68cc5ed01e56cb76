#include "train/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ini.h"
#include "train/options_priv.h"
#include "util/file.h"
#include "util/why.h"

#define FILE_MAX ((size_t)1 << 20) /* bytes */
#define NAME_MAX_BYTES 64
#define KEY_WHY_MAX 512
#define USAGE 2 /* exit status */

static int set_defaults(struct options *o)
{
	*o = (struct options){
		.epochs = 20, .batch = 32,
		.optimizer = OPTIMIZER_ADAMW, .schedule = SCHEDULE_COSINE,
		.lr = 0.002, .momentum = 0.9, .weight_decay = 0.01, .label_smoothing = 0.05, .warmup = 1,
		.val_share = 0.1,
		.readers = 4, .queue = 4,
		.max_bad = 0.01,
		.video_width = 16, .video_depth = 4, .audio_width = 64, .audio_depth = 4,
		.log_every = 10,
	};
	o->out = strdup("run");
	return o->out ? 0 : -ENOMEM;
}

void options_done(struct options *o)
{
	keys_done(&option_keys, o);
}

/* ---- the file ------------------------------------------------------------------------ */

struct reader {
	struct options *o;
	struct why *why;
};

static int take_item(void *arg, const struct ini_item *item)
{
	struct reader *r = arg;
	char sentence[KEY_WHY_MAX];
	int err;

	if (strcmp(item->section, "train") != 0)
		return why_set(r->why, -EINVAL, "%s:%u: [%.80s]: there is only the section [train]",
		               r->o->config, item->line, item->section);
	if (!item->key)
		return 0;
	err = keys_set(&option_keys, WHERE_FILE, r->o, item->key, item->value, sentence,
	               sizeof(sentence));
	if (err == -ENOMEM)
		return why_no_memory(r->why);
	return err ? why_set(r->why, -EINVAL, "%.400s:%u: %s", r->o->config, item->line, sentence) : 0;
}

static int read_config(struct options *o, struct why *why)
{
	struct reader r = { o, why };
	const char *fault = NULL;
	struct buf text;
	unsigned line;
	int err;

	buf_init(&text, FILE_MAX);
	err = file_read(o->config, &text);
	if (err)
		why_set(why, err, "%s: %s", o->config,
		        err == -EMSGSIZE ? "larger than 1 MiB, which no configuration is" : strerror(-err));
	else
		err = ini_read(text.data ? text.data : "", text.len, take_item, &r, &line, &fault);
	if (fault)
		why_set(why, err, "%s:%u: %s", o->config, line, fault);
	else if (err == -ENOMEM)
		why_no_memory(why);
	buf_done(&text);
	return err;
}

/* ---- the command line ---------------------------------------------------------------- */

static const struct key *find(const char *name)
{
	for (size_t i = 0; i < option_keys.n; i++) {
		if (strcmp(option_keys.key[i].name, name) == 0)
			return &option_keys.key[i];
	}
	return NULL;
}

/* "--val-share=0.2" -> "val_share" in name; returns the value behind '=', or NULL. */
static const char *split_argument(const char *argument, char name[NAME_MAX_BYTES])
{
	size_t len = strcspn(argument + 2, "=");
	size_t kept = len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES - 1;

	for (size_t i = 0; i < kept; i++)
		name[i] = argument[2 + i] == '-' ? '_' : argument[2 + i];
	name[kept] = '\0';
	return argument[2 + len] ? argument + 2 + len + 1 : NULL;
}

/* Reads all arguments. only: NULL, or the one key that is set, others being left alone. */
static int read_line(int argc, char *argv[], struct options *o, const char *only, struct why *why)
{
	for (int i = 1; i < argc; i++) {
		char name[NAME_MAX_BYTES], sentence[KEY_WHY_MAX];
		const struct key *key;
		const char *value;
		int err;

		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			o->action = OPTIONS_HELP;
			continue;
		}
		if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			o->action = OPTIONS_VERSION;
			continue;
		}
		/* Behind an option that isn't known there may be its value: left to the second time. */
		if (strncmp(argv[i], "--", 2) != 0 && only)
			continue;
		if (strncmp(argv[i], "--", 2) != 0)
			return why_set(why, -EINVAL, "\"%.200s\": options begin with --; try --help", argv[i]);
		value = split_argument(argv[i], name);
		key = find(name);
		/* "--key value", but "--flag" alone */
		if (key && !value && key->kind != KEY_BOOL) {
			if (i + 1 == argc)
				return why_set(why, -EINVAL, "%s: a value has to follow", argv[i]);
			value = argv[++i];
		}
		if (only && strcmp(name, only) != 0)
			continue;
		err = keys_set(&option_keys, WHERE_LINE, o, name, value, sentence, sizeof(sentence));
		if (err == -ENOMEM)
			return why_no_memory(why);
		if (err)
			return why_set(why, -EINVAL, "--%s", sentence);
	}
	return 0;
}

/* What can be said before the ranks and their GPUs are known. */
static int check_reduce(const struct options *o, struct why *why)
{
#ifdef HAVE_NCCL
	const bool built = true;
#else
	const bool built = false;
#endif

	if (o->reduce != REDUCE_NCCL)
		return 0;
	if (o->device != DEVICE_CUDA)
		return why_set(why, -EINVAL, "reduce = nccl needs device = cuda: NCCL adds up within GPUs");
	if (!built)
		return why_set(why, -EINVAL, "reduce = nccl: this program was built without NCCL");
	if (o->deterministic)
		return why_set(why, -EINVAL, "reduce = nccl: NCCL doesn't promise the order of a sum, which "
		               "deterministic asks for; reduce = mpi does");
	return 0;
}

static int check(const struct options *o, struct why *why)
{
	if (!o->data)
		return why_set(why, -EINVAL, "--data is missing: the folder with the samples; try --help");
	if (o->resume && o->overwrite)
		return why_set(why, -EINVAL, "--resume and --overwrite exclude each other");
	return check_reduce(o, why);
}

int options_parse(int argc, char *argv[], struct options *ret, struct why *why)
{
	struct options o;
	int err = set_defaults(&o);

	if (err)
		return why_no_memory(why), 1;
	err = read_line(argc, argv, &o, "config", why);
	if (!err && o.config)
		err = read_config(&o, why);
	/* Again: the command line wins over the file. */
	if (!err)
		err = read_line(argc, argv, &o, NULL, why);
	o.resume |= o.resume_anyway;
	if (!err && o.action == OPTIONS_RUN)
		err = check(&o, why);
	if (err) {
		options_done(&o);
		return err == -ENOMEM ? 1 : USAGE;
	}
	*ret = o;
	return 0;
}

void options_print(const struct options *o, struct buf *out)
{
	keys_print(&option_keys, WHERE_FILE, o, out);
}

void options_print_fixed(const struct options *o, struct buf *out)
{
	keys_print(&option_keys, WHERE_FIXED, o, out);
}
