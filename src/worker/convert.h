/* convert.h - decoded frames to native RGB24, upright.
 *
 * swscale with SWS_BICUBIC alone, matrix and range as the frame declares them
 * (unspecified: BT.601, limited), which is what the common readers give, bit
 * for bit on the same CPU features. */
#ifndef S3SAMPLEFS_WORKER_CONVERT_H
#define S3SAMPLEFS_WORKER_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "worker/orient.h"
#include "worker/resize.h"

struct AVFrame;
struct convert;

/* A context keeps swscale's tables and the pixels between frames. NULL: no memory. */
struct convert *convert_new(void);
void convert_free(struct convert *c);  /* NULL allowed */

/* o: how the frame is shown. window: the part of the upright frame that is
 * wanted, inside it; more may be converted. *ret_pixels: the
 * window's first pixel, rows *ret_stride bytes apart, RESIZE_OVERREAD bytes
 * readable behind the last; valid until the next call.
 * Returns 0, -ENOMEM, or -EBADMSG: no known pixel format. */
int convert_run(struct convert *c, const struct AVFrame *frame, struct orientation o,
                struct resize_window window, const uint8_t **ret_pixels, size_t *ret_stride);

#endif
