/* mel.h - mel scales and the triangular filterbank over FFT bins.
 *
 * Pure; no state. Frequencies in Hz. */
#ifndef S3SAMPLEFS_WORKER_MEL_H
#define S3SAMPLEFS_WORKER_MEL_H

#include <stddef.h>
#include <stdint.h>

struct mel_scale {
	double (*from_hz)(double hz);
	double (*to_hz)(double mel);
};

/* Slaney's Auditory Toolbox, librosa's htk=False: 3 f / 200 below 1 kHz,
 * 15 + 27 ln(f / 1000) / ln 6.4 from there on. */
extern const struct mel_scale mel_slaney;

/* n frequencies, equally spaced in mel from fmin to fmax, both included; n >= 2. */
void mel_points(const struct mel_scale *scale, double fmin, double fmax, size_t n, double *ret_hz);

struct mel_band {
	uint32_t first;             /* bin of weights[0] */
	uint32_t count;             /* bins with a weight; 0: the triangle lies between two bins */
	const float *weights;
};

/* A triangle per band, zero outside [first, first + count). */
struct mel_bank {
	uint32_t n_mels;
	struct mel_band *bands;     /* (n_mels,) */
	float *weights;             /* of all bands, owned */
};

/* Triangles linear in Hz over n_mels + 2 points, each with Slaney's norm
 * 2 / (its width in Hz); the bins are those of a real FFT of n_fft samples at sr,
 * Nyquist included. 0 <= fmin, fmin + 1 <= fmax, n_mels >= 1. Returns 0 or -ENOMEM;
 * *ret is then freed by mel_bank_done. */
int mel_bank_init(struct mel_bank *ret, const struct mel_scale *scale, uint32_t n_mels,
                  double fmin, double fmax, uint32_t sr, uint32_t n_fft);
void mel_bank_done(struct mel_bank *bank);

/* power: (n_fft / 2 + 1,), ret: (n_mels,). */
void mel_bank_apply(const struct mel_bank *bank, const float *power, float *ret);

#endif
