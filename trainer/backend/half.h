/* half.h - float32 in 16 bits and back: bf16 (8 bits of exponent, 7 of fraction) and fp16
 * (IEEE 754 binary16: 5 and 10). Rounded to the nearest, of two equally near ones to the even
 * one; beyond the largest to infinity; a NaN becomes 0x7fff. Any rounding mode but the default
 * breaks fp16_from_float. */
#ifndef S3SAMPLE_BACKEND_HALF_H
#define S3SAMPLE_BACKEND_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t half_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline float half_float(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

#define HALF_NAN 0x7fffu
#define HALF_FLOAT_INFINITY 0x7f800000u

static inline uint16_t bf16_from_float(float x)
{
	uint32_t bits = half_bits(x);

	if ((bits & 0x7fffffffu) > HALF_FLOAT_INFINITY)
		return HALF_NAN;
	return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float bf16_to_float(uint16_t x)
{
	return half_float((uint32_t)x << 16);
}

static inline uint16_t fp16_from_float(float x)
{
	uint32_t bits = half_bits(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;

	if (size > HALF_FLOAT_INFINITY)
		return HALF_NAN;
	/* 65520 is as near to 65536, which there isn't, as to the largest, 65504. */
	if (size >= 0x477ff000u)
		return (uint16_t)(sign | 0x7c00u);
	/* Below 2^-14 values are 2^-24 apart, as floats from 0.5 to 1 are: the sum rounds. */
	if (size < 0x38800000u)
		return (uint16_t)(sign | (half_bits(half_float(size) + 0.5f) - 0x3f000000u));
	/* The exponent's bias is 15, not 127. */
	return (uint16_t)(sign | ((size + 0xfffu + (size >> 13 & 1) - (112u << 23)) >> 13));
}

static inline float fp16_to_float(uint16_t x)
{
	uint32_t sign = (uint32_t)(x & 0x8000u) << 16, size = x & 0x7fffu;

	if (size >= 0x7c00u)
		return half_float(sign | HALF_FLOAT_INFINITY | size << 13);
	if (size < 0x400u)
		return half_float(sign | half_bits((float)size * 0x1p-24f));
	return half_float(sign | ((size << 13) + (112u << 23)));
}

#endif
