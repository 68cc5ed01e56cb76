/* name.h - the pure mapping between objects' keys and file names, both ways. */
#ifndef S3SAMPLEFS_VIEW_NAME_H
#define S3SAMPLEFS_VIEW_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_BYTES_MAX 255   /* of a file; longer names are left out */

/* A part of a key that a directory entry can have as its name: not empty, not
 * "." or "..", no newline, at most 255 bytes with the ending. */
bool name_is_possible(const char *part, size_t len, const char *ending);

/* "clip1.mp4.npy" with ending ".npy" -> "clip1.mp4" as a malloc'd dir + name;
 * dir is a prefix ("" or ending in '/'). NULL with *ret_err -ENOENT when the name doesn't
 * end so, or -ENOMEM. */
char *name_to_key(const char *dir, const char *name, const char *ending, int *ret_err);

/* True if the key's base name matches one of the globs, NULL-terminated. */
bool name_matches(char *const *globs, const char *key);

/* True if the key, or a directory that it lies in, stands at the top under one of the names. */
bool name_is_hidden(const char *const *names, const char *key);

/* A key's base name, the part after its last '/'. */
const char *name_base(const char *key);

/* Split and label of an object by its directories. Pointers into key. pattern:
 * directories, each {split}, {label}, a star or a literal, and two stars at the
 * end for whatever follows; NULL: the label is the first directory that is no
 * split name, the split the one before it that is. What there isn't has length
 * 0. Returns false if the key doesn't fit the pattern. */
struct name_class {
	const char *split, *label;
	size_t split_len, label_len;
};
bool name_classify(const char *pattern, char *const *split_names, const char *key, struct name_class *ret);

/* The prefix under which the audio objects of a video can be: "{dir}/{stem}.*"
 * for "a/b.mp4" -> "a/b." ; malloc'd, NULL when out of memory or the pattern doesn't
 * end in ".*". name_is_audio_of tells whether key is one of them: what the '*' stands for has no '.' and no '/'. */
char *name_audio_prefix(const char *pattern, const char *video_key);
bool name_is_audio_of(const char *audio_prefix, const char *key);

#endif
