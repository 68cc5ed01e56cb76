#include "worker/preload.h"

#include <iconv.h>
#include <stdlib.h>
#include <unistd.h>

/* The names of an MPEG-TS are in one of these (mpegts.c, getstr8). gconv loads a module for each,
 * and drops it when nobody has it open. */
static void load_character_sets(void)
{
	static const char *const sets[] = { "ISO6937", "ISO-8859-1", "ISO-8859-5", "ISO-8859-9", "UCS-2BE" };

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		(void)iconv_open("UTF-8", sets[i]); /* stays open for the life of the process */
}

void preload(void)
{
	load_character_sets();
	/* glibc reads /sys once to count processors, for malloc's arenas and qsort. */
	(void)sysconf(_SC_NPROCESSORS_ONLN);
	(void)sysconf(_SC_NPROCESSORS_CONF);
}
