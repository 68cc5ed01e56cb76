#include "base/philox.h"

#define ROUNDS 10

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4])
{
	uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
	uint32_t k0 = key[0], k1 = key[1];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53u * c0;
		uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)p1;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p0;
		/* Weyl sequences: the golden ratio and sqrt(3) - 1 */
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	ret[0] = c0;
	ret[1] = c1;
	ret[2] = c2;
	ret[3] = c3;
}

void philox_draw(uint64_t seed, enum philox_use use, uint32_t a, uint64_t b, uint32_t ret[4])
{
	const uint32_t counter[4] = { (uint32_t)b, (uint32_t)(b >> 32), a, (uint32_t)use };
	const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };

	philox4x32(counter, key, ret);
}

uint32_t philox_below(uint32_t bits, uint32_t n)
{
	return (uint32_t)((uint64_t)bits * n >> 32);
}

float philox_unit(uint32_t bits)
{
	return (float)(bits >> 8) * 0x1p-24f;
}
