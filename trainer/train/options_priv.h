/* options_priv.h - the table of keys. */
#ifndef S3SAMPLE_TRAIN_OPTIONS_PRIV_H
#define S3SAMPLE_TRAIN_OPTIONS_PRIV_H

#include "base/keys.h"
#include "train/options.h"

enum {
	WHERE_LINE = 1,         /* the command line has it */
	WHERE_FILE = 2,         /* the file has it */
	WHERE_FIXED = 4,        /* a resumed run gives other results with another value */
};

extern const struct keys option_keys;

#endif
