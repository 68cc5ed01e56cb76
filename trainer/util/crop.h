/* crop.h - which part of a sample's frames is seen. */
#ifndef S3SAMPLE_UTIL_CROP_H
#define S3SAMPLE_UTIL_CROP_H

#include <stdint.h>

/* The crop's upper left corner, in pixels; all frames of the sample alike. */
struct crop {
	int32_t y, x;
	int32_t flip;   /* 1: left and right exchanged */
};

#endif
