/* keys.h - a table of named settings: text into the fields of a struct, and
 * back.
 *
 * The [mount] section and the views each have one table; what a key accepts is
 * written there once and serves setting, printing, freeing and the sentence
 * that tells a person what would have been right. */
#ifndef S3SAMPLEFS_BASE_KEYS_H
#define S3SAMPLEFS_BASE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* What the field at `offset` is. Words (`word`, `word_value`) stand for one
 * value of a number: "full", "all". */
enum key_kind {
	KEY_STRING,    /* char *, malloc'd or NULL. "" sets NULL */
	KEY_LIST,      /* char **, NULL-terminated; split at blanks */
	KEY_BOOL,      /* bool */
	KEY_UINT,      /* uint32_t, min..max */
	KEY_INT,       /* int32_t, min..max of what may be written; a word may lie outside */
	KEY_REAL,      /* double, min..max */
	KEY_SIZE,      /* uint64_t bytes, min..max: "64K" "1G" */
	KEY_DURATION,  /* uint64_t ms, min..max: "250ms" "60s" "5m" */
	KEY_CHOICE,    /* uint32_t or enum: index into choices */
	KEY_CUSTOM,    /* set and print */
	KEY_LATER,     /* known, not supported yet */
};

struct key {
	const char *name;
	enum key_kind kind;
	unsigned where;               /* bits: who has this key; see keys_set */
	size_t offset;
	double min, max;
	const char *word;             /* NULL: none */
	double word_value;
	const char *const *choices;   /* NULL-terminated: KEY_CHOICE, and KEY_STRING if set */
	const char *const *later;     /* NULL-terminated values not supported yet, or NULL */
	bool (*check)(const char *value);              /* STRING: the whole; LIST: one part. NULL: any */
	int (*set)(void *obj, const char *value);      /* CUSTOM: 0, -EINVAL, -ENOMEM */
	void (*print)(const void *obj, struct buf *out);
	const char *accepts;          /* in words; NULL: made from the kind */
	bool nonempty;                /* STRING, LIST: "" is refused */
	bool secret;                  /* never printed, not even in an error */
};

struct keys {
	const struct key *key;
	size_t n;
};

/* Sets key in obj, if its `where` has one of the given bits. value NULL: the
 * key stood alone, which is true for KEY_BOOL. Returns 0, or with why[why_size]
 * filled -ENOENT (no such key; why lists those there are), -EINVAL, -ENOMEM.
 * obj is unchanged on failure. */
int keys_set(const struct keys *keys, unsigned where, void *obj, const char *key, const char *value,
             char *why, size_t why_size);

/* What key accepts, in words that go behind "must be". */
void key_describe(const struct key *key, struct buf *out);

/* "key = value\n" for each key that has a value; "(set)" for secrets. */
void keys_print(const struct keys *keys, unsigned where, const void *obj, struct buf *out);

/* After dst was copied from src as bytes: gives dst strings and lists of its
 * own. Returns 0, or -ENOMEM with dst's strings and lists all NULL. */
int keys_dup(const struct keys *keys, void *dst, const void *src);

/* Frees strings and lists and makes them NULL. */
void keys_done(const struct keys *keys, void *obj);

/* The key most like name, or NULL if none is near. */
const char *keys_closest(const struct keys *keys, unsigned where, const char *name);

#endif
