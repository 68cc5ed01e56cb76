#include "worker/resize_kernels.h"

#include <string.h>

#define HALF (INT32_C(1) << (RESIZE_BITS - 1))

/* Weights aren't negative and sum to 2^22 within taps/2, so that the sum of
 * 255 * weights fits 31 bits and only the upper bound has to be clipped. */
static uint8_t to_byte(int32_t sum)
{
	int32_t v = sum >> RESIZE_BITS;

	return v > 255 ? 255 : (uint8_t)v;
}

static void one_row_portable(const struct resize_axis *axis, const uint8_t *src, uint8_t *dst)
{
	for (uint32_t i = 0; i < axis->n; i++) {
		const int32_t *w = axis->weights + (size_t)i * axis->taps;
		const uint8_t *p = src + (size_t)axis->start[i] * 3;
		int32_t r = HALF, g = HALF, b = HALF;

		for (uint32_t k = 0; k < axis->count[i]; k++) {
			r += w[k] * p[3 * k];
			g += w[k] * p[3 * k + 1];
			b += w[k] * p[3 * k + 2];
		}
		dst[3 * (size_t)i] = to_byte(r);
		dst[3 * (size_t)i + 1] = to_byte(g);
		dst[3 * (size_t)i + 2] = to_byte(b);
	}
}

static void horizontal_portable(const struct resize_axis *axis, const uint8_t *const src[2],
                                uint8_t *const dst[2])
{
	one_row_portable(axis, src[0], dst[0]);
	if (dst[1] != dst[0])
		one_row_portable(axis, src[1], dst[1]);
}

static void vertical_portable(const int32_t *weights, uint32_t count, const uint8_t *const *rows,
                              size_t len, uint8_t *dst)
{
	enum { BLOCK = 64 };

	for (size_t x = 0; x < len; x += BLOCK) {
		size_t n = len - x < BLOCK ? len - x : BLOCK;
		int32_t sum[BLOCK];

		for (size_t j = 0; j < n; j++)
			sum[j] = HALF;
		for (uint32_t k = 0; k < count; k++) {
			const uint8_t *row = rows[k] + x;
			int32_t w = weights[k];

			for (size_t j = 0; j < n; j++)
				sum[j] += w * row[j];
		}
		for (size_t j = 0; j < n; j++)
			dst[x + j] = to_byte(sum[j]);
	}
}

const struct resize_kernels resize_kernels_portable = {
	"portable", horizontal_portable, vertical_portable,
};

/* pmaddwd multiplies pairs of int16 and adds each pair: two taps a lane. The
 * weight has 23 bits, so it goes in two halves, and 4 taps of R, G, B fill 256
 * bits as
 *
 *     lanes 0-2: taps 0, 1 of R, G, B     lanes 4-6: taps 2, 3 of R, G, B
 *
 * `packed` holds the halves in just that order. */
void resize_pack_group(const int32_t *weights, int16_t *packed)
{
	for (unsigned lane = 0; lane < 8; lane++) {
		for (unsigned j = 0; j < 2; j++) {
			int32_t w = weights[lane / 4 * 2 + j];

			packed[lane * 2 + j] = (int16_t)(w >> RESIZE_LOW_BITS);
			packed[16 + lane * 2 + j] = (int16_t)(w & ((1 << RESIZE_LOW_BITS) - 1));
		}
	}
}

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_AVX2 __attribute__((target("avx2")))

/* The sums of one group's taps of one row, added to high and low. */
TARGET_AVX2
static inline void add_group(const uint8_t *p, const __m256i weights[2], __m256i *high,
                             __m256i *low)
{
	/* Byte pairs (tap, next tap) of R, G, B, each widened to 16 bits. */
	const __m256i pairs = _mm256_setr_epi8(
		0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
		6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
	__m128i four = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m256i v = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four), pairs);

	*high = _mm256_add_epi32(*high, _mm256_madd_epi16(v, weights[0]));
	*low = _mm256_add_epi32(*low, _mm256_madd_epi16(v, weights[1]));
}

TARGET_AVX2
static inline __m256i join_halves(__m256i high, __m256i low)
{
	return _mm256_add_epi32(low, _mm256_slli_epi32(high, RESIZE_LOW_BITS));
}

/* Two rows at once share the weights, and a register in the end: its lower half is
 * the pixel of the first, its upper half that of the second. */
