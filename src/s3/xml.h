/* xml.h - the two XML documents S3 sends us: listings and errors.
 *
 * Takes a pointer and a length, does no I/O, believes nothing: a document with
 * a DTD is refused (so there are no entities to expand), depth, text and the
 * number of entries are capped, what isn't known is skipped. Names count
 * without their namespace, since stores disagree about it. */
#ifndef S3SAMPLEFS_S3_XML_H
#define S3SAMPLEFS_S3_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XML_KEY_MAX 1024      /* bytes of a decoded key */
#define XML_ETAG_SIZE 128
#define XML_CLASS_SIZE 32
#define XML_TOKEN_MAX 8192    /* bytes of a continuation token */
#define XML_ENTRIES_MAX 200000

struct xml_entry {
	char *name;                          /* decoded; a common prefix ends in '/' */
	bool is_prefix;                      /* then the rest is zero */
	uint64_t size;
	bool has_mtime;                      /* a LastModified that could be read */
	int64_t mtime_ns;                    /* else 0 */
	char etag[XML_ETAG_SIZE];            /* quotes and W/ stripped; "" where there was none */
	char storage_class[XML_CLASS_SIZE];  /* "" where there was none */
};

struct xml_list {
	struct xml_entry *entries;           /* as sent: S3 sorts keys and prefixes
	                                      * apart from each other, some not at all */
	size_t n;
	char *next;                          /* NextContinuationToken, NULL on the last page */
};

/* A ListBucketResult. With encoding-type=url (told by the document itself)
 * names are percent-decoded. A blank is '+' (AWS), %20, or both within one page
 * (SeaweedFS); a plus is %2B in all of them, as botocore also takes it.
 *
 * Returns 0; -EPROTO: not such a document, cut short, or a value that can't be
 * true (IsTruncated without a token, sizes out of range, a DTD); -EMSGSIZE:
 * past a cap; -ENOMEM. */
int xml_parse_list(const char *data, size_t len, struct xml_list *ret_list);

void xml_list_done(struct xml_list *list);

struct xml_error {
	char code[64];        /* each "" where it isn't told */
	char message[256];
	char region[64];
	char endpoint[256];
};

/* An Error document. Texts are cut to their size and made printable. Returns 0,
 * -EPROTO (not an error document) or -ENOMEM. */
int xml_parse_error(const char *data, size_t len, struct xml_error *ret_error);

/* Copies an ETag without quotes and W/ into dst[size]; "" if it doesn't fit or
 * has a character that no ETag may have. */
void xml_strip_etag(char *dst, size_t size, const char *src);

#endif
