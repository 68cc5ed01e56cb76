#include "base/blob.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"

struct blob {
	struct ref refs;
	size_t len;
	_Alignas(64) uint8_t data[]; /* rows of floats are read from here by vector code */
};

struct blob *blob_new(size_t len)
{
	struct blob *b;

	/* aligned_alloc wants a multiple of the alignment. */
	if (len > SIZE_MAX - sizeof(*b) - 63)
		return NULL;
	b = aligned_alloc(_Alignof(struct blob), (sizeof(*b) + len + 63) & ~(size_t)63);
	if (!b)
		return NULL;
	ref_init(&b->refs);
	b->len = len;
	return b;
}

struct blob *blob_copy(const void *data, size_t len)
{
	struct blob *b = blob_new(len);

	if (b && len)
		memcpy(b->data, data, len);
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	ref_take(&b->refs);
	return b;
}

void blob_unref(struct blob *b)
{
	/* Release: our reads are done; acquire: the last owner sees all others'. */
	if (b && ref_drop(&b->refs))
		free(b);
}

size_t blob_len(const struct blob *b)
{
	return b->len;
}

const uint8_t *blob_data(const struct blob *b)
{
	return b->data;
}

uint8_t *blob_writable(struct blob *b)
{
	assert(!ref_is_shared(&b->refs));
	return b->data;
}

void blob_truncate(struct blob *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
}