TARGET_AVX2
static void horizontal_avx2(const struct resize_axis *axis, const uint8_t *const src[2],
                            uint8_t *const dst[2])
{
	const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(HALF);
	const __m256i *weights = (const __m256i *)(const void *)axis->packed;
	const uint32_t n = axis->n, stride = axis->taps / RESIZE_GROUP * 2;
	uint8_t *d0 = dst[0], *d1 = dst[1];

	for (uint32_t i = 0; i < n; i++, d0 += 3, d1 += 3, weights += stride) {
		const uint8_t *p0 = src[0] + (size_t)axis->start[i] * 3;
		const uint8_t *p1 = src[1] + (size_t)axis->start[i] * 3;
		const __m256i *w = weights;
		__m256i high0 = zero, low0 = zero, high1 = zero, low1 = zero, sum;
		int32_t pixel;

		for (uint32_t k = 0; k < axis->count[i]; k += RESIZE_GROUP, w += 2) {
			add_group(p0 + (size_t)k * 3, w, &high0, &low0);
			add_group(p1 + (size_t)k * 3, w, &high1, &low1);
		}
		low0 = join_halves(high0, low0);
		low1 = join_halves(high1, low1);
		sum = _mm256_add_epi32(_mm256_permute2x128_si256(low0, low1, 0x20),
		                       _mm256_permute2x128_si256(low0, low1, 0x31));
		sum = _mm256_srai_epi32(_mm256_add_epi32(sum, half), RESIZE_BITS);
		sum = _mm256_packus_epi16(_mm256_packs_epi32(sum, sum), zero);
		pixel = _mm_cvtsi128_si32(_mm256_castsi256_si128(sum));
		memcpy(d0, &pixel, 4);
		pixel = _mm_cvtsi128_si32(_mm256_extracti128_si256(sum, 1));
		memcpy(d1, &pixel, 4);
	}
}

/* 32 bytes of the sum over all rows, two rows at a time. */
TARGET_AVX2
static __m256i vertical_block(const int32_t *weights, uint32_t count, const uint8_t *const *rows,
                              size_t x)
{
	const __m256i zero = _mm256_setzero_si256();
	__m256i high[4] = {zero, zero, zero, zero}, low[4] = {zero, zero, zero, zero};

	for (uint32_t k = 0; k < count; k += 2) {
		const int32_t second = k + 1 < count ? weights[k + 1] : 0;
		const uint8_t *next = rows[k + 1 < count ? k + 1 : k];
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(rows[k] + x));
		__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(next + x));
		__m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
		__m256i wh = _mm256_set1_epi32(weights[k] >> RESIZE_LOW_BITS |
		                               second >> RESIZE_LOW_BITS << 16);
		__m256i wl = _mm256_set1_epi32((weights[k] & ((1 << RESIZE_LOW_BITS) - 1)) |
		                               (second & ((1 << RESIZE_LOW_BITS) - 1)) << 16);

		for (unsigned j = 0; j < 4; j++) {
			__m256i v = j % 2 ? _mm256_unpackhi_epi8(ab[j / 2], zero)
			                  : _mm256_unpacklo_epi8(ab[j / 2], zero);

			high[j] = _mm256_add_epi32(high[j], _mm256_madd_epi16(v, wh));
			low[j] = _mm256_add_epi32(low[j], _mm256_madd_epi16(v, wl));
		}
	}
	for (unsigned j = 0; j < 4; j++) {
		__m256i sum = _mm256_add_epi32(low[j], _mm256_slli_epi32(high[j], RESIZE_LOW_BITS));

		sum = _mm256_add_epi32(sum, _mm256_set1_epi32(HALF));
		high[j] = _mm256_srai_epi32(sum, RESIZE_BITS);
	}
	return _mm256_packus_epi16(_mm256_packs_epi32(high[0], high[1]),
	                           _mm256_packs_epi32(high[2], high[3]));
}

TARGET_AVX2
static void vertical_avx2(const int32_t *weights, uint32_t count, const uint8_t *const *rows,
                          size_t len, uint8_t *dst)
{
	size_t x = 0;

	for (; x + 32 <= len; x += 32)
		_mm256_storeu_si256((__m256i *)(void *)(dst + x),
		                    vertical_block(weights, count, rows, x));
	if (x < len) {
		uint8_t last[32];

		_mm256_storeu_si256((__m256i *)(void *)last,
		                    vertical_block(weights, count, rows, x));
		memcpy(dst + x, last, len - x);
	}
}

static const struct resize_kernels kernels_avx2 = {"avx2", horizontal_avx2, vertical_avx2};

const struct resize_kernels *resize_kernels_best(void)
{
	return __builtin_cpu_supports("avx2") ? &kernels_avx2 : &resize_kernels_portable;
}
#else
const struct resize_kernels *resize_kernels_best(void)
{
	return &resize_kernels_portable;
}
#endif
