/* view_types.h - the types of views that there are: a row each. All else of a type stands in its
 * view_NAME.c, where struct view_kind (view_priv.h) says what it has to bring.
 *
 * The order is that of default views. */
#ifndef S3SAMPLEFS_VIEW_VIEW_TYPES_H
#define S3SAMPLEFS_VIEW_VIEW_TYPES_H

#define VIEW_TYPES(X) \
	X(RAW, raw) \
	X(FRAMES, frames) \
	X(MFCC, mfcc) \
	X(INFO, info) \
	X(SAMPLES, samples)

/* Names that later versions know. */
#define VIEW_TYPES_LATER "images", "sheet", "wav"

enum view_type {
#define VIEW_TYPES_ENUM(upper, lower) VIEW_##upper,
	VIEW_TYPES(VIEW_TYPES_ENUM)
#undef VIEW_TYPES_ENUM
	VIEW_N_TYPES
};

#endif
