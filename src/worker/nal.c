#include "worker/nal.h"

#define HVCC_ARRAYS 22          /* offset of numOfArrays */

/* The next start code at or behind `at`: where its three bytes begin, or size. */
static size_t next_start(const uint8_t *p, size_t size, size_t at)
{
	for (; size - at >= 3; at++) {
		if (p[at] == 0 && p[at + 1] == 0 && p[at + 2] == 1)
			return at;
	}
	return size;
}

void nal_each_annex_b(const uint8_t *data, size_t size, nal_fn *fn, void *arg)
{
	size_t start = next_start(data, size, 0);

	while (start < size) {
		size_t nal = start + 3, next = next_start(data, size, nal);

		if (next > nal)
			fn(data + nal, next - nal, arg);
		start = next;
	}
}

void nal_each_sized(const uint8_t *data, size_t size, unsigned length_size, nal_fn *fn, void *arg)
{
	size_t at = 0;

	while (size - at > length_size) {
		size_t len = 0;

		for (unsigned i = 0; i < length_size; i++)
			len = len << 8 | data[at + i];
		at += length_size;
		if (len > size - at)
			len = size - at;
		if (len)
			fn(data + at, len, arg);
		at += len;
	}
}

bool nal_is_hvcc(const uint8_t *data, size_t size)
{
	return size > HVCC_ARRAYS && data[0] == 1;
}

void nal_each_hvcc(const uint8_t *data, size_t size, nal_fn *fn, void *arg)
{
	size_t at = HVCC_ARRAYS + 1;

	if (!nal_is_hvcc(data, size))
		return;
	for (unsigned arrays = data[HVCC_ARRAYS]; arrays && size - at >= 3; arrays--) {
		unsigned nals = (unsigned)data[at + 1] << 8 | data[at + 2];

		at += 3;
		for (; nals && size - at >= 2; nals--) {
			size_t len = (size_t)data[at] << 8 | data[at + 1];

			at += 2;
			if (len > size - at)
				return;
			if (len)
				fn(data + at, len, arg);
			at += len;
		}
	}
}
